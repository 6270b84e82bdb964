//! Circular distribution: one owner for each organization, the consumer of its distribution partition.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{Conversation, OrganizationId, Partition, QueueId, Seat};
use ports::{
    bus::{Delivery, headers},
    topology::{Queue, distribution_partition},
};
use routing::{Event, Proposal, Rules, distribute};
use runtime::Drain;
use tracing::Instrument as _;

use crate::{
    census::Census,
    inbound::{own_span, subscribe},
    shell::{Item, Nudged, Shell, Stop, pause},
};

/// The most waiting conversations that one look takes.
const LOOK: u32 = 512;
/// The most assignments in one commit.
const BATCH: usize = 64;

/// Looks at the organizations that are nudged, until the drain begins.
pub(crate) async fn run(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    let queues = (0..shell.env.partitions).map(|p| Queue::RouterDistribution(Partition(p))).collect();
    let mut subscription = subscribe(&shell, queues, 64).await?;
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
        for organization in organizations {
            let span = own_span("distribute");
            if let Err(stop) = look(&shell, organization, &drain).instrument(span).await {
                tracing::warn!(?stop, %organization, "distribution waits; the sweep comes back to it");
            }
        }
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

/// Distributes until nothing more can be given.
async fn look(shell: &Shell, organization: OrganizationId, drain: &Drain) -> Result<(), Stop> {
    let mut conflicts = 0;
    while !drain.has_begun() {
        let rules = shell.rules.of(organization).await?;
        let proposals = proposals(shell, organization, &rules).await?;
        if proposals.is_empty() {
            return Ok(());
        }
        let items = |batch: &[Proposal]| -> Vec<Item> {
            let span = tracing::Span::current();
            batch.iter().map(|one| Item::new(Event::Assign(one.clone()), span.clone())).collect()
        };
        let mut given = 0;
        for batch in proposals.chunks(BATCH) {
            match shell.attempt(&items(batch)).await {
                Ok(carried) => given += carried.iter().filter(|one| one.why == "assigned").count(),
                Err(Stop::Conflict(_)) => {
                    conflicts += 1;
                    tokio::time::sleep(pause(conflicts, Duration::from_millis(2), Duration::from_millis(200))).await;
                    break;
                }
                Err(stop) => return Err(stop),
            }
        }
        if given == 0 && conflicts == 0 {
            // All were overtaken: by rules that are older here than in the store. The sweep comes back.
            return Ok(());
        }
    }
    Ok(())
}

async fn proposals(shell: &Shell, organization: OrganizationId, rules: &Rules) -> Result<Vec<Proposal>, Stop> {
    let circular: Vec<QueueId> = rules.queues.keys().copied().filter(|queue| rules.distributes(*queue)).collect();
    if circular.is_empty() {
        return Ok(Vec::new());
    }
    let now = shell.env.clock.now();
    let (waiting, seats) = shell.env.journal.waiting(organization, &circular, LOOK).await?;
    let found = distribute(rules, &waiting, &seats, now);
    if !found.is_empty() || waiting.len() < usize::try_from(LOOK).unwrap_or(usize::MAX) {
        return Ok(found);
    }
    // The oldest of all wait in queues without a free agent. Others, behind them, may not have to.
    let waiting = each_queue(shell, organization, rules, &circular, &seats).await?;
    Ok(distribute(rules, &waiting, &seats, now))
}

async fn each_queue(
    shell: &Shell,
    organization: OrganizationId,
    rules: &Rules,
    circular: &[QueueId],
    seats: &[Seat],
) -> Result<Vec<Conversation>, Stop> {
    let free: BTreeSet<_> = seats.iter().filter(|seat| seat.is_free()).map(|seat| seat.user).collect();
    let mut all = Vec::new();
    for queue in circular {
        let members = rules.queues.get(queue).map(|queue| queue.members.as_slice()).unwrap_or_default();
        if members.iter().any(|user| free.contains(user)) {
            let (waiting, _) = shell.env.journal.waiting(organization, &[*queue], LOOK).await?;
            all.extend(waiting);
        }
    }
    Ok(all)
}
