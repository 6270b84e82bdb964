//! What channels accepted and what was heard of it: rows of numbers, added up in ranges.

use std::collections::BTreeMap;

use domain::{Parked, Partition, Timestamp};
use ports::{
    StoreError,
    bus::headers,
    conservation::{Accepted, Fate, Heard, IntakeCounts, Period, Range, SEEN_EMPTY, SendCounts, Stamp, Stream, merged},
};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Value};

use crate::{
    SqlStore,
    row::Row,
    statement::{Sql, Table, failure, insert_rows, json, number, statement, text},
};

const ACCEPTED: Table = Table { name: "accepted", columns: &["slot", "stream", "upto", "void", "at"] };
pub(crate) const HEARD: Table = Table { name: "heard", columns: &["slot", "stream", "fate", "first", "last"] };
/// A batch that is carried out again, or partly, says the same twice.
pub(crate) const HEARD_TWICE: &str = "ON CONFLICT (slot, stream, fate, first, last) DO NOTHING";
/// Fewer rows of one stream are left as they are.
const WORTH_FOLDING: usize = 8;

/// A stream's key without its slot, which has a column of its own.
fn key(stream: &Stream) -> String {
    format!("{}/{}/{}", stream.source, stream.account, stream.partition.0)
}

fn stream(row: &Row) -> Result<Stream, StoreError> {
    let (slot, key) = (row.integer("slot")?, row.text("stream")?);
    format!("{slot}/{key}").parse().map_err(|error| StoreError::Refused(format!("stream '{key}': {error}")))
}

pub(crate) async fn accepted(store: &SqlStore, streams: &[Accepted]) -> Result<(), StoreError> {
    if streams.is_empty() {
        return Ok(());
    }
    let last: BTreeMap<_, _> = streams.iter().map(|one| (&one.stream, one)).collect();
    let mut values = Vec::with_capacity(last.len() * ACCEPTED.columns.len());
    for one in last.values() {
        values.extend([
            one.stream.slot.millis().into(),
            key(&one.stream).into(),
            number(one.upto),
            json(&one.void)?,
            one.at.millis().into(),
        ]);
    }
    let tail = "ON CONFLICT (slot, stream) DO UPDATE SET upto = excluded.upto, void = excluded.void, at = excluded.at
                WHERE accepted.at <= excluded.at";
    store.insert(ACCEPTED, tail, values).await
}

pub(crate) fn heard_values(heard: &[Heard]) -> Vec<Value> {
    let mut heard: Vec<_> = heard.iter().collect();
    heard.sort_unstable();
    let row = |one: &Heard| -> [Value; 5] {
        let (first, last) = one.range;
        [one.stream.slot.millis().into(), key(&one.stream).into(), text(one.fate.as_str()), number(first), number(last)]
    };
    heard.into_iter().flat_map(row).collect()
}

/// Rows are only added.
pub(crate) async fn note_heard<C: ConnectionTrait>(on: &C, values: Vec<Value>) -> Result<(), DbErr> {
    insert_rows(on, HEARD, HEARD_TWICE, values).await.map(|_| ())
}

/// What is kept as parked was heard, if a channel accepted it.
pub(crate) fn parked_values(parked: &[Parked]) -> Vec<Value> {
    let stamp = |one: &Parked| {
        let (_, stamp) = one.headers.iter().find(|(name, _)| name == headers::ACCEPTED)?;
        Some((stamp.parse::<Stamp>().ok()?, Fate::Parked))
    };
    heard_values(&Heard::of(parked.iter().filter_map(stamp)))
}

/// Ranges by stream and fate.
type Ranges = BTreeMap<Stream, Vec<(Fate, Range)>>;

fn ranges(rows: &[Row]) -> Result<Ranges, StoreError> {
    let mut ranges = Ranges::new();
    for row in rows {
        let fate: Fate = row.parsed("fate")?;
        let range = (row.number("first")?, row.number("last")?);
        ranges.entry(stream(row)?).or_default().push((fate, range));
    }
    Ok(ranges)
}

/// See [`ports::Journal::fold_heard`]. What is taken out is always within what is put in, so a row that comes meanwhile
/// is either left alone or said by the new one.
pub(crate) async fn fold(store: &SqlStore, since: Timestamp) -> Result<(), StoreError> {
    let rows = store.read("SELECT * FROM heard WHERE slot >= $1", vec![since.millis().into()]).await?;
    let mut by_fate: BTreeMap<(Stream, Fate), Vec<Range>> = BTreeMap::new();
    for (stream, found) in ranges(&rows)? {
        for (fate, range) in found {
            by_fate.entry((stream.clone(), fate)).or_default().push(range);
        }
    }
    for ((stream, fate), found) in by_fate.into_iter().filter(|(_, found)| found.len() >= WORTH_FOLDING) {
        let folded = merged(found.iter().copied());
        if folded.len() * 2 > found.len() {
            continue;
        }
        store.in_time(replace(store, &stream, fate, folded)).await?;
    }
    Ok(())
}

async fn replace(store: &SqlStore, stream: &Stream, fate: Fate, folded: Vec<Range>) -> Result<(), StoreError> {
    let writing = store.begin().await?;
    let on = writing.connection();
    let out = "DELETE FROM heard WHERE slot = $1 AND stream = $2 AND fate = $3 AND first >= $4 AND last <= $5";
    for (first, last) in &folded {
        let values =
            vec![stream.slot.millis().into(), key(stream).into(), text(fate.as_str()), number(*first), number(*last)];
        on.execute_raw(statement(on, out, values)).await.map_err(failure)?;
    }
    let put: Vec<Heard> = folded.into_iter().map(|range| Heard { stream: stream.clone(), fate, range }).collect();
    note_heard(on, heard_values(&put)).await.map_err(failure)?;
    writing.commit().await.map_err(failure)
}

/// `select` with the period's slots and account.
fn of_period(select: &str, period: &Period) -> Sql {
    let mut sql = Sql::new(select);
    sql.push(" WHERE TRUE");
    if let Some(since) = period.since {
        sql.push(" AND slot >= ").bind(Stream::slot_of(since).millis());
    }
    if let Some(until) = period.until {
        sql.push(" AND slot < ").bind(until.millis());
    }
    if let Some(account) = period.account {
        sql.push(" AND stream LIKE ").bind(format!("%/{account}/%"));
    }
    sql
}

/// See [`ports::Views::intake`]. What was heard is read after what was noted: a number that is missing was missing when
/// its queue was seen empty.
pub(crate) async fn intake(store: &SqlStore, period: &Period) -> Result<IntakeCounts, StoreError> {
    let empty = store.read_one("SELECT place FROM cursors WHERE name = $1", vec![text(SEEN_EMPTY)]).await?;
    let empty: BTreeMap<u16, Timestamp> = empty.map_or_else(|| Ok(BTreeMap::new()), |row| row.json("place"))?;
    let rows = of_period("SELECT * FROM accepted", period).into_statement(store.backend());
    let mut noted: BTreeMap<Stream, Accepted> = BTreeMap::new();
    for row in &store.read_slowly(rows).await? {
        let stream = stream(row)?;
        let (upto, void, at) = (row.number("upto")?, row.json("void")?, row.time("at")?);
        noted.insert(stream.clone(), Accepted { stream, upto, void, at });
    }
    let rows = of_period("SELECT * FROM heard", period).into_statement(store.backend());
    let mut heard = ranges(&store.read_slowly(rows).await?)?;
    for stream in noted.keys() {
        heard.entry(stream.clone()).or_default();
    }
    let mut counts = IntakeCounts::default();
    for (stream, ranges) in &heard {
        let Partition(partition) = stream.partition;
        counts.add(stream, noted.get(stream), ranges, empty.get(&partition).copied());
    }
    Ok(counts)
}

/// See [`ports::Views::sends`].
pub(crate) async fn sends(store: &SqlStore, period: &Period) -> Result<SendCounts, StoreError> {
    let code = match store.backend() {
        DatabaseBackend::Postgres => "CAST(m.delivery AS json) -> 'failure' ->> 'code'",
        _ => "json_extract(m.delivery, '$.failure.code')",
    };
    let counted = |name: &str, which: &str| {
        let mut sql = Sql::new("SELECT ");
        sql.push(name).push(" AS name, COUNT(*) AS total FROM messages m");
        if period.account.is_some() {
            sql.push(" JOIN conversations c ON c.id = m.conversation");
        }
        sql.push(" WHERE m.delivery_state IS NOT NULL AND ").push(which);
        if let Some(account) = period.account {
            sql.push(" AND c.account = ").bind(account.to_string());
        }
        if let Some(since) = period.since {
            sql.push(" AND m.at >= ").bind(since.millis());
        }
        if let Some(until) = period.until {
            sql.push(" AND m.at < ").bind(until.millis());
        }
        sql.push(" GROUP BY 1 ORDER BY 1");
        sql.into_statement(store.backend())
    };
    let by_name = |rows: Vec<Row>| -> Result<Vec<(String, u64)>, StoreError> {
        let named = |row: &Row| Ok((row.optional_text("name")?.unwrap_or_default(), row.number("total")?));
        rows.iter().map(named).collect()
    };
    let states = by_name(store.read_slowly(counted("m.delivery_state", "TRUE")).await?)?;
    let failed = by_name(store.read_slowly(counted(code, "m.delivery_state = 'failed'")).await?)?;
    Ok(SendCounts { submitted: states.iter().map(|(_, count)| count).sum(), states, failed })
}
