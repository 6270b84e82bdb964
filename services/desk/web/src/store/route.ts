import { useSyncExternalStore } from 'react';
import type { View } from './select';
import { VIEWS } from './select';

/**
 * Where the agent is: `#/<view>` or `#/<view>/<conversation>`; a supervisor also at `#/parked` or `#/parked/<message>`.
 * In the hash, so that any server can serve the page.
 */
export interface Route {
  place: 'desk' | 'parked';
  view: View;
  conversation: string | null;
  /** The parked message that is open. */
  parked: string | null;
}

let known = '';
let route: Route = { place: 'desk', view: 'waiting', conversation: null, parked: null };

export function parseRoute(hash: string): Route {
  const [view, rest] = hash.replace(/^#\/?/, '').split('/');
  const id = rest ? decodeURIComponent(rest) : null;
  if (view === 'parked') return { place: 'parked', view: 'waiting', conversation: null, parked: id };
  return { place: 'desk', view: VIEWS.find((name) => name === view) ?? 'waiting', conversation: id, parked: null };
}

export function currentRoute(): Route {
  const hash = typeof location === 'undefined' ? '' : location.hash;
  if (hash !== known) {
    known = hash;
    route = parseRoute(hash);
  }
  return route;
}

/** To a list or a conversation; from among the parked messages, back to the desk. */
export function go(next: Partial<Pick<Route, 'view' | 'conversation'>>): void {
  const { view, conversation } = { ...currentRoute(), ...next };
  location.hash = conversation ? `/${view}/${encodeURIComponent(conversation)}` : `/${view}`;
}

/** To the parked messages, or one of them. */
export function goParked(id: string | null): void {
  location.hash = id ? `/parked/${encodeURIComponent(id)}` : '/parked';
}

export function useRoute(): Route {
  return useSyncExternalStore((changed) => {
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }, currentRoute);
}
