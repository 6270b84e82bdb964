import * as api from '@/api/calls';
import { browserWorld, EventStream } from '@/api/events';
import { newIntent, onSessionEnd, setCallLanguage } from '@/api/http';
import { ApiError, asApiError } from '@/api/problem';
import type { Change, Language, Me } from '@/api/types';
import { deskState, dispatch } from './desk';
import { forgetOldDrafts } from './drafts';
import { keepOutbox, restoreOutbox } from './outbox';
import { isLanguage, prefer, usePreferences } from './preferences';
import { choosePresence, noteSeat, pageIsBack, remember } from './presence';
import { currentRoute } from './route';
import { loadThread } from './threads';

type ChangeListener = (changes: Change[]) => void;

const LIMIT = 500;
const listeners = new Set<ChangeListener>();
let stream: EventStream | null = null;
let buffer: Change[] = [];
let flushing: number | null = null;
let recount: number | null = null;

/** Called with each batch of changes after it was applied. Returns how to stop. */
export function onChanges(listener: ChangeListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Is there a session already? Then the desk opens without asking. */
export async function boot(): Promise<void> {
  setCallLanguage(usePreferences.getState().language);
  onSessionEnd(() => {
    if (deskState().session === 'in') leave(true);
  });
  forgetOldDrafts(localStorage, Date.now());
  try {
    enter(await api.readMe());
  } catch (thrown) {
    if (asApiError(thrown).status === 401) dispatch({ type: 'signedOut', expired: false });
    else window.setTimeout(() => void boot(), 3000);
  }
}

export async function signIn(email: string, password: string): Promise<void> {
  await api.signIn(email, password);
  const me = await api.readMe();
  enter(me);
  // Whoever signs in means to work; a page that is merely loaded again keeps the presence as it was.
  void choosePresence('online').catch(() => undefined);
}

export async function signOut(): Promise<void> {
  await api.signOut().catch((thrown: unknown) => {
    if (asApiError(thrown).status !== 401) throw thrown;
  });
  remember(null);
  leave(false);
}

function enter(me: Me): void {
  if (isLanguage(me.user.language)) speak(me.user.language);
  dispatch({ type: 'signedIn', me });
  restoreOutbox(me.user.id);
  stream?.stop();
  stream = new EventStream(
    me.cursor,
    {
      change: collect,
      reset: () => void reload(),
      connection: (connection) => {
        const before = deskState().connection;
        dispatch({ type: 'connection', connection });
        if (connection === 'live' && before !== 'live') pageIsBack(Date.now());
      },
      // The socket tells no status; an ordinary call does, and signs out if that is the reason.
      refused: () => void api.readMe().catch(() => undefined),
    },
    browserWorld(),
  );
  stream.start();
  void loadLists(false);
}

function leave(expired: boolean): void {
  keepOutbox();
  stream?.stop();
  stream = null;
  buffer = [];
  dispatch({ type: 'signedOut', expired });
}

/** Connects without waiting for the back-off. */
export function reconnectNow(): void {
  stream?.hurry();
}

export function speak(language: Language): void {
  prefer({ language });
  setCallLanguage(language);
}

export async function chooseLanguage(language: Language): Promise<void> {
  speak(language);
  if (deskState().session !== 'in') return;
  const user = await api.setLanguage(language, newIntent());
  const { me } = deskState();
  if (me) dispatch({ type: 'me', me: { ...me, user, seat: deskState().seat ?? me.seat } });
}

/** Reads the lists. `whole`: what the answers lack is gone. */
export async function loadLists(whole: boolean): Promise<boolean> {
  dispatch({ type: 'listing' });
  try {
    const [waiting, mine] = await Promise.all([
      api.listConversations({ state: ['waiting'], order: 'oldest', limit: LIMIT }),
      api.listConversations({ state: ['active', 'inactive'], mine: true, order: 'newest', limit: LIMIT }),
    ]);
    dispatch({
      type: 'listed',
      items: [...waiting.items, ...mine.items],
      counts: waiting.counts,
      cursor: Math.min(waiting.cursor, mine.cursor),
      whole,
      keep: currentRoute().conversation,
    });
    return true;
  } catch (thrown) {
    if (asApiError(thrown) instanceof ApiError) dispatch({ type: 'listFailed' });
    return false;
  }
}

/** The log no longer has what was missed: read all again, and again until it works. */
async function reload(): Promise<void> {
  dispatch({ type: 'threadsForgotten' });
  const open = currentRoute().conversation;
  if (open) {
    void loadThread(open);
    void refreshConversation(open);
  }
  if (!(await loadLists(true)) && deskState().session === 'in') window.setTimeout(() => void reload(), 3000);
}

export async function refreshConversation(id: string): Promise<void> {
  try {
    dispatch({ type: 'conversation', conversation: await api.readConversation(id) });
  } catch {
    // It may be gone from sight; the pane says so.
  }
}

function collect(change: Change): void {
  buffer.push(change);
  // A frame's worth at a time. Timers, since a hidden page draws no frames and must still ring.
  if (flushing === null) flushing = window.setTimeout(flush, 16);
}

function flush(): void {
  flushing = null;
  const changes = buffer;
  buffer = [];
  if (changes.length === 0 || deskState().session !== 'in') return;
  dispatch({ type: 'changes', changes });
  if (changes.some((change) => change.type === 'seat')) noteSeat(Date.now());
  for (const listener of listeners) listener(changes);
  if (deskState().countsStale && recount === null) {
    recount = window.setTimeout(() => {
      recount = null;
      void loadLists(false);
    }, 800);
  }
}
