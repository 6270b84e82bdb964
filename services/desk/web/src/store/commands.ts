import * as api from '@/api/calls';
import { type Intent, newIntent } from '@/api/http';
import { asApiError } from '@/api/problem';
import type { ContactCard, Conversation } from '@/api/types';
import { toastError } from '@/ui/toast';
import { deskState, dispatch } from './desk';
import { loadLists, refreshConversation } from './session';
import type { Overlay } from './state';

/**
 * Carries out a change of a conversation: shows it at once, then as the desk answers. A failure takes it back and says
 * why; "try again" uses the same key, so the change is made once whatever became of the first call.
 */
async function change(id: string, overlay: Overlay, run: (intent: Intent) => Promise<Conversation>): Promise<boolean> {
  const intent = newIntent();
  const attempt = async (): Promise<boolean> => {
    dispatch({ type: 'overlay', id, overlay });
    try {
      dispatch({ type: 'conversation', conversation: await run(intent) });
      return true;
    } catch (thrown) {
      const error = asApiError(thrown);
      toastError(error, error.isPassing ? () => void attempt() : undefined);
      if (error.status === 409 || error.status === 404) {
        await refreshConversation(id);
        void loadLists(false);
      }
      return false;
    } finally {
      dispatch({ type: 'overlay', id, overlay: null });
    }
  };
  return attempt();
}

export function take(id: string): Promise<boolean> {
  const me = deskState().me?.user;
  const agent = me ? { id: me.id, name: me.name } : null;
  return change(id, { state: 'active', agent }, (intent) => api.takeConversation(id, intent));
}

export function transfer(id: string, to: api.Target, name: string): Promise<boolean> {
  const overlay: Overlay = to.type === 'agent' ? { agent: { id: to.id, name } } : { state: 'waiting', agent: null };
  return change(id, overlay, (intent) => api.transferConversation(id, to, intent));
}

export function returnToQueue(id: string): Promise<boolean> {
  return change(id, { state: 'waiting', agent: null }, (intent) => api.returnConversation(id, intent));
}

export function conclude(id: string): Promise<boolean> {
  return change(id, { state: 'closed', agent: null }, (intent) => api.concludeConversation(id, intent));
}

const retries = new Map<string, Intent>();

/** Tries a failed message again. One key for each failure: two clicks are one retry. */
export async function retry(conversation: string, message: string, version: number): Promise<void> {
  const failure = `${message}.${version}`;
  const intent = retries.get(failure) ?? newIntent();
  retries.set(failure, intent);
  try {
    dispatch({ type: 'message', message: await api.retryMessage(conversation, message, intent) });
    retries.delete(failure);
  } catch (thrown) {
    const error = asApiError(thrown);
    if (!error.isPassing) retries.delete(failure);
    toastError(error);
  }
}

const saves = new Map<string, Intent>();

/** Saves a card as a contact. One key for each card of a message. */
export async function saveCard(conversation: string, place: string, card: ContactCard): Promise<boolean> {
  const intent = saves.get(place) ?? newIntent();
  saves.set(place, intent);
  try {
    await api.saveContact(conversation, card, intent);
    return true;
  } catch (thrown) {
    const error = asApiError(thrown);
    if (!error.isPassing) saves.delete(place);
    toastError(error);
    return false;
  }
}
