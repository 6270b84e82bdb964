import { Button, Tooltip } from '@mantine/core';
import { ChevronRight, CircleHelp, Play, TriangleAlert } from 'lucide-react';
import { useId, useState } from 'react';
import type { ParkedCause } from '@/api/types';
import { useWords } from '@/i18n';
import { keyOf, toggleCause, useParked } from '@/store/parked';
import { redrivable } from '@/store/parked-commands';
import { ChannelMark } from '@/ui/channel';
import { useMinute } from '@/ui/now';
import classes from './cause-group.module.css';
import { BulkDialog } from './dialogs';
import marks from './marks.module.css';
import { ParkedRows } from './parked-rows';
import { placeOf, whoseOf } from './words';

/** One cause: what it is, how many, and the messages when it is opened. */
export function CauseGroup({ cause, open }: { cause: ParkedCause; open: string | null }) {
  const words = useWords();
  const { t, plural, format, error } = words;
  const now = useMinute();
  const key = keyOf(cause);
  const expanded = useParked((state) => state.expanded.includes(key));
  const [asking, setAsking] = useState(false);
  const rows = useId();
  const left = redrivable([cause]);
  const where = [whoseOf(cause), placeOf(words, cause.place)].filter(Boolean).join(' · ');
  return (
    <li className={classes.cause} data-expanded={expanded || undefined} data-code={cause.code}>
      <button
        type="button"
        className={classes.causeHead}
        aria-expanded={expanded}
        aria-controls={rows}
        onClick={() => toggleCause(key)}
        data-row={`cause-${key}`}
        data-testid="parked-cause"
      >
        <ChevronRight className={classes.chevron} size={16} aria-hidden />
        <span className={classes.sign} data-doubt={cause.in_doubt || undefined}>
          {cause.in_doubt ? <CircleHelp size={17} aria-hidden /> : <TriangleAlert size={17} aria-hidden />}
          {cause.channel !== null && (
            <span className={classes.mark}>
              <ChannelMark channel={cause.channel} size={15} />
            </span>
          )}
        </span>
        <span className={classes.causeWords}>
          <span className={classes.causeTitle}>{error(cause.code)}</span>
          <span className={marks.faint}>{where}</span>
        </span>
        <span className={classes.causeRight}>
          <span className={`${classes.count} numbers`} data-testid="parked-cause-count">
            {format.number(cause.count)}
          </span>
          <Tooltip label={`${format.dateTime(cause.first_at)} – ${format.dateTime(cause.last_at)}`}>
            <time className={marks.faint} dateTime={new Date(cause.last_at).toISOString()}>
              {format.brief(cause.last_at, now)}
            </time>
          </Tooltip>
        </span>
      </button>
      <div id={rows} hidden={!expanded}>
        {expanded && (
          <>
            {!cause.in_doubt && left > 0 && (
              <div className={classes.groupActions}>
                <Button
                  size="compact-sm"
                  variant="light"
                  leftSection={<Play size={13} aria-hidden />}
                  onClick={() => setAsking(true)}
                  data-testid="redrive-group"
                >
                  {plural('parked.redriveGroup', left)}
                </Button>
                <a className={marks.link} href={`/errors/${cause.code}`} target="_blank" rel="noreferrer">
                  {t('parked.whatToDo')}
                </a>
              </div>
            )}
            <ParkedRows of={key} label={error(cause.code)} open={open} />
          </>
        )}
      </div>
      <BulkDialog opened={asking} cause={cause} onClose={() => setAsking(false)} />
    </li>
  );
}
