import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '@/api/problem';
import type { Content, Message } from '@/api/types';

const calls: { text: string; key: string; settle: (result: Message | ApiError) => void }[] = [];
vi.mock('@/api/calls', () => ({
  sendMessage: (_id: string, content: Content, _reply: string | null, key: string) =>
    new Promise((resolve, reject) => {
      const text = content.type === 'text' ? content.text : '';
      calls.push({ text, key, settle: (result) => (result instanceof ApiError ? reject(result) : resolve(result)) });
    }),
}));

const { deskState, useDesk } = await import('./desk');
const { initialState } = await import('./state');
const { resend, send } = await import('./outbox');
const turn = () => new Promise((done) => setTimeout(done, 0));
const text = (words: string): Content => ({ type: 'text', text: words });
const lost = new ApiError('network', 0, 'lost');

let conversation = 0;
let id = '';
beforeEach(() => {
  calls.length = 0;
  conversation += 1;
  id = `cnv_${conversation}`;
  useDesk.setState(initialState(), true);
});

describe('the outbox', () => {
  it('sends the replies of a conversation one after another', async () => {
    send(id, text('a'), null);
    send(id, text('b'), null);
    await turn();
    expect(calls.map((call) => call.text)).toEqual(['a']);
    calls[0]?.settle({ id: 'msg_a', conversation: id, sequence: 1, version: 1, content: text('a') } as Message);
    await turn();
    expect(calls.map((call) => call.text)).toEqual(['a', 'b']);
  });

  it('holds back what follows one that did not get through, and keeps keys on retry', async () => {
    send(id, text('a'), null);
    send(id, text('b'), null);
    await turn();
    calls[0]?.settle(lost);
    await turn();
    expect(deskState().outbox.map(({ state, code }) => [state, code])).toEqual([
      ['unsent', 'network'],
      ['unsent', 'network'],
    ]);
    const key = deskState().outbox[0]?.key ?? '';
    resend(key);
    await turn();
    expect(calls.at(-1)).toMatchObject({ text: 'a', key });
  });

  it('tries a refused one again under a new key: the old one would be refused again', async () => {
    send(id, text('a'), null);
    await turn();
    calls[0]?.settle(new ApiError('window_closed', 409, 'closed'));
    await turn();
    const key = deskState().outbox[0]?.key ?? '';
    resend(key);
    await turn();
    expect(calls.at(-1)?.text).toBe('a');
    expect(calls.at(-1)?.key).not.toBe(key);
    expect(deskState().outbox).toHaveLength(1);
  });
});
