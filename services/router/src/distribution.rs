//! Circular distribution: one owner for each organization, the consumer of its distribution partition.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{OrganizationId, Partition};
use ports::{
    bus::{Delivery, headers},
    topology::{Queue, distribution_partition},
};
use routing::Event;
use runtime::Drain;
use tracing::Instrument as _;

use crate::{
    census::Census,
    inbound::{own_span, subscribe},
    proposals::{Rosters, propose},
    shell::{Item, Nudged, Shell, Stop, pause},
};

/// The most commits for one organization before the others have their turn.
const ROUNDS: u32 = 8;
/// How often in a row all proposals may come too late.
const OVERTAKEN_AT_MOST: u32 = 3;

/// What a look leaves.
enum Looked {
    /// Nothing that could be given now.
    Done,
    /// Perhaps more.
    MoreToGive,
}

/// Looks at the organizations that are nudged, until the drain begins.
pub(crate) async fn run(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    let queues = (0..shell.env.partitions).map(|p| Queue::RouterDistribution(Partition(p))).collect();
    let mut subscription = subscribe(&shell, queues, 64).await?;
    let mut rosters = Rosters::default();
    loop {
        let batch = tokio::select! {
            batch = subscription.next_batch(256) => batch,
            () = drain.begun() => return Ok(()),
        };
        if batch.is_empty() {
            return if drain.has_begun() { Ok(()) } else { Err("the subscription ended".to_owned()) };
        }
        let organizations: BTreeSet<OrganizationId> = batch.iter().filter_map(organization).collect();
        if batch.iter().any(|delivery| organization(delivery).is_none()) {
            // From a replica that does not relay what it committed. As a rule, who consumes a partition leases it too;
            // where not, the relay's rest is short.
            shell.outbox.notify_one();
        }
        let mut again = BTreeSet::new();
        for organization in organizations {
            let span = own_span("distribute");
            match look(&shell, &mut rosters, organization, &drain).instrument(span).await {
                Ok(Looked::Done) => {}
                Ok(Looked::MoreToGive) => {
                    again.insert(organization);
                }
                Err(stop) => tracing::warn!(?stop, %organization, "distribution waits; the sweep comes back to it"),
            }
        }
        // Behind the others.
        shell.nudge(Nudged { organizations: again, ..Nudged::default() });
        // A nudge is only a reason to look. What it leaves undone, the sweep finds.
        batch.into_iter().for_each(Delivery::ack);
    }
}

fn organization(delivery: &Delivery) -> Option<OrganizationId> {
    delivery.envelope.headers.get(headers::ORGANIZATION)?.parse().ok()
}

/// Nudges every organization whose distribution partition this replica leases: nothing idles for long. Counts their
/// open conversations now and then.
pub(crate) async fn sweep(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    let mut census = Census::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(shell.config.sweep_millis)) => {}
            () = drain.begun() => return Ok(()),
        }
        let partitions = shell.held.now();
        let organizations = match shell.env.directory.organizations().await {
            Ok(organizations) => organizations,
            Err(error) => {
                tracing::warn!(%error, "the sweep waits for the directory");
                continue;
            }
        };
        let ours = |id: &OrganizationId| partitions.contains(&distribution_partition(*id, shell.env.partitions));
        let organizations: Vec<_> =
            organizations.into_iter().map(|organization| organization.id).filter(ours).collect();
        census.take(&shell, &organizations).await;
        let mut due = BTreeSet::new();
        for id in organizations {
            let rules = shell.rules.of(id).await.unwrap_or_default();
            if rules.queues.keys().any(|queue| rules.distributes(*queue)) {
                due.insert(id);
            }
        }
        shell.nudge(Nudged { organizations: due, ..Nudged::default() });
    }
}

/// Distributes until nothing more can be given, or for so long that others would wait.
async fn look(
    shell: &Shell,
    rosters: &mut Rosters,
    organization: OrganizationId,
    drain: &Drain,
) -> Result<Looked, Stop> {
    let (mut conflicts, mut overtaken) = (0, 0);
    for _ in 0..ROUNDS {
        let roster = rosters.of(organization, shell.rules.of(organization).await?);
        let proposals = propose(&*shell.env.journal, organization, &roster, shell.env.clock.now()).await?;
        if proposals.is_empty() || drain.has_begun() {
            return Ok(Looked::Done);
        }
        let span = tracing::Span::current();
        let items: Vec<Item> = proposals.into_iter().map(|one| Item::new(Event::Assign(one), span.clone())).collect();
        match attempt(shell, &items).await {
            Ok(true) => overtaken = 0,
            Ok(false) => {
                overtaken += 1;
                if overtaken == OVERTAKEN_AT_MOST {
                    // By rules that are older here than in the store, as it seems. The sweep comes back.
                    return Ok(Looked::Done);
                }
            }
            Err(Stop::Conflict(_)) => {
                conflicts += 1;
                tokio::time::sleep(pause(conflicts, Duration::from_millis(2), Duration::from_millis(200))).await;
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(Looked::MoreToGive)
}

/// Carries the assignments out, and answers whether one was. When the store refuses them together they go one by one:
/// what is wrong with one of them must not leave all others waiting.
async fn attempt(shell: &Shell, items: &[Item]) -> Result<bool, Stop> {
    match shell.attempt(items).await {
        Ok(carried) => Ok(carried.iter().any(|one| one.why == "assigned")),
        Err(Stop::Refused(_)) if items.len() > 1 => {
            let mut assigned = false;
            for item in items {
                match Box::pin(attempt(shell, std::slice::from_ref(item))).await {
                    Ok(one) => assigned |= one,
                    Err(Stop::Refused(reason)) => {
                        tracing::error!(event = ?item.event, reason, "an assignment is refused by the store; it waits");
                    }
                    Err(stop) => return Err(stop),
                }
            }
            Ok(assigned)
        }
        Err(stop) => Err(stop),
    }
}
