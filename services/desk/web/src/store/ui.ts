import { create } from 'zustand';
import type { Filter } from './select';

export type Dialog = 'transfer' | 'conclude' | 'shortcuts' | 'templates' | null;

/** What is open on the page and how the list is filtered: of this tab alone, kept nowhere. */
export interface Ui {
  dialog: Dialog;
  /** The templates were opened because free text had been refused. */
  refused: boolean;
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
  refused: false,
  nav: false,
  drawer: false,
  filter: { channel: null, queue: null, search: '', order: null },
  found: new Set<string>(),
  announcement: '',
}));

export function show(dialog: Dialog): void {
  useUi.setState({ dialog, refused: false });
}

/** Free text was refused: here is what may be sent instead (SES-1). */
export function offerTemplates(): void {
  useUi.setState({ dialog: 'templates', refused: true });
}

export function refine(change: Partial<Filter>): void {
  useUi.setState(({ filter }) => ({ filter: { ...filter, ...change } }));
}

export function announce(announcement: string): void {
  useUi.setState({ announcement });
}
