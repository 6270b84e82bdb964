import * as api from '@/api/calls';
import { newIntent } from '@/api/http';
import type { Presence } from '@/api/types';
import { deskState, dispatch } from './desk';

/**
 * The desk takes an agent whose page was away for a while as offline. When the page is back it says again what the
 * agent had chosen here: nobody should sit at the desk and get nothing for the sake of a lost connection.
 */
const KEY = 'afluente.presence';
/** The news of having been taken offline comes with what the page had missed, right after it connected. */
const AFTER = 30_000;

let back = 0;

export async function choosePresence(presence: Presence): Promise<void> {
  const { seat } = deskState();
  if (seat) dispatch({ type: 'seat', seat: { ...seat, presence } });
  remember(presence);
  try {
    dispatch({ type: 'seat', seat: await api.setPresence(presence, newIntent()) });
  } catch (thrown) {
    if (seat) {
      dispatch({ type: 'seat', seat });
      remember(seat.presence);
    }
    throw thrown;
  }
}

/** The page was loaded, or its connection is back. */
export function pageIsBack(now: number): void {
  back = now;
  noteSeat(now);
}

/** After each change: was the agent taken offline while the page was away? */
export function noteSeat(now: number): void {
  const { seat, connection } = deskState();
  if (!seat || connection !== 'live' || seat.presence !== 'offline' || wanted() !== 'online') return;
  if (now - back > AFTER) {
    // Said elsewhere, by the agent: that counts.
    remember('offline');
    return;
  }
  void choosePresence('online').catch(() => undefined);
}

function wanted(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function remember(presence: Presence | null): void {
  try {
    if (presence === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, presence);
  } catch {
    // Then it is not restored.
  }
}
