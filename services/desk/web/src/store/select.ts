import type { Account, Conversation, Message, Stage } from '@/api/types';
import type { DeskState, Outgoing } from './state';

/** The lists of the desk. */
export type View = 'waiting' | 'active' | 'inactive';
export const VIEWS: readonly View[] = ['waiting', 'active', 'inactive'];

export interface Filter {
  channel: string | null;
  queue: string | null;
  search: string;
  /** None: whoever waits longest first, else what moved last first. */
  order: 'oldest' | 'newest' | null;
}

type Cache = { conversations: unknown; overlays: unknown; all: Conversation[]; byId: Record<string, Conversation> };
let cache: Cache | null = null;

/** Conversations as the agent should see them: what is known, with the commands in flight laid over it. */
function overlaid(state: DeskState): Cache {
  if (cache && cache.conversations === state.conversations && cache.overlays === state.overlays) return cache;
  const byId: Record<string, Conversation> = { ...state.conversations };
  for (const [id, overlay] of Object.entries(state.overlays)) {
    const known = byId[id];
    if (known) byId[id] = { ...known, ...overlay };
  }
  cache = { conversations: state.conversations, overlays: state.overlays, all: Object.values(byId), byId };
  return cache;
}

export function conversationOf(state: DeskState, id: string | null): Conversation | null {
  return id === null ? null : (overlaid(state).byId[id] ?? null);
}

export function allConversations(state: DeskState): Conversation[] {
  return overlaid(state).all;
}

export function isMine(state: DeskState, conversation: Conversation): boolean {
  return conversation.agent !== null && conversation.agent.id === state.me?.user.id;
}

export function inView(state: DeskState, view: View, conversation: Conversation): boolean {
  if (conversation.state !== view) return false;
  return view === 'waiting' || isMine(state, conversation);
}

/** How many of a view there are. Waiting goes by the server's counts, since the list may be longer than what is loaded. */
export function totalOf(state: DeskState, view: View): number {
  if (view === 'waiting') return sum(state, 'waiting', null);
  return allConversations(state).filter((conversation) => inView(state, view, conversation)).length;
}

export function unreadOf(state: DeskState, view: View): number {
  let unread = 0;
  for (const conversation of allConversations(state)) {
    if (inView(state, view, conversation)) unread += conversation.unread;
  }
  return unread;
}

export function sum(state: DeskState, stage: Stage, channel: string | null): number {
  let total = 0;
  for (const [key, count] of Object.entries(state.counts)) {
    const [of, at] = key.split('|');
    if (at === stage && (channel === null || of === channel)) total += count;
  }
  return total;
}

/** Channels to show a button for: those with an account and those with a conversation. */
export function channelsOf(state: DeskState): string[] {
  const channels = new Set(state.me?.accounts.map((account) => account.channel));
  for (const [key, count] of Object.entries(state.counts)) if (count > 0) channels.add(key.split('|')[0] as string);
  return [...channels].sort();
}

export function accountOf(state: DeskState, conversation: Conversation): Account | null {
  return state.me?.accounts.find((account) => account.id === conversation.account.id) ?? null;
}

export function supervises(state: DeskState): boolean {
  const role = state.me?.user.role;
  return role !== undefined && role !== 'agent';
}

export function titleOf(conversation: Conversation): string {
  return conversation.contact.name?.trim() || conversation.contact.address;
}

/** Case and accents do not matter to somebody who looks for a name. */
export function folded(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

export function matches(conversation: Conversation, needle: string): boolean {
  if (needle === '') return true;
  const { contact } = conversation;
  const words = [contact.name, contact.address, contact.email, contact.phone, conversation.preview];
  if (words.some((word) => word !== null && folded(word).includes(needle))) return true;
  const digits = needle.replace(/\D/g, '');
  return digits.length >= 4 && contact.address.replace(/\D/g, '').includes(digits);
}

export function orderOf(view: View, filter: Filter): 'oldest' | 'newest' {
  return filter.order ?? (view === 'waiting' ? 'oldest' : 'newest');
}

/** The rows of a view, filtered and ordered. `found` are ids that the server's search added. */
export function rowsOf(state: DeskState, view: View, filter: Filter, found: ReadonlySet<string>): Conversation[] {
  const needle = folded(filter.search.trim());
  const rows = allConversations(state).filter(
    (conversation) =>
      inView(state, view, conversation) &&
      (filter.channel === null || conversation.channel === filter.channel) &&
      (filter.queue === null || conversation.queue.id === filter.queue) &&
      (found.has(conversation.id) || matches(conversation, needle)),
  );
  const time = (conversation: Conversation) =>
    view === 'waiting' ? conversation.waiting_since : conversation.last_activity_at;
  const sign = orderOf(view, filter) === 'oldest' ? 1 : -1;
  return rows.sort((a, b) => sign * (time(a) - time(b)) || a.id.localeCompare(b.id));
}

export function messagesOf(state: DeskState, conversation: string): Message[] {
  const ids = state.threads[conversation]?.ids ?? [];
  return ids.flatMap((id) => state.messages[id] ?? []);
}

/** Messages on their way that no real message stands for yet. */
export function sendingOf(outbox: Outgoing[], conversation: string): Outgoing[] {
  return outbox.filter((item) => item.conversation === conversation && item.state === 'sending' && !item.message);
}

export function unsentOf(outbox: Outgoing[], conversation: string): Outgoing[] {
  return outbox.filter((item) => item.conversation === conversation && item.state === 'unsent');
}
