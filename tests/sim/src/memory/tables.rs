//! What the store holds.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use domain::{
    Account, AccountId, Address, Channel, ConsentEntry, Contact, ContactId, Conversation, ConversationId, DeskEvent,
    EventId, HeldReceipt, Message, MessageId, Organization, OrganizationId, Outcome, ParkedDecision, ParkedId,
    Partition, Queue, QueueId, Seat, Thread, Timestamp, User, UserId,
};
use ports::{
    MailboxItem, Shelf, SignIn, TemplateList,
    bus::Envelope,
    conservation::{Accepted, Heard, Stream},
    journal::{Outgoing, Processed, ProviderId, TimerKind},
};
use tokio::time::Instant;

use super::Kept;

/// A timer that is set.
#[derive(Debug, Clone)]
pub(super) struct Timer {
    pub(super) organization: OrganizationId,
    pub(super) partition: Partition,
    pub(super) due_at: Timestamp,
}

/// A send attempt: none while it was begun and not finished.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Since when.
    pub begun_at: Timestamp,
    /// By whom.
    pub claim: String,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// Everything, in the order of its keys.
#[derive(Default)]
pub struct Tables {
    pub(super) organizations: BTreeMap<OrganizationId, Organization>,
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) queues: BTreeMap<QueueId, Queue>,
    pub(super) users: BTreeMap<UserId, User>,
    /// Events that were carried out.
    pub processed: BTreeMap<EventId, Processed>,
    /// Conversations.
    pub conversations: BTreeMap<ConversationId, Conversation>,
    /// Messages.
    pub messages: BTreeMap<MessageId, Message>,
    pub(super) places: BTreeMap<(ConversationId, u64), MessageId>,
    pub(super) contacts: BTreeMap<ContactId, Contact>,
    /// Seats.
    pub seats: BTreeMap<(OrganizationId, UserId), Seat>,
    pub(super) provider_ids: BTreeMap<(AccountId, String), ProviderId>,
    /// Receipts that wait for their message.
    pub held: BTreeMap<EventId, HeldReceipt>,
    pub(super) timers: BTreeMap<(ConversationId, TimerKind), Timer>,
    /// What waits to be published.
    pub outbox: BTreeMap<i64, Outgoing>,
    pub(super) last_outgoing: i64,
    pub(super) events: BTreeMap<OrganizationId, Vec<DeskEvent>>,
    pub(super) last_event: BTreeMap<OrganizationId, u64>,
    /// Parked messages.
    pub parked: BTreeMap<ParkedId, Kept>,
    pub(super) decisions: Vec<ParkedDecision>,
    /// Send attempts.
    pub attempts: BTreeMap<(MessageId, u16), Attempt>,
    /// Session windows: wrote at, kept until.
    pub windows: BTreeMap<Thread, (Timestamp, Timestamp)>,
    /// Consent, in the order in which it was written, and when it was.
    pub consents: Vec<(ConsentEntry, Instant)>,
    pub(super) buckets: BTreeMap<String, (f64, Timestamp)>,
    pub(super) cursors: BTreeMap<String, String>,
    pub(super) leases: BTreeMap<String, (String, Timestamp)>,
    /// Media by key, with its MIME type.
    pub blobs: BTreeMap<String, (String, Bytes)>,
    /// What visitors see, in order.
    pub mailboxes: BTreeMap<(AccountId, Address), Vec<MailboxItem>>,
    pub(super) sign_ins: BTreeMap<String, SignIn>,
    pub(super) templates: BTreeMap<AccountId, (OrganizationId, TemplateList)>,
    /// What lies on the shelves, by position.
    pub shelved: BTreeMap<(Shelf, i64), Envelope>,
    pub(super) shelf_turns: BTreeMap<(Channel, Partition), u64>,
    /// How many lay there so far.
    pub last_shelved: i64,
    pub(super) accepted: BTreeMap<Stream, Accepted>,
    pub(super) heard: BTreeSet<Heard>,
    /// What a commit wrote against the invariants.
    pub broken: Vec<String>,
}
