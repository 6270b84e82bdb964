//! Desk events and nudges on their way to the bus: best effort, since the store has the events and a sweep makes up for
//! lost nudges. Nobody who commits waits for them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use domain::{DeskChange, DeskEvent};
use ports::{
    bus::{Envelope, headers},
    topology::{Topic, distribution_partition},
};
use runtime::{Drain, trace};
use tokio::sync::Notify;
use wire::Wire as _;

use crate::shell::{Shell, pause_away};

/// The most envelopes that wait for the broker. Beyond that the oldest are dropped: pages read the store then.
const WAITING: usize = 20_000;
/// The most in one publish.
const BATCH: usize = 512;
/// How long the workers are given for their last commits when the drain begins.
const LAST_COMMITS: Duration = Duration::from_millis(250);
/// The least time between two nudges of the same organizations.
const NUDGE_REST: Duration = Duration::from_millis(10);

/// The waiting envelopes.
#[derive(Default)]
pub(crate) struct Heralds {
    waiting: Mutex<std::collections::VecDeque<Envelope>>,
    ready: Notify,
}

impl Heralds {
    /// Hands over numbered events; never waits.
    pub(crate) fn send(&self, events: &[DeskEvent]) {
        if events.is_empty() {
            return;
        }
        let mut trace = BTreeMap::new();
        trace::inject(&mut trace);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(events.iter().map(|event| envelope(event, &trace)));
        let surplus = waiting.len().saturating_sub(WAITING);
        if surplus > 0 {
            waiting.drain(..surplus);
            tracing::warn!(surplus, "desk events were dropped: the broker is away; pages read them from the store");
        }
        drop(waiting);
        self.ready.notify_one();
    }

    fn take(&self) -> Vec<Envelope> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(BATCH);
        waiting.drain(..count).collect()
    }
}

fn envelope(event: &DeskEvent, trace: &BTreeMap<String, String>) -> Envelope {
    let correlation = match &event.change {
        DeskChange::Conversation(conversation) => Some(conversation.id.to_string()),
        DeskChange::Message(message) => Some(message.conversation.to_string()),
        DeskChange::Seat(_) | DeskChange::Contact(_) | DeskChange::Parked(_) => None,
    };
    let mut headers = trace.clone();
    headers.insert(headers::ORGANIZATION.to_owned(), event.organization.to_string());
    Envelope {
        id: format!("{}/{}", event.organization, event.sequence),
        topic: Topic::Events,
        kind: DeskEvent::KIND.to_owned(),
        correlation,
        headers,
        body: wire::encode(event),
    }
}

/// Publishes what waits, in order, until the drain begins; then once more what the last commits left.
pub(crate) async fn run(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    while !drain.has_begun() {
        let batch = shell.heralds.take();
        if batch.is_empty() {
            tokio::select! {
                () = shell.heralds.ready.notified() => {}
                () = drain.begun() => {}
            }
            continue;
        }
        let mut attempt = 0;
        while let Err(error) = shell.env.bus.publish(batch.clone()).await {
            tracing::debug!(%error, "desk events wait for the broker");
            attempt += 1;
            tokio::select! {
                () = tokio::time::sleep(pause_away(attempt)) => {}
                () = drain.begun() => break,
            }
        }
    }
    tokio::time::sleep(LAST_COMMITS).await;
    loop {
        let batch = shell.heralds.take();
        if batch.is_empty() {
            return Ok(());
        }
        if let Err(error) = shell.env.bus.publish(batch).await {
            tracing::warn!(%error, "the last desk events were not published; pages read them from the store");
            return Ok(());
        }
    }
}

/// Publishes a nudge for each organization and each outbox of others that has a reason, a few milliseconds' worth at a
/// time. One for an outbox names no organization.
pub(crate) async fn nudges(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    let mut count: u64 = 0;
    loop {
        tokio::select! {
            () = shell.nudge.notified() => {}
            () = drain.begun() => return Ok(()),
        }
        let nudged = shell.take_nudged();
        let to_organizations = nudged.organizations.into_iter().map(|organization| {
            (distribution_partition(organization, shell.env.partitions), Some(organization.to_string()))
        });
        let to_relays = nudged.relays.into_iter().map(|partition| (partition, None));
        let batch = to_organizations.chain(to_relays).map(|(partition, organization)| {
            count += 1;
            Envelope {
                id: format!("nudge/{}/{}/{count}", shell.env.replica, shell.env.clock.now().millis()),
                topic: Topic::Distribution(partition),
                kind: "afluente.router.v1.Nudge".to_owned(),
                correlation: None,
                headers: organization.iter().map(|id| (headers::ORGANIZATION.to_owned(), id.clone())).collect(),
                body: Bytes::from(organization.unwrap_or_default()),
            }
        });
        if let Err(error) = shell.env.bus.publish(batch.collect()).await {
            tracing::warn!(%error, "a nudge was not published; the sweep makes up for it");
        }
        tokio::time::sleep(NUDGE_REST).await;
    }
}
