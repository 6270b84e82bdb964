//! The bus's tables: what the writer writes in one transaction, and what it reads.

use std::{collections::BTreeMap, sync::Arc};

use adapter_sql::{SqlStore, Table, execute_in, failure, insert_rows};
use ports::{StoreError, bus::Envelope, topology::Topic};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

const MESSAGES: Table = Table {
    name: "bus_messages",
    columns: &["seq", "queue", "id", "route", "kind", "correlation", "headers", "body", "attempts", "available_at"],
};
const MARKS: Table = Table { name: "bus_marks", columns: &["queue", "delivered"] };

/// A message to insert.
#[derive(Debug)]
pub(super) struct Insert {
    pub(super) seq: i64,
    pub(super) queue: Arc<str>,
    pub(super) envelope: Arc<Envelope>,
}

/// A message that goes to the tail of its queue, not before `available_at` (milliseconds since the epoch).
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) available_at: i64,
}

/// All that one step of the writer changes.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) inserts: Vec<Insert>,
    pub(super) deletes: Vec<i64>,
    /// Put back after a delivery: one attempt more.
    pub(super) requeues: Vec<i64>,
    pub(super) moves: Vec<Move>,
    /// How far each queue was handed out, written before it is.
    pub(super) marks: BTreeMap<Arc<str>, i64>,
}

impl Work {
    pub(super) fn is_empty(&self) -> bool {
        self.inserts.is_empty()
            && self.deletes.is_empty()
            && self.requeues.is_empty()
            && self.moves.is_empty()
            && self.marks.is_empty()
    }

    /// Writes all of it or nothing.
    pub(super) async fn write(&self, store: &SqlStore) -> Result<(), StoreError> {
        let inserts = self.insert_values()?;
        let writing = store.begin().await?;
        let on = writing.connection();
        insert_rows(on, MESSAGES, "", inserts).await.map_err(failure)?;
        let deletes = self.deletes.iter().map(|seq| Value::from(*seq));
        execute_in(on, "DELETE FROM bus_messages WHERE seq IN ({in})", &[], deletes).await.map_err(failure)?;
        let requeues = self.requeues.iter().map(|seq| Value::from(*seq));
        let again = "UPDATE bus_messages SET attempts = attempts + 1 WHERE seq IN ({in})";
        execute_in(on, again, &[], requeues).await.map_err(failure)?;
        for step in &self.moves {
            let text = "UPDATE bus_messages SET seq = $1, attempts = attempts + 1, available_at = $2 WHERE seq = $3";
            let values = [step.to.into(), step.available_at.into(), step.from.into()];
            let statement = Statement::from_sql_and_values(on.get_database_backend(), text, values);
            on.execute_raw(statement).await.map_err(failure)?;
        }
        let marks = self.marks.iter().flat_map(|(queue, seq)| [queue.to_string().into(), (*seq).into()]).collect();
        let forward = "ON CONFLICT (queue) DO UPDATE SET delivered = excluded.delivered";
        insert_rows(on, MARKS, forward, marks).await.map_err(failure)?;
        writing.commit().await.map_err(failure)
    }

    fn insert_values(&self) -> Result<Vec<Value>, StoreError> {
        let mut values = Vec::with_capacity(self.inserts.len() * MESSAGES.columns.len());
        for insert in &self.inserts {
            let envelope = &insert.envelope;
            let headers = serde_json::to_string(&envelope.headers)
                .map_err(|error| StoreError::Refused(format!("headers cannot be written: {error}")))?;
            values.extend([
                insert.seq.into(),
                insert.queue.to_string().into(),
                envelope.id.clone().into(),
                envelope.topic.route().into(),
                envelope.kind.clone().into(),
                envelope.correlation.clone().into(),
                headers.into(),
                envelope.body.to_vec().into(),
                0i64.into(),
                0i64.into(),
            ]);
        }
        Ok(values)
    }
}

/// A message that was read.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) seq: i64,
    pub(super) envelope: Envelope,
    pub(super) attempts: u32,
    pub(super) available_at: i64,
}

/// What each queue holds.
#[derive(Debug)]
pub(super) struct Count {
    pub(super) queue: String,
    pub(super) rows: u64,
    pub(super) last: i64,
}

/// After a restart: counts the attempts that were cut short, forgets the marks, and answers what each queue holds.
pub(super) async fn recover(store: &SqlStore) -> Result<Vec<Count>, StoreError> {
    let writing = store.begin().await?;
    let on = writing.connection();
    for text in [
        "UPDATE bus_messages SET attempts = attempts + 1
         WHERE seq <= (SELECT m.delivered FROM bus_marks m WHERE m.queue = bus_messages.queue)",
        "DELETE FROM bus_marks",
    ] {
        on.execute_unprepared(text).await.map_err(failure)?;
    }
    let text = "SELECT queue, COUNT(*) AS total, MAX(seq) AS newest FROM bus_messages GROUP BY queue";
    let counts = on
        .query_all_raw(Statement::from_string(on.get_database_backend(), text))
        .await
        .and_then(|rows| rows.iter().map(count).collect::<Result<Vec<_>, _>>())
        .map_err(failure)?;
    writing.commit().await.map_err(failure)?;
    Ok(counts)
}

fn count(row: &QueryResult) -> Result<Count, DbErr> {
    let rows: i64 = row.try_get("", "total")?;
    Ok(Count {
        queue: row.try_get("", "queue")?,
        rows: u64::try_from(rows).unwrap_or(0),
        last: row.try_get("", "newest")?,
    })
}

/// The next messages of a queue after `after`. Answers them with the number of the last row that was seen.
pub(super) async fn read(
    store: &SqlStore,
    queue: &str,
    after: i64,
    limit: usize,
) -> Result<(Vec<Stored>, Option<i64>, usize), StoreError> {
    let on = store.readers();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = Statement::from_sql_and_values(
        on.get_database_backend(),
        "SELECT * FROM bus_messages WHERE queue = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        [queue.to_owned().into(), after.into(), limit.into()],
    );
    let rows = on.query_all_raw(statement).await.map_err(failure)?;
    let mut stored = Vec::with_capacity(rows.len());
    let mut last = None;
    for row in &rows {
        last = Some(row.try_get("", "seq").map_err(failure)?);
        match message(row) {
            Ok(message) => stored.push(message),
            // It stays where it is: a release that knows its route will read it.
            Err(error) => tracing::error!(queue, seq = last, %error, "a message cannot be read"),
        }
    }
    Ok((stored, last, rows.len()))
}

fn message(row: &QueryResult) -> Result<Stored, DbErr> {
    let text = |column: &str| row.try_get::<String>("", column);
    let route = text("route")?;
    let attempts: i64 = row.try_get("", "attempts")?;
    Ok(Stored {
        seq: row.try_get("", "seq")?,
        envelope: Envelope {
            id: text("id")?,
            topic: Topic::from_route(&route).ok_or_else(|| DbErr::Type(format!("no such route: {route}")))?,
            kind: text("kind")?,
            correlation: row.try_get("", "correlation")?,
            headers: serde_json::from_str(&text("headers")?).map_err(|error| DbErr::Json(error.to_string()))?,
            body: row.try_get::<Vec<u8>>("", "body")?.into(),
        },
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        available_at: row.try_get("", "available_at")?,
    })
}
