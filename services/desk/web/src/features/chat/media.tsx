import { Download, FileText, FileX2 } from 'lucide-react';
import { useState } from 'react';
import { mediaUrl } from '@/api/media';
import type { MediaContent } from '@/api/types';
import { useWords } from '@/i18n';
import { AudioPlayer } from './audio-player';
import classes from './content.module.css';
import { RichText } from './rich-text';

interface Props {
  id: string;
  media: MediaContent;
  openImage: (message: string) => void;
}

/** A medium with its caption. The message stands at once; its bytes follow. */
export function MediaView({ id, media, openImage }: Props) {
  return (
    <>
      <Body id={id} media={media} openImage={openImage} />
      {media.caption && <RichText text={media.caption} />}
    </>
  );
}

function Body({ id, media, openImage }: Props) {
  const { t } = useWords();
  const [broken, setBroken] = useState(false);
  const name = media.name ?? t(`kind.${media.kind}`);
  if (media.state === 'lost' || broken) return <Lost media={media} broken={broken} />;
  if (media.state === 'pending' || !media.key) return <Pending media={media} />;
  const source = mediaUrl(media.key);
  const fail = () => setBroken(true);
  switch (media.kind) {
    case 'image':
      return (
        <button
          type="button"
          className={classes.image}
          onClick={() => openImage(id)}
          aria-label={t('media.open', { name })}
          data-testid="image"
        >
          <img src={source} alt={media.caption ?? name} loading="lazy" onError={fail} />
        </button>
      );
    case 'sticker':
      return <img className={classes.sticker} src={source} alt={t('kind.sticker')} loading="lazy" onError={fail} />;
    case 'audio':
      return <AudioPlayer source={source} fail={fail} />;
    case 'video':
      return (
        // biome-ignore lint/a11y/useMediaCaption: what a customer films has no caption track
        <video className={classes.video} src={source} controls preload="metadata" onError={fail} aria-label={name} />
      );
    default:
      return <FileView media={media} source={source} />;
  }
}

export function FileView({ media, source }: { media: MediaContent; source: string }) {
  const { t, format } = useWords();
  const name = media.name ?? t('kind.document');
  const extension = (media.name?.split('.').pop() ?? media.mime.split('/').pop() ?? '').slice(0, 5).toUpperCase();
  return (
    <a className={classes.file} href={source} download={media.name ?? ''} data-testid="document">
      <span className="hidden">{t('action.download')}: </span>
      <FileText size={26} strokeWidth={1.6} aria-hidden />
      <span className={classes.fileWords}>
        <span className={classes.fileName}>{name}</span>
        <span className={classes.faint}>
          {extension}
          {media.size !== null && ` · ${format.bytes(media.size)}`}
        </span>
      </span>
      <Download size={17} aria-hidden />
    </a>
  );
}

function Pending({ media }: { media: MediaContent }) {
  const { t } = useWords();
  return (
    <div className={classes.pending} data-kind={media.kind} role="status" data-testid="media-pending">
      <span>{t('media.pending')}</span>
    </div>
  );
}

function Lost({ media, broken }: { media: MediaContent; broken: boolean }) {
  const { t, maybe } = useWords();
  const why = !broken && media.reason ? maybe(`media.lost.${media.reason}`, media.reason) : null;
  return (
    <div className={classes.lost} data-testid="media-lost">
      <FileX2 size={22} strokeWidth={1.6} aria-hidden />
      <div>
        <div>{broken ? t('media.broken') : t('media.lost')}</div>
        <div className={classes.faint}>{[media.name, why].filter(Boolean).join(' · ')}</div>
      </div>
    </div>
  );
}
