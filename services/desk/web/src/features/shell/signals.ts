import { useEffect } from 'react';
import type { Change, Message } from '@/api/types';
import { wordsIn } from '@/i18n';
import { deskState, useDesk } from '@/store/desk';
import { usePreferences } from '@/store/preferences';
import { currentRoute } from '@/store/route';
import { conversationOf, isMine, titleOf, unreadOf } from '@/store/select';
import { onChanges } from '@/store/session';
import { announce } from '@/store/ui';
import { chime } from './chime';
import { badgeFavicon } from './favicon';

/** A change older than this came from a replay: the page catches up in silence. */
const FRESH = 60_000;

/** Sound, tab signal and words for screen readers when somebody writes (AG-7). */
export function useSignals(): void {
  useEffect(() => onChanges(hear), []);
  const unread = useDesk((state) => unreadOf(state, 'active') + unreadOf(state, 'inactive'));
  useEffect(() => {
    document.title = unread > 0 ? `(${unread > 99 ? '99+' : unread}) Afluente` : 'Afluente';
    badgeFavicon(unread);
    return () => {
      document.title = 'Afluente';
      badgeFavicon(0);
    };
  }, [unread]);
}

function hear(changes: Change[]): void {
  const now = Date.now();
  let sound: 'message' | 'waiting' | null = null;
  for (const change of changes) {
    if (now - change.at > FRESH) continue;
    if (change.type === 'message' && change.data.direction === 'in' && heardMessage(change.data)) sound = 'message';
    if (change.type === 'conversation' && change.data.state === 'waiting' && change.data.version === 1) {
      announce(words().t('list.newWaiting', { name: titleOf(change.data) }));
      sound ??= 'waiting';
    }
  }
  if (sound && usePreferences.getState().sound) chime(sound);
}

/** Says who wrote; tells whether it should be heard: not when the agent is looking at that very conversation. */
function heardMessage(message: Message): boolean {
  const state = deskState();
  const conversation = conversationOf(state, message.conversation);
  if (!conversation || !isMine(state, conversation) || message.version !== 1) return false;
  const { t, maybe } = words();
  const { content } = message;
  const text = content.type === 'text' ? content.text : maybe(`kind.${content.type}`, content.type);
  announce(t('list.newMessage', { name: titleOf(conversation), text }));
  return document.visibilityState === 'hidden' || currentRoute().conversation !== message.conversation;
}

function words() {
  return wordsIn(usePreferences.getState().language);
}
