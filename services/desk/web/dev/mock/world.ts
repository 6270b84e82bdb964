import type { Account, Agent, Content, Conversation, Delivery, Message, Queue, User } from '../../src/api/types.ts';

/** What the mock desk knows: enough to look at every part of the page. Lives in memory, for development only. */
export interface World {
  me: User;
  organization: { id: string; name: string };
  queues: Queue[];
  accounts: Account[];
  agents: Agent[];
  conversations: Map<string, Conversation>;
  messages: Map<string, Message[]>;
  media: Map<string, { mime: string; name: string | null; bytes: Buffer }>;
  sequence: number;
}

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const account = (
  id: string,
  channel: string,
  label: string,
  queue: string,
  receipts: [boolean, boolean, boolean],
): Account => ({
  id,
  channel,
  name: `demo-${channel}`,
  label,
  queue,
  receipts: { sent: receipts[0], delivered: receipts[1], read: receipts[2] },
  media: true,
  templates: channel === 'whatsapp',
});

export function makeWorld(): World {
  const world: World = {
    me: {
      id: 'usr_1',
      name: 'Marina Duarte',
      email: 'marina@demo.test',
      role: 'supervisor_agent',
      language: 'pt-BR',
      capacity: 8,
    },
    organization: { id: 'org_1', name: 'Loja Aurora' },
    queues: [
      { id: 'que_1', name: 'Atendimento', distribution: 'manual', member: true },
      { id: 'que_2', name: 'Trocas e devoluções', distribution: 'circular', member: true },
      { id: 'que_3', name: 'Financeiro', distribution: 'manual', member: false },
    ],
    accounts: [
      account('acc_1', 'whatsapp', 'WhatsApp Vendas', 'que_1', [true, true, true]),
      account('acc_2', 'telegram', 'Telegram Suporte', 'que_2', [true, false, false]),
      account('acc_3', 'webchat', 'Site', 'que_1', [true, true, true]),
    ],
    agents: [
      { id: 'usr_1', name: 'Marina Duarte', presence: 'online', load: 4, capacity: 8 },
      { id: 'usr_2', name: 'Rafael Nogueira', presence: 'online', load: 3, capacity: 6 },
      { id: 'usr_3', name: 'Lucía Fernández', presence: 'paused', load: 1, capacity: 6 },
      { id: 'usr_4', name: 'Tomás Arruda', presence: 'online', load: 6, capacity: 6 },
      { id: 'usr_5', name: 'Beatriz Lemos', presence: 'offline', load: 0, capacity: 6 },
    ],
    conversations: new Map(),
    messages: new Map(),
    media: new Map(),
    sequence: 1000,
  };
  return world;
}

export interface Person {
  name: string | null;
  channel: 'whatsapp' | 'telegram' | 'webchat';
  address: string;
  email?: string;
  phone?: string;
}

export function addConversation(world: World, person: Person, change: Partial<Conversation>): Conversation {
  const id = `cnv_${world.conversations.size + 1}`;
  const of = world.accounts.find((one) => one.channel === person.channel) as Account;
  const queue = world.queues.find((one) => one.id === of.queue) as Queue;
  const now = Date.now();
  const conversation: Conversation = {
    id,
    channel: person.channel,
    account: { id: of.id, name: of.name, label: of.label },
    contact: {
      id: `ctc_${id}`,
      name: person.name,
      email: person.email ?? null,
      phone: person.phone ?? null,
      address: person.address,
    },
    queue: { id: queue.id, name: queue.name },
    state: 'waiting',
    agent: null,
    assignment: null,
    opened_at: now,
    waiting_since: now,
    last_inbound_at: now,
    last_activity_at: now,
    closed_at: null,
    close_reason: null,
    unread: 1,
    preview: '',
    preview_kind: 'text',
    window: person.channel === 'whatsapp' ? { rule: 'timed', closes_at: now + DAY } : { rule: 'none', closes_at: null },
    version: 1,
    ...change,
  };
  world.conversations.set(id, conversation);
  world.messages.set(id, []);
  return conversation;
}

export function addMessage(
  world: World,
  conversation: Conversation,
  direction: 'in' | 'out',
  content: Content,
  at: number,
  more: { delivery?: Delivery['state']; failure?: Delivery['failure']; reply?: string } = {},
): Message {
  const list = world.messages.get(conversation.id) as Message[];
  const out = direction === 'out';
  const message: Message = {
    id: `msg_${conversation.id}_${list.length + 1}`,
    conversation: conversation.id,
    sequence: list.length + 1,
    direction,
    author: { type: out ? 'user' : 'contact', user: out ? { id: world.me.id, name: world.me.name } : null },
    content,
    at,
    reply_to: more.reply ?? null,
    delivery: out ? { state: more.delivery ?? 'queued', failure: more.failure ?? null, at } : null,
    version: 1,
  };
  list.push(message);
  conversation.preview =
    content.type === 'text' ? content.text : content.type === 'media' ? (content.caption ?? content.name ?? '') : '';
  conversation.preview_kind = content.type;
  conversation.last_activity_at = at;
  return message;
}
