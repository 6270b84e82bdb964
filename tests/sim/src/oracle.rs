//! Judges a world that has come to rest: what the outside was promised against what it saw and what the store says.
//! One function for each invariant; a finding begins with its name.

mod incoming;
mod outgoing;

use domain::{Conversation, OrganizationId};
use routing::{Roster, Rules, distribute};

use crate::{
    plan::HOUSES,
    world::{World, account, organization, queue},
};

/// All that is wrong.
pub(crate) fn judge(world: &World) -> Vec<String> {
    let mut findings = world.record.known().problems.clone();
    findings.extend(world.store.tables().broken.clone());
    outgoing::read_mailboxes(world);
    findings.extend(incoming::conserved(world));
    findings.extend(incoming::once(world));
    findings.extend(incoming::ordered(world));
    findings.extend(incoming::pictures(world));
    findings.extend(outgoing::conserved(world));
    findings.extend(outgoing::once(world));
    findings.extend(outgoing::ordered(world));
    findings.extend(outgoing::gated(world));
    findings.extend(outgoing::isolated(world));
    for house in 0..HOUSES {
        findings.extend(counted(world, organization(house)));
    }
    findings
}

/// The name of the invariant that a finding is about.
pub fn invariant(finding: &str) -> &str {
    finding.split(':').next().unwrap_or(finding)
}

/// What `afluente audit` counts.
fn counted(world: &World, organization: OrganizationId) -> Vec<String> {
    let audit = world.store.tables().audit(Some(organization));
    let wrong = [
        ("once: events with two messages", audit.unaccounted_in),
        ("conserved: rows left in the outbox", audit.outbox),
        ("conserved: messages still queued", audit.queued_out),
        ("ordered: conversations with gaps", audit.out_of_order),
        ("owned once: seats that do not agree with their conversations", audit.seat_mismatch),
    ];
    wrong.into_iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}: {count}")).collect()
}

/// No eligible agent idles while a conversation waits that they may take.
pub(crate) fn nobody_idles(world: &World, house: usize) -> Vec<String> {
    let tables = world.store.tables();
    let organization = organization(house);
    let queues = tables.queues_of(organization);
    let rules = Rules {
        accounts: [(account(house), queue(house))].into(),
        queues: queues.into_iter().map(|queue| (queue.id, queue)).collect(),
    };
    let ours = tables.conversations.values().filter(|one| one.organization() == organization);
    let waiting: Vec<_> = ours.filter_map(Conversation::waits).collect();
    let seats: Vec<_> = tables.seats.values().filter(|seat| seat.organization == organization).cloned().collect();
    let owed = distribute(&Roster::new(&rules), &waiting, &seats, world.now());
    owed.iter().map(|one| format!("owned once: {} waits for {}, who is free", one.conversation, one.user)).collect()
}
