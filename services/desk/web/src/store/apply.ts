import type { Content, Conversation, Message, SavedContact, Seat } from '@/api/types';
import { countKey, type DeskState, type Thread } from './state';

/** A state whose maps may be written to: the reducer copies them once for each action, not once for each change. */
export function draftOf(state: DeskState): DeskState {
  return {
    ...state,
    conversations: { ...state.conversations },
    touched: { ...state.touched },
    messages: { ...state.messages },
    threads: { ...state.threads },
    counts: { ...state.counts },
  };
}

/** Takes a conversation if it is newer than what is here, and moves the counts along. */
export function putConversation(draft: DeskState, next: Conversation, counted: boolean): boolean {
  const known = draft.conversations[next.id];
  if (known && known.version >= next.version) return false;
  draft.conversations[next.id] = next;
  if (!counted) return true;
  if (known) {
    count(draft, known, -1);
    count(draft, next, 1);
  } else if (next.version === 1) {
    count(draft, next, 1);
  } else {
    draft.countsStale = true;
  }
  return true;
}

function count(draft: DeskState, conversation: Conversation, by: 1 | -1): void {
  if (conversation.state === 'closed') return;
  const key = countKey(conversation.channel, conversation.state);
  draft.counts[key] = Math.max(0, (draft.counts[key] ?? 0) + by);
}

/** Takes a message if it is newer than what is here, and places it by its sequence. */
export function putMessage(draft: DeskState, next: Message): boolean {
  const known = draft.messages[next.id];
  if (known && known.version >= next.version) return false;
  draft.messages[next.id] = next;
  const thread = draft.threads[next.conversation];
  if (thread && !thread.ids.includes(next.id)) {
    draft.threads[next.conversation] = { ...thread, ids: placed(draft, thread, next) };
  }
  if (!known) link(draft, next);
  return true;
}

function placed(draft: DeskState, thread: Thread, next: Message): string[] {
  const { ids } = thread;
  let index = ids.length;
  while (index > 0 && (draft.messages[ids[index - 1] as string]?.sequence ?? 0) > next.sequence) index -= 1;
  // Older than all that is loaded: its page will bring it in its place.
  if (index === 0 && ids.length > 0 && thread.hasMore) return ids;
  return [...ids.slice(0, index), next.id, ...ids.slice(index)];
}

/** The event of one's own message may come before the answer to the call that sent it: show one bubble, not two. */
function link(draft: DeskState, message: Message): void {
  if (message.direction !== 'out' || message.author.user?.id !== draft.me?.user.id) return;
  const print = fingerprint(message.content);
  const index = draft.outbox.findIndex(
    (item) =>
      item.state === 'sending' &&
      item.message === null &&
      item.conversation === message.conversation &&
      fingerprint(item.content) === print,
  );
  if (index === -1) return;
  draft.outbox = draft.outbox.map((item, at) => (at === index ? { ...item, message: message.id } : item));
}

function fingerprint(content: Content): string {
  if (content.type === 'text') return `text:${content.text}`;
  if (content.type === 'media') return `media:${content.key ?? ''}:${content.caption ?? ''}`;
  if (content.type === 'template') return `template:${content.id}:${content.params.join('\n')}`;
  return content.type;
}

export function putSeat(draft: DeskState, seat: Seat): void {
  if (seat.user !== draft.me?.user.id) return;
  const known = draft.seat;
  if (known?.version !== undefined && seat.version !== undefined && known.version > seat.version) return;
  draft.seat = seat;
}

/** A saved contact changes the name that the conversations of this person show. */
export function putContact(draft: DeskState, saved: SavedContact): void {
  for (const conversation of Object.values(draft.conversations)) {
    if (conversation.contact.id !== saved.id) continue;
    const contact = {
      ...conversation.contact,
      name: saved.name ?? conversation.contact.name,
      phone: saved.phones?.[0] ?? conversation.contact.phone,
      email: saved.emails?.[0] ?? conversation.contact.email,
    };
    draft.conversations[conversation.id] = { ...conversation, contact };
  }
}
