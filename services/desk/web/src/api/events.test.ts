import { beforeEach, describe, expect, it } from 'vitest';
import { type Connection, EventStream, type SocketLike, type StreamWorld } from './events';
import type { Change } from './types';

class FakeSocket implements SocketLike {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  constructor(readonly url: string) {}
  close() {
    this.closed = true;
  }
  say(frame: unknown) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  drop() {
    this.onclose?.({ code: 1006 });
  }
}

let sockets: FakeSocket[];
let timers: Map<number, { work: () => void; ms: number }>;
let changes: number[];
let resets: number[];
let states: Connection[];
let refusals: number;
let next: number;

const world: StreamWorld = {
  open: (url) => {
    const socket = new FakeSocket(url);
    sockets.push(socket);
    return socket;
  },
  setTimeout: (work, ms) => {
    next += 1;
    timers.set(next, { work, ms });
    return next;
  },
  clearTimeout: (id) => timers.delete(id),
  random: () => 1,
};

function stream(cursor: number | null): EventStream {
  const made = new EventStream(
    cursor,
    {
      change: (change: Change) => changes.push(change.sequence),
      reset: (at) => resets.push(at),
      connection: (state) => states.push(state),
      refused: () => {
        refusals += 1;
      },
    },
    world,
  );
  made.start();
  return made;
}

const last = () => sockets.at(-1) as FakeSocket;
const seat = (sequence: number) => ({ sequence, at: 0, type: 'seat', data: {} });
/** Fires the timer of this length; the length stands for what it is. */
function fire(ms: number): void {
  const [id, timer] = [...timers].find(([, one]) => one.ms === ms) ?? [];
  if (id === undefined || !timer)
    throw new Error(`no timer of ${ms}, but ${[...timers.values()].map((one) => one.ms)}`);
  timers.delete(id);
  timer.work();
}

beforeEach(() => {
  sockets = [];
  timers = new Map();
  changes = [];
  resets = [];
  states = [];
  refusals = 0;
  next = 0;
});

describe('the live stream (X-9)', () => {
  it('begins at the cursor and does not skip to the one of hello', () => {
    const live = stream(10);
    expect(last().url).toBe('/api/v1/events?cursor=10');
    last().say({ type: 'hello', data: { cursor: 40 } });
    expect(live.position()).toBe(10);
    last().say(seat(12));
    expect(live.position()).toBe(12);
    expect(states).toEqual(['connecting', 'live']);
  });

  it('takes the cursor of hello when it has none', () => {
    const live = stream(null);
    expect(last().url).toBe('/api/v1/events');
    last().say({ type: 'hello', data: { cursor: 40 } });
    expect(live.position()).toBe(40);
  });

  it('resumes after the last change that it handed on, and hands on none twice', () => {
    stream(10);
    last().say({ type: 'hello', data: { cursor: 20 } });
    last().say(seat(11));
    last().say(seat(15));
    last().drop();
    fire(500);
    expect(last().url).toBe('/api/v1/events?cursor=15');
    last().say({ type: 'hello', data: { cursor: 20 } });
    last().say(seat(15));
    last().say(seat(20));
    expect(changes).toEqual([11, 15, 20]);
    expect(states).toEqual(['connecting', 'live', 'reconnecting', 'live']);
  });

  it('reads everything again after a reset and goes on from its cursor', () => {
    const live = stream(10);
    last().say({ type: 'reset', data: { cursor: 900 } });
    expect(resets).toEqual([900]);
    last().say(seat(901));
    expect(live.position()).toBe(901);
  });

  it('waits longer each time, up to fifteen seconds, and starts over when it was live', () => {
    stream(1);
    for (const wait of [500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
      last().drop();
      fire(wait);
    }
    last().say({ type: 'hello', data: { cursor: 1 } });
    last().drop();
    fire(500);
  });

  it('reconnects when it hears nothing for 45 s; a ping counts as hearing', () => {
    stream(1);
    last().say({ type: 'hello', data: { cursor: 1 } });
    last().say({ type: 'ping' });
    expect([...timers.values()].filter((one) => one.ms === 45_000)).toHaveLength(1);
    const silent = last();
    fire(45_000);
    expect(silent.closed).toBe(true);
    fire(500);
    expect(sockets).toHaveLength(2);
    silent.drop();
    expect(sockets).toHaveLength(2);
  });

  it('says when a connection was refused, since the session may be over', () => {
    stream(1);
    last().drop();
    expect(refusals).toBe(1);
  });

  it('ignores frames that it cannot read', () => {
    const live = stream(1);
    last().onmessage?.({ data: 'not json' });
    last().say({ type: 'news' });
    expect(live.position()).toBe(1);
  });

  it('hurries on demand and stays silent after it was stopped', () => {
    const live = stream(1);
    last().drop();
    live.hurry();
    expect(sockets).toHaveLength(2);
    live.stop();
    last().drop();
    expect(timers.size).toBe(0);
    expect(sockets).toHaveLength(2);
  });
});
