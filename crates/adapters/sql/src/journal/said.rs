//! What contacts wrote lately, by thread: what the gate reads for itself when it may not have heard it.

use domain::{Thread, Timestamp};
use ports::{StoreError, journal::Said};
use sea_orm::Value;

use crate::{SqlStore, row::Row, rows, rows::thread_key, statement::Sql};

/// Threads in one statement; their number is filled up to a power of two, so that few texts serve every batch.
const THREADS: usize = 64;

/// The open conversation and those that are closed are found by an index each; a closed one in which nobody wrote since
/// is not looked at. `begun` is where the answer begins in each conversation: by place and not by time, since a message
/// that the provider brought late stands behind those that it is older than.
const SINCE: &str = "
    of_thread AS (
      SELECT c.id, a.since FROM asked a JOIN conversations c ON c.thread = a.thread AND c.stage <> 'closed'
      UNION ALL
      SELECT c.id, a.since FROM asked a JOIN conversations c ON c.thread = a.thread AND c.stage = 'closed'
        AND c.last_inbound_at >= a.since),
    begun AS (
      SELECT o.id, MIN(x.sequence) AS place FROM of_thread o
      JOIN messages x ON x.conversation = o.id AND x.author = 'contact' AND x.at >= o.since GROUP BY o.id)
    SELECT c.organization, c.account, c.address, m.cause, m.content, m.provider_id, m.at FROM begun b
    JOIN conversations c ON c.id = b.id
    JOIN messages m ON m.conversation = b.id AND m.sequence >= b.place AND m.author = 'contact'
    ORDER BY c.opened_at, m.conversation, m.sequence";

pub(super) async fn read(store: &SqlStore, since: &[(Thread, Timestamp)]) -> Result<Vec<Said>, StoreError> {
    let mut said = Vec::new();
    for some in since.chunks(THREADS) {
        let found = store.read_statement(asked(some).into_statement(store.backend())).await?;
        for row in &found {
            said.push(one(row)?);
        }
    }
    Ok(said)
}

fn asked(some: &[(Thread, Timestamp)]) -> Sql {
    let mut sql = Sql::new("WITH asked (thread, since) AS (VALUES ");
    let nobody: (Value, Value) = (String::new().into(), 0_i64.into());
    let keys = some.iter().map(|(thread, at)| (thread_key(thread).into(), at.millis().into()));
    let filled = keys.chain(std::iter::repeat(nobody)).take(some.len().next_power_of_two());
    for (at, (thread, since)) in filled.enumerate() {
        sql.push(if at == 0 { "(CAST(" } else { ", (CAST(" }).bind(thread);
        sql.push(" AS TEXT), CAST(").bind(since).push(" AS BIGINT))");
    }
    sql.push("),").push(SINCE);
    sql
}

fn one(row: &Row) -> Result<Said, StoreError> {
    Ok(Said {
        thread: rows::thread(row)?,
        cause: row.parsed("cause")?,
        content: row.json("content")?,
        provider_id: row.optional_text("provider_id")?,
        at: row.time("at")?,
    })
}
