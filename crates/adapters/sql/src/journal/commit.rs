//! The commit: all rows in few statements, versions and unique keys as the guard. Under load most of what it takes is the
//! way to the server and back, so what can go together does: on PostgreSQL most commits are one statement, which is a
//! transaction by itself and guards itself.
//!
//! Every commit writes its tables in the same order, and each table's rows in the order of their keys, so that commits
//! on PostgreSQL queue up instead of deadlocking. The outbox comes after the conversations: two commits on one
//! conversation are serialized by its row, so their outbox rows are numbered in the order in which they stand. The
//! organization's event counter is locked last, because everybody in the organization waits for it; it is held until
//! the commit stands, so whoever reads event n has also been able to read all events before it.

use std::collections::BTreeMap;

use domain::DeskEvent;
use ports::{
    StoreError,
    bus::headers,
    journal::{Commit, CommitError, Outgoing},
};
use sea_orm::{DatabaseTransaction, DbErr, Value};

use super::events;
use crate::{
    SqlStore,
    columns::{self, Guard, Rows},
    conservation, ledger,
    parking::{self, decisions},
    rows,
    rows::{CONTACTS, CONVERSATIONS, MESSAGES, SEATS, provider_key},
    statement::{Table, execute_in, failure, insert_each, is_conflict, json, lacks_rows, optional_text, printed, text},
};

const PROCESSED: Table = Table { name: "processed", columns: &["event", "organization", "kind", "at"] };
const PROVIDER_IDS: Table =
    Table { name: "provider_ids", columns: &["provider_key", "message", "organization", "trace"] };
const HELD: Table =
    Table { name: "held_receipts", columns: &["provider_key", "event", "organization", "held", "held_at"] };
const TIMERS: Table = Table { name: "timers", columns: &["conversation", "kind", "organization", "lane", "due_at"] };
pub(super) const OUTBOX: Table = Table {
    name: "outbox",
    columns: &["lane", "at", "organization", "id", "route", "kind", "correlation", "headers", "body"],
};

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
const TIMER_MOVES: &str =
    "ON CONFLICT (conversation, kind) DO UPDATE SET lane = excluded.lane, due_at = excluded.due_at";
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
    if let Some(on) = store.at_once().filter(|_| is_plain(commit)) {
        let numbered =
            events::insert_and_number(on, ready.first, Guard::Statement, &commit.events, ready.pages).await?;
        return Ok(numbered.1);
    }
    let writing = store.begin().await?;
    let events = write(writing.connection(), commit, ready).await?;
    writing.commit().await.map_err(stands_against)?;
    Ok(events)
}

/// The rows, and the values of what comes between them.
struct Ready {
    first: Vec<Rows>,
    timers_back: Vec<(&'static str, Vec<Value>)>,
    decided: Vec<Value>,
    asked: Vec<Value>,
    rest: Vec<Rows>,
    pages: Vec<events::Page>,
}

impl Ready {
    fn of(commit: &Commit) -> Result<Self, StoreError> {
        let (timers, timers_back) = timers(commit);
        Ok(Self {
            first: first(commit, timers)?,
            timers_back,
            decided: decisions::decision_values(commit.decided.iter().map(|(decision, _)| decision))?,
            asked: commit.decided.iter().map(|(decision, _)| decisions::asked(decision)).collect::<Result<_, _>>()?,
            rest: vec![
                row_set(parking::PARKED, parking::AGAIN, parking::values(&commit.parked)?),
                row_set(OUTBOX, "", all(&commit.outbox.iter().collect::<Vec<_>>(), outbox_values)?),
            ],
            pages: events::pages(&commit.events)?,
        })
    }
}

/// The rows that come before all else: those that must be [whole](Rows::whole) in the order of [`guard`], then others.
fn first(commit: &Commit, timers: Vec<Value>) -> Result<Vec<Rows>, StoreError> {
    let mut conversations: Vec<_> = commit.conversations.iter().collect();
    conversations.sort_by_key(|conversation| conversation.id);
    let mut messages: Vec<_> = commit.messages.iter().collect();
    messages.sort_by_key(|message| message.id);
    let mut contacts: Vec<_> = commit.contacts.iter().collect();
    contacts.sort_by_key(|contact| contact.id);
    let mut seats: Vec<_> = commit.seats.iter().collect();
    seats.sort_by_key(|seat| (seat.organization, seat.user));
    let contacts = all(&contacts, |it, values| {
        rows::contact_values(it, values);
        Ok(())
    })?;
    let whole = |table, tail, values| Rows { whole: true, ..row_set(table, tail, values) };
    let heard = [conservation::heard_values(&commit.heard), conservation::parked_values(&commit.parked)].concat();
    Ok(vec![
        whole(PROCESSED, "ON CONFLICT (event) DO NOTHING", processed(commit)),
        whole(CONVERSATIONS, CONVERSATION_MOVES, all(&conversations, rows::conversation_values)?),
        whole(MESSAGES, MESSAGE_MOVES, all(&messages, rows::message_values)?),
        whole(CONTACTS, CONTACT_MOVES, contacts),
        whole(SEATS, SEAT_MOVES, all(&seats, rows::seat_values)?),
        row_set(PROVIDER_IDS, "ON CONFLICT (provider_key) DO NOTHING", provider_ids(commit)),
        row_set(HELD, "ON CONFLICT (provider_key, event) DO NOTHING", held(commit)?),
        row_set(TIMERS, TIMER_MOVES, timers),
        row_set(conservation::HEARD, conservation::HEARD_TWICE, heard),
    ])
}

const fn row_set(table: Table, tail: &'static str, values: Vec<Value>) -> Rows {
    Rows { table, tail, values, whole: false }
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
    guard(commit, &insert_each(on, ready.first).await.map_err(stands_against)?)?;
    between(on, commit, ready.timers_back, ready.asked, ready.decided).await?;
    let numbered = events::insert_and_number(on, ready.rest, Guard::Caller, &commit.events, ready.pages).await?;
    Ok(numbered.1)
}

/// Whether all of it may be written in one statement. Its tables are written in their order, as far as PostgreSQL has ever
/// been seen to do, and it promises none: for the counter another would cost a deadlock and a second try, but for the
/// outbox it would be the order of messages. What deletes or looks at versions of its own comes between.
fn is_plain(commit: &Commit) -> bool {
    // All of them, so that a new one is thought of.
    let Commit {
        processed: _,
        conversations: _,
        messages: _,
        contacts: _,
        seats: _,
        provider_ids: _,
        hold: _,
        release,
        timers,
        outbox,
        events: _,
        decided,
        settled,
        parked,
        reopened,
        heard: _,
    } = commit;
    timers.iter().all(|timer| timer.due_at.is_some())
        && release.is_empty()
        && decided.is_empty()
        && settled.is_empty()
        && reopened.is_empty()
        && parked.is_empty()
        && outbox.is_empty()
}

fn guard(commit: &Commit, written: &[u64]) -> Result<(), CommitError> {
    let guards = [
        (commit.processed.len(), "an event was already carried out"),
        (commit.conversations.len(), "a conversation moved on"),
        (commit.messages.len(), "a message moved on"),
        (commit.contacts.len(), "a contact moved on"),
        (commit.seats.len(), "a seat moved on"),
    ];
    for (written, (given, otherwise)) in written.iter().zip(guards) {
        expect(*written, given, otherwise)?;
    }
    Ok(())
}

/// What comes after the first rows and before the last.
async fn between(
    on: &DatabaseTransaction,
    commit: &Commit,
    timers_back: Vec<(&'static str, Vec<Value>)>,
    asked: Vec<Value>,
    decided: Vec<Value>,
) -> Result<(), CommitError> {
    execute_in(on, "DELETE FROM held_receipts WHERE event IN ({in})", &[], commit.release.iter().map(printed))
        .await
        .map_err(stands_against)?;
    for (kind, conversations) in timers_back {
        let text = "DELETE FROM timers WHERE kind = $1 AND conversation IN ({in})";
        execute_in(on, text, &[kind.into()], conversations).await.map_err(stands_against)?;
    }
    for ((decision, version), asked) in commit.decided.iter().zip(asked) {
        let ruled = decisions::rule(on, decision, *version, asked).await.map_err(stands_against)?;
        expect(ruled, 1, "a parked message moved on")?;
    }
    decisions::insert_decisions(on, decided).await.map_err(stands_against)?;
    decisions::settle(on, &commit.settled).await.map_err(stands_against)?;
    ledger::reopen(on, &commit.reopened).await.map_err(stands_against)
}

/// As many rows as were given must have been written.
fn expect(written: u64, given: usize, otherwise: &str) -> Result<(), CommitError> {
    if written == given as u64 { Ok(()) } else { Err(CommitError::Conflict(otherwise.to_owned())) }
}

pub(super) fn stands_against(error: DbErr) -> CommitError {
    if lacks_rows(&error) {
        return CommitError::Conflict(columns::LACKING.to_owned());
    }
    if is_conflict(&error) { CommitError::Conflict(error.to_string()) } else { CommitError::Store(failure(error)) }
}
