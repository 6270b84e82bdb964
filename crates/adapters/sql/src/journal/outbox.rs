//! What is to be published or fired, and who may.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Partition, Timestamp};
use ports::{
    StoreError,
    bus::Envelope,
    journal::{DueTimer, OutboxRow, Outgoing, TimerKind},
    topology::Topic,
};
use sea_orm::Value;

use super::commit;
use crate::{
    SqlStore,
    row::Row,
    statement::{Sql, Table, execute_in, failure, insert_returning, text},
};

fn lanes(partitions: &[Partition]) -> impl Iterator<Item = Value> {
    partitions.iter().map(|partition| i64::from(partition.0).into())
}

pub(super) async fn read(store: &SqlStore, partitions: &[Partition], limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
    let columns = commit::OUTBOX.columns.join(", ");
    let mut sql = Sql::new(&format!("SELECT sequence, {columns} FROM outbox WHERE lane IN "));
    sql.bind_list(lanes(partitions)).push(" ORDER BY sequence LIMIT ").bind(i64::from(limit));
    store.read_statement(sql.into_statement(store.backend())).await?.iter().map(outbox_row).collect()
}

fn outbox_row(row: &Row) -> Result<OutboxRow, StoreError> {
    Ok(OutboxRow {
        sequence: row.integer("sequence")?,
        outgoing: Outgoing { partition: Partition(row.number("lane")?), at: row.time("at")?, envelope: envelope(row)? },
    })
}

/// The envelope in a row of the outbox, or of any table with its columns.
pub(crate) fn envelope(row: &Row) -> Result<Envelope, StoreError> {
    let route = row.text("route")?;
    Ok(Envelope {
        id: row.text("id")?,
        topic: Topic::from_route(&route).ok_or_else(|| StoreError::Refused(format!("no such route: {route}")))?,
        kind: row.text("kind")?,
        correlation: row.optional_text("correlation")?,
        headers: row.json::<BTreeMap<String, String>>("headers")?,
        body: row.bytes("body")?.into(),
    })
}

pub(super) async fn forget(store: &SqlStore, sequences: &[i64]) -> Result<(), StoreError> {
    if sequences.is_empty() {
        return Ok(());
    }
    let writing = store.begin().await?;
    let keys = sequences.iter().map(|sequence| Value::from(*sequence));
    execute_in(writing.connection(), "DELETE FROM outbox WHERE sequence IN ({in})", &[], keys)
        .await
        .map_err(failure)?;
    writing.commit().await.map_err(failure)
}

pub(super) async fn due(
    store: &SqlStore,
    partitions: &[Partition],
    now: Timestamp,
    limit: u32,
) -> Result<Vec<DueTimer>, StoreError> {
    let mut sql = Sql::new("SELECT organization, conversation, kind, due_at FROM timers WHERE lane IN ");
    sql.bind_list(lanes(partitions)).push(" AND due_at <= ").bind(now.millis());
    sql.push(" ORDER BY due_at, conversation, kind LIMIT ").bind(i64::from(limit));
    let rows = store.read_statement(sql.into_statement(store.backend())).await?;
    rows.iter()
        .map(|row| {
            Ok(DueTimer {
                organization: row.parsed("organization")?,
                conversation: row.parsed("conversation")?,
                kind: match row.text("kind")?.as_str() {
                    "inactive" => TimerKind::Inactive,
                    "abandon" => TimerKind::Abandon,
                    other => return Err(StoreError::Refused(format!("no such timer: {other}"))),
                },
                due_at: row.time("due_at")?,
            })
        })
        .collect()
}

pub(crate) const LEASES: Table = Table { name: "leases", columns: &["name", "owner", "expires_at"] };

pub(super) async fn lease(
    store: &SqlStore,
    wanted: &[Partition],
    owner: &str,
    now: Timestamp,
    ttl_millis: u32,
) -> Result<Vec<Partition>, StoreError> {
    let wanted: BTreeSet<Partition> = wanted.iter().copied().collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let until = now.millis().saturating_add(i64::from(ttl_millis));
    let values = wanted
        .iter()
        .flat_map(|partition| [format!("partition/{}", partition.0).into(), text(owner), until.into()])
        .collect();
    let writing = store.begin().await?;
    // `excluded.expires_at` less the time to live is now; written so, the text stays the same and stays prepared.
    let tail = format!(
        "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
         WHERE leases.owner = excluded.owner OR leases.expires_at <= excluded.expires_at - {ttl_millis}
         RETURNING name"
    );
    let held = insert_returning(writing.connection(), LEASES, &tail, values).await.map_err(failure)?;
    writing.commit().await.map_err(failure)?;
    let held: BTreeSet<String> = held.iter().map(|row| row.text("name")).collect::<Result<_, _>>()?;
    Ok(wanted.into_iter().filter(|partition| held.contains(&format!("partition/{}", partition.0))).collect())
}
