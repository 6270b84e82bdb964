//! Plans that keep up with a store that grows. PostgreSQL plans a prepared statement by what it knows of the tables, and
//! keeps the plan: one that was made while a table was empty reads all of it, until the table is analyzed. By itself it
//! comes to that within a minute, and in that minute a new store may get its first ten thousand messages. What is known of
//! a table of some size does not go stale so quickly; later its own autovacuum suffices.

use std::time::Duration;

use ports::StoreError;
use sea_orm::DatabaseBackend;

use crate::{SqlStore, statement::statement};

/// Our tables that have four times the pages that they had when PostgreSQL last wrote that down (`relpages`, by analyzing
/// and vacuuming, after either of which it plans anew), and at least sixteen: some two hundred messages.
const OUTGROWN: &str = "SELECT c.oid::regclass::text AS name FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    WHERE c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')
    AND pg_relation_size(c.oid) / current_setting('block_size')::bigint >= 4 * GREATEST(c.relpages, 4)::bigint";
/// How long one may take: a sample, whatever the table's size. As long as it lasts nothing is cut off that is silent.
const LONGEST: Duration = Duration::from_secs(30);

/// See [`ports::Journal::survey`].
pub(crate) async fn look(store: &SqlStore) -> Result<usize, StoreError> {
    // SQLite keeps no plan beyond the statement, and looks up by unique keys without knowing sizes.
    if store.backend() != DatabaseBackend::Postgres {
        return Ok(0);
    }
    let outgrown = store.read(OUTGROWN, vec![]).await?;
    for table in &outgrown {
        // One that is being analyzed or vacuumed already is looked at the next time, if it is still due. Who waited for it
        // would hold up whoever comes behind.
        let analyze = format!("ANALYZE (SKIP_LOCKED) {}", table.text("name")?);
        let analyzed = store.read_slowly(statement(store.readers(), analyze, vec![]));
        match tokio::time::timeout(LONGEST, analyzed).await {
            Ok(analyzed) => drop(analyzed?),
            Err(_) => return Err(StoreError::Unavailable(format!("a table was not analyzed within {LONGEST:?}"))),
        }
    }
    Ok(outgrown.len())
}
