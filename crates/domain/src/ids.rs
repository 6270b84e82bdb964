//! Identifiers. Each is a newtype over a UUID with a printed prefix, so that a log line says what it names
//! and a function cannot be given the wrong one.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

/// Namespace of every derived id (a fixed random UUID; changing it would make all replays look new).
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_91b4_52c0_4a5e_9d0e_1b7a_44c2_90a7);

/// A string that is not the identifier that it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not an identifier that starts with '{prefix}_'")]
pub struct InvalidId {
    /// What was read.
    pub text: String,
    /// The prefix that was expected.
    pub prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// The printed prefix, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Wraps a UUID; the caller chose how it was made (v7 for a new thing, v5 for a derived one).
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The id that always comes from the same parts: deduplication and replays rest on it.
            /// Parts are separated, so `["a", "bc"]` and `["ab", "c"]` differ.
            pub fn derive(parts: &[&str]) -> Self {
                let mut name = Vec::with_capacity(64);
                name.extend_from_slice($prefix.as_bytes());
                for part in parts {
                    name.push(0x1f);
                    name.extend_from_slice(part.as_bytes());
                }
                Self(Uuid::new_v5(&NAMESPACE, &name))
            }
        }

        const _: () = assert!($prefix.len() + "_".len() + 32 <= LONGEST, "a longer prefix needs a longer buffer");

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                printed(f, concat!($prefix, "_"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = || InvalidId { text: text.to_owned(), prefix: $prefix };
                let bare = text.strip_prefix(concat!($prefix, "_")).ok_or_else(invalid)?;
                Uuid::try_parse(bare).map(Self).map_err(|_| invalid())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

/// Longer than any printed id.
const LONGEST: usize = 40;

/// Writes an id in one piece: printing ids is a tenth of what a message allocates, and pieces make a string grow.
fn printed(f: &mut fmt::Formatter<'_>, prefix: &'static str, uuid: Uuid) -> fmt::Result {
    let mut buffer = [0; LONGEST];
    let mut hex = Uuid::encode_buffer();
    let hex = uuid.simple().encode_lower(&mut hex);
    let length = prefix.len() + hex.len();
    let place = buffer.get_mut(..length).ok_or(fmt::Error)?;
    let (head, tail) = place.split_at_mut(prefix.len());
    head.copy_from_slice(prefix.as_bytes());
    tail.copy_from_slice(hex.as_bytes());
    f.pad(std::str::from_utf8(place).map_err(|_| fmt::Error)?)
}

id!(
    /// A tenant. It is in every key, row, routing header and trace.
    OrganizationId, "org"
);
id!(
    /// One number, page, bot, mailbox or widget of a channel.
    AccountId, "acc"
);
id!(
    /// A queue in which conversations wait (grupo de atendimento).
    QueueId, "que"
);
id!(
    /// A conversation (atendimento).
    ConversationId, "cnv"
);
id!(
    /// A message of a conversation, in or out.
    MessageId, "msg"
);
id!(
    /// A person on the customer's side.
    ContactId, "con"
);
id!(
    /// A person who signs in to the desk: agent, supervisor or administrator.
    UserId, "usr"
);
id!(
    /// One thing that happened. Derived from the provider's own key, so a provider's duplicate has the same id.
    EventId, "evt"
);
id!(
    /// A message that could not go on and waits for a decision.
    ParkedId, "prk"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_prints_its_prefix_and_reads_back() {
        let id = MessageId::derive(&["a", "b"]);
        let text = id.to_string();
        assert!(text.starts_with("msg_"), "{text}");
        assert_eq!(text.parse::<MessageId>(), Ok(id));
        assert!(text.parse::<ContactId>().is_err());
    }

    #[test]
    fn derived_ids_keep_their_parts_apart() {
        assert_eq!(EventId::derive(&["a", "bc"]), EventId::derive(&["a", "bc"]));
        assert_ne!(EventId::derive(&["a", "bc"]), EventId::derive(&["ab", "c"]));
        assert_ne!(EventId::derive(&["a"]).uuid(), MessageId::derive(&["a"]).uuid());
    }
}
