//! Conversations, their messages and the people on the other side, as they stand.

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, Channel, Code, ContactId, Content, ConversationId, Delivery, EventId, MessageId, OrganizationId,
    QueueId, Thread, Timestamp, UserId,
};

/// The life of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// In a queue, nobody serves it.
    Waiting,
    /// An agent serves it.
    Active,
    /// An agent has it, and the contact has been silent for the queue's time (T-1).
    Inactive,
    /// Over. The contact's next message opens a new one.
    Closed,
}

/// Why a conversation is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The agent concluded it.
    Concluded,
    /// The contact was silent for too long (T-2).
    Abandoned,
}

/// Why an agent was, or was not, given a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// The agent.
    pub user: UserId,
    /// `chosen`, or why not: `offline`, `paused`, `at_capacity`, `assigned_more_recently`, `not_in_queue`.
    pub verdict: Code,
}

/// How a conversation came to its agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The agent.
    pub user: UserId,
    /// When.
    pub at: Timestamp,
    /// `taken`, `circular`, `transferred`.
    pub ground: Code,
    /// By whom, when a person did it.
    pub by: Option<UserId>,
    /// Who was considered, when a rule did it.
    pub considered: Vec<Considered>,
}

/// A conversation (atendimento).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its id, derived from the event that opened it.
    pub id: ConversationId,
    /// The tenant, the account and the contact's address.
    pub thread: Thread,
    /// The channel.
    pub channel: Channel,
    /// The person.
    pub contact: ContactId,
    /// What the desk shows of the person; copied so that lists need no join.
    pub contact_name: Option<String>,
    /// Their e-mail, if known.
    pub contact_email: Option<String>,
    /// The queue that it is or was last in.
    pub queue: QueueId,
    /// Where it is in its life.
    pub stage: Stage,
    /// Who serves it: exactly when `stage` is active or inactive.
    pub agent: Option<UserId>,
    /// How it came to them.
    pub assignment: Option<Assignment>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Since when it has waited; kept when it returns to the queue.
    pub waiting_since: Timestamp,
    /// When the contact last wrote; the window goes by it.
    pub last_inbound_at: Option<Timestamp>,
    /// When anything was last said.
    pub last_activity_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Why.
    pub close_reason: Option<CloseReason>,
    /// Messages of the contact that no agent has opened.
    pub unread: u32,
    /// The last words, at most 120 characters; empty when the last message has none.
    pub preview: String,
    /// The kind of the last message's content ([`Content::kind`]).
    pub preview_kind: String,
    /// The sequence that the next message gets; order is by it.
    pub next_sequence: u64,
    /// Optimistic version; 0 before the first commit.
    pub version: u64,
}

/// What distribution needs of a conversation that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The tenant.
    pub organization: OrganizationId,
    /// Which.
    pub conversation: ConversationId,
    /// Where.
    pub queue: QueueId,
    /// Since when: the oldest goes first.
    pub since: Timestamp,
}

impl Conversation {
    /// Its place in its queue, while it waits.
    pub fn waits(&self) -> Option<Waiting> {
        (self.stage == Stage::Waiting).then(|| Waiting {
            organization: self.organization(),
            conversation: self.id,
            queue: self.queue,
            since: self.waiting_since,
        })
    }

    /// The tenant.
    pub fn organization(&self) -> OrganizationId {
        self.thread.organization
    }

    /// The account.
    pub fn account(&self) -> AccountId {
        self.thread.account
    }

    /// What lists of the newest go by: when it ended, or when anything was last said.
    pub fn newest_at(&self) -> Timestamp {
        self.closed_at.unwrap_or(self.last_activity_at)
    }

    /// Not closed.
    pub fn is_open(&self) -> bool {
        self.stage != Stage::Closed
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "user", rename_all = "snake_case")]
pub enum Author {
    /// The contact.
    Contact,
    /// A person at the desk.
    User(UserId),
    /// The mesh itself.
    System,
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its id, derived from the event or command that brought it.
    pub id: MessageId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The conversation.
    pub conversation: ConversationId,
    /// Its place in the conversation, from 1.
    pub sequence: u64,
    /// Who wrote it.
    pub author: Author,
    /// What it says.
    pub content: Content,
    /// When it was written.
    pub at: Timestamp,
    /// The provider's id, for an incoming message.
    pub provider_id: Option<String>,
    /// The message that it answers, if that is known.
    pub reply_to: Option<MessageId>,
    /// What became of it, for an outgoing message.
    pub delivery: Option<Delivery>,
    /// The event or command that brought it.
    pub cause: EventId,
    /// Optimistic version; 0 before the first commit.
    pub version: u64,
}

/// A person on the customer's side, as one channel address knows them. Merging several addresses into one person is
/// the contacts service's matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Their id.
    pub id: ContactId,
    /// Where they were met.
    pub thread: Thread,
    /// The channel.
    pub channel: Channel,
    /// Display name.
    pub name: Option<String>,
    /// E-mail.
    pub email: Option<String>,
    /// Telephone number, E.164.
    pub phone: Option<String>,
    /// When they first wrote or were saved.
    pub created_at: Timestamp,
    /// Optimistic version; 0 before the first commit.
    pub version: u64,
}

/// A receipt that came before the message it speaks of was known to have been accepted. Kept, then applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldReceipt {
    /// The event that brought it.
    pub event: EventId,
    /// Whose.
    pub thread: Thread,
    /// What it says.
    pub receipt: crate::Receipt,
    /// When it was kept.
    pub held_at: Timestamp,
}
