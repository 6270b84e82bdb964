import { afterEach, describe, expect, it } from 'vitest';
import { queryOf } from '@/api/parked';
import type { ParkedCause, ParkedItem } from '@/api/types';
import { forgetParked, keyOf, parkedState, putItem, useParked } from './parked';
import { redrivable } from './parked-commands';
import { parseRoute } from './route';

const cause = (change: Partial<ParkedCause> = {}): ParkedCause => ({
  code: 'webhook_malformed',
  cause: 'A call',
  place: 'whatsapp webhook',
  channel: 'whatsapp',
  account: { id: 'acc_1', name: 'shop', label: 'Shop' },
  in_doubt: false,
  count: 5,
  requested: 2,
  first_at: 1,
  last_at: 2,
  ...change,
});

const item = (version: number, state: ParkedItem['state']): ParkedItem => ({
  id: 'prk_1',
  at: 1,
  place: 'whatsapp webhook',
  code: 'webhook_malformed',
  cause: 'A call',
  reason: 'not JSON',
  provider_code: null,
  channel: 'whatsapp',
  account: null,
  in_doubt: false,
  state,
  requested: null,
  ended_at: null,
  size: 1,
  version,
});

afterEach(forgetParked);

describe('causes', () => {
  it('ask for their own messages, also where no account or channel is known', () => {
    expect(queryOf(cause())).toEqual({
      code: 'webhook_malformed',
      place: 'whatsapp webhook',
      channel: 'whatsapp',
      account: 'acc_1',
    });
    expect(queryOf(cause({ account: null, channel: null }))).toEqual({
      code: 'webhook_malformed',
      place: 'whatsapp webhook',
      channel: 'none',
      account: 'none',
    });
    expect(keyOf(cause())).not.toBe(keyOf(cause({ account: null })));
  });

  it('count what can go on its way at once: neither what is asked already nor what is in doubt', () => {
    expect(redrivable([cause(), cause({ code: 'in_doubt', in_doubt: true })])).toBe(3);
  });
});

describe('messages', () => {
  it('are shown as they are now, and older news changes nothing', () => {
    useParked.setState({ rows: { all: { items: [item(2, 'requested')], next: null, status: 'ready' } } });
    putItem(item(1, 'waiting'));
    expect(parkedState().rows.all?.items[0]?.state).toBe('requested');
    putItem(item(3, 'redriven'));
    expect(parkedState().rows.all?.items[0]?.state).toBe('redriven');
  });
});

describe('the route', () => {
  it('tells parked messages from conversations', () => {
    expect(parseRoute('#/parked')).toMatchObject({ place: 'parked', parked: null, conversation: null });
    expect(parseRoute('#/parked/prk_1')).toMatchObject({ place: 'parked', parked: 'prk_1' });
    expect(parseRoute('#/active/cnv_1')).toMatchObject({ place: 'desk', parked: null, conversation: 'cnv_1' });
  });
});
