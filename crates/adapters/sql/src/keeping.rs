//! How long things are kept. The truth is kept; what can be read again elsewhere is not.

use domain::Timestamp;
use ports::StoreError;

use crate::SqlStore;

/// Most rows that one statement forgets, so that nobody waits long for SQLite's one writer.
const AT_ONCE: u64 = 2_000;

/// See [`ports::Journal::sweep`].
pub(crate) async fn sweep(store: &SqlStore, events_before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
    let mut gone = 0;
    for (table, key, age, before) in [
        ("desk_events", "organization, sequence", "at", events_before),
        ("held_receipts", "provider_key, event", "held_at", events_before),
        ("windows", "thread", "expires_at", now),
        ("sign_ins", "token_hash", "expires_at", now),
    ] {
        let text = format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {age} < $1 ORDER BY {age} LIMIT {AT_ONCE})"
        );
        loop {
            let went = store.write(&text, vec![before.millis().into()]).await?;
            gone += went;
            if went < AT_ONCE {
                break;
            }
        }
    }
    Ok(gone)
}
