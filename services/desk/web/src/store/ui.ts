import { create } from 'zustand';
import type { Filter } from './select';

export type Dialog = 'transfer' | 'conclude' | 'shortcuts' | null;

/** What is open on the page and how the list is filtered: of this tab alone, kept nowhere. */
export interface Ui {
  dialog: Dialog;
  nav: boolean;
  /** The contact panel where it lies over the chat. */
  drawer: boolean;
  filter: Filter;
  /** Ids that the desk's own search found beside what matches here. */
  found: ReadonlySet<string>;
  /** Says each new message to screen readers. */
  announcement: string;
}

export const useUi = create<Ui>(() => ({
  dialog: null,
  nav: false,
  drawer: false,
  filter: { channel: null, queue: null, search: '', order: null },
  found: new Set<string>(),
  announcement: '',
}));

export function show(dialog: Dialog): void {
  useUi.setState({ dialog });
}

export function refine(change: Partial<Filter>): void {
  useUi.setState(({ filter }) => ({ filter: { ...filter, ...change } }));
}

export function announce(announcement: string): void {
  useUi.setState({ announcement });
}
