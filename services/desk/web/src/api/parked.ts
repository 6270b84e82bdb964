import { call, type Intent } from './http';
import type { Fate, ParkedCause, ParkedCauses, ParkedDetail, ParkedItem, ParkedPage } from './types';

/** What narrows the parked messages. */
export interface ParkedQuery {
  code?: string;
  place?: string;
  channel?: string;
  account?: string;
  since?: number;
  until?: number;
}

/** The channel or account of those that none is known of. */
export const NONE = 'none';

const at = (id: string) => `/parked/${encodeURIComponent(id)}`;

/** Those with one cause. */
export function queryOf(cause: ParkedCause): ParkedQuery {
  const { code, place, channel, account } = cause;
  return {
    code,
    place,
    channel: channel ?? NONE,
    account: account ? (account.id ?? account.name) : NONE,
  };
}

function params(query: ParkedQuery): URLSearchParams {
  const said = Object.entries(query).filter(([, value]) => value !== undefined);
  return new URLSearchParams(said.map(([name, value]) => [name, String(value)]));
}

export const listParkedCauses = (query: ParkedQuery) => call<ParkedCauses>(`/parked/causes?${params(query)}`);

export function listParked(
  query: ParkedQuery,
  state: 'waiting' | 'ended',
  before: string | null,
  limit: number,
): Promise<ParkedPage> {
  const all = params(query);
  all.set('state', state);
  all.set('limit', String(limit));
  if (before !== null) all.set('before', before);
  return call<ParkedPage>(`/parked?${all}`);
}

export const readParked = (id: string) => call<ParkedDetail>(at(id));
export const redriveParked = (id: string, intent: Intent) =>
  call<ParkedItem>(`${at(id)}/redrive`, { method: 'POST', body: {}, intent });
export const decideParked = (id: string, decision: Fate, reason: string | null, intent: Intent) =>
  call<ParkedItem>(`${at(id)}/decision`, { method: 'POST', body: { decision, reason }, intent });
export const discardParked = (id: string, reason: string, intent: Intent) =>
  call<ParkedItem>(`${at(id)}/discard`, { method: 'POST', body: { reason }, intent });
export const redriveAllParked = (query: ParkedQuery, intent: Intent) =>
  call<{ count: number }>('/parked/redrive', { method: 'POST', body: { ...query, all: true }, intent });
