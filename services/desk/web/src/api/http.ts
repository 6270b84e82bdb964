import { ApiError, asApiError, networkError, problemFrom } from './problem';

/** One intent of the user: made once when they click, used again by every retry. */
export type Intent = string;

/** A random UUID, also where the page is not a secure context and `randomUUID` is missing. */
export function newIntent(): Intent {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  body?: unknown;
  intent?: Intent;
  signal?: AbortSignal;
}

const API = '/api/v1';
/** Waits between tries of a call whose answer was lost. Reads and keyed changes only: both are safe to repeat. */
const WAITS = [400, 1200, 3000];
const DEADLINE = 20_000;

type Listener = () => void;
let language = 'pt-BR';
let onSignedOut: Listener = () => undefined;

/** Sent as Accept-Language, so that titles of errors come in the page's language. */
export function setCallLanguage(next: string): void {
  language = next;
}

/** Called when the desk says that the session is over. */
export function onSessionEnd(listener: Listener): void {
  onSignedOut = listener;
}

export function callLanguage(): string {
  return language;
}

export function noteSessionEnd(error: ApiError): void {
  if (error.code === 'not_signed_in') onSignedOut();
}

/** Calls the desk. Repeats when no answer came and the call is safe to repeat. Throws {@link ApiError}. */
export async function call<T>(path: string, options: Call = {}): Promise<T> {
  const repeatable = (options.method ?? 'GET') === 'GET' || options.intent !== undefined;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await once<T>(path, options);
    } catch (thrown) {
      const error = asApiError(thrown);
      const wait = WAITS[attempt];
      if (!repeatable || !error.isPassing || wait === undefined || options.signal?.aborted) {
        noteSessionEnd(error);
        throw error;
      }
      await pause(wait);
    }
  }
}

async function once<T>(path: string, { method = 'GET', body, intent, signal }: Call): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': language };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (intent !== undefined) headers['Idempotency-Key'] = intent;
  let response: Response;
  let text: string;
  try {
    response = await fetch(API + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: 'same-origin',
      signal: signal ? AbortSignal.any([signal, AbortSignal.timeout(DEADLINE)]) : AbortSignal.timeout(DEADLINE),
    });
    text = await response.text();
  } catch (error) {
    throw networkError(error);
  }
  if (!response.ok) throw problemFrom(response.status, text, response.headers.get('Retry-After'));
  if (text === '') return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiError('internal', response.status, 'the answer is not JSON');
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
