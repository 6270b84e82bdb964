import { Tooltip } from '@mantine/core';
import { Lock, Timer } from 'lucide-react';
import type { Conversation } from '@/api/types';
import { useWords } from '@/i18n';
import { useSecond } from '@/ui/now';
import classes from './header.module.css';
import { windowState } from './window';

/** The time left to write freely. `quiet`: in lists, where only what needs attention is said. */
export function WindowChip({ conversation, quiet = false }: { conversation: Conversation; quiet?: boolean }) {
  const { t, format } = useWords();
  const window = windowState(conversation.window, useSecond());
  if (window.kind === 'none' || (quiet && window.kind === 'open')) return null;
  const closed = window.kind === 'closed';
  const Icon = closed ? Lock : Timer;
  const left = closed ? '' : format.duration(window.left, true);
  const words = closed ? t('window.closed') : left;
  const hint = closed ? t('window.closedHint') : t('window.openHint', { time: format.dateTime(window.closesAt) });
  const chip = (
    <span
      className={`${classes.chip} numbers`}
      data-kind={window.kind}
      data-quiet={quiet || undefined}
      data-testid={quiet ? 'window-chip-row' : 'window-chip'}
      data-state={window.kind}
      aria-label={closed ? undefined : `${t('window.word')} ${left}`}
      role="note"
    >
      <Icon size={13} aria-hidden />
      {closed || quiet ? (
        <span className={quiet && closed ? 'hidden' : classes.chipWords}>{words}</span>
      ) : (
        <>
          <span className={classes.chipWords}>{t('window.word')} </span>
          {left}
        </>
      )}
    </span>
  );
  if (quiet) return chip;
  return (
    <Tooltip label={hint} multiline maw={280}>
      {chip}
    </Tooltip>
  );
}
