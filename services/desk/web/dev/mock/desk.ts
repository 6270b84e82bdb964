import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WebSocket } from 'ws';
import type { Change, Content, Conversation, Message, Presence, Stage } from '../../src/api/types.ts';
import { Parked } from './parked.ts';
import { fill } from './seed.ts';
import { templates } from './templates.ts';
import { addConversation, addMessage, makeWorld, type World } from './world.ts';

function seeded(): World {
  const world = makeWorld();
  fill(world, Date.now());
  return world;
}

class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
  ) {
    super(code);
  }
}

const HOUR = 3_600_000;

/** The mock desk. Speaks as `docs/api.md` says; `POST /mock/...` makes customers write and connections break. */
export class Desk {
  private readonly world: World = seeded();
  private readonly peers = new Set<WebSocket>();
  private readonly log: Change[] = [];
  private readonly answers = new Map<string, { status: number; body?: unknown }>();
  private readonly parked = new Parked(Date.now());
  private presence: Presence = 'offline';
  private signedIn = process.env.MOCK_SIGNED_IN === '1';

  join(peer: WebSocket, url: URL): void {
    if (!this.signedIn) {
      peer.close();
      return;
    }
    this.peers.add(peer);
    peer.on('close', () => this.peers.delete(peer));
    const cursor = Number(url.searchParams.get('cursor') ?? this.world.sequence);
    peer.send(JSON.stringify({ type: 'hello', data: { cursor: this.world.sequence } }));
    for (const change of this.log) if (change.sequence > cursor) peer.send(JSON.stringify(change));
    const ping = setInterval(() => peer.send(JSON.stringify({ type: 'ping' })), 20_000);
    peer.on('close', () => clearInterval(ping));
  }

  private tell(type: 'conversation' | 'message', data: Conversation | Message): void {
    this.world.sequence += 1;
    const change = { sequence: this.world.sequence, at: Date.now(), type, data: structuredClone(data) } as Change;
    this.log.push(change);
    for (const peer of this.peers) peer.send(JSON.stringify(change));
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://mock');
    const body = await readBody(request);
    const key = request.headers['idempotency-key'];
    const known = typeof key === 'string' ? this.answers.get(key) : undefined;
    try {
      if (url.pathname.startsWith('/media/') && request.method === 'GET') {
        this.media(decodeURIComponent(url.pathname.slice(7)), response);
        return;
      }
      const result = known ?? this.route(request.method ?? 'GET', url, body, request.headers['content-type'] ?? '');
      if (typeof key === 'string') this.answers.set(key, result);
      response.writeHead(result.status, { 'content-type': 'application/json' });
      response.end(result.body === undefined ? '' : JSON.stringify(result.body));
    } catch (error) {
      const { status, code } = error instanceof Refused ? error : new Refused(500, 'internal');
      if (!(error instanceof Refused)) console.error(error);
      response.writeHead(status, { 'content-type': 'application/problem+json' });
      response.end(
        JSON.stringify({ type: `/errors/${code}`, title: code, status, code, detail: code, trace_id: 'mock' }),
      );
    }
  }

  private route(method: string, url: URL, raw: Buffer, contentType: string): { status: number; body?: unknown } {
    const path = url.pathname.split('/').filter(Boolean);
    if (path[0] === 'mock') return this.act(path.slice(1), raw);
    if (path[0] === 'media') return this.upload(raw, contentType);
    const body = raw.length > 0 ? JSON.parse(raw.toString()) : {};
    if (path[0] === 'sessions') return this.session(method, body);
    if (!this.signedIn) throw new Refused(401, 'not_signed_in');
    if (path[0] === 'me') return this.me(path[1], body);
    if (path[0] === 'parked') {
      const answer = this.parked.answer(method, path.slice(1), url.searchParams, body);
      if (answer === null) throw new Refused(404, 'not_found');
      return { status: 200, body: answer };
    }
    if (path[0] === 'agents') return { status: 200, body: { items: this.world.agents } };
    if (path[0] === 'conversations')
      return path[1] ? this.conversation(method, path.slice(1), url, body) : this.list(url);
    throw new Refused(404, 'not_found');
  }

  private session(method: string, body: { password?: string }) {
    if (method === 'DELETE') {
      this.signedIn = false;
      return { status: 204 };
    }
    if (body.password !== 'demo') throw new Refused(401, 'bad_credentials');
    this.signedIn = true;
    return { status: 201, body: { token: 'mock', expires_at: Date.now() + HOUR, user: this.world.me } };
  }

  private seat() {
    const load = [...this.world.conversations.values()].filter((one) => one.agent?.id === this.world.me.id).length;
    return { user: this.world.me.id, presence: this.presence, load, capacity: this.world.me.capacity };
  }

  private me(what: string | undefined, body: { presence?: Presence; language?: 'pt-BR' | 'es' | 'en' }) {
    const { me: user, organization, queues, accounts, sequence: cursor } = this.world;
    if (what === 'presence') {
      this.presence = body.presence ?? 'offline';
      return { status: 200, body: this.seat() };
    }
    if (what === 'language') {
      user.language = body.language ?? 'pt-BR';
      return { status: 200, body: user };
    }
    return { status: 200, body: { user, organization, queues, accounts, seat: this.seat(), cursor } };
  }

  private list(url: URL) {
    const states = (url.searchParams.get('state') ?? 'waiting').split(',') as Stage[];
    const search = url.searchParams.get('search')?.toLowerCase();
    const all = [...this.world.conversations.values()];
    const items = all.filter(
      (one) => states.includes(one.state) && (!search || (one.contact.name ?? '').toLowerCase().includes(search)),
    );
    const counts = new Map<string, { channel: string; state: Stage; count: number }>();
    for (const { channel, state } of all) {
      if (state === 'closed') continue;
      const row = counts.get(channel + state) ?? { channel, state, count: 0 };
      row.count += 1;
      counts.set(channel + state, row);
    }
    return { status: 200, body: { items, counts: [...counts.values()], cursor: this.world.sequence } };
  }

  private conversation(
    method: string,
    [id = '', what, message, again]: string[],
    url: URL,
    body: Record<string, never>,
  ) {
    const one = this.world.conversations.get(id);
    if (!one) throw new Refused(404, 'not_found');
    if (what === undefined) return { status: 200, body: one };
    if (what === 'templates') return { status: 200, body: { items: templates, read_at: Date.now(), failed: null } };
    if (what === 'messages' && method === 'GET') return this.page(id, url);
    if (what === 'messages' && message && again === 'retry') return this.retry(one, message);
    if (what === 'messages') return this.post(one, body as unknown as { content: Content; reply_to: string | null });
    if (what === 'contacts') return { status: 201, body: { id: 'ctc_new', name: null, phones: [], emails: [] } };
    return this.change(one, what, body as unknown as { to?: { type: string; id: string } });
  }

  private change(one: Conversation, what: string, body: { to?: { type: string; id: string } }) {
    const me = { id: this.world.me.id, name: this.world.me.name };
    if (what === 'take') {
      if (one.contact.name === 'Mei Tanaka') throw new Refused(409, 'already_taken');
      Object.assign(one, {
        state: 'active',
        agent: me,
        unread: 0,
        assignment: { ground: 'taken', at: Date.now(), by: me, considered: [] },
      });
    } else if (what === 'return') Object.assign(one, { state: 'waiting', agent: null, assignment: null });
    else if (what === 'conclude')
      Object.assign(one, { state: 'closed', agent: null, closed_at: Date.now(), close_reason: 'concluded' });
    else if (what === 'read') one.unread = 0;
    else if (what === 'transfer' && body.to?.type === 'queue') {
      const queue = this.world.queues.find((queue) => queue.id === body.to?.id);
      Object.assign(one, {
        state: 'waiting',
        agent: null,
        assignment: null,
        queue: { id: queue?.id, name: queue?.name },
      });
    } else if (what === 'transfer') {
      const agent = this.world.agents.find((agent) => agent.id === body.to?.id);
      if (agent?.presence !== 'online') throw new Refused(409, 'agent_unavailable');
      Object.assign(one, { agent: { id: agent.id, name: agent.name } });
    }
    this.changed(one);
    return { status: 200, body: one };
  }

  private changed(one: Conversation): void {
    one.version += 1;
    this.tell('conversation', one);
  }

  private page(id: string, url: URL) {
    const all = this.world.messages.get(id) ?? [];
    const before = Number(url.searchParams.get('before') ?? Number.MAX_SAFE_INTEGER);
    const older = all.filter((message) => message.sequence < before);
    const items = older.slice(-Number(url.searchParams.get('limit') ?? 50));
    return { status: 200, body: { items, has_more: older.length > items.length } };
  }

  private post(one: Conversation, body: { content: Content; reply_to: string | null }) {
    if (body.content.type !== 'template' && one.window.rule === 'timed' && (one.window.closes_at ?? 0) < Date.now())
      throw new Refused(409, 'window_closed');
    const content = body.content.type === 'media' ? { ...body.content, state: 'stored' as const } : body.content;
    const message = addMessage(this.world, one, 'out', content, Date.now(), { reply: body.reply_to ?? undefined });
    this.tell('message', message);
    this.changed(one);
    this.deliver(message);
    return { status: 201, body: message };
  }

  private deliver(message: Message): void {
    const fails = message.content.type === 'text' && message.content.text.includes('#fail');
    const steps = fails ? (['accepted', 'failed'] as const) : (['accepted', 'sent', 'delivered', 'read'] as const);
    steps.forEach((state, index) => {
      setTimeout(
        () => {
          const failure =
            state === 'failed' ? { code: 'unreachable', provider_code: '470', reason: 'Message undeliverable' } : null;
          message.delivery = { state, failure, at: Date.now() };
          message.version += 1;
          this.tell('message', message);
        },
        500 * (index + 1),
      );
    });
  }

  private retry(one: Conversation, id: string) {
    const message = this.world.messages.get(one.id)?.find((message) => message.id === id);
    if (!message) throw new Refused(404, 'not_found');
    message.delivery = { state: 'queued', failure: null, at: Date.now() };
    message.version += 1;
    this.tell('message', message);
    this.deliver(message);
    return { status: 200, body: message };
  }

  private upload(raw: Buffer, contentType: string) {
    const boundary = /boundary=(.+)$/.exec(contentType)?.[1] ?? '';
    const text = raw.toString('latin1');
    const name = /filename="([^"]*)"/.exec(text)?.[1] ?? 'file';
    const mime = /Content-Type: ([^\r\n]+)/i.exec(text)?.[1] ?? 'application/octet-stream';
    const from = text.indexOf('\r\n\r\n') + 4;
    const bytes = raw.subarray(from, text.lastIndexOf(`\r\n--${boundary}`));
    const key = `up/${this.world.media.size}-${name}`;
    this.world.media.set(key, { mime, name, bytes });
    const top = mime.split('/')[0] ?? '';
    const kind = ['image', 'audio', 'video'].includes(top) ? top : 'document';
    return { status: 201, body: { key, kind, mime, name, size: bytes.length } };
  }

  private media(key: string, response: ServerResponse): void {
    const found = this.world.media.get(key);
    if (!found) throw new Refused(404, 'not_found');
    response.writeHead(200, { 'content-type': found.mime, 'content-length': found.bytes.length });
    response.end(found.bytes);
  }

  /** `say/<conversation>`: the contact writes. `arrive`: somebody new. `cut`: connections break. `expire`: sessions end. */
  private act([what, id = 'cnv_1']: string[], raw: Buffer) {
    const words = raw.toString() || 'Olá, tudo bem?';
    if (what === 'cut') for (const peer of this.peers) peer.terminate();
    if (what === 'expire') this.signedIn = false;
    if (what === 'arrive') {
      const one = addConversation(this.world, { name: words, channel: 'whatsapp', address: '+55 11 90000-0000' }, {});
      this.tell('message', addMessage(this.world, one, 'in', { type: 'text', text: 'Oi!' }, Date.now()));
      this.tell('conversation', one);
    }
    const one = this.world.conversations.get(id);
    if (what === 'say' && one) {
      this.tell('message', addMessage(this.world, one, 'in', { type: 'text', text: words }, Date.now()));
      one.unread += 1;
      one.last_inbound_at = Date.now();
      this.changed(one);
    }
    return { status: 200, body: {} };
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
