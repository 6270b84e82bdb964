//! The events of one organization, in order and without holes, for all of its pages here.

use std::sync::Arc;

use domain::{DeskEvent, DeskPage, OrganizationId};
use ports::{
    StoreError,
    bus::{Envelope, headers},
    topology::{Queue, Topic},
};
use runtime::{Drain, names::label, names::metric};
use tokio::sync::{Mutex, broadcast};
use wire::Wire as _;

use super::translate::{Known, Live};
use crate::state::{Desk, Shared};

/// Events that a page may lag behind before it reads from the store.
const BUFFER: usize = 1_024;
/// Events in one read from the store.
pub(super) const PAGE: u32 = 200;
/// Announced pages taken at a time.
const BATCH: usize = 16;
/// Counts what may travel in bundles: an eighth of it are messages of the broker.
const PREFETCH: u16 = 256;

/// One organization's feed.
pub(super) struct Feed {
    pub(super) organization: OrganizationId,
    /// What is known of its conversations, to decide who hears of a message.
    pub(super) known: Known,
    live: broadcast::Sender<Arc<Live>>,
    /// The number of the last event that was sent on.
    last: Mutex<u64>,
}

impl Feed {
    pub(super) fn new(organization: OrganizationId, last: u64) -> Self {
        Self { organization, known: Known::default(), live: broadcast::channel(BUFFER).0, last: Mutex::new(last) }
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<Live>> {
        self.live.subscribe()
    }

    pub(super) fn is_heard(&self) -> bool {
        self.live.receiver_count() > 0
    }

    /// Takes announced events: sends on what comes next, reads what is missing where something is.
    async fn offer(&self, desk: &Desk, events: impl Iterator<Item = DeskEvent>) -> Result<(), StoreError> {
        let mut last = self.last.lock().await;
        for event in events {
            // A page is long: whoever listens must be able to keep up.
            tokio::task::consume_budget().await;
            if event.sequence == *last + 1 {
                self.send(desk, &event).await?;
                *last = event.sequence;
            } else if event.sequence > *last {
                self.read_on(desk, &mut last).await?;
            }
        }
        Ok(())
    }

    /// Reads what the store has after the last event that was sent on.
    async fn read(&self, desk: &Desk) -> Result<(), StoreError> {
        let mut last = self.last.lock().await;
        self.read_on(desk, &mut last).await
    }

    async fn read_on(&self, desk: &Desk, last: &mut u64) -> Result<(), StoreError> {
        loop {
            let page = desk.env.views.events(self.organization, *last, PAGE).await?;
            for event in &page {
                self.send(desk, event).await?;
                *last = event.sequence;
            }
            if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    async fn send(&self, desk: &Desk, event: &DeskEvent) -> Result<(), StoreError> {
        let live = Live::of(desk, self, event).await?;
        let waited = desk.env.clock.now().since(event.at);
        desk.env.metrics.took(metric::DESK_DELAY, &[(label::KIND, live.kind)], waited);
        // Nobody hears it when the last page has just left.
        let _ = self.live.send(Arc::new(live));
        Ok(())
    }
}

/// The task that hears the broker's announcements. Ends with an error when the subscription does; it is started again.
pub(crate) async fn announcements(desk: Shared, drain: Drain) -> Result<(), String> {
    let queue = Queue::Fanout { topic: Topic::Events, replica: desk.env.replica.to_string() };
    let mut subscription = desk.env.bus.subscribe(queue, PREFETCH).await.map_err(|error| error.to_string())?;
    loop {
        let batch = tokio::select! {
            () = drain.begun() => return Ok(()),
            batch = subscription.next_batch(BATCH) => batch,
        };
        if batch.is_empty() {
            return Err("the subscription to events ended".to_owned());
        }
        for delivery in batch {
            hear(&desk, &delivery.envelope).await;
            // Whatever went wrong, the store has it: nothing is gained by hearing it again.
            delivery.ack();
        }
    }
}

async fn hear(desk: &Desk, envelope: &Envelope) {
    // Most organizations are watched elsewhere: their events are not even decoded here.
    let organization = envelope.headers.get(headers::ORGANIZATION).and_then(|text| text.parse().ok());
    let feed = match organization {
        Some(organization) => match desk.hub.feed(organization) {
            Some(feed) => Some(feed),
            None => return,
        },
        None => None,
    };
    let page = match read(envelope) {
        Ok(page) => page,
        Err(error) => {
            tracing::warn!(%error, "announced events cannot be read; the store has them");
            return;
        }
    };
    let feed = feed.or_else(|| desk.hub.feed(page.organization)).filter(|feed| feed.organization == page.organization);
    if let Some(feed) = feed
        && let Err(error) = feed.offer(desk, page.events()).await
    {
        tracing::warn!(%error, "events wait: the store does not answer");
    }
}

/// A page, or the one event that a router of an earlier release announces by itself.
fn read(envelope: &Envelope) -> Result<DeskPage, wire::DecodeError> {
    if envelope.kind != DeskEvent::KIND {
        return wire::decode(&envelope.body);
    }
    let DeskEvent { organization, sequence, at, change } = wire::decode(&envelope.body)?;
    Ok(DeskPage { organization, first: sequence, changes: vec![(at, change)] })
}

/// The task that looks into the store for events whose announcement was lost.
pub(crate) async fn catch_up(desk: Shared, drain: Drain) -> Result<(), String> {
    let mut ticks = tokio::time::interval(desk.config.poll());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = drain.begun() => return Ok(()),
            _ = ticks.tick() => {}
        }
        for feed in desk.hub.heard() {
            if let Err(error) = feed.read(&desk).await {
                tracing::warn!(%error, "events wait: the store does not answer");
            }
        }
    }
}
