import * as api from '@/api/calls';
import { newIntent } from '@/api/http';
import { deskState, dispatch } from './desk';

/** Reads the newest page of a conversation's messages, unless it is here already or on its way. */
export async function loadThread(id: string): Promise<void> {
  const thread = deskState().threads[id];
  if (thread && thread.status !== 'failed') return;
  await load(id, null);
}

/** Reads the page before the oldest message that is loaded. */
export async function loadOlder(id: string): Promise<void> {
  const { threads, messages } = deskState();
  const thread = threads[id];
  if (thread?.status !== 'ready' || !thread.hasMore || thread.loadingOlder) return;
  const first = thread.ids[0];
  const before = first ? (messages[first]?.sequence ?? null) : null;
  await load(id, before);
}

async function load(id: string, before: number | null): Promise<void> {
  const older = before !== null;
  dispatch({ type: 'threadLoading', id, older });
  try {
    const page = await api.listMessages(id, before);
    dispatch({ type: 'threadLoaded', id, items: page.items, hasMore: page.has_more, older });
  } catch {
    dispatch({ type: 'threadFailed', id, older });
  }
}

const reading = new Set<string>();

/** The agent has the conversation before their eyes: nothing in it is unread. */
export async function noteRead(id: string): Promise<void> {
  if (reading.has(id)) return;
  reading.add(id);
  try {
    dispatch({ type: 'conversation', conversation: await api.markRead(id, newIntent()) });
  } catch {
    // The badge stays; the next message or visit tries again.
  } finally {
    reading.delete(id);
  }
}
