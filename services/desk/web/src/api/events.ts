import type { Change, Frame } from './types';

/** How the page hears of changes: `live`, or trying to be. */
export type Connection = 'connecting' | 'live' | 'reconnecting';

/** What the stream needs of the world; a test gives its own. */
export interface StreamWorld {
  open: (url: string) => SocketLike;
  setTimeout: (work: () => void, ms: number) => number;
  clearTimeout: (id: number) => void;
  random: () => number;
}

export interface SocketLike {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: (() => void) | null;
  close: () => void;
}

export interface StreamHandlers {
  change: (change: Change) => void;
  /** The cursor is too old: read everything again. */
  reset: (cursor: number) => void;
  connection: (state: Connection) => void;
  /** A connection could not be opened at all: the session may have ended. */
  refused: () => void;
}

/** A page that hears nothing for this long reconnects; the server pings every 20 s. */
const SILENCE = 45_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

/**
 * The live stream with resume. The cursor moves only after a change was handed on, so a connection lost in the
 * middle of a replay asks for the rest again.
 */
export class EventStream {
  private socket: SocketLike | null = null;
  private silence: number | null = null;
  private retry: number | null = null;
  private attempt = 0;
  private stopped = false;

  constructor(
    private cursor: number | null,
    private readonly handlers: StreamHandlers,
    private readonly world: StreamWorld,
  ) {}

  start(): void {
    this.handlers.connection('connecting');
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    this.clear();
    this.drop();
  }

  /** Connect now instead of waiting: the browser came back online or the page was shown again. */
  hurry(): void {
    if (this.retry === null) return;
    this.clear();
    this.attempt = 0;
    this.connect();
  }

  position(): number | null {
    return this.cursor;
  }

  private connect(): void {
    const query = this.cursor === null ? '' : `?cursor=${this.cursor}`;
    let heard = false;
    const socket = this.world.open(`/api/v1/events${query}`);
    this.socket = socket;
    this.listen();
    socket.onmessage = (event) => {
      if (this.socket !== socket) return;
      heard = true;
      this.listen();
      this.take(String(event.data));
    };
    socket.onerror = () => undefined;
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (!heard) this.handlers.refused();
      this.again();
    };
  }

  private take(text: string): void {
    let frame: Frame;
    try {
      frame = JSON.parse(text) as Frame;
    } catch {
      return;
    }
    if (frame.type === 'ping') return;
    if (frame.type === 'hello') {
      // With a cursor of our own the replay follows; taking the server's would skip it.
      this.cursor ??= frame.data.cursor;
      this.live();
      return;
    }
    if (frame.type === 'reset') {
      this.cursor = frame.data.cursor;
      this.live();
      this.handlers.reset(frame.data.cursor);
      return;
    }
    if (typeof frame.sequence !== 'number') return;
    if (this.cursor !== null && frame.sequence <= this.cursor) return;
    this.handlers.change(frame);
    this.cursor = frame.sequence;
  }

  private live(): void {
    this.attempt = 0;
    this.handlers.connection('live');
  }

  private listen(): void {
    if (this.silence !== null) this.world.clearTimeout(this.silence);
    this.silence = this.world.setTimeout(() => {
      this.drop();
      this.again();
    }, SILENCE);
  }

  private again(): void {
    this.clear();
    if (this.stopped) return;
    this.handlers.connection('reconnecting');
    const ceiling = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.attempt);
    this.attempt += 1;
    // Jitter, so that a restarted desk is not stormed by all pages in the same second.
    const wait = ceiling / 2 + (ceiling / 2) * this.world.random();
    this.retry = this.world.setTimeout(() => {
      this.retry = null;
      this.connect();
    }, wait);
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  private clear(): void {
    if (this.silence !== null) this.world.clearTimeout(this.silence);
    if (this.retry !== null) this.world.clearTimeout(this.retry);
    this.silence = null;
    this.retry = null;
  }
}

/** The browser's own socket, timers and chance. */
export function browserWorld(): StreamWorld {
  return {
    open: (path) => {
      const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
      return new WebSocket(`${scheme}//${location.host}${path}`) as unknown as SocketLike;
    },
    setTimeout: (work, ms) => window.setTimeout(work, ms),
    clearTimeout: (id) => window.clearTimeout(id),
    random: Math.random,
  };
}
