//! Shelves, and whose turn it is to write to them.

use async_trait::async_trait;
use domain::{Channel, Partition};
use ports::{Laden, Put, Shelf, ShelfError, Shelved, Shelves, StoreError, Turn, bus::Envelope};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, Value};

use crate::{
    SqlStore,
    journal::envelope,
    row::Row,
    rows,
    statement::{Table, execute_in, failure, insert_rows, printed, statement, text},
};

const SHELVED: Table = Table {
    name: "shelved",
    columns: &["channel", "lane", "account", "organization", "id", "route", "kind", "correlation", "headers", "body"],
};

/// The condition on the rows of one shelf, for [`key`].
const OF_SHELF: &str = "channel = $1 AND lane = $2 AND account = $3 AND organization = $4";

fn place(channel: &Channel, partition: Partition) -> [Value; 2] {
    [printed(channel), i64::from(partition.0).into()]
}

fn key(shelf: &Shelf) -> Vec<Value> {
    let [channel, lane] = place(&shelf.channel, shelf.partition);
    vec![channel, lane, printed(shelf.account), printed(shelf.organization)]
}

fn written(turn: Turn) -> Value {
    i64::try_from(turn.0).unwrap_or(i64::MAX).into()
}

/// Holds the turn until the end of the transaction, so that nobody takes over in the middle. SQLite has one writer.
async fn hold(on: &DatabaseTransaction, shelf: &Shelf, turn: Turn) -> Result<(), ShelfError> {
    let lock = if on.get_database_backend() == DatabaseBackend::Postgres { " FOR UPDATE" } else { "" };
    let held = format!("SELECT turn FROM shelf_turns WHERE channel = $1 AND lane = $2 AND turn = $3{lock}");
    let mut values = place(&shelf.channel, shelf.partition).to_vec();
    values.push(written(turn));
    match on.query_one_raw(statement(on, held, values)).await.map_err(failure)? {
        Some(_) => Ok(()),
        None => Err(ShelfError::TakenOver),
    }
}

async fn put(store: &SqlStore, turn: Turn, shelf: &Shelf, envelopes: &[Envelope]) -> Result<Put, ShelfError> {
    let mut values = Vec::with_capacity(envelopes.len() * SHELVED.columns.len());
    for envelope in envelopes {
        values.extend(key(shelf));
        values.extend(rows::envelope_values(envelope)?);
    }
    let writing = store.begin().await?;
    let on = writing.connection();
    hold(on, shelf, turn).await?;
    let tail = "ON CONFLICT (channel, lane, account, organization, id) DO NOTHING";
    let added = insert_rows(on, SHELVED, tail, values).await.map_err(failure)?;
    let newest = format!("SELECT sequence, id FROM shelved WHERE {OF_SHELF} ORDER BY sequence DESC LIMIT 1");
    let row = on.query_one_raw(statement(on, newest, key(shelf))).await.map_err(failure)?;
    let (last, newest) = match row.map(Row) {
        Some(row) => (row.integer("sequence")?, row.text("id")?),
        None => (0, String::new()),
    };
    writing.commit().await.map_err(failure)?;
    Ok(Put { added, last, newest })
}

async fn take_over(
    store: &SqlStore,
    channel: &Channel,
    partition: Partition,
) -> Result<(Turn, Vec<Laden>), StoreError> {
    let writing = store.begin().await?;
    let on = writing.connection();
    let next = "INSERT INTO shelf_turns (channel, lane, turn) VALUES ($1, $2, 1)
                ON CONFLICT (channel, lane) DO UPDATE SET turn = shelf_turns.turn + 1 RETURNING turn";
    let row = on.query_one_raw(statement(on, next, place(channel, partition).to_vec())).await.map_err(failure)?;
    let turn = row.map_or(Ok(0), |row| Row(row).number("turn"))?;
    // A statement of its own, after the row is held: what a former owner wrote until then is in its sight.
    let laden = "SELECT organization, account, COUNT(*) AS total, MAX(sequence) AS last FROM shelved
                 WHERE channel = $1 AND lane = $2 GROUP BY organization, account ORDER BY account, organization";
    let rows = on.query_all_raw(statement(on, laden, place(channel, partition).to_vec())).await.map_err(failure)?;
    writing.commit().await.map_err(failure)?;
    let laden = rows.into_iter().map(Row).map(|row| {
        let (organization, account) = (row.parsed("organization")?, row.parsed("account")?);
        let shelf = Shelf { channel: channel.clone(), partition, organization, account };
        Ok(Laden { shelf, count: row.number("total")?, last: row.integer("last")? })
    });
    Ok((Turn(turn), laden.collect::<Result<_, StoreError>>()?))
}

#[async_trait]
impl Shelves for SqlStore {
    async fn take_over(&self, channel: &Channel, partition: Partition) -> Result<(Turn, Vec<Laden>), StoreError> {
        self.in_time(take_over(self, channel, partition)).await
    }

    async fn holds(&self, shelf: &Shelf, id: &str) -> Result<bool, StoreError> {
        let mut values = key(shelf);
        values.push(text(id));
        let found = format!("SELECT 1 AS found FROM shelved WHERE {OF_SHELF} AND id = $5");
        Ok(self.read_one(&found, values).await?.is_some())
    }

    async fn put(&self, turn: Turn, shelf: &Shelf, envelopes: &[Envelope]) -> Result<Put, ShelfError> {
        self.in_time(put(self, turn, shelf, envelopes)).await
    }

    async fn page(&self, turn: Turn, shelf: &Shelf, after: i64, limit: u32) -> Result<Vec<Shelved>, ShelfError> {
        // One statement, so that whose turn it is and what lies there are of one moment.
        let page = format!(
            "SELECT t.turn, s.* FROM shelf_turns t LEFT JOIN
             (SELECT * FROM shelved WHERE {OF_SHELF} AND sequence > $6 ORDER BY sequence LIMIT $7) s
             ON s.channel = t.channel AND s.lane = t.lane
             WHERE t.channel = $1 AND t.lane = $2 AND t.turn = $5 ORDER BY s.sequence"
        );
        let mut values = key(shelf);
        values.extend([written(turn), after.into(), i64::from(limit).into()]);
        let rows = self.read(&page, values).await?;
        if rows.is_empty() {
            return Err(ShelfError::TakenOver);
        }
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(position) = row.optional_integer("sequence")? {
                found.push(Shelved { position, envelope: envelope(&row)? });
            }
        }
        Ok(found)
    }

    async fn remove(&self, shelf: &Shelf, positions: &[i64]) -> Result<(), StoreError> {
        if positions.is_empty() {
            return Ok(());
        }
        let gone = format!("DELETE FROM shelved WHERE {OF_SHELF} AND sequence IN ({{in}})");
        self.in_time(async {
            let writing = self.begin().await?;
            let keys = positions.iter().map(|position| Value::from(*position));
            execute_in(writing.connection(), &gone, &key(shelf), keys).await.map_err(failure)?;
            writing.commit().await.map_err(failure)
        })
        .await
    }
}
