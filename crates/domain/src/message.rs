//! What passes between channels and the mesh: events in, requests out, the gate's permit.

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, Channel, Content, ConversationId, EventId, Failure, MessageId, OrganizationId, Outcome, Receipt, Thread,
    Timestamp, UserId,
};

/// Something that happened at a provider or at the edge, normalized. Travels on `inbound.<p>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// Derived from (account, the provider's own key): a provider's duplicate carries the same id.
    pub id: EventId,
    /// Whose it is and who it is about.
    pub thread: Thread,
    /// The channel.
    pub channel: Channel,
    /// When it happened, by the provider's clock where it gives one.
    pub at: Timestamp,
    /// When we accepted it.
    pub received_at: Timestamp,
    /// What happened.
    pub body: InboundBody,
}

impl Inbound {
    /// When the contact did it, as far as we believe: the provider's clock, but never later than our acceptance.
    /// Windows and conversations go by this one time, so that the gate can compare the router's evidence with its own.
    pub fn wrote_at(&self) -> Timestamp {
        self.at.min(self.received_at)
    }
}

/// The kinds of [`Inbound`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InboundBody {
    /// The contact wrote.
    Message(InboundMessage),
    /// News about a message that the provider had accepted.
    Receipt(Receipt),
    /// What became of our own request to the provider; from the kit, not from a channel.
    Attempted(Attempted),
    /// The contact, or the provider for them, agreed or refused to be written to.
    Consent(ConsentChange),
    /// Media of an earlier message was fetched, or lost; from the kit.
    MediaSettled(MediaSettled),
    /// The gate did not let a message pass; from the session service.
    Refused(GateRefusal),
}

/// A message that the contact wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InboundMessage {
    /// The provider's id of it.
    pub provider_id: String,
    /// What it says.
    pub content: Content,
    /// What the channel tells about the contact.
    pub profile: Profile,
    /// The provider's id of the message that it answers.
    pub reply_to: Option<String>,
}

/// What a channel tells about a contact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Display name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number, E.164.
    pub phone: Option<String>,
    /// The contact's name in the channel (`@user`).
    pub username: Option<String>,
}

/// What became of one part of a message that the mesh had asked a channel to send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempted {
    /// The message.
    pub message: MessageId,
    /// The part, from 0.
    pub part: u16,
    /// How many parts the plan has.
    pub planned: u16,
    /// What was learnt: never `Throttled` or `Unavailable`, which the kit tries again until it gives up.
    pub outcome: Outcome,
}

/// A change of consent and its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentChange {
    /// Whether the contact may be written to from now on.
    pub granted: bool,
    /// How it came: `keyword`, `provider_event`, `started_chat`, `import`, `agent`.
    pub source: String,
    /// The words or the event that prove it.
    pub evidence: String,
}

/// The end of a media job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaSettled {
    /// The event that brought the message.
    pub message_event: EventId,
    /// The media as it is now: stored or lost.
    pub source: crate::MediaSource,
    /// MIME type, as fetched.
    pub mime: Option<String>,
    /// Size in bytes, as fetched.
    pub size: Option<u64>,
}

/// The gate's "no" to a message that was already on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateRefusal {
    /// The message.
    pub message: MessageId,
    /// Why.
    pub failure: Failure,
}

/// A message that an agent or a flow wants sent. Travels on `requested.<p>` to the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SendRequest {
    /// The message.
    pub message: MessageId,
    /// The conversation that it belongs to.
    pub conversation: ConversationId,
    /// To whom, through what.
    pub thread: Thread,
    /// The channel.
    pub channel: Channel,
    /// What to say.
    pub content: Content,
    /// The provider's id of the message that it answers.
    pub reply_to: Option<String>,
    /// Who wrote it, none for the system.
    pub author: Option<UserId>,
    /// When it was asked for.
    pub at: Timestamp,
    /// The router's evidence: when the contact last wrote. An emptied window store heals from it.
    pub last_inbound_at: Option<Timestamp>,
}

/// The gate's leave to send one message. The signature covers every field and the content's digest
/// (`wire::permit_bytes`), so neither can be exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permit {
    /// The message that it is for.
    pub message: MessageId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The account.
    pub account: AccountId,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// The rule that let it pass (`window`, `template`, `always`), for the trace.
    pub ground: String,
    /// Ed25519 signature by the session service's key, 64 bytes.
    pub signature: Vec<u8>,
}

/// A request with its permit. Travels on `outbound.<channel>.<p>`; only the session service may publish there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Permitted {
    /// What to send.
    pub request: SendRequest,
    /// The leave.
    pub permit: Permit,
}

/// Media of an inbound message that a channel must fetch. Travels on `media.<channel>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaJob {
    /// The event that brought the message.
    pub message_event: EventId,
    /// Whose it is.
    pub thread: Thread,
    /// The channel.
    pub channel: Channel,
    /// What to fetch.
    pub media: crate::Media,
}
