//! The router's store: state, outbox and processed ids in one commit, with optimistic versions.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::{
    AccountId, Contact, ContactId, Content, Conversation, ConversationId, DeskEvent, EventId, HeldReceipt, Message,
    MessageId, OrganizationId, Parked, ParkedDecision, ParkedEntry, ParkedId, Partition, QueueId, Seat, Thread,
    Timestamp, UserId, Waiting,
};

use crate::{
    Settled, StoreError,
    bus::Envelope,
    conservation::{Accepted, Heard},
};

/// What a batch needs to know before it decides. Everything is answered in one round of queries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Which of these were already carried out? Those that leave a mark ([`Commit::processed`]).
    pub events: BTreeSet<EventId>,
    /// Which of these events were already carried out? Those that bring a message, by its id: it is their mark.
    pub brought: BTreeMap<MessageId, EventId>,
    /// The open conversation and the contact of these threads.
    pub threads: BTreeSet<Thread>,
    /// These conversations, open or closed.
    pub conversations: BTreeSet<(OrganizationId, ConversationId)>,
    /// These messages (with their conversations).
    pub messages: BTreeSet<(OrganizationId, MessageId)>,
    /// The outgoing messages that a provider knows by these ids (with their conversations).
    pub provider_ids: BTreeSet<(AccountId, String)>,
    /// These seats.
    pub seats: BTreeSet<(OrganizationId, UserId)>,
    /// These parked messages (with the outgoing messages that are in doubt, their conversations, and what the send
    /// ledger knows of them).
    pub parked: BTreeSet<(OrganizationId, ParkedId)>,
    /// Which parts of these outgoing messages the send ledger knows a provider took.
    pub taken: BTreeSet<MessageId>,
}

/// The answer to a [`Lookup`]: what exists; the rest is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Already carried out.
    pub processed: BTreeSet<EventId>,
    /// The open conversation of each thread.
    pub open: BTreeMap<Thread, ConversationId>,
    /// The contact of each thread.
    pub contacts: BTreeMap<Thread, Contact>,
    /// Conversations by id.
    pub conversations: BTreeMap<ConversationId, Conversation>,
    /// Messages by id.
    pub messages: BTreeMap<MessageId, Message>,
    /// Message by provider id.
    pub by_provider_id: BTreeMap<(AccountId, String), MessageId>,
    /// The trace of the send that made a provider id known, in W3C form, where it was kept.
    pub traces: BTreeMap<(AccountId, String), String>,
    /// Receipts held for these provider ids.
    pub held: Vec<HeldReceipt>,
    /// Seats.
    pub seats: BTreeMap<(OrganizationId, UserId), Seat>,
    /// Parked messages, without their bodies.
    pub parked: BTreeMap<ParkedId, ParkedEntry>,
    /// What a provider took, by the send ledger: parts, and the provider's ids of them.
    pub taken: BTreeMap<MessageId, BTreeMap<u16, Vec<String>>>,
}

/// What is written in one commit, or not at all. `version` of a conversation, message, contact or seat is the one that
/// was loaded (0 for new ones); the store writes `version + 1` and refuses the commit when the row has moved on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    /// Events and commands that this commit carries out. One that is already there refuses the commit. An event that
    /// brings a message needs none: its message, new, refuses a commit that brings it again.
    pub processed: Vec<Processed>,
    /// Conversations, new and changed.
    pub conversations: Vec<Conversation>,
    /// Messages, new and changed.
    pub messages: Vec<Message>,
    /// Contacts, new and changed.
    pub contacts: Vec<Contact>,
    /// Seats, new and changed.
    pub seats: Vec<Seat>,
    /// Provider ids by which an account's outgoing messages are known from now on.
    pub provider_ids: Vec<ProviderId>,
    /// Receipts to hold.
    pub hold: Vec<HeldReceipt>,
    /// Held receipts that were applied or are too old.
    pub release: Vec<EventId>,
    /// Timers, set or taken back.
    pub timers: Vec<TimerChange>,
    /// Messages to publish, in order, once the commit stands.
    pub outbox: Vec<Outgoing>,
    /// Changes for the desk; the store numbers them.
    pub events: Vec<DeskEvent>,
    /// Decisions about parked messages, each with the version that was loaded; one that has moved on refuses the commit.
    pub decided: Vec<(ParkedDecision, u64)>,
    /// Messages that are in doubt no longer: what is still parked of them ends.
    pub settled: Vec<Settled>,
    /// Messages to park.
    pub parked: Vec<Parked>,
    /// Messages that are to be tried again.
    pub reopened: Vec<Reopened>,
    /// The numbers of what channels accepted, among what this commit carries out or found carried out.
    pub heard: Vec<Heard>,
}

/// A message that is to be tried again as a whole: the ledger forgets its attempts, but for the parts that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reopened {
    /// Which.
    pub message: MessageId,
    /// Parts that the provider had accepted and reported as failed later: the ledger has them as accepted.
    pub failed: Vec<u16>,
}

/// A mark that an event or command was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    /// Which.
    pub event: EventId,
    /// Whose.
    pub organization: OrganizationId,
    /// `message`, `receipt`, `attempted`, `command`...; audit counts by it.
    pub kind: String,
    /// When.
    pub at: Timestamp,
}

/// A provider's id of an outgoing message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderId {
    /// The account that sent it.
    pub account: AccountId,
    /// The provider's id.
    pub id: String,
    /// The message.
    pub message: MessageId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The `traceparent` of the attempt that made it known: receipts link to it (OP-3).
    pub trace: Option<String>,
}

/// A message to publish after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The partition whose relay publishes it: rows of one partition go out in the order of their commits.
    pub partition: Partition,
    /// When it was written: how long it waits is measured from here.
    pub at: Timestamp,
    /// What to publish.
    pub envelope: Envelope,
}

/// A row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its place; also its handle.
    pub sequence: i64,
    /// What to publish.
    pub outgoing: Outgoing,
}

/// The timers of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// The contact has been silent for the queue's time (T-1).
    Inactive,
    /// Inactive for too long (T-2).
    Abandon,
}

impl TimerKind {
    /// The name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Abandon => "abandon",
        }
    }
}

/// A timer set (or moved) or taken back. A conversation has at most one of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerChange {
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose timer.
    pub conversation: ConversationId,
    /// Which.
    pub kind: TimerKind,
    /// When it is due; none takes it back.
    pub due_at: Option<Timestamp>,
    /// The partition whose owner fires it.
    pub partition: Partition,
}

/// A timer whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTimer {
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose timer.
    pub conversation: ConversationId,
    /// Which.
    pub kind: TimerKind,
    /// When it was due: firing is for this time only.
    pub due_at: Timestamp,
}

/// Something that a contact wrote, as it was committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Who, on which account.
    pub thread: Thread,
    /// The event that brought it.
    pub cause: EventId,
    /// The words.
    pub content: Content,
    /// The provider's id of it.
    pub provider_id: Option<String>,
    /// When they wrote it.
    pub at: Timestamp,
}

/// Why a commit was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Something moved on since it was loaded: load again, decide again.
    #[error("changed meanwhile: {0}")]
    Conflict(String),
    /// The store is away or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The router's store.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Answers a lookup.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn load(&self, lookup: &Lookup) -> Result<Snapshot, StoreError>;

    /// Writes all of it or nothing. Answers the desk events with their numbers.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when a version or processed id stands against it.
    async fn commit(&self, commit: &Commit) -> Result<Vec<DeskEvent>, CommitError>;

    /// The oldest outbox rows of these partitions, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn outbox(&self, partitions: &[Partition], limit: u32) -> Result<Vec<OutboxRow>, StoreError>;

    /// Forgets rows that were published.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn relayed(&self, sequences: &[i64]) -> Result<(), StoreError>;

    /// Timers of these partitions that are due, oldest first. They stay until a commit takes them back.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn due(&self, partitions: &[Partition], now: Timestamp, limit: u32) -> Result<Vec<DueTimer>, StoreError>;

    /// Claims or renews the right to relay and to fire timers for partitions, until `now + ttl_millis`. Answers those
    /// that `owner` holds now, among `wanted`.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn lease(
        &self,
        wanted: &[Partition],
        owner: &str,
        now: Timestamp,
        ttl_millis: u32,
    ) -> Result<Vec<Partition>, StoreError>;

    /// The conversations that wait in these queues, oldest first: of each queue at most the `each` oldest. What it costs
    /// goes by what is asked for, not by what waits.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn waiting(
        &self,
        organization: OrganizationId,
        queues: &[QueueId],
        each: u32,
    ) -> Result<Vec<Waiting>, StoreError>;

    /// Seats that may be given one more ([`Seat::is_free`]), who was least recently given anything first, at most
    /// `limit`; of these agents alone when `among` names them. Without names the cost goes by `limit`, not by how many
    /// agents there are.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn free(
        &self,
        organization: OrganizationId,
        among: Option<&[UserId]>,
        limit: u32,
    ) -> Result<Vec<Seat>, StoreError>;

    /// Contacts by id, for screens that have only the id.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn contact(&self, organization: OrganizationId, id: ContactId) -> Result<Option<Contact>, StoreError>;

    /// Notes how far channels have come with their streams; a later note of a stream replaces the earlier one.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away; the notes can be made again.
    async fn accepted(&self, streams: &[Accepted]) -> Result<(), StoreError>;

    /// Writes what was heard of streams since `since` in fewer rows. Changes no count, and may run at any time.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn fold_heard(&self, since: Timestamp) -> Result<(), StoreError>;

    /// What these contacts wrote, in the order in which it came within a conversation: from the first message on that
    /// was written at the given time or later, whatever the provider says of the time of those behind it. Sees every
    /// commit that stood when it was asked: never answered by a copy that lags.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn said(&self, since: &[(Thread, Timestamp)]) -> Result<Vec<Said>, StoreError>;

    /// Messages in doubt, parked at `since` or later and still listed, of which the send ledger knows by now what it did
    /// not when they were parked: no attempt of theirs is open or in doubt, and a provider took a part. At most `limit`,
    /// oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn known_after_all(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(OrganizationId, ParkedId)>, StoreError>;

    /// Forgets what need not be kept: desk events and held receipts older than `events_before`, and windows and
    /// sign-ins that have expired by `now`; and what is 30 days old by `now`: marks of events that were carried out, and
    /// send attempts that ended, and the numbers of what was accepted and heard. Ids that providers gave have no age and stay. A page whose cursor is older reads everything again. Answers how many rows
    /// went.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn sweep(&self, events_before: Timestamp, now: Timestamp) -> Result<u64, StoreError>;

    /// Where the store plans its work by how large its tables are: looks again at those that have grown manifold since
    /// it last looked. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn survey(&self) -> Result<usize, StoreError>;
}
