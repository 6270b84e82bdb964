//! What contacts wrote and providers reported.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Author, Content, EventId, Inbound, InboundBody, MediaSource, Message, Thread};

use crate::{
    memory::Tables,
    provider::picture,
    record::Accepted,
    world::{World, house_of, organization, thread},
};

/// Whatever was answered 2xx is in the store exactly once, or parked.
pub(super) fn conserved(world: &World) -> Vec<String> {
    let (known, tables) = (world.record.known(), world.store.tables());
    let of_contacts = tables.messages.values().filter(|message| message.author == Author::Contact);
    let found: BTreeSet<_> = of_contacts.map(|message| (message.organization, message.provider_id.clone())).collect();
    let parked: BTreeSet<String> =
        tables.parked.values().flat_map(|kept| kept.parked.headers.iter().map(|(_, value)| value.clone())).collect();
    let lost = |one: &&Accepted| {
        let there = match one.text {
            Some(_) => found.contains(&(organization(one.house), Some(one.id.clone()))),
            None => tables.processed.contains_key(&one.event) || tables.held.contains_key(&one.event),
        };
        !there && !parked.contains(&one.event.to_string())
    };
    let lost = known.accepted.iter().filter(lost);
    let mut findings: Vec<_> = lost
        .map(|one| {
            let what = one.text.as_deref().unwrap_or("a receipt");
            format!("conserved: {what} ({}) was accepted from house {} and is lost", one.id, one.house)
        })
        .collect();
    findings.extend(untold(world, &tables, &parked));
    let unparked = known.garbage.iter().filter(|id| !tables.parked.contains_key(id));
    findings.extend(unparked.map(|id| format!("conserved: garbage was accepted and is not parked: {id}")));
    findings
}

/// A provider's word on consent is in the ledger, or parked.
fn untold(world: &World, tables: &Tables, parked: &BTreeSet<String>) -> Vec<String> {
    let noted: BTreeSet<EventId> = tables.consents.iter().map(|(entry, _)| entry.cause).collect();
    let published = world.broker.published().into_iter();
    let words = published.filter_map(|one| wire::decode::<Inbound>(&one.envelope.body).ok());
    let consent = words.filter(|inbound| matches!(inbound.body, InboundBody::Consent(_)));
    let lost = consent.filter(|inbound| !noted.contains(&inbound.id) && !parked.contains(&inbound.id.to_string()));
    lost.map(|inbound| format!("conserved: a word on the consent of {:?} is not in the ledger", inbound.thread))
        .collect()
}

/// Each thing that a contact wrote is one message, with its words and in its house.
pub(super) fn once(world: &World) -> Vec<String> {
    let (known, tables) = (world.record.known(), world.store.tables());
    let mut findings = Vec::new();
    let mut seen: BTreeSet<(usize, String)> = BTreeSet::new();
    for message in tables.messages.values().filter(|message| message.author == Author::Contact) {
        let house = house_of(message.organization).unwrap_or(usize::MAX);
        let id = message.provider_id.clone().unwrap_or_default();
        let thread = tables.conversations.get(&message.conversation).map(|one| one.thread.clone());
        let from = thread.as_ref().map(|thread| thread.address.as_str().to_owned()).unwrap_or_default();
        if !seen.insert((house, id.clone())) {
            findings.push(format!("once: {id} of {from} in house {house} is in the store twice"));
        }
        let written = known.written.values().any(|(of, text)| *of == house && words(&message.content) == Some(text));
        if !written {
            findings.push(format!("isolated: nobody in house {house} wrote {:?}", message.content));
        }
    }
    findings
}

fn words(content: &Content) -> Option<&String> {
    match content {
        Content::Text { text } => Some(text),
        Content::Media(media) => media.caption.as_ref(),
        _ => None,
    }
}

/// Each picture is in the store, byte for byte, or its provider said that it does not have it.
pub(super) fn pictures(world: &World) -> Vec<String> {
    let (known, tables) = (world.record.known(), world.store.tables());
    let mut findings = Vec::new();
    for message in tables.messages.values().filter(|message| message.author == Author::Contact) {
        let Content::Media(media) = &message.content else { continue };
        let house = house_of(message.organization).unwrap_or(usize::MAX);
        let id = message.provider_id.clone().unwrap_or_default();
        let wrong = match &media.source {
            MediaSource::Pending { .. } => Some("is still to be fetched".to_owned()),
            MediaSource::Stored { key, .. } => {
                let kept = tables.blobs.get(key).map(|(_, bytes)| bytes);
                (kept != Some(&picture(house, &id))).then(|| format!("is said to be at {key}: there is {kept:?}"))
            }
            MediaSource::Lost { reason } => {
                let withheld = known.withheld.contains(&(house, id.clone()));
                (!withheld).then(|| format!("is told as lost ({reason}), and its provider has it"))
            }
        };
        findings.extend(wrong.map(|wrong| format!("conserved: the picture of {id} in house {house} {wrong}")));
    }
    findings
}

/// A thread's messages stand in the order in which the broker was given them, and those that one process accepted in
/// the order in which it accepted them.
pub(super) fn ordered(world: &World) -> Vec<String> {
    let mut given: BTreeMap<Thread, Vec<EventId>> = BTreeMap::new();
    for one in world.broker.published() {
        if let Ok(inbound) = wire::decode::<Inbound>(&one.envelope.body)
            && one.envelope.topic == ports::topology::Topic::Inbound(inbound.thread.partition(crate::world::PARTITIONS))
            && matches!(inbound.body, InboundBody::Message(_))
        {
            let events = given.entry(inbound.thread).or_default();
            if !events.contains(&inbound.id) {
                events.push(inbound.id);
            }
        }
    }
    let stored = stored(world);
    let mut findings = Vec::new();
    for (thread, events) in &given {
        let stored = stored.get(thread).cloned().unwrap_or_default();
        let expected: Vec<_> = events.iter().filter(|event| stored.contains(event)).copied().collect();
        if expected != stored {
            let house = house_of(thread.organization).unwrap_or(usize::MAX);
            findings
                .push(format!("ordered: a thread of house {house} stands as {stored:?}, was given as {expected:?}"));
        }
    }
    findings.extend(as_accepted(world, &stored));
    findings
}

/// The events of each thread's messages, in the order in which they are read.
fn stored(world: &World) -> BTreeMap<Thread, Vec<EventId>> {
    let tables = world.store.tables();
    let mut all: Vec<(&domain::Conversation, &Message)> = tables
        .messages
        .values()
        .filter(|message| message.author == Author::Contact)
        .filter_map(|message| Some((tables.conversations.get(&message.conversation)?, message)))
        .collect();
    all.sort_by_key(|(conversation, message)| (conversation.opened_at, conversation.id, message.sequence));
    let mut stored: BTreeMap<Thread, Vec<EventId>> = BTreeMap::new();
    for (conversation, message) in all {
        stored.entry(conversation.thread.clone()).or_default().push(message.cause);
    }
    stored
}

fn as_accepted(world: &World, stored: &BTreeMap<Thread, Vec<EventId>>) -> Vec<String> {
    let known = world.record.known();
    // Only the first acceptance of each counts: later ones are duplicates.
    let mut first: BTreeMap<EventId, &Accepted> = BTreeMap::new();
    for one in known.accepted.iter().filter(|one| one.text.is_some()) {
        first.entry(one.event).or_insert(one);
    }
    // Two processes may each keep a duplicate on a disk of their own: then nobody can say which comes first.
    let alone = |one: &Accepted| known.called.get(&one.event).is_some_and(|by| by.len() == 1 && by.contains(&one.by));
    let mut findings = Vec::new();
    for earlier in first.values() {
        for later in first.values().filter(|later| earlier.answered < later.called) {
            if earlier.house != later.house
                || earlier.from != later.from
                || earlier.by != later.by
                || !(alone(earlier) && alone(later))
            {
                continue;
            }
            let events = stored.get(&thread(earlier.house, &earlier.from)).map(Vec::as_slice).unwrap_or_default();
            let place = |event| events.iter().position(|one| *one == event);
            if let (Some(a), Some(b)) = (place(earlier.event), place(later.event))
                && a > b
            {
                let (a, b) = (earlier.text.as_deref().unwrap_or(""), later.text.as_deref().unwrap_or(""));
                findings.push(format!("ordered: {} accepted \"{a}\" before \"{b}\", and it stands after it", later.by));
            }
        }
    }
    findings
}
