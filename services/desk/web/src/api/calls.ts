import { call, type Intent } from './http';
import type {
  Agent,
  ContactCard,
  Content,
  Conversation,
  ConversationPage,
  Language,
  Me,
  Message,
  MessagePage,
  Presence,
  SavedContact,
  Seat,
  Stage,
  TemplateList,
  User,
} from './types';

export interface ListQuery {
  state: Stage[];
  channel?: string;
  queue?: string;
  mine?: boolean;
  search?: string;
  order?: 'oldest' | 'newest';
  limit?: number;
}

export type Target = { type: 'agent' | 'queue'; id: string };

const at = (id: string) => `/conversations/${encodeURIComponent(id)}`;

export const signIn = (email: string, password: string) =>
  call<{ user: User }>('/sessions', { method: 'POST', body: { email, password } });
export const signOut = () => call<void>('/sessions/current', { method: 'DELETE' });
export const readMe = () => call<Me>('/me');
export const setPresence = (presence: Presence, intent: Intent) =>
  call<Seat>('/me/presence', { method: 'PUT', body: { presence }, intent });
export const setLanguage = (language: Language, intent: Intent) =>
  call<User>('/me/language', { method: 'PUT', body: { language }, intent });
export const listAgents = (signal?: AbortSignal) => call<{ items: Agent[] }>('/agents', { signal });

export function listConversations(query: ListQuery, signal?: AbortSignal): Promise<ConversationPage> {
  const params = new URLSearchParams({ state: query.state.join(',') });
  if (query.channel) params.set('channel', query.channel);
  if (query.queue) params.set('queue', query.queue);
  if (query.mine) params.set('mine', 'true');
  if (query.search) params.set('search', query.search);
  if (query.order) params.set('order', query.order);
  if (query.limit) params.set('limit', String(query.limit));
  return call<ConversationPage>(`/conversations?${params}`, { signal });
}

export const readConversation = (id: string) => call<Conversation>(at(id));
export const takeConversation = (id: string, intent: Intent) => change(`${at(id)}/take`, {}, intent);
export const transferConversation = (id: string, to: Target, intent: Intent) =>
  change(`${at(id)}/transfer`, { to }, intent);
export const returnConversation = (id: string, intent: Intent) => change(`${at(id)}/return`, {}, intent);
export const concludeConversation = (id: string, intent: Intent) => change(`${at(id)}/conclude`, {}, intent);
export const markRead = (id: string, intent: Intent) => change(`${at(id)}/read`, {}, intent);

function change(path: string, body: unknown, intent: Intent): Promise<Conversation> {
  return call<Conversation>(path, { method: 'POST', body, intent });
}

export function listMessages(id: string, before: number | null, limit = 50): Promise<MessagePage> {
  const params = new URLSearchParams({ limit: String(limit) });
  if (before !== null) params.set('before', String(before));
  return call<MessagePage>(`${at(id)}/messages?${params}`);
}

export const listTemplates = (id: string, signal?: AbortSignal) =>
  call<TemplateList>(`${at(id)}/templates`, { signal });

export const sendMessage = (id: string, content: Content, replyTo: string | null, intent: Intent) =>
  call<Message>(`${at(id)}/messages`, { method: 'POST', body: { content, reply_to: replyTo }, intent });

export const retryMessage = (id: string, message: string, intent: Intent) =>
  call<Message>(`${at(id)}/messages/${encodeURIComponent(message)}/retry`, { method: 'POST', body: {}, intent });

export const saveContact = (id: string, card: ContactCard, intent: Intent) =>
  call<SavedContact>(`${at(id)}/contacts`, { method: 'POST', body: { card }, intent });
