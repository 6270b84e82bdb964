//! Desk events and nudges on their way to the bus: best effort, since the store has the events and a sweep makes up for
//! lost nudges. Nobody who commits waits for them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use domain::{DeskEvent, DeskPage};
use ports::{
    bus::{Envelope, headers},
    topology::{Topic, distribution_partition},
};
use runtime::{Drain, trace};
use tokio::sync::Notify;
use wire::Wire as _;

use crate::shell::{Shell, pause_away};

/// The most changes that wait for the broker. Beyond that the oldest are dropped: pages read the store then.
const WAITING: usize = 20_000;
/// In one publish there are pages until they have so many changes.
const BATCH: usize = 1_024;
/// The most changes in a page.
const CHANGES: usize = 256;
/// The longest page, but for a change that is longer by itself. Times its prefetch it bounds what a desk holds.
const LONGEST: usize = 192 << 10;
/// How long the workers are given for their last commits when the drain begins.
const LAST_COMMITS: Duration = Duration::from_millis(250);
/// The least time between two nudges of the same organizations.
const NUDGE_REST: Duration = Duration::from_millis(10);

/// A page with the trace of its commit.
struct Told {
    page: DeskPage,
    trace: BTreeMap<String, String>,
}

/// What waits.
#[derive(Default)]
struct Waiting {
    told: VecDeque<Told>,
    changes: usize,
}

/// The waiting pages.
#[derive(Default)]
pub(crate) struct Heralds {
    waiting: Mutex<Waiting>,
    ready: Notify,
}

impl Heralds {
    /// Hands over numbered events; never waits.
    pub(crate) fn send(&self, events: Vec<DeskEvent>) {
        if events.is_empty() {
            return;
        }
        let mut trace = BTreeMap::new();
        trace::inject(&mut trace);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.changes += events.len();
        waiting.told.extend(DeskPage::of(events, CHANGES).into_iter().map(|page| Told { page, trace: trace.clone() }));
        let mut surplus = 0;
        while waiting.changes > WAITING
            && let Some(oldest) = waiting.told.pop_front()
        {
            waiting.changes -= oldest.page.changes.len();
            surplus += oldest.page.changes.len();
        }
        drop(waiting);
        if surplus > 0 {
            tracing::warn!(surplus, "desk events were dropped: the broker is away; pages read them from the store");
        }
        self.ready.notify_one();
    }

    /// What goes out next, written.
    fn take(&self) -> Vec<Envelope> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, mut changes) = (Vec::new(), 0);
        while changes < BATCH
            && let Some(next) = waiting.told.pop_front()
        {
            changes += next.page.changes.len();
            taken.push(next);
        }
        waiting.changes -= changes;
        drop(waiting);
        let mut envelopes = Vec::with_capacity(taken.len());
        for Told { page, trace } in taken {
            write(page, &trace, &mut envelopes);
        }
        envelopes
    }
}

/// Writes a page; one that is too long in halves.
fn write(page: DeskPage, trace: &BTreeMap<String, String>, envelopes: &mut Vec<Envelope>) {
    let body = wire::encode(&page);
    if body.len() > LONGEST && page.changes.len() > 1 {
        let (front, behind) = page.halves();
        write(front, trace, envelopes);
        write(behind, trace, envelopes);
        return;
    }
    let mut headers = trace.clone();
    headers.insert(headers::ORGANIZATION.to_owned(), page.organization.to_string());
    envelopes.push(Envelope {
        id: format!("{}/{}", page.organization, page.first),
        topic: Topic::Events,
        kind: DeskPage::KIND.to_owned(),
        correlation: None,
        headers,
        body,
    });
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use domain::{Contact, DeskChange, OrganizationId, Timestamp};
    use ports::conformance::samples::World;

    use super::*;

    fn contact(world: &World, name: usize) -> Contact {
        Contact { name: Some("n".repeat(name)), ..world.contact(1) }
    }

    fn events(count: u64, name: usize) -> Vec<DeskEvent> {
        let world = World::new();
        let organization = OrganizationId::derive(&["heralds"]);
        let change = |_| DeskChange::Contact(Box::new(contact(&world, name)));
        let event =
            |sequence| DeskEvent { organization, sequence, at: Timestamp::from_secs(1), change: change(sequence) };
        (1..=count).map(event).collect()
    }

    fn read(envelopes: &[Envelope]) -> Vec<u64> {
        let pages = envelopes.iter().map(|envelope| wire::decode::<DeskPage>(&envelope.body).unwrap());
        pages.flat_map(DeskPage::events).map(|event| event.sequence).collect()
    }

    #[test]
    fn a_commit_is_one_page_and_a_long_one_is_cut() {
        let heralds = Heralds::default();
        heralds.send(events(200, 10));
        let one = heralds.take();
        assert_eq!(one.len(), 1);
        assert_eq!(read(&one), (1..=200).collect::<Vec<_>>());
        heralds.send(events(200, 10_000));
        let cut = heralds.take();
        assert!(cut.iter().all(|page| page.body.len() <= LONGEST));
        assert_eq!(read(&cut), (1..=200).collect::<Vec<_>>());
        // What is too long by itself goes all the same.
        heralds.send(events(2, LONGEST + 1));
        assert_eq!(heralds.take().len(), 2);
        assert!(heralds.take().is_empty());
    }

    #[test]
    fn while_the_broker_is_away_the_newest_are_kept() {
        let heralds = Heralds::default();
        (0..=WAITING / 100 + 5).for_each(|_| heralds.send(events(100, 1)));
        let waiting = heralds.waiting.lock().unwrap().changes;
        assert_eq!(waiting, WAITING);
        let mut taken = 0;
        loop {
            let batch = heralds.take();
            if batch.is_empty() {
                break;
            }
            taken += read(&batch).len();
        }
        assert_eq!((taken, heralds.waiting.lock().unwrap().changes), (WAITING, 0));
    }
}
