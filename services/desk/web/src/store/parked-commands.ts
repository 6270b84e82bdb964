import { type Intent, newIntent } from '@/api/http';
import * as api from '@/api/parked';
import { asApiError } from '@/api/problem';
import type { Fate, ParkedCause, ParkedItem } from '@/api/types';
import { toastError } from '@/ui/toast';
import { ALL, filterQuery, keyOf, loadDetail, loadParked, parkedState, putItem, useParked } from './parked';

const set = useParked.setState;

/**
 * Carries out a decision about one message: shows it at once, then as the desk answers. A failure takes it back and
 * says why; "try again" uses the same key, so that it is decided once whatever became of the first call.
 */
async function decide(
  item: ParkedItem,
  shown: Pick<ParkedItem, 'state'>,
  run: (intent: Intent) => Promise<ParkedItem>,
): Promise<boolean> {
  const intent = newIntent();
  const attempt = async (): Promise<boolean> => {
    set(({ busy }) => ({ busy: { ...busy, [item.id]: true } }));
    putItem({ ...item, ...shown });
    try {
      putItem(await run(intent));
      void loadParked();
      return true;
    } catch (thrown) {
      const error = asApiError(thrown);
      putItem(item);
      toastError(error, error.isPassing ? () => void attempt() : undefined);
      if (error.status === 409 || error.status === 404) void loadParked();
      return false;
    } finally {
      set(({ busy }) => {
        const { [item.id]: _gone, ...others } = busy;
        return { busy: others };
      });
      void loadDetail(item.id);
    }
  };
  return attempt();
}

export function redrive(item: ParkedItem): Promise<boolean> {
  return decide(item, { state: 'requested' }, (intent) => api.redriveParked(item.id, intent));
}

export function decideFate(item: ParkedItem, fate: Fate, reason: string | null): Promise<boolean> {
  const state = fate === 'again' ? 'redriven' : 'ended';
  return decide(item, { state }, (intent) => api.decideParked(item.id, fate, reason, intent));
}

export function discard(item: ParkedItem, reason: string): Promise<boolean> {
  return decide(item, { state: 'ended' }, (intent) => api.discardParked(item.id, reason, intent));
}

/** How many of these can go on their way at once: those in doubt are decided one by one. */
export function redrivable(causes: ParkedCause[]): number {
  return causes.filter((one) => !one.in_doubt).reduce((sum, one) => sum + one.count - one.requested, 0);
}

/** Sends a cause, or all that the filter shows, on its way. Answers how many; null when it did not work. */
export async function redriveMany(cause: ParkedCause | null): Promise<number | null> {
  const query = { ...filterQuery(Date.now()), ...(cause ? api.queryOf(cause) : {}) };
  const total = redrivable(cause ? [cause] : parkedState().causes);
  const intent = newIntent();
  const key = cause ? keyOf(cause) : ALL;
  set(({ causes }) => ({
    bulk: { key, total },
    causes: causes.map((one) =>
      !one.in_doubt && (cause === null || keyOf(one) === key) ? { ...one, requested: one.count } : one,
    ),
  }));
  try {
    const { count } = await api.redriveAllParked(query, intent);
    return count;
  } catch (thrown) {
    set({ bulk: null });
    toastError(asApiError(thrown));
    return null;
  } finally {
    void loadParked();
  }
}
