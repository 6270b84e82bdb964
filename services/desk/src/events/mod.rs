//! Live events: one subscription for each process, one feed for each organization that somebody watches, and a socket
//! for each page.
//!
//! The store is the truth: its numbers are dense in each organization and appear in order. What the broker announces is
//! a wake-up that usually carries the event along; whatever is missed is read from the store. Read [`feed`] first, then
//! [`socket`].

mod feed;
mod socket;
mod translate;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::OrganizationId;
use ports::StoreError;
use tokio::sync::broadcast;

use feed::Feed;
use translate::Live;

use crate::state::Desk;

pub(crate) use feed::{announcements, catch_up};
pub(crate) use socket::{__path_connect, connect};

/// The feeds of the organizations that somebody watches here.
#[derive(Default)]
pub(crate) struct Hub {
    feeds: Mutex<HashMap<OrganizationId, Arc<Feed>>>,
}

/// A seat in the audience.
struct Joined {
    feed: Arc<Feed>,
    live: broadcast::Receiver<Arc<Live>>,
    /// The number of the last event, and of the oldest that is kept.
    range: (u64, u64),
}

impl Hub {
    /// Starts to listen to an organization. What happened before the store's last number comes from the store; what
    /// happens after it is heard live.
    async fn join(&self, desk: &Desk, organization: OrganizationId) -> Result<Joined, StoreError> {
        let range = desk.env.views.event_range(organization).await?;
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let feed = feeds.entry(organization).or_insert_with(|| Arc::new(Feed::new(organization, range.0)));
        // Under the lock, so that the feed is not dropped as unheard in between.
        let live = feed.listen();
        Ok(Joined { feed: Arc::clone(feed), live, range })
    }

    fn feed(&self, organization: OrganizationId) -> Option<Arc<Feed>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner).get(&organization).cloned()
    }

    /// The feeds that somebody hears; the others are dropped.
    fn heard(&self) -> Vec<Arc<Feed>> {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|_, feed| feed.is_heard());
        feeds.values().cloned().collect()
    }
}
