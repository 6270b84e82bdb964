/** The desk's API as `docs/api.md` describes it. Times are milliseconds since 1970. */

export type Language = 'pt-BR' | 'es' | 'en';
export type Presence = 'online' | 'paused' | 'offline';
export type Role = 'agent' | 'supervisor_agent' | 'supervisor' | 'administrator';
export type Stage = 'waiting' | 'active' | 'inactive' | 'closed';

export interface Named {
  id: string;
  name: string;
}

export interface User extends Named {
  email: string;
  role: Role;
  language: Language;
  capacity: number;
}

export interface Agent extends Named {
  presence: Presence;
  load: number;
  capacity: number;
}

export interface Seat {
  user: string;
  presence: Presence;
  load: number;
  capacity: number;
  version?: number;
}

export interface Queue extends Named {
  distribution: 'manual' | 'circular';
  member: boolean;
}

export interface Receipts {
  sent: boolean;
  delivered: boolean;
  read: boolean;
}

export interface Account extends Named {
  channel: string;
  label: string;
  queue: string;
  receipts: Receipts;
  media: boolean;
  templates: boolean;
}

export interface Me {
  user: User;
  organization: Named;
  queues: Queue[];
  accounts: Account[];
  seat: Seat;
  cursor: number;
}

export interface Considered {
  agent: Named;
  verdict: string;
}

export interface Assignment {
  ground: string;
  at: number;
  by: Named | null;
  considered: Considered[];
}

export interface ContactSummary {
  id: string;
  name: string | null;
  email: string | null;
  phone: string | null;
  address: string;
}

export interface Window {
  rule: 'none' | 'timed';
  closes_at: number | null;
}

export interface Conversation {
  id: string;
  channel: string;
  account: { id: string; name: string; label: string };
  contact: ContactSummary;
  queue: Named;
  state: Stage;
  agent: Named | null;
  assignment: Assignment | null;
  opened_at: number;
  waiting_since: number;
  last_inbound_at: number | null;
  last_activity_at: number;
  closed_at: number | null;
  close_reason: 'concluded' | 'abandoned' | null;
  unread: number;
  preview: string;
  preview_kind: string;
  window: Window;
  version: number;
}

export interface ChannelCount {
  channel: string;
  state: Stage;
  count: number;
}

export interface ConversationPage {
  items: Conversation[];
  counts: ChannelCount[];
  cursor: number;
}

export type MediaKind = 'image' | 'audio' | 'video' | 'document' | 'sticker';

export interface TextContent {
  type: 'text';
  text: string;
}

export interface MediaContent {
  type: 'media';
  kind: MediaKind;
  mime: string;
  name: string | null;
  caption: string | null;
  size: number | null;
  state?: 'pending' | 'stored' | 'lost';
  key?: string | null;
  reason?: string | null;
}

export interface LocationContent {
  type: 'location';
  latitude: number;
  longitude: number;
  name: string | null;
  address: string | null;
}

export interface ContactCard {
  name: string;
  phones: string[];
  emails: string[];
  organization: string | null;
}

export interface ContactsContent {
  type: 'contacts';
  cards: ContactCard[];
}

export interface ChoiceOption {
  label: string;
  payload: string | null;
}

export interface ChoiceContent extends ChoiceOption {
  type: 'choice';
}

export interface ChoicesContent {
  type: 'choices';
  text: string;
  options: ChoiceOption[];
}

export interface TemplateContent {
  type: 'template';
  id: string;
  language: string;
  params: string[];
  preview: string;
}

export type TemplateCategory = 'marketing' | 'utility' | 'authentication' | 'other';

export interface TemplateButton {
  label: string;
  action: 'reply' | 'link' | 'call';
  target: string | null;
}

/** A template that may be sent. */
export interface Template {
  id: string;
  name: string;
  language: string;
  category: TemplateCategory;
  header: string | null;
  body: string;
  footer: string | null;
  buttons: TemplateButton[];
  /** How many values it takes: those of the body, then one for each link with a place. */
  places: number;
  body_places: number;
}

export interface TemplateList {
  items: Template[];
  read_at: number | null;
  failed: string | null;
}

export interface UnsupportedContent {
  type: 'unsupported';
  kind: string;
}

export type Content =
  | TextContent
  | MediaContent
  | LocationContent
  | ContactsContent
  | ChoiceContent
  | ChoicesContent
  | TemplateContent
  | UnsupportedContent;

export type DeliveryState = 'queued' | 'accepted' | 'sent' | 'delivered' | 'read' | 'failed' | 'parked';

export interface Failure {
  code: string;
  provider_code: string | null;
  reason: string | null;
}

export interface Delivery {
  state: DeliveryState;
  failure: Failure | null;
  at: number;
}

export interface Message {
  id: string;
  conversation: string;
  sequence: number;
  direction: 'in' | 'out';
  author: { type: 'contact' | 'user' | 'system'; user: Named | null };
  content: Content;
  at: number;
  reply_to: string | null;
  delivery: Delivery | null;
  version: number;
}

export interface MessagePage {
  items: Message[];
  has_more: boolean;
}

export interface StoredMedia {
  key: string;
  kind: MediaKind;
  mime: string;
  name: string | null;
  size: number;
}

export interface SavedContact {
  id: string;
  name: string | null;
  phones: string[];
  emails: string[];
}

export type ParkedState = 'waiting' | 'requested' | 'redriven' | 'ended';
export type Ruling = 'redrive' | 'again' | 'arrived' | 'failed' | 'discard';
/** What became of a message in doubt. */
export type Fate = 'arrived' | 'again' | 'failed';

export interface ParkedAccount {
  id: string | null;
  name: string;
  label: string;
}

/** A message that could not go on. */
export interface ParkedItem {
  id: string;
  at: number;
  place: string;
  code: string;
  cause: string;
  reason: string;
  provider_code: string | null;
  channel: string | null;
  account: ParkedAccount | null;
  in_doubt: boolean;
  state: ParkedState;
  requested: Ruling | null;
  ended_at: number | null;
  size: number;
  version: number;
}

export interface ParkedPage {
  items: ParkedItem[];
  next: string | null;
}

export interface ParkedCause {
  code: string;
  cause: string;
  place: string;
  channel: string | null;
  account: ParkedAccount | null;
  in_doubt: boolean;
  count: number;
  requested: number;
  first_at: number;
  last_at: number;
}

export interface ParkedCauses {
  items: ParkedCause[];
  total: number;
}

export interface ParkedDecision {
  ruling: Ruling;
  reason: string | null;
  by: Named | null;
  at: number;
}

export interface ParkedBody {
  form: 'json' | 'text' | 'bytes';
  text: string;
  truncated: boolean;
}

export interface ParkedDetail {
  item: ParkedItem;
  route: string;
  body: ParkedBody;
  content: Content | null;
  conversation: string | null;
  address: string | null;
  decisions: ParkedDecision[];
}

/** Parked messages moved; what that leaves is read anew. */
export interface ParkedMoved {
  parked: string[];
  settled: string[];
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail?: string | null;
  trace_id?: string | null;
}

/** A numbered change. */
export type Change = { sequence: number; at: number } & (
  | { type: 'conversation'; data: Conversation }
  | { type: 'message'; data: Message }
  | { type: 'seat'; data: Seat }
  | { type: 'contact'; data: SavedContact }
  | { type: 'parked'; data: ParkedMoved }
);

/** What comes over the event socket. */
export type Frame =
  | { type: 'hello'; data: { cursor: number } }
  | { type: 'reset'; data: { cursor: number } }
  | { type: 'ping' }
  | Change;
