import { spotlight } from '@mantine/spotlight';
import type { Conversation } from '@/api/types';
import { take } from '@/store/commands';
import { deskState } from '@/store/desk';
import { prefer, usePreferences } from '@/store/preferences';
import { currentRoute, go, goParked } from '@/store/route';
import { accountOf, conversationOf, isMine, supervises } from '@/store/select';
import { show, useUi } from '@/store/ui';
import { type Shortcuts, useShortcuts } from '@/ui/shortcuts';
import { MIDDLE } from './desk';

/** Opens or hides the contact's details, as a column or as a drawer by the width of the page. */
export function toggleDetails(): void {
  if (window.matchMedia(MIDDLE).matches) useUi.setState(({ drawer }) => ({ drawer: !drawer }));
  else prefer({ panel: !usePreferences.getState().panel });
}

/** Takes a conversation and stays with it in the list of active ones. */
export async function takeAndStay(id: string): Promise<void> {
  go({ view: 'active', conversation: id });
  if (await take(id)) focusComposer();
  else if (currentRoute().conversation === id) go({ view: 'waiting', conversation: id });
}

export function focusComposer(): void {
  // After the paint that enables it.
  window.setTimeout(() => document.querySelector<HTMLTextAreaElement>('[data-composer]')?.focus(), 30);
}

function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('[data-row]')];
}

/** Moves the focus in the list; from elsewhere it starts at the open row, or the first. */
export function moveFocus(by: 1 | -1): void {
  const all = rows();
  const here = all.indexOf(document.activeElement as HTMLElement);
  const open = all.findIndex((row) => row.getAttribute('aria-current') === 'true');
  const next = here >= 0 ? here + by : open >= 0 ? open + by : 0;
  const row = all[Math.min(all.length - 1, Math.max(0, next))];
  row?.focus();
  row?.scrollIntoView({ block: 'nearest' });
}

function opened() {
  return conversationOf(deskState(), currentRoute().conversation);
}

/** The conversation that a key speaks of: the focused row, else the open one. */
function meant(): string | null {
  const row = document.activeElement?.closest<HTMLElement>('[data-conversation]');
  return row?.dataset.conversation ?? currentRoute().conversation;
}

function inList(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('[data-list]') !== null;
}

export function useDeskKeys(): void {
  const step = (by: 1 | -1) => (event: KeyboardEvent) => {
    event.preventDefault();
    moveFocus(by);
  };
  const arrow = (by: 1 | -1) => (event: KeyboardEvent) => {
    if (inList(event.target)) step(by)(event);
  };
  const mine = (work: (conversation: Conversation) => void) => (event: KeyboardEvent) => {
    const conversation = opened();
    if (!conversation || conversation.state === 'closed' || conversation.state === 'waiting') return;
    if (!isMine(deskState(), conversation) && deskState().me?.user.role === 'agent') return;
    event.preventDefault();
    work(conversation);
  };
  const shortcuts: Shortcuts = {
    j: step(1),
    k: step(-1),
    ArrowDown: arrow(1),
    ArrowUp: arrow(-1),
    '1': () => go({ view: 'waiting', conversation: null }),
    '2': () => go({ view: 'active', conversation: null }),
    '3': () => go({ view: 'inactive', conversation: null }),
    '4': () => {
      if (supervises(deskState())) goParked(null);
    },
    '/': (event) => {
      event.preventDefault();
      document.querySelector<HTMLInputElement>('[data-search]')?.focus();
    },
    t: (event) => {
      const id = meant();
      if (id === null || conversationOf(deskState(), id)?.state !== 'waiting') return;
      event.preventDefault();
      void takeAndStay(id);
    },
    r: (event) => {
      event.preventDefault();
      focusComposer();
    },
    x: mine(() => show('transfer')),
    e: mine(() => show('conclude')),
    m: mine((conversation) => {
      if (accountOf(deskState(), conversation)?.templates) show('templates');
    }),
    i: () => {
      if (opened()) toggleDetails();
    },
    '?': () => show('shortcuts'),
    'Ctrl+k': (event) => {
      event.preventDefault();
      spotlight.open();
    },
    Escape: stepOut,
  };
  useShortcuts(shortcuts);
}

/** First out of the field, then out of the conversation. */
function stepOut(event: KeyboardEvent): void {
  const field = event.target;
  if (field instanceof HTMLElement && /^(INPUT|TEXTAREA)$/.test(field.tagName)) {
    field.blur();
    return;
  }
  const { place, conversation, parked } = currentRoute();
  if (place === 'parked' && parked !== null) {
    goParked(null);
    focusRow(parked);
  }
  if (conversation === null) return;
  go({ conversation: null });
  focusRow(conversation);
}

function focusRow(id: string): void {
  window.setTimeout(() => document.querySelector<HTMLElement>(`[data-row="${CSS.escape(id)}"]`)?.focus(), 30);
}
