import { Check, CheckCheck, CircleAlert, Clock3, Hourglass } from 'lucide-react';
import type { Delivery, Receipts } from '@/api/types';
import { useWords } from '@/i18n';
import classes from './chat.module.css';

/** What to show: only ticks that this account's channel can really tell (CH-11). */
export type Tick = 'queued' | 'one' | 'two' | 'read' | 'failed' | 'parked';

export function tickOf(state: Delivery['state'], receipts: Receipts | null): Tick {
  switch (state) {
    case 'queued':
    case 'failed':
    case 'parked':
      return state;
    case 'read':
      if (receipts === null || receipts.read) return 'read';
      return receipts.delivered ? 'two' : 'one';
    case 'delivered':
      return receipts === null || receipts.delivered ? 'two' : 'one';
    default:
      return 'one';
  }
}

const ICONS = { queued: Clock3, one: Check, two: CheckCheck, read: CheckCheck, failed: CircleAlert, parked: Hourglass };

export function Ticks({ delivery, receipts }: { delivery: Delivery; receipts: Receipts | null }) {
  const { t, format } = useWords();
  const tick = tickOf(delivery.state, receipts);
  const Icon = ICONS[tick];
  const words = t(`delivery.${delivery.state}`);
  return (
    <span
      className={classes.tick}
      data-tick={tick}
      data-testid="tick"
      title={`${words}, ${format.dateTime(delivery.at)}`}
    >
      <Icon size={15} role="img" aria-label={words} />
    </span>
  );
}
