//! Messages that could not go on and wait for a person.

use serde::{Deserialize, Serialize};

use crate::{Channel, Code, MessageId, OrganizationId, ParkedId, Timestamp, UserId, error::codes};

/// A parked message: the bytes, where they were going, and why they stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Its id, derived from what was parked, so parking twice keeps one.
    pub id: ParkedId,
    /// The tenant, when it is known.
    pub organization: Option<OrganizationId>,
    /// Where it stopped: a service and a step (`whatsapp webhook`, `router inbound`).
    pub place: String,
    /// Why.
    pub code: Code,
    /// One sentence with the cause, secrets removed.
    pub reason: String,
    /// The account's name or id, when it is known.
    pub account: Option<String>,
    /// The channel, when it is known.
    pub channel: Option<Channel>,
    /// The provider's own code, where an answer of the provider brought it.
    pub provider_code: Option<String>,
    /// The outgoing message whose fate nobody knows, for a send in doubt.
    pub message: Option<MessageId>,
    /// Where redriving sends it: a topic with its routing key, or `webhook:<channel>:<account>`.
    pub route: String,
    /// Headers that travel with it.
    pub headers: Vec<(String, String)>,
    /// The body as it was.
    #[serde(with = "serde_bytes_vec")]
    pub body: Vec<u8>,
    /// When it was parked.
    pub at: Timestamp,
    /// When it was sent on its way again, if it was.
    pub redriven_at: Option<Timestamp>,
}

impl Parked {
    /// It may have been sent: redriving it is a decision of its own, that it goes [`Ruling::Again`].
    pub fn is_in_doubt(&self) -> bool {
        self.message.is_some() && self.code == codes::IN_DOUBT
    }
}

/// A parked message with where it stands. Lists and the router's core have it with an empty body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedEntry {
    /// The message; its body is empty where only the entry was asked for.
    pub parked: Parked,
    /// The size of its body, in bytes.
    pub size: u64,
    /// What was asked of the router and is not done yet.
    pub requested: Option<Ruling>,
    /// When it was ended without going on: decided, or settled by itself.
    pub closed_at: Option<Timestamp>,
    /// Optimistic version; 0 when it was first parked.
    pub version: u64,
}

impl ParkedEntry {
    /// Nobody has ended it or sent it on its way.
    pub fn is_listed(&self) -> bool {
        self.closed_at.is_none() && self.parked.redriven_at.is_none()
    }

    /// It waits for a person: listed, and nothing was asked of the router.
    pub fn waits(&self) -> bool {
        self.is_listed() && self.requested.is_none()
    }
}

/// What a person decides about a parked message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// It goes on its way again. Not for one in doubt.
    Redrive,
    /// In doubt: it is sent to the contact again.
    Again,
    /// In doubt: it arrived; nothing goes out.
    Arrived,
    /// In doubt: it failed; nothing goes out.
    Failed,
    /// It ends here, for a reason. One in doubt has failed then.
    Discard,
}

/// A decision about a parked message, kept for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedDecision {
    /// About which.
    pub parked: ParkedId,
    /// The tenant, when it is known.
    pub organization: Option<OrganizationId>,
    /// What was decided.
    pub ruling: Ruling,
    /// Why, in the person's words.
    pub reason: Option<String>,
    /// Who decided; none at the command line.
    pub by: Option<UserId>,
    /// When.
    pub at: Timestamp,
}

/// Something moved among the parked messages of an organization.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedMoved {
    /// Parked, decided about, or on their way.
    pub parked: Vec<ParkedId>,
    /// Outgoing messages that were in doubt and settled without anybody.
    pub settled: Vec<MessageId>,
}

/// Bytes as a JSON string when they are UTF-8, else as an array.
mod serde_bytes_vec {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Body {
        Text(String),
        Raw(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Body::Text(text.to_owned()).serialize(serializer),
            Err(_) => Body::Raw(bytes.to_vec()).serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Ok(match Body::deserialize(deserializer)? {
            Body::Text(text) => text.into_bytes(),
            Body::Raw(bytes) => bytes,
        })
    }
}
