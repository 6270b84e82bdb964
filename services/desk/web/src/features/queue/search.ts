import { useEffect } from 'react';
import { listConversations } from '@/api/calls';
import { dispatch } from '@/store/desk';
import type { View } from '@/store/select';
import { useUi } from '@/store/ui';

const PAUSE = 300;

/** Asks the desk too: it may know rows that are not loaded here. The list itself filters as one types. */
export function useServerSearch(view: View, search: string): void {
  useEffect(() => {
    const words = search.trim();
    if (words.length < 2) {
      useUi.setState({ found: new Set<string>() });
      return;
    }
    const stop = new AbortController();
    const timer = window.setTimeout(async () => {
      try {
        const { items } = await listConversations(
          { state: [view], search: words, limit: 100, mine: view !== 'waiting' },
          stop.signal,
        );
        if (stop.signal.aborted) return;
        dispatch({ type: 'found', items });
        useUi.setState({ found: new Set(items.map((item) => item.id)) });
      } catch {
        // What is loaded was searched; that has to do.
      }
    }, PAUSE);
    return () => {
      stop.abort();
      window.clearTimeout(timer);
    };
  }, [view, search]);
}
