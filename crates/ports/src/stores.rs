//! The smaller stores.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Account, AccountId, Address, Channel, ConsentEntry, Conversation, ConversationId, DeskEvent, Message, MessageId,
    Organization, OrganizationId, Queue, QueueId, Seat, Stage, Thread, Timestamp, User, UserId,
};
use serde::{Deserialize, Serialize};

use crate::conservation::{IntakeCounts, Period, SendCounts};

/// Why a store did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It is away; try again.
    #[error("the store is not reachable: {0}")]
    Unavailable(String),
    /// It answered, and the answer is an error that trying again will not mend.
    #[error("the store refuses: {0}")]
    Refused(String),
}

/// Session windows: when a contact last wrote on an account. Rebuildable.
#[async_trait]
pub trait Windows: Send + Sync + 'static {
    /// Notes that the contacts wrote at these times; earlier times than the known change nothing. Kept for `keep`.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn note(&self, wrote: &[(Thread, Timestamp)], keep: Duration) -> Result<(), StoreError>;

    /// When these contacts last wrote, in the order asked.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn last(&self, threads: &[Thread]) -> Result<Vec<Option<Timestamp>>, StoreError>;
}

/// The consent ledger.
#[async_trait]
pub trait Consents: Send + Sync + 'static {
    /// Adds entries; one whose cause is already there is left out.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn append(&self, entries: &[ConsentEntry]) -> Result<(), StoreError>;

    /// The last entry of each thread, in the order asked.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn last(&self, threads: &[Thread]) -> Result<Vec<Option<ConsentEntry>>, StoreError>;

    /// All entries of a thread, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn history(&self, thread: &Thread) -> Result<Vec<ConsentEntry>, StoreError>;
}

/// Token buckets, shared by the replicas.
#[async_trait]
pub trait Buckets: Send + Sync + 'static {
    /// Takes a token from the bucket `key` that refills `rate` per second up to `burst`. None: taken, go on. Some:
    /// nothing was taken, ask again after this pause.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away; the caller goes on with its own local bucket.
    async fn take(&self, key: &str, rate: f64, burst: u32, now: Timestamp) -> Result<Option<Duration>, StoreError>;
}

/// Places in a provider's stream (Telegram's update offset, an IMAP UID).
#[async_trait]
pub trait Cursors: Send + Sync + 'static {
    /// The place that was kept.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn get(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Keeps a place.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn set(&self, key: &str, value: &str) -> Result<(), StoreError>;
}

/// Named leases, so that one replica at a time polls a mailbox or sweeps a table.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Claims or renews `name` for `owner` until `now + ttl`. False when somebody else holds it.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn claim(&self, name: &str, owner: &str, now: Timestamp, ttl: Duration) -> Result<bool, StoreError>;
}

/// Bytes of media.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// Keeps `bytes` under `key`; writing the same key twice keeps the last. Returns when they are safe.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away or full.
    async fn put(&self, key: &str, mime: &str, bytes: Bytes) -> Result<(), StoreError>;

    /// The MIME type and the bytes.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn get(&self, key: &str) -> Result<Option<(String, Bytes)>, StoreError>;
}

/// A message waiting for, or already taken by, the far end of a live link (a webchat visitor).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxItem {
    /// Its place in the mailbox, from 1.
    pub sequence: u64,
    /// Unique in the mailbox; putting the same again changes nothing.
    pub id: String,
    /// The channel's own JSON.
    pub body: String,
}

/// Durable mailboxes of a channel whose contacts connect to us: what was put there can be read again from any place.
#[async_trait]
pub trait Mailboxes: Send + Sync + 'static {
    /// Puts an item at the end and answers its place; the old place when the id is already there.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn put(
        &self,
        account: AccountId,
        address: &Address,
        id: &str,
        body: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Items after `after`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn since(
        &self,
        account: AccountId,
        address: &Address,
        after: u64,
        limit: u32,
    ) -> Result<Vec<MailboxItem>, StoreError>;
}

/// Organizations, accounts, queues and people.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Writes an organization, new or changed.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn save_organization(&self, organization: &Organization) -> Result<(), StoreError>;
    /// All organizations.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn organizations(&self) -> Result<Vec<Organization>, StoreError>;
    /// Writes an account, new or changed.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when channel and name are another account's.
    async fn save_account(&self, account: &Account) -> Result<(), StoreError>;
    /// Accounts of a channel, or all; of every organization. For channel services and the command line.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn accounts(&self, channel: Option<&Channel>) -> Result<Vec<Account>, StoreError>;
    /// Accounts of one organization.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn accounts_of(&self, organization: OrganizationId) -> Result<Vec<Account>, StoreError>;
    /// Writes a queue, new or changed.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn save_queue(&self, queue: &Queue) -> Result<(), StoreError>;
    /// Queues of one organization.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn queues(&self, organization: OrganizationId) -> Result<Vec<Queue>, StoreError>;
    /// Writes a person, new or changed.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the e-mail is another person's.
    async fn save_user(&self, user: &User) -> Result<(), StoreError>;
    /// A person by e-mail, in any organization; for sign-in.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError>;
    /// People of one organization.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn users(&self, organization: OrganizationId) -> Result<Vec<User>, StoreError>;
}

/// A sign-in at the desk. Only the SHA-256 of the token is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// SHA-256 of the token, hex.
    pub token_hash: String,
    /// Whose.
    pub organization: OrganizationId,
    /// Who.
    pub user: UserId,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Sign-ins.
#[async_trait]
pub trait SignIns: Send + Sync + 'static {
    /// Keeps a sign-in.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn create(&self, sign_in: &SignIn) -> Result<(), StoreError>;
    /// The sign-in with this hash, if it has not expired.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn find(&self, token_hash: &str, now: Timestamp) -> Result<Option<SignIn>, StoreError>;
    /// Ends a sign-in.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn end(&self, token_hash: &str) -> Result<(), StoreError>;
}

/// Which conversations a screen asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationFilter {
    /// In these stages; all when empty.
    pub stages: Vec<Stage>,
    /// In these queues; all when none.
    pub queues: Option<Vec<QueueId>>,
    /// Served by this agent.
    pub agent: Option<UserId>,
    /// On this channel.
    pub channel: Option<Channel>,
    /// Contact name, e-mail or address contains this, whatever the case.
    pub search: Option<String>,
    /// Newest first ([`Conversation::newest_at`]); oldest waiting first otherwise.
    pub newest_first: bool,
    /// At most this many.
    pub limit: u32,
}

/// How many conversations of a channel are in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageCount {
    /// The channel.
    pub channel: Channel,
    /// The stage: waiting, active or inactive.
    pub stage: Stage,
    /// How many.
    pub count: u64,
}

/// Read models for the desk. Always of one organization.
#[async_trait]
pub trait Views: Send + Sync + 'static {
    /// Conversations by filter.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn conversations(
        &self,
        organization: OrganizationId,
        filter: &ConversationFilter,
    ) -> Result<Vec<Conversation>, StoreError>;
    /// One conversation.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn conversation(
        &self,
        organization: OrganizationId,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError>;
    /// Messages of a conversation before a sequence (none: from the end), oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn messages(
        &self,
        organization: OrganizationId,
        conversation: ConversationId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError>;
    /// One message.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn message(&self, organization: OrganizationId, id: MessageId) -> Result<Option<Message>, StoreError>;
    /// Open conversations counted by channel and stage, in these queues (all when none).
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn counts(
        &self,
        organization: OrganizationId,
        queues: Option<&[QueueId]>,
    ) -> Result<Vec<StageCount>, StoreError>;
    /// Seats.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn seats(&self, organization: OrganizationId) -> Result<Vec<Seat>, StoreError>;
    /// Desk events after a cursor, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn events(&self, organization: OrganizationId, after: u64, limit: u32) -> Result<Vec<DeskEvent>, StoreError>;
    /// The number of the last desk event and of the oldest that is still kept (0, 0 when there are none).
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn event_range(&self, organization: OrganizationId) -> Result<(u64, u64), StoreError>;
    /// The conservation count of one organization, or of all.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn audit(&self, organization: Option<OrganizationId>) -> Result<AuditCounts, StoreError>;
    /// What channels accepted in a period, and what became of it.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn intake(&self, period: &Period) -> Result<IntakeCounts, StoreError>;
    /// What was submitted for sending in a period, and what became of it.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn sends(&self, period: &Period) -> Result<SendCounts, StoreError>;
    /// Outgoing messages that nobody has: see [`Unaccounted`]. Of one organization, or of all; only those that are
    /// queued since before `queued_before`, because a message on its way is nowhere for a moment.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn unaccounted_out(
        &self,
        organization: Option<OrganizationId>,
        queued_before: Timestamp,
    ) -> Result<Unaccounted, StoreError>;
}

/// Outgoing messages that stand as queued, although nothing in the store will ever send them: no attempt was begun, and
/// neither the outbox nor, on the embedded mesh, a queue of the bus holds anything of their conversation.
///
/// It can miss: while something else of the same conversation is on its way, a lost message is taken for that. It can
/// cry wolf where the broker is another server, which this store cannot see into: a message that has waited in
/// RabbitMQ for that long (a provider is away, a service is down) is listed; so is one whose request was parked before
/// the channel tried it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unaccounted {
    /// How many.
    pub count: u64,
    /// The oldest of them, at most [`Unaccounted::NAMED`].
    pub messages: Vec<MessageId>,
}

impl Unaccounted {
    /// The most messages that are named.
    pub const NAMED: u32 = 20;
}

/// What the store knows for `afluente audit`.
///
/// What it shows when all is well: what the store says of itself agrees. Each message came by an event of its own, in order;
/// seats and conversations agree; and with [`Views::unaccounted_out`], nothing that was to be sent has fallen between
/// the outbox, the embedded bus and the ledger, within what [`Unaccounted`] says.
///
/// What it does not say: whether all that channels accepted came this far. That is [`Views::intake`]. On the embedded
/// mesh the bus is in the same store, so `in_broker` shows what waits. Whether a provider really got what it accepted
/// from us can be compared from outside only, with the provider's log, as the load and kill tests do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCounts {
    /// Events carried out, by kind, but for those that brought a message: they are `messages_in`.
    pub processed: Vec<(String, u64)>,
    /// Incoming messages in conversations.
    pub messages_in: u64,
    /// Outgoing messages, by delivery state.
    pub messages_out: Vec<(String, u64)>,
    /// Outgoing messages that are queued: asked for, no outcome yet. Those among `messages_out` again.
    pub queued_out: u64,
    /// What the queues of the embedded bus hold, ready or not yet settled, copies for several readers counted each.
    /// None where the broker is another server, and when asked for one organization: it is not kept by organization.
    pub in_broker: Option<u64>,
    /// Outbox rows not yet published.
    pub outbox: u64,
    /// Receipts held for messages that are not known yet.
    pub held_receipts: u64,
    /// Parked messages that wait.
    pub parked: u64,
    /// Parked messages that a person ended with a reason; nothing came of them.
    pub discarded: u64,
    /// Events that brought more than one message: must be 0. A message's id follows from its event's, so this finds a
    /// wrong commit or a damaged store, never a message that was lost on its way to the router.
    pub unaccounted_in: u64,
    /// Conversations whose message sequences have a gap or a double, or do not end where the conversation says: must
    /// be 0.
    pub out_of_order: u64,
    /// Agents whose seat's load is not the number of their open conversations: must be 0.
    pub seat_mismatch: u64,
}
