import type { Window } from '@/api/types';

/** How the channel's window stands: `none` where it has none. */
export type WindowState =
  | { kind: 'none' }
  | { kind: 'open' | 'soon'; left: number; closesAt: number }
  | { kind: 'closed' };

/** Below this the chip warns. */
const SOON = 2 * 3600 * 1000;

export function windowState(window: Window, now: number): WindowState {
  if (window.rule === 'none') return { kind: 'none' };
  if (window.closes_at === null || window.closes_at <= now) return { kind: 'closed' };
  const left = window.closes_at - now;
  return { kind: left < SOON ? 'soon' : 'open', left, closesAt: window.closes_at };
}
