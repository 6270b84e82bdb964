//! What agents sent and providers took.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Attempted, ConsentEntry, DeliveryState, Inbound, InboundBody, Message, MessageId, Outcome, Permitted, invariants,
};
use ports::topology::Topic;
use serde_json::Value;
use tokio::time::Instant;
use wire::Wire as _;

use crate::{
    memory::Tables,
    plan::HOUSES,
    record::{Known, Seen},
    world::{World, account, house_of, organization},
};

/// What lies in a visitor's mailbox is what they see, whenever they look: it stands for what a provider takes.
pub(super) fn read_mailboxes(world: &World) {
    let (mut known, tables) = (world.record.known(), world.store.tables());
    for ((of, address), items) in &tables.mailboxes {
        let Some(house) = (0..HOUSES).find(|house| account(*house) == *of) else { continue };
        for item in items {
            let Ok(body) = serde_json::from_str::<Value>(&item.body) else { continue };
            if body["from"] != "company" {
                continue;
            }
            let (message, part) = item.id.rsplit_once('-').unwrap_or((&item.id, "0"));
            known.seen.push(Seen {
                house,
                to: address.as_str().to_owned(),
                message: message.parse().ok(),
                part: part.parse().unwrap_or(0),
                text: body["content"]["text"].as_str().unwrap_or_default().to_owned(),
                at: world.now(),
                told: true,
                failed_later: false,
            });
        }
    }
}

fn seen_of(known: &Known, message: MessageId) -> Vec<&Seen> {
    known.seen.iter().filter(|seen| seen.message == Some(message)).collect()
}

/// Every message that an agent was promised has ended, and the end that the store tells is what happened.
pub(super) fn conserved(world: &World) -> Vec<String> {
    let (known, tables) = (world.record.known(), world.store.tables());
    let mut findings = Vec::new();
    for sent in &known.sent {
        let Some(message) = tables.messages.get(&sent.message).filter(|one| one.conversation == sent.conversation)
        else {
            findings.push(format!("conserved: {} was promised and is not in the store", sent.message));
            continue;
        };
        let (Some(delivery), id) = (&message.delivery, sent.message) else { continue };
        if !invariants::conserved(delivery.state, false) {
            findings.push(format!("conserved: {id} is still {:?}", delivery.state));
        }
        // From then on the store tells what a person said.
        if tables.is_judged(id) {
            continue;
        }
        let seen = seen_of(&known, id);
        let arrived = |part: u16| seen.iter().any(|seen| seen.part == part);
        let stands = |part: u16| {
            let last = seen.iter().rfind(|seen| seen.part == part);
            last.is_some_and(|seen| seen.told && !seen.failed_later) && is_accepted(&tables, id, part)
        };
        let every = |holds: &dyn Fn(u16) -> bool| delivery.planned > 0 && (0..delivery.planned).all(holds);
        match delivery.state {
            DeliveryState::Failed | DeliveryState::Parked if every(&stands) => {
                findings.push(format!("conserved: {id} is told as {:?}, and all of it was accepted", delivery.state));
            }
            DeliveryState::Parked if !is_asked(&tables, id) => {
                findings.push(format!("conserved: {id} is parked, and nobody is asked"));
            }
            DeliveryState::Queued | DeliveryState::Failed | DeliveryState::Parked => {}
            _ if !every(&arrived) => {
                findings.push(format!("conserved: {id} is told as {:?}, and it did not arrive", delivery.state));
            }
            _ => {}
        }
    }
    findings
}

/// Whether the message is on the list of those that wait for a person.
fn is_asked(tables: &Tables, message: MessageId) -> bool {
    tables.parked.values().any(|kept| kept.is_listed() && kept.parked.message == Some(message))
}

/// Whether the ledger has the provider's word for a part.
fn is_accepted(tables: &Tables, message: MessageId, part: u16) -> bool {
    let outcome = tables.attempts.get(&(message, part)).and_then(|attempt| attempt.outcome.as_ref());
    matches!(outcome, Some(Outcome::Accepted { .. }))
}

/// A provider takes each part once, and once more for each time that a person decided so.
pub(super) fn once(world: &World) -> Vec<String> {
    let known = world.record.known();
    let mut parts: BTreeMap<(MessageId, u16), u32> = BTreeMap::new();
    for seen in &known.seen {
        if let Some(message) = seen.message {
            *parts.entry((message, seen.part)).or_default() += 1;
        }
    }
    let allowed = |message: &MessageId| 1 + known.decisions.get(message).copied().unwrap_or(0);
    let twice = parts.iter().filter(|((message, _), count)| **count > allowed(message));
    twice.map(|((message, part), count)| format!("once: part {part} of {message} went out {count} times")).collect()
}

/// The messages of which a replica told that it does not know what became of them, whether a person was asked or the ledger
/// knew.
fn doubted(world: &World) -> BTreeSet<MessageId> {
    let told = world.broker.published().into_iter().filter(|one| one.envelope.kind == Inbound::KIND);
    told.filter_map(|one| match wire::decode::<Inbound>(&one.envelope.body).ok()?.body {
        InboundBody::Attempted(Attempted { message, outcome: Outcome::InDoubt { .. }, .. }) => Some(message),
        _ => None,
    })
    .collect()
}

/// Messages of one conversation, and the parts of one message, are taken in their order. What was in doubt, or sent
/// again by a person, has lost its place: a replica that was cut off may still have been at it.
pub(super) fn ordered(world: &World) -> Vec<String> {
    let (known, tables, doubted) = (world.record.known(), world.store.tables(), doubted(world));
    let placed = |id: &MessageId| !known.decisions.contains_key(id) && !doubted.contains(id);
    let mut first: BTreeMap<MessageId, BTreeMap<u16, usize>> = BTreeMap::new();
    for (turn, seen) in known.seen.iter().enumerate() {
        if let Some(message) = seen.message.filter(placed) {
            first.entry(message).or_default().entry(seen.part).or_insert(turn);
        }
    }
    let mut findings = Vec::new();
    for (message, parts) in &first {
        if !parts.values().is_sorted() {
            findings.push(format!("ordered: the parts of {message} were taken as {parts:?}"));
        }
    }
    let mut messages: Vec<&Message> = first.keys().filter_map(|id| tables.messages.get(id)).collect();
    messages.sort_by_key(|message| (message.conversation, message.sequence));
    for pair in messages.windows(2) {
        let [earlier, later] = pair else { continue };
        let last = first.get(&earlier.id).and_then(|parts| parts.values().max());
        let next = first.get(&later.id).and_then(|parts| parts.values().min());
        if earlier.conversation == later.conversation && last > next {
            findings.push(format!("ordered: {} was taken after {}, which was sent later", earlier.id, later.id));
        }
    }
    findings
}

/// Providers take only what the gate let pass, and the gate let nothing pass after a refusal that it could read.
pub(super) fn gated(world: &World) -> Vec<String> {
    let (known, tables) = (world.record.known(), world.store.tables());
    let mut permits: BTreeMap<MessageId, Vec<Permitted>> = BTreeMap::new();
    let mut findings = Vec::new();
    for one in world.broker.published() {
        let Topic::Outbound(..) = one.envelope.topic else { continue };
        if !one.by.starts_with("session") {
            continue;
        }
        let Ok(permitted) = wire::decode::<Permitted>(&one.envelope.body) else { continue };
        if refused_before(&tables, &permitted, world, one.at) {
            let message = permitted.request.message;
            findings.push(format!("gated: {message} was let pass although its contact had opted out before"));
        }
        permits.entry(permitted.request.message).or_default().push(permitted);
    }
    for seen in &known.seen {
        let passed = seen.message.and_then(|message| permits.get(&message)).is_some_and(|permits| {
            permits.iter().any(|one| {
                let request = &one.request;
                request.thread.address.as_str() == seen.to && house_of(request.thread.organization) == Some(seen.house)
            })
        });
        if !passed {
            findings
                .push(format!("gated: the provider of house {} took \"{}\" without a permit", seen.house, seen.text));
        }
    }
    findings
}

/// Whether the contact's last word, before the message was asked for, was no, and nobody agreed again until the permit.
fn refused_before(tables: &Tables, permitted: &Permitted, world: &World, passed_at: Instant) -> bool {
    let request = &permitted.request;
    let theirs = || tables.consents.iter().filter(|(entry, _)| entry.thread == request.thread);
    let written = |at: &Instant| world.time_of(*at);
    let last: Option<&ConsentEntry> =
        theirs().filter(|(_, at)| written(at) < request.at).map(|(entry, _)| entry).max_by_key(|entry| entry.at);
    let agreed_again =
        theirs().any(|(entry, at)| entry.change.granted && written(at) >= request.at && *at <= passed_at);
    last.is_some_and(|entry| !entry.change.granted) && !agreed_again
}

/// A house's provider takes that house's messages, word for word.
pub(super) fn isolated(world: &World) -> Vec<String> {
    let (known, tables) = (world.record.known(), world.store.tables());
    let mut findings = Vec::new();
    for seen in &known.seen {
        let message = seen.message.and_then(|id| tables.messages.get(&id));
        if message.is_some_and(|message| message.organization != organization(seen.house)) {
            findings.push(format!("isolated: the provider of house {} took \"{}\"", seen.house, seen.text));
        }
    }
    for sent in &known.sent {
        let mut parts: BTreeMap<u16, &str> = BTreeMap::new();
        for seen in seen_of(&known, sent.message) {
            parts.insert(seen.part, &seen.text);
        }
        let stored = tables.messages.get(&sent.message).map(|message| message.organization);
        if stored.is_some_and(|stored| stored != organization(sent.house)) {
            findings.push(format!("isolated: {} of house {} belongs to another", sent.message, sent.house));
        }
        let dense = parts.keys().copied().eq((0..).take(parts.len()));
        let told: String = parts.into_values().collect();
        if dense && !sent.text.starts_with(&told) {
            findings.push(format!("isolated: \"{}\" went out as \"{told}\"", sent.text));
        }
    }
    findings
}
