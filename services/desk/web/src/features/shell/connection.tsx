import { Tooltip } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { reconnectNow } from '@/store/session';
import classes from './desk.module.css';

/** Whether the page hears of changes as they happen. */
export function ConnectionDot({ bare = false }: { bare?: boolean }) {
  const { t } = useWords();
  const connection = useDesk((state) => state.connection);
  const words = t(`connection.${connection}`);
  const dot = (
    <span className={classes.connection} data-testid="connection" data-state={connection} role="status">
      <span className={classes.dot} data-state={connection} aria-hidden />
      {bare ? <span className="hidden">{words}</span> : words}
    </span>
  );
  return bare ? <Tooltip label={words}>{dot}</Tooltip> : dot;
}

/** Says it aloud when the connection stays away: a hiccup of a second is nobody's business. */
export function ConnectionBanner() {
  const { t } = useWords();
  const lost = useDesk((state) => state.connection !== 'live');
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!lost) {
      setLate(false);
      return;
    }
    const timer = window.setTimeout(() => setLate(true), 2500);
    return () => window.clearTimeout(timer);
  }, [lost]);
  useEffect(() => {
    const wake = () => reconnectNow();
    const seen = () => document.visibilityState === 'visible' && reconnectNow();
    window.addEventListener('online', wake);
    document.addEventListener('visibilitychange', seen);
    return () => {
      window.removeEventListener('online', wake);
      document.removeEventListener('visibilitychange', seen);
    };
  }, []);
  if (!lost || !late) return null;
  return (
    <div className={classes.banner} role="status" data-testid="connection-banner">
      <span className={classes.dot} data-state="reconnecting" aria-hidden />
      <span>{t('connection.banner')}</span>
      <button type="button" className={classes.link} onClick={reconnectNow}>
        {t('connection.now')}
      </button>
    </div>
  );
}
