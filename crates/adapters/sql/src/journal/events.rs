//! Changes for the desk: numbered from the counters of their organizations, and written in pages.
//!
//! A counter is locked from here to the end of the commit, and everybody in the organization waits for it.

use std::collections::BTreeMap;

use domain::{DeskChange, DeskEvent, OrganizationId};
use ports::{StoreError, journal::CommitError};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Value, sea_query::ArrayType};

use super::commit::stands_against;
use crate::{
    columns::{Behind, Guard, Rows},
    row::Row,
    rows,
    statement::{Table, insert_each, insert_each_and, insert_returning, insert_rows, json, number, printed},
};

const COUNTERS: Table = Table { name: "event_counters", columns: &["organization", "last_sequence"] };
const EVENTS: Table = Table { name: "desk_events", columns: &["organization", "sequence", "at", "change"] };
const COUNTS_ON: &str = "ON CONFLICT (organization) DO UPDATE SET
    last_sequence = event_counters.last_sequence + excluded.last_sequence RETURNING organization, last_sequence";

/// Changes of one organization that stand in one row: a commit of a hundred messages is a few rows, not hundreds.
pub(super) struct Page {
    organization: OrganizationId,
    at: i64,
    /// How many of the commit's changes for this organization come after it.
    behind: u64,
    changes: Value,
}

pub(super) fn pages(events: &[DeskEvent]) -> Result<Vec<Page>, StoreError> {
    let mut by_organization: BTreeMap<OrganizationId, Vec<&DeskEvent>> = BTreeMap::new();
    for event in events {
        by_organization.entry(event.organization).or_default().push(event);
    }
    let mut pages = Vec::new();
    for (organization, events) in by_organization {
        let mut behind = events.len();
        for chunk in events.chunk_by(|one, next| one.at == next.at).flat_map(|run| run.chunks(rows::CHANGES_IN_A_ROW)) {
            let changes: Vec<&DeskChange> = chunk.iter().map(|event| &event.change).collect();
            let at = chunk.first().map_or(0, |event| event.at.millis());
            behind -= chunk.len();
            pages.push(Page { organization, at, behind: behind as u64, changes: json(&changes)? });
        }
    }
    Ok(pages)
}

/// Inserts the rows, in this order, and then numbers the events, in the order given, and writes them in pages; a row has
/// the number of the last of its changes. Answers how many rows went into each table, and the numbered events.
pub(super) async fn insert_and_number<C: ConnectionTrait>(
    on: &C,
    each: Vec<Rows>,
    guard: Guard,
    events: &[DeskEvent],
    pages: Vec<Page>,
) -> Result<(Vec<u64>, Vec<DeskEvent>), CommitError> {
    let mut counts = Counts::new();
    for event in events {
        *counts.entry(event.organization).or_default() += 1;
    }
    let (written, counters) = written(on, each, guard, &counts, pages).await.map_err(stands_against)?;
    if events.is_empty() {
        return Ok((written, Vec::new()));
    }
    let mut next = Counts::new();
    for row in &counters {
        let organization = row.parsed("organization")?;
        let last: u64 = row.number("last_sequence")?;
        next.insert(organization, last + 1 - counts.get(&organization).copied().unwrap_or(0));
    }
    let mut numbered = events.to_vec();
    for event in &mut numbered {
        let place = next.entry(event.organization).or_insert(1);
        event.sequence = *place;
        *place += 1;
    }
    Ok((written, numbered))
}

type Counts = BTreeMap<OrganizationId, u64>;

/// Inserts the rows, counts on and writes the pages. Answers how many rows went into each table, and the counters.
async fn written<C: ConnectionTrait>(
    on: &C,
    each: Vec<Rows>,
    guard: Guard,
    counts: &Counts,
    pages: Vec<Page>,
) -> Result<(Vec<u64>, Vec<Row>), DbErr> {
    if on.get_database_backend() == DatabaseBackend::Postgres {
        let behind = (!counts.is_empty()).then(|| behind(counts, pages));
        return insert_each_and(on, each, behind, guard).await;
    }
    let written = insert_each(on, each).await?;
    let values = counts.iter().flat_map(|(organization, count)| [printed(organization), number(*count)]).collect();
    let counters = insert_returning(on, COUNTERS, COUNTS_ON, values).await?;
    let mut last = Counts::new();
    for row in &counters {
        let read = |error: StoreError| DbErr::Custom(error.to_string());
        last.insert(row.parsed("organization").map_err(read)?, row.number("last_sequence").map_err(read)?);
    }
    let place = |page: &Page| last.get(&page.organization).copied().unwrap_or(0).saturating_sub(page.behind);
    let values = pages
        .into_iter()
        .flat_map(|page| [printed(page.organization), number(place(&page)), page.at.into(), page.changes])
        .collect();
    insert_rows(on, EVENTS, "", values).await?;
    Ok((written, counters))
}

/// What counts on and writes the pages on PostgreSQL, in the statement that writes the rows: the counter is locked for no
/// way to the server and back but that of the commit.
fn behind(counts: &Counts, pages: Vec<Page>) -> Behind {
    let array = |kind, values| Value::Array(kind, Some(Box::new(values)));
    let (mut owners, mut behind, mut at, mut changes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for page in pages {
        owners.push(printed(page.organization));
        behind.push(number(page.behind));
        at.push(page.at.into());
        changes.push(page.changes);
    }
    let arrays = vec![
        array(ArrayType::String, counts.keys().map(printed).collect()),
        array(ArrayType::BigInt, counts.values().map(|count| number(*count)).collect()),
        array(ArrayType::String, owners),
        array(ArrayType::BigInt, behind),
        array(ArrayType::BigInt, at),
        array(ArrayType::String, changes),
    ];
    Behind { parts, answer: "counted", arrays }
}

fn parts(before: usize) -> String {
    let [owners, counts, of, behind, at, changes] = [1, 2, 3, 4, 5, 6].map(|place| before + place);
    format!(
        "counted AS (
           INSERT INTO event_counters (organization, last_sequence)
           SELECT organization, count FROM unnest(${owners}::text[], ${counts}::bigint[]) AS given (organization, count)
           {COUNTS_ON}),
         written AS (
           INSERT INTO desk_events (organization, sequence, at, change)
           SELECT page.organization, counted.last_sequence - page.behind, page.at, page.change
           FROM unnest(${of}::text[], ${behind}::bigint[], ${at}::bigint[], ${changes}::text[])
             AS page (organization, behind, at, change)
           JOIN counted ON counted.organization = page.organization)"
    )
}
