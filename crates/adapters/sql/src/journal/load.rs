//! Answers a lookup: one round of queries side by side, then the conversations of the messages that were found.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AccountId, ConversationId, MessageId, Outcome};
use ports::{
    StoreError,
    journal::{Lookup, Snapshot},
};
use sea_orm::Value;

use crate::{
    SqlStore,
    row::Row,
    rows,
    rows::{CONTACTS, CONVERSATIONS, MESSAGES, SEATS, provider_key, thread_key},
    statement::printed,
};

pub(super) async fn load(store: &SqlStore, lookup: &Lookup) -> Result<Snapshot, StoreError> {
    let keys = lookup.provider_ids.iter().map(|pair| (provider_key(pair.0, &pair.1), pair)).collect();
    let found = Found::read(store, lookup, &keys).await?;
    let mut snapshot = found.snapshot(lookup, &keys)?;
    let doubtful = parked(store, lookup, &mut snapshot).await?;
    taken(store, lookup.taken.union(&doubtful), &mut snapshot).await?;
    conversations(store, lookup, &mut snapshot).await?;
    Ok(snapshot)
}

/// Provider ids by their keys in the store.
type Keys<'a> = BTreeMap<String, &'a (AccountId, String)>;

/// What the first round found.
struct Found {
    processed: Vec<Row>,
    brought: Vec<Row>,
    open: Vec<Row>,
    contacts: Vec<Row>,
    by_id: Vec<Row>,
    by_provider_id: Vec<Row>,
    held: Vec<Row>,
    seats: Vec<Row>,
}

impl Found {
    async fn read(store: &SqlStore, lookup: &Lookup, keys: &Keys<'_>) -> Result<Self, StoreError> {
        let threads: Vec<Value> = lookup.threads.iter().map(|thread| thread_key(thread).into()).collect();
        let provider_keys: Vec<Value> = keys.keys().map(|key| key.clone().into()).collect();
        let brought = lookup.brought.keys().map(printed);
        let messages = lookup.messages.iter().map(|(_, id)| printed(id));
        let seats = lookup.seats.iter().map(|(_, user)| printed(user));
        let open = format!("{} WHERE thread IN ({{in}}) AND stage <> 'closed'", CONVERSATIONS.read());
        let by_provider_id = format!(
            "SELECT p.provider_key, p.trace, {} FROM provider_ids p JOIN messages m ON m.id = p.message
                              WHERE p.provider_key IN ({{in}})",
            MESSAGES.columns_of("m")
        );
        let contacts = format!("{} WHERE thread IN ({{in}})", CONTACTS.read());
        let by_id = format!("{} WHERE id IN ({{in}})", MESSAGES.read());
        let of_users = format!("{} WHERE user_id IN ({{in}})", SEATS.read());
        let (processed, brought, open, contacts, by_id, by_provider_id, held, seats) = tokio::try_join!(
            store.read_in("SELECT event FROM processed WHERE event IN ({in})", &[], lookup.events.iter().map(printed)),
            store.read_in("SELECT id FROM messages WHERE id IN ({in})", &[], brought),
            store.read_in(&open, &[], threads.clone()),
            store.read_in(&contacts, &[], threads),
            store.read_in(&by_id, &[], messages),
            store.read_in(&by_provider_id, &[], provider_keys.clone()),
            store.read_in("SELECT held FROM held_receipts WHERE provider_key IN ({in})", &[], provider_keys),
            store.read_in(&of_users, &[], seats),
        )?;
        Ok(Self { processed, brought, open, contacts, by_id, by_provider_id, held, seats })
    }

    fn snapshot(&self, lookup: &Lookup, keys: &Keys<'_>) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot::default();
        for row in &self.processed {
            snapshot.processed.insert(row.parsed("event")?);
        }
        for row in &self.brought {
            snapshot.processed.extend(lookup.brought.get(&row.parsed("id")?));
        }
        for row in &self.open {
            let conversation = rows::conversation(row)?;
            snapshot.open.insert(conversation.thread.clone(), conversation.id);
            snapshot.conversations.insert(conversation.id, conversation);
        }
        for row in &self.contacts {
            note_contact(&mut snapshot, row)?;
        }
        for row in &self.by_id {
            let message = rows::message(row)?;
            if lookup.messages.contains(&(message.organization, message.id)) {
                snapshot.messages.insert(message.id, message);
            }
        }
        for row in &self.by_provider_id {
            let message = rows::message(row)?;
            if let Some(pair) = keys.get(&row.text("provider_key")?) {
                snapshot.by_provider_id.insert((*pair).clone(), message.id);
                snapshot.traces.extend(row.optional_text("trace")?.map(|trace| ((*pair).clone(), trace)));
            }
            snapshot.messages.insert(message.id, message);
        }
        note_held(&mut snapshot, &self.held)?;
        for row in &self.seats {
            let seat = rows::seat(row)?;
            if lookup.seats.contains(&(seat.organization, seat.user)) {
                snapshot.seats.insert((seat.organization, seat.user), seat);
            }
        }
        Ok(snapshot)
    }
}

/// A thread's contact is the one that was there first; later ones were saved from cards.
fn note_contact(snapshot: &mut Snapshot, row: &Row) -> Result<(), StoreError> {
    let contact = rows::contact(row)?;
    let older = snapshot
        .contacts
        .get(&contact.thread)
        .is_none_or(|known| (contact.created_at, contact.id) < (known.created_at, known.id));
    if older {
        snapshot.contacts.insert(contact.thread.clone(), contact);
    }
    Ok(())
}

/// A receipt that is held under several provider ids is answered once.
fn note_held(snapshot: &mut Snapshot, held: &[Row]) -> Result<(), StoreError> {
    let mut seen = BTreeSet::new();
    for row in held {
        let receipt: domain::HeldReceipt = row.json("held")?;
        if seen.insert(receipt.event) {
            snapshot.held.push(receipt);
        }
    }
    snapshot.held.sort_by_key(|receipt| (receipt.held_at, receipt.event));
    Ok(())
}

/// Parked messages, and of those in doubt the messages themselves. Answers the ids of these.
async fn parked(store: &SqlStore, lookup: &Lookup, snapshot: &mut Snapshot) -> Result<BTreeSet<MessageId>, StoreError> {
    if lookup.parked.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut doubtful = BTreeSet::new();
    for entry in crate::parking::entries(store, lookup.parked.iter().map(|(_, id)| printed(id))).await? {
        let Some(organization) = entry.parked.organization else { continue };
        if lookup.parked.contains(&(organization, entry.parked.id)) {
            doubtful.extend(entry.parked.message.map(|message| (organization, message)));
            snapshot.parked.insert(entry.parked.id, entry);
        }
    }
    let ids = doubtful.iter().map(|(_, id)| printed(id));
    for row in &store.read_in(&format!("{} WHERE id IN ({{in}})", MESSAGES.read()), &[], ids).await? {
        let message = rows::message(row)?;
        if doubtful.contains(&(message.organization, message.id)) {
            snapshot.messages.insert(message.id, message);
        }
    }
    Ok(doubtful.into_iter().map(|(_, id)| id).collect())
}

/// What the send ledger knows that a provider took.
async fn taken(
    store: &SqlStore,
    messages: impl Iterator<Item = &MessageId>,
    snapshot: &mut Snapshot,
) -> Result<(), StoreError> {
    let known = "SELECT message, part, outcome FROM attempts WHERE message IN ({in}) AND state = 'accepted'";
    for row in &store.read_in(known, &[], messages.map(printed)).await? {
        if let Some(Outcome::Accepted { provider_ids }) = row.optional_json("outcome")? {
            snapshot.taken.entry(row.parsed("message")?).or_default().insert(row.number("part")?, provider_ids);
        }
    }
    Ok(())
}

async fn conversations(store: &SqlStore, lookup: &Lookup, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    let of_messages: BTreeSet<_> =
        snapshot.messages.values().map(|message| (message.organization, message.conversation)).collect();
    let wanted: BTreeSet<ConversationId> = lookup
        .conversations
        .iter()
        .chain(&of_messages)
        .map(|(_, id)| *id)
        .filter(|id| !snapshot.conversations.contains_key(id))
        .collect();
    let by_id = format!("{} WHERE id IN ({{in}})", CONVERSATIONS.read());
    let found = store.read_in(&by_id, &[], wanted.iter().map(printed)).await?;
    for row in &found {
        let conversation = rows::conversation(row)?;
        let place = (conversation.organization(), conversation.id);
        if lookup.conversations.contains(&place) || of_messages.contains(&place) {
            snapshot.conversations.insert(conversation.id, conversation);
        }
    }
    Ok(())
}
