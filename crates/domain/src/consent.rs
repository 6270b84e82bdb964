//! The consent ledger's entries (SES-4, SES-5).

use serde::{Deserialize, Serialize};

use crate::{Channel, ConsentChange, EventId, Thread, Timestamp};

/// One entry: who agreed or refused, when, how, and the words that prove it. Entries are only ever added; the last one
/// of a thread counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentEntry {
    /// What brought it; the same event is kept once.
    pub cause: EventId,
    /// Whose account, which contact.
    pub thread: Thread,
    /// The channel.
    pub channel: Channel,
    /// What changed, with its evidence.
    pub change: ConsentChange,
    /// When.
    pub at: Timestamp,
}
