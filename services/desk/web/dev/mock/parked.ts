import type { Fate, ParkedCause, ParkedDecision, ParkedDetail, ParkedItem, Ruling } from '../../src/api/types.ts';
import { DAY, HOUR, MINUTE } from './world.ts';

const WHATSAPP = { id: 'acc_1', name: 'demo-whatsapp', label: 'WhatsApp Vendas' };
const TELEGRAM = { id: 'acc_2', name: 'demo-telegram', label: 'Telegram Suporte' };

/** A few parked messages of each kind, and what deciding about them does. */
export class Parked {
  private readonly details = new Map<string, ParkedDetail>();

  constructor(now: number) {
    for (let n = 0; n < 12; n += 1) this.add(call(n, now - n * 7 * MINUTE));
    for (let n = 0; n < 3; n += 1) this.add(doubt(n, now - 20 * MINUTE - n * HOUR));
    this.add(stranger(now - 2 * DAY));
  }

  private add(detail: ParkedDetail): void {
    this.details.set(detail.item.id, detail);
  }

  answer(method: string, path: string[], query: URLSearchParams, body: Record<string, string>): unknown {
    if (path[0] === 'causes') return this.causes(query);
    if (path[0] === 'redrive') return this.many(body);
    const detail = this.details.get(path[0] ?? '');
    if (path[0] && !detail) return null;
    if (detail && method === 'GET') return detail;
    if (detail && path[1] === 'redrive') return this.rule(detail, 'redrive', null);
    if (detail && path[1] === 'decision') return this.rule(detail, body.decision as Fate, body.reason ?? null);
    if (detail && path[1] === 'discard') return this.rule(detail, 'discard', body.reason ?? null);
    const ended = query.get('state') === 'ended';
    return { items: this.chosen(query).filter((item) => isEnded(item) === ended), next: null };
  }

  private chosen(query: URLSearchParams): ParkedItem[] {
    const items = [...this.details.values()].map(({ item }) => item).sort((a, b) => b.at - a.at);
    return items.filter(
      (item) =>
        [null, item.code].includes(query.get('code')) &&
        [null, item.channel ?? 'none'].includes(query.get('channel')) &&
        item.at >= Number(query.get('since') ?? 0),
    );
  }

  private causes(query: URLSearchParams) {
    const causes = new Map<string, ParkedCause>();
    for (const item of this.chosen(query).filter((item) => !isEnded(item))) {
      const { code, cause, place, channel, account, in_doubt, at } = item;
      const known = causes.get(code) ?? {
        ...{ code, cause, place, channel, account, in_doubt, count: 0, requested: 0, first_at: at, last_at: at },
      };
      known.count += 1;
      known.requested += item.state === 'requested' ? 1 : 0;
      known.first_at = Math.min(known.first_at, at);
      causes.set(code, known);
    }
    const items = [...causes.values()];
    return { items, total: items.reduce((sum, one) => sum + one.count, 0) };
  }

  private many(body: Record<string, string>) {
    const chosen = [...this.details.values()].filter(
      ({ item }) => !item.in_doubt && item.state === 'waiting' && (!body.code || item.code === body.code),
    );
    for (const detail of chosen) this.rule(detail, 'redrive', null);
    return { count: chosen.length };
  }

  private rule({ item, decisions }: ParkedDetail, ruling: Ruling, reason: string | null): ParkedItem {
    const decision: ParkedDecision = { ruling, reason, by: { id: 'usr_1', name: 'Marina Duarte' }, at: Date.now() };
    decisions.push(decision);
    item.version += 1;
    if (ruling === 'redrive') {
      Object.assign(item, { state: 'requested', requested: 'redrive' });
      const end = { state: 'redriven', requested: null, ended_at: Date.now(), version: item.version + 1 };
      setTimeout(() => Object.assign(item, end), 2_500);
    } else Object.assign(item, { state: ruling === 'again' ? 'redriven' : 'ended', ended_at: decision.at });
    return item;
  }
}

const isEnded = ({ state }: ParkedItem) => state === 'ended' || state === 'redriven';

function item(change: Partial<ParkedItem> & Pick<ParkedItem, 'id' | 'at' | 'code' | 'place' | 'reason'>): ParkedItem {
  return {
    cause: change.code,
    provider_code: null,
    channel: 'whatsapp',
    account: WHATSAPP,
    in_doubt: false,
    state: 'waiting',
    requested: null,
    ended_at: null,
    size: 412,
    version: 0,
    ...change,
  };
}

function call(n: number, at: number): ParkedDetail {
  const reason = 'expected value at line 1 column 214: the object ends before its time';
  const body = { app: 'LojaAurora', timestamp: at, type: 'message', payload: { id: `gBEG${n}`, source: '[secret]' } };
  return {
    item: item({ id: `prk_call${n}`, at, code: 'webhook_malformed', place: 'whatsapp webhook', reason }),
    route: 'webhook:whatsapp:demo-whatsapp',
    body: { form: 'text', text: `${JSON.stringify(body, null, 2).slice(0, -14)}…`, truncated: false },
    content: null,
    conversation: null,
    address: null,
    decisions: [],
  };
}

function doubt(n: number, at: number): ParkedDetail {
  const text = ['Seu pedido saiu hoje e chega amanhã até as 18 h.', 'Segue o código da troca: TR-2291.', 'Obrigada!'][
    n
  ];
  return {
    item: item({
      id: `prk_doubt${n}`,
      at,
      code: 'in_doubt',
      place: 'telegram send',
      reason: 'no answer within 30 s after the request was sent',
      provider_code: '504',
      channel: 'telegram',
      account: TELEGRAM,
      in_doubt: true,
    }),
    route: 'afluente.requested/3',
    body: {
      form: 'json',
      text: JSON.stringify({ message: 'msg_91', content: { type: 'text', text } }, null, 2),
      truncated: false,
    },
    content: { type: 'text', text: text ?? '' },
    conversation: 'cnv_2',
    address: '@beatriz.lima',
    decisions: [],
  };
}

function stranger(at: number): ParkedDetail {
  return {
    item: item({
      id: 'prk_stranger',
      at,
      code: 'account_unknown',
      place: 'router inbound',
      reason: 'the account acc_0f3c is not known in this organization',
      channel: 'whatsapp',
      account: null,
    }),
    route: 'afluente.inbound/7',
    body: { form: 'json', text: '{\n  "kind": "message"\n}', truncated: false },
    content: { type: 'text', text: 'Oi, vocês abrem no sábado?' },
    conversation: null,
    address: '+55 11 98888-1122',
    decisions: [{ ruling: 'redrive', reason: null, by: null, at: at + HOUR }],
  };
}
