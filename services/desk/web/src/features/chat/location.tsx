import { ExternalLink, MapPin } from 'lucide-react';
import type { LocationContent } from '@/api/types';
import { useWords } from '@/i18n';
import classes from './content.module.css';

/** Opened only by a click: no map is fetched for a conversation that is merely read. */
export function mapUrl({ latitude, longitude }: Pick<LocationContent, 'latitude' | 'longitude'>): string {
  const at = `${latitude}/${longitude}`;
  return `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=17/${at}`;
}

/** A place: its name, its coordinates, and a link to a map (CH-15). */
export function LocationView({ location }: { location: LocationContent }) {
  const { t, format } = useWords();
  const latitude = format.coordinate(location.latitude);
  const longitude = format.coordinate(location.longitude);
  return (
    <div className={classes.location} data-testid="location">
      <div className={classes.map} aria-hidden>
        <MapPin size={26} />
      </div>
      <div className={classes.place}>
        <strong>{location.name || t('location.title')}</strong>
        {location.address && <div>{location.address}</div>}
        <div className={`${classes.coordinates} numbers`}>{t('location.coordinates', { latitude, longitude })}</div>
        <a href={mapUrl(location)} target="_blank" rel="noopener noreferrer" data-testid="map-link">
          <ExternalLink size={14} aria-hidden />
          {t('location.open')}
        </a>
      </div>
    </div>
  );
}
