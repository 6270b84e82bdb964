//! Shelves: what an account has beyond its share of a partition lies here until there is room for it again.

use async_trait::async_trait;
use domain::{AccountId, Channel, OrganizationId, Partition};

use crate::{StoreError, bus::Envelope};

/// The shelf of one account in one partition of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shelf {
    /// The channel.
    pub channel: Channel,
    /// The partition.
    pub partition: Partition,
    /// Whose account.
    pub organization: OrganizationId,
    /// The account.
    pub account: AccountId,
}

/// Who writes to the shelves of a partition: the last that took them over. Grows with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(pub u64);

/// What lies on one shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laden {
    /// Which.
    pub shelf: Shelf,
    /// How many messages.
    pub count: u64,
    /// The position of the newest.
    pub last: i64,
}

/// One message on a shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelved {
    /// Its place: later ones have greater positions.
    pub position: i64,
    /// The message.
    pub envelope: Envelope,
}

/// What came of putting messages on a shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// How many were not there before.
    pub added: u64,
    /// The position of the newest that lies there.
    pub last: i64,
    /// Its id.
    pub newest: String,
}

/// Why a shelf was not written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShelfError {
    /// Somebody else took the partition's shelves over since.
    #[error("another replica has taken the shelves over")]
    TakenOver,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The shelves of every channel. Whom they belong to is the broker's to say: the one active consumer of a partition takes
/// them over, and a former one, which may not know yet that it lost the partition, can no longer write.
#[async_trait]
pub trait Shelves: Send + Sync + 'static {
    /// Takes over all shelves of a partition and answers those on which something lies. Whatever a former owner was
    /// about to write either stands, and is in the answer, or is refused.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away; somebody may have lost the shelves all the same.
    async fn take_over(&self, channel: &Channel, partition: Partition) -> Result<(Turn, Vec<Laden>), StoreError>;

    /// Whether the message with this id lies on the shelf.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn holds(&self, shelf: &Shelf, id: &str) -> Result<bool, StoreError>;

    /// Puts messages behind what lies there, in their order, all or none. One that lies there stays where it is.
    ///
    /// # Errors
    /// [`ShelfError`]; after [`ShelfError::Store`] they may lie there all the same: put them again.
    async fn put(&self, turn: Turn, shelf: &Shelf, envelopes: &[Envelope]) -> Result<Put, ShelfError>;

    /// The oldest messages after a position, at most `limit`.
    ///
    /// # Errors
    /// [`ShelfError`].
    async fn page(&self, turn: Turn, shelf: &Shelf, after: i64, limit: u32) -> Result<Vec<Shelved>, ShelfError>;

    /// Takes messages away that were carried out. Nobody's turn is asked for: what is done is done.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn remove(&self, shelf: &Shelf, positions: &[i64]) -> Result<(), StoreError>;
}
