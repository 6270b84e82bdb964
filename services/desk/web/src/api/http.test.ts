import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { call, newIntent, onSessionEnd } from './http';
import { type ApiError, problemFrom } from './problem';

const answers: (() => Promise<Response>)[] = [];
const seen: { url: string; headers: Record<string, string> }[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  answers.length = 0;
  seen.length = 0;
  vi.stubGlobal('fetch', (url: string, options: RequestInit) => {
    seen.push({ url, headers: options.headers as Record<string, string> });
    return (answers.shift() ?? (() => Promise.reject(new TypeError('offline'))))();
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const lost = () => Promise.reject(new TypeError('offline'));
const json = (status: number, body: unknown) => () => Promise.resolve(new Response(JSON.stringify(body), { status }));

async function settled<T>(promise: Promise<T>): Promise<T | ApiError> {
  const result = promise.catch((error: ApiError) => error);
  await vi.runAllTimersAsync();
  return result;
}

describe('calls (X-8)', () => {
  it('carry one key for one intent, through every try', async () => {
    answers.push(lost, lost, json(201, { id: 'msg_1' }));
    const intent = newIntent();
    const result = await settled(call('/x', { method: 'POST', body: {}, intent }));
    expect(result).toEqual({ id: 'msg_1' });
    expect(seen.map(({ headers }) => headers['Idempotency-Key'])).toEqual([intent, intent, intent]);
  });

  it('are not repeated without a key', async () => {
    answers.push(lost, json(201, {}));
    expect(await settled(call('/x', { method: 'POST', body: {} }))).toMatchObject({ code: 'network' });
    expect(seen).toHaveLength(1);
  });

  it('are not repeated after a refusal', async () => {
    answers.push(json(409, { code: 'window_closed', title: 'x' }));
    expect(await settled(call('/x', { method: 'POST', intent: newIntent() }))).toMatchObject({ code: 'window_closed' });
    expect(seen).toHaveLength(1);
  });

  it('say when the session is over', async () => {
    let over = 0;
    onSessionEnd(() => {
      over += 1;
    });
    answers.push(json(401, { code: 'bad_credentials' }), json(401, { code: 'not_signed_in' }));
    await settled(call('/sessions', { method: 'POST', body: {} }));
    expect(over).toBe(0);
    await settled(call('/me'));
    expect(over).toBe(1);
  });

  it('make keys that differ', () => {
    expect(newIntent()).not.toBe(newIntent());
  });
});

describe('problems', () => {
  it('are read from problem details', () => {
    const error = problemFrom(429, JSON.stringify({ code: 'too_many_attempts', trace_id: 't' }), '30');
    expect(error).toMatchObject({ code: 'too_many_attempts', retryAfter: 30, traceId: 't' });
  });

  it('are made of the status when the body is a page of a proxy', () => {
    expect(problemFrom(502, '<html>', null).code).toBe('unavailable');
    expect(problemFrom(500, '', null).code).toBe('internal');
    expect(problemFrom(413, '', null).code).toBe('too_large');
  });
});
