import { beforeEach, describe, expect, it } from 'vitest';
import type { Change, Conversation, Me, Message } from '@/api/types';
import { reduce } from './reduce';
import { channelsOf, conversationOf, messagesOf, rowsOf, sendingOf, sum, totalOf } from './select';
import { type Action, type DeskState, initialState, type Outgoing } from './state';

const me: Me = {
  user: { id: 'usr_1', name: 'Ana', email: 'ana@x', role: 'agent', language: 'pt-BR', capacity: 3 },
  organization: { id: 'org_1', name: 'X' },
  queues: [],
  accounts: [],
  seat: { user: 'usr_1', presence: 'offline', load: 0, capacity: 3 },
  cursor: 10,
};

function conversation(id: string, change: Partial<Conversation> = {}): Conversation {
  return {
    id,
    channel: 'whatsapp',
    account: { id: 'acc_1', name: 'a', label: 'A' },
    contact: { id: `ctc_${id}`, name: `Contato ${id}`, email: null, phone: null, address: '+5511999990000' },
    queue: { id: 'que_1', name: 'Fila' },
    state: 'waiting',
    agent: null,
    assignment: null,
    opened_at: 1,
    waiting_since: 1,
    last_inbound_at: 1,
    last_activity_at: 1,
    closed_at: null,
    close_reason: null,
    unread: 0,
    preview: '',
    preview_kind: 'text',
    window: { rule: 'none', closes_at: null },
    version: 1,
    ...change,
  };
}

function message(id: string, sequence: number, change: Partial<Message> = {}): Message {
  return {
    id,
    conversation: 'cnv_1',
    sequence,
    direction: 'in',
    author: { type: 'contact', user: null },
    content: { type: 'text', text: id },
    at: sequence,
    reply_to: null,
    delivery: null,
    version: 1,
    ...change,
  };
}

const own: Partial<Message> = { direction: 'out', author: { type: 'user', user: { id: 'usr_1', name: 'Ana' } } };

function outgoing(key: string, text: string): Outgoing {
  return {
    key,
    conversation: 'cnv_1',
    content: { type: 'text', text },
    replyTo: null,
    at: 1,
    state: 'sending',
    code: null,
    message: null,
  };
}

let state: DeskState;
const act = (action: Action) => {
  state = reduce(state, action);
};
const change = (sequence: number, type: 'conversation' | 'message', data: Conversation | Message) =>
  act({ type: 'changes', changes: [{ sequence, at: 0, type, data } as Change] });
const page = (items: Message[], hasMore = false, older = false) =>
  act({ type: 'threadLoaded', id: 'cnv_1', items, hasMore, older });
const listed = (items: Conversation[], count: number, cursor: number, whole = false, keep: string | null = null) =>
  act({ type: 'listed', items, counts: [{ channel: 'whatsapp', state: 'waiting', count }], cursor, whole, keep });

beforeEach(() => {
  state = reduce(initialState(), { type: 'signedIn', me });
});

describe('versions (X-9)', () => {
  it('applies a conversation only when it is newer', () => {
    change(11, 'conversation', conversation('cnv_1', { version: 3, preview: 'new' }));
    change(12, 'conversation', conversation('cnv_1', { version: 2, preview: 'old' }));
    change(13, 'conversation', conversation('cnv_1', { version: 3, preview: 'same version' }));
    expect(conversationOf(state, 'cnv_1')?.preview).toBe('new');
  });

  it('applies a message only when it is newer, and never twice', () => {
    page([]);
    const delivered = message('msg_1', 1, {
      ...own,
      version: 4,
      delivery: { state: 'delivered', failure: null, at: 0 },
    });
    change(11, 'message', delivered);
    change(
      12,
      'message',
      message('msg_1', 1, { ...own, version: 2, delivery: { state: 'sent', failure: null, at: 0 } }),
    );
    change(13, 'message', delivered);
    expect(messagesOf(state, 'cnv_1')).toEqual([delivered]);
  });

  it('leaves other objects untouched, so that nothing is drawn in vain', () => {
    change(11, 'conversation', conversation('cnv_1'));
    const before = state.conversations.cnv_1;
    change(12, 'conversation', conversation('cnv_2'));
    expect(state.conversations.cnv_1).toBe(before);
  });

  it('ignores kinds of change that it does not know', () => {
    act({ type: 'changes', changes: [{ sequence: 11, at: 0, type: 'weather', data: {} } as unknown as Change] });
    expect(state.conversations).toEqual({});
  });
});

describe('order of messages', () => {
  it('goes by sequence, however they come', () => {
    page([message('b', 2)]);
    change(11, 'message', message('d', 4));
    change(12, 'message', message('c', 3));
    change(13, 'message', message('a', 1));
    expect(messagesOf(state, 'cnv_1').map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('keeps what came while the first page was on its way', () => {
    act({ type: 'threadLoading', id: 'cnv_1', older: false });
    change(11, 'message', message('c', 3));
    page([message('a', 1), message('b', 2)]);
    expect(messagesOf(state, 'cnv_1').map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  });

  it('puts an older page before, without doubles', () => {
    page([message('c', 3), message('d', 4)], true);
    act({ type: 'threadLoading', id: 'cnv_1', older: true });
    page([message('a', 1), message('b', 2), message('c', 3)], false, true);
    expect(messagesOf(state, 'cnv_1').map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
    expect(state.threads.cnv_1).toMatchObject({ hasMore: false, loadingOlder: false });
  });

  it('does not show a message of a page that is not loaded yet', () => {
    page([message('d', 40)], true);
    change(11, 'message', message('a', 2));
    expect(messagesOf(state, 'cnv_1').map(({ id }) => id)).toEqual(['d']);
  });
});

describe('counts (AG-1)', () => {
  it('follow conversations through their life', () => {
    listed([conversation('cnv_1')], 1, 10);
    change(11, 'conversation', conversation('cnv_2'));
    expect(sum(state, 'waiting', 'whatsapp')).toBe(2);
    change(12, 'conversation', conversation('cnv_1', { version: 2, state: 'active', agent: me.user }));
    expect(sum(state, 'waiting', null)).toBe(1);
    expect(sum(state, 'active', null)).toBe(1);
    change(13, 'conversation', conversation('cnv_1', { version: 3, state: 'closed' }));
    expect(sum(state, 'active', null)).toBe(0);
    expect(state.countsStale).toBe(false);
  });

  it('do not count a replayed change twice', () => {
    listed([conversation('cnv_1', { version: 2 })], 1, 12);
    change(11, 'conversation', conversation('cnv_1'));
    change(12, 'conversation', conversation('cnv_1', { version: 2 }));
    expect(sum(state, 'waiting', null)).toBe(1);
  });

  it('are known to be stale when a conversation that was not loaded changes', () => {
    listed([], 900, 10);
    change(11, 'conversation', conversation('cnv_7', { version: 5, state: 'active' }));
    expect(state.countsStale).toBe(true);
    listed([], 899, 11);
    expect(state.countsStale).toBe(false);
    expect(totalOf(state, 'waiting')).toBe(899);
  });

  it('name every channel that has an account or a conversation', () => {
    listed([], 3, 10);
    expect(channelsOf(state)).toEqual(['whatsapp']);
  });
});

describe('reset', () => {
  it('drops what is gone, keeps the open conversation and what is newer than the answer', () => {
    listed([conversation('gone'), conversation('stays'), conversation('open')], 3, 10);
    change(21, 'conversation', conversation('new'));
    act({ type: 'threadsForgotten' });
    listed([conversation('stays', { version: 4 })], 1, 20, true, 'open');
    expect(Object.keys(state.conversations).sort()).toEqual(['new', 'open', 'stays']);
    expect(state.conversations.stays?.version).toBe(4);
    expect(state.threads).toEqual({});
  });
});

describe('messages on their way (X-8)', () => {
  it('become the real one when the answer comes', () => {
    page([]);
    act({ type: 'outgoing', item: outgoing('k1', 'oi') });
    act({
      type: 'outgoingSent',
      key: 'k1',
      message: message('msg_1', 1, { ...own, content: { type: 'text', text: 'oi' } }),
    });
    expect(state.outbox).toEqual([]);
    expect(messagesOf(state, 'cnv_1')).toHaveLength(1);
  });

  it('are shown once when the event comes before the answer', () => {
    page([]);
    act({ type: 'outgoing', item: outgoing('k1', 'ok') });
    act({ type: 'outgoing', item: outgoing('k2', 'ok') });
    const real = message('msg_1', 1, { ...own, content: { type: 'text', text: 'ok' } });
    change(11, 'message', real);
    expect(sendingOf(state.outbox, 'cnv_1').map(({ key }) => key)).toEqual(['k2']);
    act({ type: 'outgoingSent', key: 'k1', message: real });
    expect(messagesOf(state, 'cnv_1')).toHaveLength(1);
    expect(state.outbox.map(({ key }) => key)).toEqual(['k2']);
  });

  it('are not taken for the message of another agent', () => {
    act({ type: 'outgoing', item: outgoing('k1', 'ok') });
    const other: Partial<Message> = { direction: 'out', author: { type: 'user', user: { id: 'usr_2', name: 'B' } } };
    change(11, 'message', message('msg_1', 1, { ...other, content: { type: 'text', text: 'ok' } }));
    expect(sendingOf(state.outbox, 'cnv_1')).toHaveLength(1);
  });

  it('are not added twice under one key', () => {
    act({ type: 'outgoing', item: outgoing('k1', 'ok') });
    act({ type: 'outgoing', item: outgoing('k1', 'ok') });
    expect(state.outbox).toHaveLength(1);
  });
});

describe('optimistic changes', () => {
  it('lie over what is known and come off again', () => {
    listed([conversation('cnv_1')], 1, 10);
    act({ type: 'overlay', id: 'cnv_1', overlay: { state: 'active', agent: { id: 'usr_1', name: 'Ana' } } });
    expect(totalOf(state, 'active')).toBe(1);
    expect(state.conversations.cnv_1?.state).toBe('waiting');
    act({ type: 'overlay', id: 'cnv_1', overlay: null });
    expect(totalOf(state, 'active')).toBe(0);
  });
});

describe('seat', () => {
  it('is only that of the agent', () => {
    act({ type: 'seat', seat: { user: 'usr_2', presence: 'online', load: 1, capacity: 2 } });
    expect(state.seat?.presence).toBe('offline');
    act({ type: 'seat', seat: { user: 'usr_1', presence: 'online', load: 1, capacity: 2 } });
    expect(state.seat?.presence).toBe('online');
  });
});

describe('rows', () => {
  const filter = { channel: null, queue: null, search: '', order: null } as const;
  const none = new Set<string>();
  it('find names without case and accents, numbers without signs, and what the desk found', () => {
    const joao = conversation('cnv_1', { contact: { ...conversation('x').contact, name: 'João' } });
    listed(
      [
        joao,
        conversation('cnv_2', { contact: { ...conversation('x').contact, name: null, address: '+55 21 98888-7777' } }),
      ],
      2,
      10,
    );
    const ids = (search: string, found = none) =>
      rowsOf(state, 'waiting', { ...filter, search }, found).map(({ id }) => id);
    expect(ids('JOAO')).toEqual(['cnv_1']);
    expect(ids('219888')).toEqual(['cnv_2']);
    expect(ids('nothing')).toEqual([]);
    expect(ids('nothing', new Set(['cnv_2']))).toEqual(['cnv_2']);
  });

  it('stand in the order of waiting, and of mine by what moved last', () => {
    const mine = { state: 'active', agent: { id: 'usr_1', name: 'Ana' } } as const;
    listed(
      [
        conversation('b', { waiting_since: 2 }),
        conversation('a', { waiting_since: 9 }),
        conversation('m', { ...mine, last_activity_at: 1 }),
        conversation('n', { ...mine, last_activity_at: 5 }),
      ],
      2,
      10,
    );
    expect(rowsOf(state, 'waiting', filter, none).map(({ id }) => id)).toEqual(['b', 'a']);
    expect(rowsOf(state, 'waiting', { ...filter, order: 'newest' }, none).map(({ id }) => id)).toEqual(['a', 'b']);
    expect(rowsOf(state, 'active', filter, none).map(({ id }) => id)).toEqual(['n', 'm']);
  });
});
