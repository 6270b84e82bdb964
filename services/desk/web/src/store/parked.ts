import { create } from 'zustand';
import * as api from '@/api/parked';
import { asApiError } from '@/api/problem';
import type { Change, ParkedCause, ParkedDetail, ParkedItem } from '@/api/types';
import { deskState } from './desk';
import { supervises } from './select';

/** Which of them: those that wait, by cause, or those that ended, as one list. */
export type Standing = 'waiting' | 'ended';
export type Period = 'all' | 'hour' | 'day' | 'week';
const HOUR = 3_600_000;
export const PERIODS: Record<Period, number> = { all: 0, hour: HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR };

/** Messages of one cause, as far as they are loaded. */
export interface Rows {
  items: ParkedItem[];
  next: string | null;
  status: 'loading' | 'ready' | 'failed';
}

export interface ParkedState {
  status: 'loading' | 'ready' | 'failed';
  causes: ParkedCause[];
  /** All that wait in the organization, whatever the filter: the count of the navigation. */
  total: number;
  standing: Standing;
  channel: string | null;
  period: Period;
  /** By cause ({@link keyOf}); those that ended under {@link ENDED}. */
  rows: Record<string, Rows>;
  /** Causes whose messages are shown. */
  expanded: readonly string[];
  details: Record<string, ParkedDetail | 'failed' | 'gone'>;
  /** Messages with a decision in flight. */
  busy: Record<string, true>;
  /** A bulk in progress: how many of the key's messages are still to go. */
  bulk: { key: string; total: number } | null;
}

export const ENDED = 'ended';
/** The key of all causes together. */
export const ALL = 'all';
const PAGE = 50;
/** Changes come in bursts; one reading serves them all. */
const REST = 300;

function initial(): ParkedState {
  return {
    status: 'loading',
    causes: [],
    total: 0,
    standing: 'waiting',
    channel: null,
    period: 'all',
    rows: {},
    expanded: [],
    details: {},
    busy: {},
    bulk: null,
  };
}

export const useParked = create<ParkedState>(initial);
export const parkedState = useParked.getState;
const set = useParked.setState;

export function forgetParked(): void {
  set(initial(), true);
}

export function keyOf({ code, place, channel, account }: ParkedCause): string {
  return [code, place, channel ?? '', account ? (account.id ?? account.name) : ''].join('|');
}

/** What the filter of the page says. */
export function filterQuery(now: number): api.ParkedQuery {
  const { channel, period } = parkedState();
  return {
    ...(channel === null ? {} : { channel }),
    ...(period === 'all' ? {} : { since: now - PERIODS[period] }),
  };
}

const isFiltered = () => parkedState().channel !== null || parkedState().period !== 'all';

/** Reads the causes, and again the rows that are shown. */
export async function loadParked(): Promise<void> {
  if (!supervises(deskState())) return;
  try {
    const all = await api.listParkedCauses(filterQuery(Date.now()));
    const total = isFiltered() ? (await api.listParkedCauses({})).total : all.total;
    set(({ bulk, expanded }) => {
      const known = new Set(all.items.map(keyOf));
      const left = all.items.reduce((sum, cause) => sum + cause.requested, 0);
      return {
        status: 'ready',
        causes: all.items,
        total,
        expanded: expanded.filter((key) => known.has(key)),
        bulk: left === 0 ? null : bulk,
      };
    });
    const { standing, expanded } = parkedState();
    await Promise.all((standing === 'ended' ? [ENDED] : expanded).map((key) => loadRows(key)));
  } catch (thrown) {
    if (asApiError(thrown).status !== 401) set(({ status }) => ({ status: status === 'ready' ? status : 'failed' }));
  }
}

/** Reads the messages of a cause anew, as many as are shown; with `more`, the page that follows. */
export async function loadRows(key: string, more = false): Promise<void> {
  const cause = parkedState().causes.find((one) => keyOf(one) === key);
  if (!cause && key !== ENDED) return;
  const known = parkedState().rows[key];
  const put = (rows: Rows) => set((state) => ({ rows: { ...state.rows, [key]: rows } }));
  put({ items: known?.items ?? [], next: known?.next ?? null, status: known ? known.status : 'loading' });
  try {
    const query = { ...filterQuery(Date.now()), ...(cause ? api.queryOf(cause) : {}) };
    const limit = more ? PAGE : Math.min(200, Math.max(PAGE, known?.items.length ?? 0));
    const before = more ? (known?.next ?? null) : null;
    const page = await api.listParked(query, key === ENDED ? 'ended' : 'waiting', before, limit);
    const items = more ? [...(known?.items ?? []), ...page.items] : page.items;
    put({ items, next: page.next, status: 'ready' });
  } catch {
    put({ items: known?.items ?? [], next: known?.next ?? null, status: 'failed' });
  }
}

export async function loadDetail(id: string): Promise<void> {
  const put = (detail: ParkedDetail | 'failed' | 'gone') =>
    set((state) => ({ details: { ...state.details, [id]: detail } }));
  try {
    put(await api.readParked(id));
  } catch (thrown) {
    const known = parkedState().details[id];
    if (asApiError(thrown).status === 404) put('gone');
    else if (known === undefined) put('failed');
  }
}

export function toggleCause(key: string): void {
  const open = parkedState().expanded.includes(key);
  set(({ expanded }) => ({ expanded: open ? expanded.filter((one) => one !== key) : [...expanded, key] }));
  if (!open) void loadRows(key);
}

/** Changes what is shown, and reads it. */
export function showParked(change: Partial<Pick<ParkedState, 'standing' | 'channel' | 'period'>>): void {
  set({ ...change, rows: {} });
  void loadParked();
}

/** Puts a message as it is now wherever it is shown. Older news changes nothing. */
export function putItem(item: ParkedItem): void {
  set((state) => {
    const rows = Object.fromEntries(
      Object.entries(state.rows).map(([key, known]) => [
        key,
        { ...known, items: known.items.map((one) => (one.id === item.id && one.version <= item.version ? item : one)) },
      ]),
    );
    const detail = state.details[item.id];
    const known = typeof detail === 'object' && detail.item.version <= item.version;
    return { rows, details: known ? { ...state.details, [item.id]: { ...detail, item } } : state.details };
  });
}

let waiting: number | null = null;

/** What the event stream says: the causes are read again soon, and the open message if it is among them. */
export function hearParked(changes: Change[], open: string | null): void {
  const moved = changes.filter((change) => change.type === 'parked');
  if (moved.length === 0) return;
  const about = (id: string) => moved.some(({ data }) => data.parked.includes(id) || data.settled.length > 0);
  if (open !== null && about(open)) void loadDetail(open);
  if (waiting !== null) return;
  waiting = window.setTimeout(() => {
    waiting = null;
    void loadParked();
  }, REST);
}
