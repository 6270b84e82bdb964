//! Parked messages: kept, looked at, asked to go again. What is decided about them is part of a
//! [`crate::journal::Commit`], so that a message's state and its parked copy move together.

use async_trait::async_trait;
use domain::{
    Channel, Code, MessageId, OrganizationId, Parked, ParkedDecision, ParkedEntry, ParkedId, Ruling, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// Which parked messages. What is not said does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedFilter {
    /// Of this organization. None is all of them, and those that belong to nobody: for operators only.
    pub organization: Option<OrganizationId>,
    /// With this code.
    pub code: Option<String>,
    /// Stopped here.
    pub place: Option<String>,
    /// On any of these channels; an empty list: on no known channel.
    pub channels: Option<Vec<Channel>>,
    /// Of an account by any of these names or ids; an empty list: of no known account.
    pub accounts: Option<Vec<String>>,
    /// Parked at this time or later.
    pub since: Option<Timestamp>,
    /// Parked before this time.
    pub until: Option<Timestamp>,
    /// Where they stand.
    pub standing: Standing,
    /// Only those that are older than this one: the next page.
    pub before: Option<(Timestamp, ParkedId)>,
    /// At most this many.
    pub limit: u32,
}

/// Where a parked message stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// On the list: it waits, or the router was asked and has not done it yet.
    #[default]
    Listed,
    /// It waits and may go on its way with others: nothing was asked yet, and it is not in doubt.
    Redrivable,
    /// It went on its way, or was ended.
    Ended,
}

/// Parked messages with one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedGroup {
    /// Why.
    pub code: Code,
    /// Where they stopped.
    pub place: String,
    /// The channel, when it is known.
    pub channel: Option<Channel>,
    /// The account's name or id, when it is known.
    pub account: Option<String>,
    /// How many.
    pub count: u64,
    /// How many of them the router was asked for and has not done yet.
    pub requested: u64,
    /// When the oldest was parked.
    pub first_at: Timestamp,
    /// When the latest was parked.
    pub last_at: Timestamp,
}

/// Something asked of the router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What.
    pub ruling: Ruling,
    /// Why.
    pub reason: Option<String>,
    /// By whom; none at the command line.
    pub by: Option<UserId>,
}

impl Asked {
    /// A ruling of the command line, which needs no reason.
    pub const fn of(ruling: Ruling) -> Self {
        Self { ruling, reason: None, by: None }
    }
}

/// A message that was in doubt and is no longer, though nobody decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The message.
    pub message: MessageId,
    /// When.
    pub at: Timestamp,
}

/// Parked messages.
#[async_trait]
pub trait Parking: Send + Sync + 'static {
    /// Keeps them. One with a known id is left out, unless it was parked later than the known one, and than that was
    /// redriven or ended: then it takes its place, is listed again, and an unfulfilled request is forgotten.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn park(&self, parked: &[Parked]) -> Result<(), StoreError>;
    /// Listed ones with their bodies, newest first; of one organization, or of all.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn list(&self, organization: Option<OrganizationId>, limit: u32) -> Result<Vec<Parked>, StoreError>;
    /// What the filter finds, newest first, without the bodies.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn find(&self, filter: &ParkedFilter) -> Result<Vec<ParkedEntry>, StoreError>;
    /// The same by cause, the latest first. `before` and `limit` of the filter do not count here.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn groups(&self, filter: &ParkedFilter) -> Result<Vec<ParkedGroup>, StoreError>;
    /// One of them with its body, wherever it stands.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn show(&self, id: ParkedId) -> Result<Option<ParkedEntry>, StoreError>;
    /// What was decided about it, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn decisions(&self, id: ParkedId) -> Result<Vec<ParkedDecision>, StoreError>;
    /// Asks the router for a decision about these. Those that are not listed, or unknown, are left out; a later request
    /// takes the place of one that is not done yet.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn request(&self, ids: &[ParkedId], asked: &Asked, at: Timestamp) -> Result<(), StoreError>;
    /// What was asked for and nobody has done yet, in the order of the requests.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn requested(&self, limit: u32) -> Result<Vec<(Parked, Asked)>, StoreError>;
    /// Notes that it was sent on its way again. `at` is a moment from before it was sent: when it has been parked again
    /// since, it stays listed.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn redriven(&self, id: ParkedId, at: Timestamp) -> Result<(), StoreError>;
    /// Takes the request back: it cannot be done. It stays listed, with this reason.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn refused(&self, id: ParkedId, reason: &str) -> Result<(), StoreError>;
}
