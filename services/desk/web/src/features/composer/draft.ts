import { useEffect, useRef, useState } from 'react';
import { useDesk } from '@/store/desk';
import { keepDraft, readDraft } from '@/store/drafts';
import { useReply } from './reply';

const PAUSE = 250;

/** The text in the composer, kept in the browser a moment after each change and when the conversation is left. */
export function useDraft(conversation: string) {
  const user = useDesk((state) => state.me?.user.id ?? '');
  const [text, setText] = useState(() => readDraft(localStorage, user, conversation).text);
  const replyTo = useReply((state) => state[conversation] ?? null);
  const latest = useRef({ text, replyTo });
  latest.current = { text, replyTo };

  useEffect(() => {
    const kept = readDraft(localStorage, user, conversation).replyTo;
    if (kept !== null && useReply.getState()[conversation] === undefined) useReply.setState({ [conversation]: kept });
  }, [user, conversation]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: what was typed sets the timer; it is read when it fires
  useEffect(() => {
    const keep = () => keepDraft(localStorage, user, conversation, latest.current, Date.now());
    const timer = window.setTimeout(keep, PAUSE);
    return () => window.clearTimeout(timer);
  }, [user, conversation, text, replyTo]);

  useEffect(() => {
    const keep = () => keepDraft(localStorage, user, conversation, latest.current, Date.now());
    window.addEventListener('pagehide', keep);
    return () => {
      window.removeEventListener('pagehide', keep);
      keep();
    };
  }, [user, conversation]);

  return { text, setText, replyTo };
}
