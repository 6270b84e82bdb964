import type { Connection } from '@/api/events';
import type { Change, ChannelCount, Content, Conversation, Me, Message, Seat, Stage } from '@/api/types';

/** What is loaded of a conversation's messages. `ids` are in the order of their sequence. */
export interface Thread {
  ids: string[];
  status: 'loading' | 'ready' | 'failed';
  hasMore: boolean;
  loadingOlder: boolean;
}

/** A message on its way to the desk. `key` is its idempotency key for life. */
export interface Outgoing {
  key: string;
  conversation: string;
  content: Content;
  replyTo: string | null;
  at: number;
  state: 'sending' | 'unsent';
  /** Why it is unsent, as an error code. */
  code: string | null;
  /** The message that it became, when the event came before the answer. */
  message: string | null;
}

/** What a conversation will look like when a command in flight succeeds. */
export type Overlay = Partial<Pick<Conversation, 'state' | 'agent'>>;

export interface DeskState {
  session: 'unknown' | 'out' | 'in';
  /** Signed out by the desk, not by the agent. */
  expired: boolean;
  me: Me | null;
  seat: Seat | null;
  lists: 'loading' | 'ready' | 'failed';
  conversations: Record<string, Conversation>;
  /** Sequence of the last event applied to a conversation: a reload must not drop what is newer than it. */
  touched: Record<string, number>;
  messages: Record<string, Message>;
  threads: Record<string, Thread>;
  outbox: Outgoing[];
  overlays: Record<string, Overlay>;
  /** Open conversations by `channel|state`. */
  counts: Record<string, number>;
  /** An event told of a conversation that was not loaded: the counts must be read again. */
  countsStale: boolean;
  connection: Connection;
}

export type Action =
  | { type: 'signedIn'; me: Me }
  | { type: 'signedOut'; expired: boolean }
  | { type: 'me'; me: Me }
  | { type: 'seat'; seat: Seat }
  | { type: 'connection'; connection: Connection }
  | { type: 'listing' }
  | { type: 'listFailed' }
  | {
      type: 'listed';
      items: Conversation[];
      counts: ChannelCount[];
      cursor: number;
      whole: boolean;
      keep: string | null;
    }
  | { type: 'found'; items: Conversation[] }
  | { type: 'changes'; changes: Change[] }
  | { type: 'conversation'; conversation: Conversation }
  | { type: 'overlay'; id: string; overlay: Overlay | null }
  | { type: 'threadLoading'; id: string; older: boolean }
  | { type: 'threadLoaded'; id: string; items: Message[]; hasMore: boolean; older: boolean }
  | { type: 'threadFailed'; id: string; older: boolean }
  | { type: 'threadsForgotten' }
  | { type: 'message'; message: Message }
  | { type: 'outgoing'; item: Outgoing }
  | { type: 'outgoingState'; key: string; state: Outgoing['state']; code: string | null }
  | { type: 'outgoingSent'; key: string; message: Message }
  | { type: 'outgoingDropped'; key: string };

export function initialState(): DeskState {
  return {
    session: 'unknown',
    expired: false,
    me: null,
    seat: null,
    lists: 'loading',
    conversations: {},
    touched: {},
    messages: {},
    threads: {},
    outbox: [],
    overlays: {},
    counts: {},
    countsStale: false,
    connection: 'connecting',
  };
}

export function countKey(channel: string, state: Stage): string {
  return `${channel}|${state}`;
}
