//! Messages that could not go on and wait for a person.

use serde::{Deserialize, Serialize};

use crate::{Code, OrganizationId, ParkedId, Timestamp};

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
