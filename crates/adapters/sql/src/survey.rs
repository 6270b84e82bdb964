//! Plans that keep up with a store that grows. PostgreSQL plans a prepared statement by what it knows of the tables, and
//! keeps the plan: one that was made while a table was empty reads all of it, until the table is analyzed. By itself it
//! comes to that within a minute, and in that minute a new store may get its first ten thousand messages. What is known of
//! a table of some size does not go stale so quickly; later its own autovacuum suffices.

use ports::StoreError;
use sea_orm::DatabaseBackend;

use crate::{SqlStore, statement::statement};

/// Our tables that have four times the pages that they had when PostgreSQL last looked, and at least sixteen: some two
/// hundred messages. `relpages` is what analyzing wrote down; the size is that of the moment.
const OUTGROWN: &str = "SELECT c.oid::regclass::text AS name FROM pg_class c
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND pg_has_role(c.relowner, 'USAGE')
    AND pg_relation_size(c.oid) / current_setting('block_size')::bigint >= 4 * GREATEST(c.relpages, 4)";

/// See [`ports::Journal::survey`].
pub(crate) async fn look(store: &SqlStore) -> Result<usize, StoreError> {
    // SQLite keeps no plan beyond the statement, and looks up by unique keys without knowing sizes.
    if store.backend() != DatabaseBackend::Postgres {
        return Ok(0);
    }
    let outgrown = store.read(OUTGROWN, vec![]).await?;
    for table in &outgrown {
        // A table that another replica analyzes is waited for, and then analyzed once more: a sample, whatever its size.
        let analyze = format!("ANALYZE {}", table.text("name")?);
        store.read_slowly(statement(store.readers(), analyze, vec![])).await?;
    }
    Ok(outgrown.len())
}
