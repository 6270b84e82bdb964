import type { Change } from '@/api/types';
import { draftOf, putContact, putConversation, putMessage, putSeat } from './apply';
import { type Action, countKey, type DeskState, initialState, type Outgoing, type Thread } from './state';

type Of<T extends Action['type']> = Extract<Action, { type: T }>;

/** The one place where the desk's state changes. Pure: no clock, no I/O, no chance. */
export function reduce(state: DeskState, action: Action): DeskState {
  switch (action.type) {
    case 'signedIn':
      return { ...state, session: 'in', expired: false, me: action.me, seat: action.me.seat };
    case 'signedOut':
      return { ...initialState(), session: 'out', expired: action.expired };
    case 'me':
      return { ...state, me: action.me, seat: action.me.seat };
    case 'seat': {
      const draft = { ...state };
      putSeat(draft, action.seat);
      return draft;
    }
    case 'connection':
      return state.connection === action.connection ? state : { ...state, connection: action.connection };
    case 'listing':
      return state.lists === 'ready' ? state : { ...state, lists: 'loading' };
    case 'listFailed':
      return state.lists === 'ready' ? state : { ...state, lists: 'failed' };
    case 'listed':
      return listed(state, action);
    case 'found': {
      const draft = draftOf(state);
      for (const item of action.items) putConversation(draft, item, false);
      return draft;
    }
    case 'changes':
      return changed(state, action.changes);
    case 'conversation': {
      const draft = draftOf(state);
      return putConversation(draft, action.conversation, true) ? draft : state;
    }
    case 'overlay': {
      const { [action.id]: _gone, ...overlays } = state.overlays;
      return { ...state, overlays: action.overlay ? { ...overlays, [action.id]: action.overlay } : overlays };
    }
    case 'message': {
      const draft = draftOf(state);
      return putMessage(draft, action.message) ? draft : state;
    }
    case 'threadLoading':
    case 'threadLoaded':
    case 'threadFailed':
    case 'threadsForgotten':
      return threads(state, action);
    default:
      return outbox(state, action);
  }
}

function changed(state: DeskState, changes: Change[]): DeskState {
  const draft = draftOf(state);
  for (const change of changes) {
    switch (change.type) {
      case 'conversation':
        draft.touched[change.data.id] = change.sequence;
        putConversation(draft, change.data, true);
        break;
      case 'message':
        putMessage(draft, change.data);
        break;
      case 'seat':
        putSeat(draft, change.data);
        break;
      case 'contact':
        putContact(draft, change.data);
        break;
      case 'parked':
        // The parked messages keep a store of their own.
        break;
      default:
        // A kind of a later release.
        break;
    }
  }
  return draft;
}

/** `whole`: the answer is all that there is, so what it lacks is gone, save what an event brought after its cursor. */
function listed(state: DeskState, { items, counts, cursor, whole, keep }: Of<'listed'>): DeskState {
  const draft = draftOf(state);
  if (whole) {
    const present = new Set(items.map((item) => item.id));
    for (const id of Object.keys(draft.conversations)) {
      if (present.has(id) || id === keep || (draft.touched[id] ?? -1) > cursor) continue;
      delete draft.conversations[id];
    }
  }
  for (const item of items) putConversation(draft, item, false);
  draft.counts = {};
  for (const { channel, state: stage, count } of counts) draft.counts[countKey(channel, stage)] = count;
  draft.countsStale = false;
  draft.lists = 'ready';
  return draft;
}

const ABSENT: Thread = { ids: [], status: 'loading', hasMore: true, loadingOlder: false };

function threads(
  state: DeskState,
  action: Of<'threadLoading' | 'threadLoaded' | 'threadFailed' | 'threadsForgotten'>,
): DeskState {
  if (action.type === 'threadsForgotten') return { ...state, threads: {}, messages: {} };
  const { id, older } = action;
  const thread = state.threads[id] ?? ABSENT;
  const put = (next: Partial<Thread>): DeskState => ({
    ...state,
    threads: { ...state.threads, [id]: { ...thread, ...next } },
  });
  if (action.type === 'threadLoading') return put(older ? { loadingOlder: true } : { status: 'loading' });
  if (action.type === 'threadFailed') return put(older ? { loadingOlder: false } : { status: 'failed' });
  const draft = draftOf(put({ status: 'ready', loadingOlder: false, hasMore: action.hasMore }));
  // A page's messages belong in the thread even when they are older than all in it.
  const ids = new Set(thread.ids);
  for (const message of action.items) {
    putMessage(draft, message);
    ids.add(message.id);
  }
  const sequence = (message: string) => draft.messages[message]?.sequence ?? 0;
  const loaded = draft.threads[id] as Thread;
  for (const message of loaded.ids) ids.add(message);
  draft.threads[id] = { ...loaded, ids: [...ids].sort((a, b) => sequence(a) - sequence(b)) };
  return draft;
}

function outbox(
  state: DeskState,
  action: Of<'outgoing' | 'outgoingState' | 'outgoingSent' | 'outgoingDropped'>,
): DeskState {
  if (action.type === 'outgoing') {
    const known = state.outbox.some((item) => item.key === action.item.key);
    return known ? state : { ...state, outbox: [...state.outbox, action.item] };
  }
  const without = state.outbox.filter((item) => item.key !== action.key);
  if (action.type === 'outgoingDropped') return { ...state, outbox: without };
  if (action.type === 'outgoingSent') {
    const draft = draftOf({ ...state, outbox: without });
    putMessage(draft, action.message);
    return draft;
  }
  const patch = (item: Outgoing): Outgoing => ({ ...item, state: action.state, code: action.code });
  return { ...state, outbox: state.outbox.map((item) => (item.key === action.key ? patch(item) : item)) };
}
