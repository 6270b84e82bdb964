import { Button, Loader } from '@mantine/core';
import type { ParkedItem } from '@/api/types';
import { useWords } from '@/i18n';
import { loadRows, useParked } from '@/store/parked';
import { goParked } from '@/store/route';
import { useMinute } from '@/ui/now';
import marks from './marks.module.css';
import classes from './parked-rows.module.css';
import { whoseOf } from './words';

/** The messages of a cause, or those that ended. `named`: each says its cause, since they do not share one. */
export function ParkedRows(props: { of: string; label: string; open: string | null; named?: boolean }) {
  const { t } = useWords();
  const rows = useParked((state) => state.rows[props.of]);
  if (rows === undefined || (rows.status === 'loading' && rows.items.length === 0))
    return (
      <div className={marks.middle}>
        <Loader type="dots" size="sm" aria-label={t('app.loading')} />
      </div>
    );
  return (
    <>
      <ul
        className={classes.rows}
        data-grouped={props.named ? undefined : true}
        aria-label={props.label}
        data-testid="parked-rows"
      >
        {rows.items.map((item) => (
          <Row key={item.id} item={item} open={item.id === props.open} named={props.named === true} />
        ))}
      </ul>
      {(rows.next !== null || rows.status === 'failed') && (
        <div className={classes.more}>
          <Button size="compact-sm" variant="subtle" onClick={() => void loadRows(props.of, rows.status !== 'failed')}>
            {t(rows.status === 'failed' ? 'list.retry' : 'parked.more')}
          </Button>
        </div>
      )}
    </>
  );
}

function Row({ item, open, named }: { item: ParkedItem; open: boolean; named: boolean }) {
  const { t, format, error } = useWords();
  const now = useMinute();
  const isOver = item.state !== 'waiting';
  return (
    <li>
      <button
        type="button"
        className={classes.row}
        data-state={item.state}
        aria-current={open}
        onClick={() => goParked(item.id)}
        data-row={item.id}
        data-testid="parked-row"
      >
        <time className={`${classes.time} numbers`} dateTime={new Date(item.at).toISOString()}>
          {format.brief(item.at, now)}
        </time>
        <span className={classes.rowWords}>
          {named && <span className={classes.rowCause}>{error(item.code)}</span>}
          <span className={classes.reason}>{named ? (whoseOf(item) ?? item.reason) : item.reason}</span>
        </span>
        {item.provider_code !== null && <code className={marks.code}>{item.provider_code}</code>}
        {isOver && (
          <span className={marks.state} data-state={item.state}>
            {t(`parked.state.${item.state}`)}
          </span>
        )}
      </button>
    </li>
  );
}
