import type { Problem } from './types';

/** A call that the desk understood and refused, or that never reached it (`network`). */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  readonly traceId: string | null;
  /** Seconds to wait, from Retry-After. */
  readonly retryAfter: number | null;

  constructor(
    code: string,
    status: number,
    detail: string,
    traceId: string | null = null,
    retryAfter: number | null = null,
  ) {
    super(detail);
    this.name = 'ApiError';
    this.code = code;
    this.status = status;
    this.traceId = traceId;
    this.retryAfter = retryAfter;
  }

  /** The answer never came: the same call may be tried again with the same key. */
  get isNetwork(): boolean {
    return this.code === NETWORK;
  }

  /** Trying again later can help without anybody changing anything. */
  get isPassing(): boolean {
    return this.isNetwork || this.status === 503 || this.status === 502 || this.status === 504;
  }
}

export const NETWORK = 'network';

export function networkError(cause?: unknown): ApiError {
  return new ApiError(NETWORK, 0, cause instanceof Error ? cause.message : 'no answer');
}

/** Reads an error answer; a proxy's HTML page becomes `unavailable` or `internal` by its status. */
export function problemFrom(status: number, body: string, retryAfter: string | null): ApiError {
  const seconds = retryAfter !== null && /^\d+$/.test(retryAfter) ? Number(retryAfter) : null;
  let problem: Partial<Problem> = {};
  try {
    problem = JSON.parse(body) as Partial<Problem>;
  } catch {
    // Not JSON; the status has to do.
  }
  const code = typeof problem.code === 'string' ? problem.code : codeOf(status);
  return new ApiError(code, status, problem.detail ?? problem.title ?? code, problem.trace_id ?? null, seconds);
}

function codeOf(status: number): string {
  if (status === 401) return 'not_signed_in';
  if (status === 403) return 'not_permitted';
  if (status === 404) return 'not_found';
  if (status === 413) return 'too_large';
  if (status === 429) return 'too_many_attempts';
  if (status >= 502 && status <= 504) return 'unavailable';
  return status >= 500 ? 'internal' : 'bad_request';
}

export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : networkError(error);
}
