//! The commit: all rows in few statements, versions and unique keys as the guard.
//!
//! Every commit writes its tables in the same order, and each table's rows in the order of their keys, so that commits
//! on PostgreSQL queue up instead of deadlocking. The outbox comes after the conversations: two commits on one
//! conversation are serialized by its row, so their outbox rows are numbered in the order in which they stand. The
//! organization's event counter is locked last, because everybody in the organization waits for it; it is held until
//! the commit stands, so whoever reads event n has also been able to read all events before it.

use std::collections::BTreeMap;

use domain::{DeskChange, DeskEvent, OrganizationId};
use ports::{
    StoreError,
    bus::headers,
    journal::{Commit, CommitError, Outgoing},
};
use sea_orm::{DatabaseTransaction, DbErr, Value};

use crate::{
    SqlStore, conservation, ledger,
    parking::{self, decisions},
    rows,
    rows::{CONTACTS, CONVERSATIONS, MESSAGES, SEATS, provider_key},
    statement::{
        Table, execute_in, failure, insert_returning, insert_rows, is_conflict, json, number, optional_text, printed,
        text,
    },
};

const PROCESSED: Table = Table { name: "processed", columns: &["event", "organization", "kind", "at"] };
const PROVIDER_IDS: Table =
    Table { name: "provider_ids", columns: &["provider_key", "message", "organization", "trace"] };
const HELD: Table =
    Table { name: "held_receipts", columns: &["provider_key", "event", "organization", "held", "held_at"] };
const TIMERS: Table = Table { name: "timers", columns: &["conversation", "kind", "organization", "lane", "due_at"] };
const OUTBOX: Table = Table {
    name: "outbox",
    columns: &["lane", "at", "organization", "id", "route", "kind", "correlation", "headers", "body"],
};
const COUNTERS: Table = Table { name: "event_counters", columns: &["organization", "last_sequence"] };
const EVENTS: Table = Table { name: "desk_events", columns: &["organization", "sequence", "at", "change"] };

const CONVERSATION_MOVES: &str = "ON CONFLICT (id) DO UPDATE SET contact = excluded.contact,
    contact_name = excluded.contact_name, contact_email = excluded.contact_email, search = excluded.search,
    queue = excluded.queue, stage = excluded.stage, agent = excluded.agent, assignment = excluded.assignment,
    waiting_since = excluded.waiting_since, last_inbound_at = excluded.last_inbound_at,
    last_activity_at = excluded.last_activity_at, closed_at = excluded.closed_at,
    close_reason = excluded.close_reason, unread = excluded.unread, preview = excluded.preview,
    preview_kind = excluded.preview_kind, next_sequence = excluded.next_sequence, version = excluded.version
    WHERE conversations.version = excluded.version - 1 AND conversations.organization = excluded.organization";
const MESSAGE_MOVES: &str = "ON CONFLICT (id) DO UPDATE SET content = excluded.content,
    provider_id = excluded.provider_id, reply_to = excluded.reply_to, delivery = excluded.delivery,
    delivery_state = excluded.delivery_state, version = excluded.version
    WHERE messages.version = excluded.version - 1 AND messages.organization = excluded.organization";
const CONTACT_MOVES: &str = "ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email,
    phone = excluded.phone, version = excluded.version
    WHERE contacts.version = excluded.version - 1 AND contacts.organization = excluded.organization";
const SEAT_MOVES: &str = "ON CONFLICT (user_id, organization) DO UPDATE SET presence = excluded.presence,
    load = excluded.load, capacity = excluded.capacity, last_assigned_at = excluded.last_assigned_at,
    version = excluded.version
    WHERE seats.version = excluded.version - 1";

pub(super) async fn commit(store: &SqlStore, commit: &Commit) -> Result<Vec<DeskEvent>, CommitError> {
    if *commit == Commit::default() {
        return Ok(Vec::new());
    }
    // Everything that can be made ready is, before the one writing connection or any row is held.
    let ready = Ready::of(commit)?;
    let writing = store.begin().await?;
    let events = write(writing.connection(), commit, ready).await?;
    writing.commit().await.map_err(stands_against)?;
    Ok(events)
}

/// The values of the rows.
struct Ready {
    processed: Vec<Value>,
    conversations: Vec<Value>,
    messages: Vec<Value>,
    contacts: Vec<Value>,
    seats: Vec<Value>,
    provider_ids: Vec<Value>,
    held: Vec<Value>,
    timers: Vec<Value>,
    timers_back: Vec<(&'static str, Vec<Value>)>,
    outbox: Vec<Value>,
    decided: Vec<Value>,
    asked: Vec<Value>,
    parked: Vec<Value>,
    heard: Vec<Value>,
    pages: Vec<Page>,
}

impl Ready {
    fn of(commit: &Commit) -> Result<Self, StoreError> {
        let (timers, timers_back) = timers(commit);
        let mut conversations: Vec<_> = commit.conversations.iter().collect();
        conversations.sort_by_key(|conversation| conversation.id);
        let mut messages: Vec<_> = commit.messages.iter().collect();
        messages.sort_by_key(|message| message.id);
        let mut contacts: Vec<_> = commit.contacts.iter().collect();
        contacts.sort_by_key(|contact| contact.id);
        let mut seats: Vec<_> = commit.seats.iter().collect();
        seats.sort_by_key(|seat| (seat.organization, seat.user));
        Ok(Self {
            processed: processed(commit),
            conversations: all(&conversations, rows::conversation_values)?,
            messages: all(&messages, rows::message_values)?,
            contacts: all(&contacts, |it, values| {
                rows::contact_values(it, values);
                Ok(())
            })?,
            seats: all(&seats, rows::seat_values)?,
            provider_ids: provider_ids(commit),
            held: held(commit)?,
            timers,
            timers_back,
            outbox: all(&commit.outbox.iter().collect::<Vec<_>>(), outbox_values)?,
            decided: decisions::decision_values(commit.decided.iter().map(|(decision, _)| decision))?,
            asked: commit.decided.iter().map(|(decision, _)| decisions::asked(decision)).collect::<Result<_, _>>()?,
            parked: parking::values(&commit.parked)?,
            heard: [conservation::heard_values(&commit.heard), conservation::parked_values(&commit.parked)].concat(),
            pages: pages(&commit.events)?,
        })
    }
}

fn all<T>(
    items: &[&T],
    each: impl Fn(&T, &mut Vec<Value>) -> Result<(), StoreError>,
) -> Result<Vec<Value>, StoreError> {
    let mut values = Vec::new();
    for item in items {
        each(item, &mut values)?;
    }
    Ok(values)
}

fn processed(commit: &Commit) -> Vec<Value> {
    let mut marks: Vec<_> = commit.processed.iter().collect();
    marks.sort_by_key(|mark| mark.event);
    marks
        .iter()
        .flat_map(|mark| [printed(mark.event), printed(mark.organization), text(&mark.kind), mark.at.millis().into()])
        .collect()
}

fn provider_ids(commit: &Commit) -> Vec<Value> {
    let by_key: BTreeMap<_, _> = commit.provider_ids.iter().map(|id| (provider_key(id.account, &id.id), id)).collect();
    by_key
        .into_iter()
        .flat_map(|(key, id)| {
            [key.into(), printed(id.message), printed(id.organization), optional_text(id.trace.as_deref())]
        })
        .collect()
}

fn held(commit: &Commit) -> Result<Vec<Value>, StoreError> {
    let mut values = Vec::new();
    for receipt in &commit.hold {
        let written = json(receipt)?;
        for id in &receipt.receipt.provider_ids {
            values.extend([
                provider_key(receipt.thread.account, id).into(),
                printed(receipt.event),
                printed(receipt.thread.organization),
                written.clone(),
                receipt.held_at.millis().into(),
            ]);
        }
    }
    Ok(values)
}

/// Timers to set, and by kind those to take back; of several changes to one timer the last counts.
fn timers(commit: &Commit) -> (Vec<Value>, Vec<(&'static str, Vec<Value>)>) {
    let last: BTreeMap<_, _> =
        commit.timers.iter().map(|change| ((change.conversation, change.kind.as_str()), change)).collect();
    let mut set = Vec::new();
    let mut back: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    for ((conversation, kind), change) in last {
        match change.due_at {
            Some(due) => set.extend([
                printed(conversation),
                kind.into(),
                printed(change.organization),
                i64::from(change.partition.0).into(),
                due.millis().into(),
            ]),
            None => back.entry(kind).or_default().push(printed(conversation)),
        }
    }
    (set, back.into_iter().collect())
}

fn outbox_values(outgoing: &Outgoing, values: &mut Vec<Value>) -> Result<(), StoreError> {
    let envelope = &outgoing.envelope;
    values.extend([
        i64::from(outgoing.partition.0).into(),
        outgoing.at.millis().into(),
        optional_text(envelope.headers.get(headers::ORGANIZATION).map(String::as_str)),
    ]);
    values.extend(rows::envelope_values(envelope)?);
    Ok(())
}

async fn write(on: &DatabaseTransaction, commit: &Commit, ready: Ready) -> Result<Vec<DeskEvent>, CommitError> {
    let rows = insert_rows(on, PROCESSED, "ON CONFLICT (event) DO NOTHING", ready.processed).await;
    expect(rows, commit.processed.len(), "an event was already carried out")?;
    let rows = insert_rows(on, CONVERSATIONS, CONVERSATION_MOVES, ready.conversations).await;
    expect(rows, commit.conversations.len(), "a conversation moved on")?;
    let rows = insert_rows(on, MESSAGES, MESSAGE_MOVES, ready.messages).await;
    expect(rows, commit.messages.len(), "a message moved on")?;
    let rows = insert_rows(on, CONTACTS, CONTACT_MOVES, ready.contacts).await;
    expect(rows, commit.contacts.len(), "a contact moved on")?;
    let rows = insert_rows(on, SEATS, SEAT_MOVES, ready.seats).await;
    expect(rows, commit.seats.len(), "a seat moved on")?;
    insert_rows(on, PROVIDER_IDS, "ON CONFLICT (provider_key) DO NOTHING", ready.provider_ids)
        .await
        .map_err(stands_against)?;
    insert_rows(on, HELD, "ON CONFLICT (provider_key, event) DO NOTHING", ready.held).await.map_err(stands_against)?;
    execute_in(on, "DELETE FROM held_receipts WHERE event IN ({in})", &[], commit.release.iter().map(printed))
        .await
        .map_err(stands_against)?;
    let moves = "ON CONFLICT (conversation, kind) DO UPDATE SET lane = excluded.lane, due_at = excluded.due_at";
    insert_rows(on, TIMERS, moves, ready.timers).await.map_err(stands_against)?;
    for (kind, conversations) in ready.timers_back {
        let text = "DELETE FROM timers WHERE kind = $1 AND conversation IN ({in})";
        execute_in(on, text, &[kind.into()], conversations).await.map_err(stands_against)?;
    }
    for ((decision, version), asked) in commit.decided.iter().zip(ready.asked) {
        expect(decisions::rule(on, decision, *version, asked).await, 1, "a parked message moved on")?;
    }
    decisions::insert_decisions(on, ready.decided).await.map_err(stands_against)?;
    decisions::settle(on, &commit.settled).await.map_err(stands_against)?;
    ledger::reopen(on, &commit.reopened).await.map_err(stands_against)?;
    insert_rows(on, parking::PARKED, parking::AGAIN, ready.parked).await.map_err(stands_against)?;
    conservation::note_heard(on, ready.heard).await.map_err(stands_against)?;
    insert_rows(on, OUTBOX, "", ready.outbox).await.map_err(stands_against)?;
    number_events(on, &commit.events, ready.pages).await
}

/// Changes of one organization that stand in one row: a commit of a hundred messages is a few rows, not hundreds.
struct Page {
    organization: OrganizationId,
    at: i64,
    count: u64,
    changes: Value,
}

fn pages(events: &[DeskEvent]) -> Result<Vec<Page>, StoreError> {
    let mut by_organization: BTreeMap<OrganizationId, Vec<&DeskEvent>> = BTreeMap::new();
    for event in events {
        by_organization.entry(event.organization).or_default().push(event);
    }
    let mut pages = Vec::new();
    for (organization, events) in by_organization {
        for chunk in events.chunk_by(|one, next| one.at == next.at).flat_map(|run| run.chunks(rows::CHANGES_IN_A_ROW)) {
            let changes: Vec<&DeskChange> = chunk.iter().map(|event| &event.change).collect();
            let at = chunk.first().map_or(0, |event| event.at.millis());
            pages.push(Page { organization, at, count: chunk.len() as u64, changes: json(&changes)? });
        }
    }
    Ok(pages)
}

/// Numbers the events, in the order given, from the counters of their organizations, and writes them in pages; a row
/// has the number of the last of its changes.
async fn number_events(
    on: &DatabaseTransaction,
    events: &[DeskEvent],
    pages: Vec<Page>,
) -> Result<Vec<DeskEvent>, CommitError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let mut counts: BTreeMap<OrganizationId, u64> = BTreeMap::new();
    for event in events {
        *counts.entry(event.organization).or_default() += 1;
    }
    let values = counts.iter().flat_map(|(organization, count)| [printed(organization), number(*count)]).collect();
    let counted = insert_returning(
        on,
        COUNTERS,
        "ON CONFLICT (organization) DO UPDATE SET last_sequence = event_counters.last_sequence + excluded.last_sequence
         RETURNING organization, last_sequence",
        values,
    )
    .await
    .map_err(stands_against)?;
    let mut next: BTreeMap<OrganizationId, u64> = BTreeMap::new();
    for row in &counted {
        let organization = row.parsed("organization")?;
        let last: u64 = row.number("last_sequence")?;
        next.insert(organization, last + 1 - counts.get(&organization).copied().unwrap_or(0));
    }
    let mut last: BTreeMap<OrganizationId, u64> =
        next.iter().map(|(id, first)| (*id, first.saturating_sub(1))).collect();
    let mut values = Vec::with_capacity(pages.len() * EVENTS.columns.len());
    for page in pages {
        let place = last.entry(page.organization).or_default();
        *place += page.count;
        values.extend([printed(page.organization), number(*place), page.at.into(), page.changes]);
    }
    let mut numbered = events.to_vec();
    for event in &mut numbered {
        let place = next.entry(event.organization).or_insert(1);
        event.sequence = *place;
        *place += 1;
    }
    insert_rows(on, EVENTS, "", values).await.map_err(stands_against)?;
    Ok(numbered)
}

/// As many rows as were given must have been written.
fn expect(written: Result<u64, DbErr>, given: usize, otherwise: &str) -> Result<(), CommitError> {
    let written = written.map_err(stands_against)?;
    if written == given as u64 { Ok(()) } else { Err(CommitError::Conflict(otherwise.to_owned())) }
}

fn stands_against(error: DbErr) -> CommitError {
    if is_conflict(&error) { CommitError::Conflict(error.to_string()) } else { CommitError::Store(failure(error)) }
}
