import { useSyncExternalStore } from 'react';
import type { View } from './select';
import { VIEWS } from './select';

/** Where the agent is: `#/<view>` or `#/<view>/<conversation>`. In the hash, so that any server can serve the page. */
export interface Route {
  view: View;
  conversation: string | null;
}

let known = '';
let route: Route = { view: 'waiting', conversation: null };

export function parseRoute(hash: string): Route {
  const [view, conversation] = hash.replace(/^#\/?/, '').split('/');
  return {
    view: VIEWS.find((name) => name === view) ?? 'waiting',
    conversation: conversation ? decodeURIComponent(conversation) : null,
  };
}

export function currentRoute(): Route {
  const hash = typeof location === 'undefined' ? '' : location.hash;
  if (hash !== known) {
    known = hash;
    route = parseRoute(hash);
  }
  return route;
}

export function go(next: Partial<Route>): void {
  const { view, conversation } = { ...currentRoute(), ...next };
  location.hash = conversation ? `/${view}/${encodeURIComponent(conversation)}` : `/${view}`;
}

export function useRoute(): Route {
  return useSyncExternalStore((changed) => {
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }, currentRoute);
}
