//! Values for the suites. Every [`World`] has ids of its own, so suites may share a store.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use domain::{
    AccountId, Address, Author, Channel, Contact, ContactId, Content, Conversation, ConversationId, Delivery,
    DeskChange, DeskEvent, EventId, Message, MessageId, OrganizationId, Partition, Presence, QueueId, Seat, Stage,
    Thread, Timestamp, UserId,
};

use crate::{
    bus::{Envelope, headers},
    journal::{Commit, Outgoing, Processed},
    topology::Topic,
};

/// One organization with one account and one queue.
#[derive(Debug, Clone)]
pub struct World {
    salt: String,
    /// The tenant.
    pub organization: OrganizationId,
    /// Its account.
    pub account: AccountId,
    /// Its queue.
    pub queue: QueueId,
    /// Its channel.
    pub channel: Channel,
}

impl World {
    /// An organization that nobody else has.
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let salt = format!("{}-{}-{nanos}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self {
            organization: OrganizationId::derive(&[&salt]),
            account: AccountId::derive(&[&salt]),
            queue: QueueId::derive(&[&salt]),
            channel: channel("whatsapp"),
            salt,
        }
    }

    fn part(&self, kind: &str, n: u64) -> String {
        format!("{}/{kind}/{n}", self.salt)
    }

    /// The thread of contact `n`.
    pub fn thread(&self, n: u64) -> Thread {
        Thread { organization: self.organization, account: self.account, address: Address::new(format!("55119{n:08}")) }
    }

    /// Event `n`.
    pub fn event(&self, n: u64) -> EventId {
        EventId::derive(&[&self.part("event", n)])
    }

    /// User `n`.
    pub fn user(&self, n: u64) -> UserId {
        UserId::derive(&[&self.part("user", n)])
    }

    /// Queue `n`.
    pub fn queue(&self, n: u64) -> QueueId {
        QueueId::derive(&[&self.part("queue", n)])
    }

    /// Contact `n`, new.
    pub fn contact(&self, n: u64) -> Contact {
        Contact {
            id: ContactId::derive(&[&self.part("contact", n)]),
            thread: self.thread(n),
            channel: self.channel.clone(),
            name: Some(format!("Ângela {n}")),
            email: Some(format!("angela{n}@example.com")),
            phone: None,
            created_at: at(n),
            version: 0,
        }
    }

    /// Conversation `n` with contact `n`: new, waiting since second `n`.
    pub fn conversation(&self, n: u64) -> Conversation {
        let contact = self.contact(n);
        Conversation {
            id: ConversationId::derive(&[&self.part("conversation", n)]),
            thread: self.thread(n),
            channel: self.channel.clone(),
            contact: contact.id,
            contact_name: contact.name,
            contact_email: contact.email,
            queue: self.queue,
            stage: Stage::Waiting,
            agent: None,
            assignment: None,
            opened_at: at(n),
            waiting_since: at(n),
            last_inbound_at: Some(at(n)),
            last_activity_at: at(n),
            closed_at: None,
            close_reason: None,
            unread: 1,
            preview: "olá".into(),
            preview_kind: "text".into(),
            next_sequence: 2,
            version: 0,
        }
    }

    /// An incoming message: event `cause` brought it to place `sequence` of `conversation`.
    pub fn inbound(&self, conversation: &Conversation, sequence: u64, cause: u64) -> Message {
        Message {
            id: MessageId::derive(&[&self.part("message", cause)]),
            organization: self.organization,
            conversation: conversation.id,
            sequence,
            author: Author::Contact,
            content: Content::text(format!("mensagem {sequence}")),
            at: at(sequence),
            provider_id: Some(format!("wamid.{cause}")),
            reply_to: None,
            delivery: None,
            cause: self.event(cause),
            version: 0,
        }
    }

    /// An outgoing message.
    pub fn outbound(&self, conversation: &Conversation, sequence: u64, cause: u64) -> Message {
        Message {
            author: Author::User(self.user(1)),
            provider_id: None,
            delivery: Some(Delivery::queued(at(sequence))),
            ..self.inbound(conversation, sequence, cause)
        }
    }

    /// A mark that event `n` was carried out.
    pub fn processed(&self, n: u64, kind: &str) -> Processed {
        Processed { event: self.event(n), organization: self.organization, kind: kind.into(), at: at(n) }
    }

    /// The seat of user `n`, new.
    pub fn seat(&self, n: u64) -> Seat {
        Seat {
            organization: self.organization,
            user: self.user(n),
            presence: Presence::Online,
            load: 0,
            capacity: 4,
            last_assigned_at: at(0),
            version: 0,
        }
    }

    /// An envelope for the outbox of partition `p`.
    pub fn outgoing(&self, p: u16, id: &str) -> Outgoing {
        let mut envelope = envelope(id, Topic::Requested(Partition(p)));
        envelope.headers.insert(headers::ORGANIZATION.into(), self.organization.to_string());
        Outgoing { partition: Partition(p), at: at(3), envelope }
    }

    /// A change for the desk.
    pub fn desk_event(&self, conversation: &Conversation) -> DeskEvent {
        DeskEvent {
            organization: self.organization,
            sequence: 0,
            at: at(1),
            change: DeskChange::Conversation(Box::new(conversation.clone())),
        }
    }

    /// The commit of contact `n`'s first message: contact, conversation, message, mark.
    pub fn opening(&self, n: u64) -> Commit {
        let conversation = self.conversation(n);
        Commit {
            processed: vec![self.processed(n, "message")],
            messages: vec![self.inbound(&conversation, 1, n)],
            contacts: vec![self.contact(n)],
            events: vec![self.desk_event(&conversation)],
            conversations: vec![conversation],
            ..Commit::default()
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// A channel by name.
pub fn channel(name: &str) -> Channel {
    name.parse().unwrap()
}

/// Second `n` of the suites' time.
pub fn at(n: u64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + i64::try_from(n).unwrap())
}

/// A message for the bus.
pub fn envelope(id: &str, topic: Topic) -> Envelope {
    Envelope {
        id: id.to_owned(),
        topic,
        kind: "afluente.test.v1.Sample".to_owned(),
        correlation: Some("cnv_sample".to_owned()),
        headers: BTreeMap::from([("traceparent".to_owned(), "00-0af7651916cd43dd8448eb211c80319c-01".to_owned())]),
        body: Bytes::from(format!("body of {id}")),
    }
}
