import { sendMessage } from '@/api/calls';
import { newIntent } from '@/api/http';
import { asApiError, NETWORK } from '@/api/problem';
import type { Content } from '@/api/types';
import { deskState, dispatch } from './desk';
import type { Outgoing } from './state';

/** The last send of each conversation: the next one starts after it, so replies keep the order they were typed in. */
const lanes = new Map<string, Promise<void>>();

/** Shows the message at once and sends it after those before it. */
export function send(conversation: string, content: Content, replyTo: string | null): void {
  const item: Outgoing = {
    key: newIntent(),
    conversation,
    content,
    replyTo,
    at: Date.now(),
    state: 'sending',
    code: null,
    message: null,
  };
  dispatch({ type: 'outgoing', item });
  keepOutbox();
  enqueue(item);
}

/**
 * Tries an unsent message again. Where no answer came, with the key that it was born with: the first try may have
 * worked. After a refusal with a new one, since the same key would be answered with the same refusal.
 */
export function resend(key: string): void {
  const item = find(key);
  if (item?.state !== 'unsent') return;
  if (isOpen(item.code)) {
    dispatch({ type: 'outgoingState', key, state: 'sending', code: null });
    enqueue(item);
    return;
  }
  dispatch({ type: 'outgoingDropped', key });
  send(item.conversation, item.content, item.replyTo);
}

function isOpen(code: string | null): boolean {
  return code === null || code === NETWORK || code === 'unavailable' || code === 'internal' || code === 'not_signed_in';
}

export function discard(key: string): void {
  dispatch({ type: 'outgoingDropped', key });
  keepOutbox();
}

function find(key: string): Outgoing | undefined {
  return deskState().outbox.find((item) => item.key === key);
}

function enqueue(item: Outgoing): void {
  const before = lanes.get(item.conversation) ?? Promise.resolve();
  const lane = before.then(() => deliver(item.key));
  lanes.set(item.conversation, lane);
}

async function deliver(key: string): Promise<void> {
  const item = find(key);
  if (item?.state !== 'sending') return;
  // One that came before did not get through: going first would turn the conversation round.
  const { outbox } = deskState();
  const stuck = outbox
    .slice(0, outbox.indexOf(item))
    .some((other) => other.conversation === item.conversation && other.state === 'unsent' && other.code === NETWORK);
  if (stuck) {
    dispatch({ type: 'outgoingState', key, state: 'unsent', code: NETWORK });
    keepOutbox();
    return;
  }
  try {
    const message = await sendMessage(item.conversation, item.content, item.replyTo, item.key);
    dispatch({ type: 'outgoingSent', key, message });
  } catch (thrown) {
    const error = asApiError(thrown);
    const linked = find(key)?.message;
    if (linked) dispatch({ type: 'outgoingDropped', key });
    else dispatch({ type: 'outgoingState', key, state: 'unsent', code: error.code });
  }
  keepOutbox();
}

const PREFIX = 'afluente.outbox.';

/** Unsent and unanswered messages outlive the tab; after a reload they stand there as unsent, with their keys. */
export function keepOutbox(): void {
  const { me, outbox } = deskState();
  if (!me) return;
  const waiting = outbox.filter((item) => item.message === null);
  try {
    if (waiting.length === 0) localStorage.removeItem(PREFIX + me.user.id);
    else localStorage.setItem(PREFIX + me.user.id, JSON.stringify(waiting));
  } catch {
    // No room: they live on in the page.
  }
}

export function restoreOutbox(user: string): void {
  try {
    const kept = JSON.parse(localStorage.getItem(PREFIX + user) ?? '[]') as Outgoing[];
    for (const item of kept) {
      const code = item.code ?? NETWORK;
      dispatch({ type: 'outgoing', item: { ...item, state: 'unsent', code } });
    }
  } catch {
    localStorage.removeItem(PREFIX + user);
  }
}
