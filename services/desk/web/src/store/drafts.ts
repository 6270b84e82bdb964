/**
 * What was typed and not sent, kept in the browser by user and conversation, so that neither an expired session nor a
 * closed tab loses it. Kept for a week.
 */
export interface Draft {
  text: string;
  replyTo: string | null;
}

interface Kept extends Draft {
  at: number;
}

const PREFIX = 'afluente.draft.';
const WEEK = 7 * 24 * 3600 * 1000;

const keyOf = (user: string, conversation: string) => `${PREFIX}${user}.${conversation}`;

export function readDraft(store: Storage, user: string, conversation: string): Draft {
  try {
    const kept = JSON.parse(store.getItem(keyOf(user, conversation)) ?? 'null') as Kept | null;
    if (kept && typeof kept.text === 'string') return { text: kept.text, replyTo: kept.replyTo ?? null };
  } catch {
    // Unreadable is the same as none.
  }
  return { text: '', replyTo: null };
}

export function keepDraft(store: Storage, user: string, conversation: string, draft: Draft, now: number): void {
  const key = keyOf(user, conversation);
  try {
    if (draft.text === '' && draft.replyTo === null) store.removeItem(key);
    else store.setItem(key, JSON.stringify({ ...draft, at: now } satisfies Kept));
  } catch {
    // The quota is used up: the draft lives on in the page.
  }
}

export function forgetOldDrafts(store: Storage, now: number): void {
  for (let index = store.length - 1; index >= 0; index -= 1) {
    const key = store.key(index);
    if (!key?.startsWith(PREFIX)) continue;
    try {
      const kept = JSON.parse(store.getItem(key) ?? 'null') as Kept | null;
      if (!kept || now - kept.at > WEEK) store.removeItem(key);
    } catch {
      store.removeItem(key);
    }
  }
}
