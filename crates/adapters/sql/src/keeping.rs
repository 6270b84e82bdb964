//! How long things are kept. The truth is kept; what can be read again elsewhere is not.

use std::time::Duration;

use domain::Timestamp;
use ports::StoreError;

use crate::SqlStore;

/// Most rows that one statement forgets, so that nobody waits long for SQLite's one writer.
const AT_ONCE: u64 = 2_000;
/// How long it is remembered that an event was carried out, and how a send ended. Far longer than any queue, provider
/// or permit repeats anything.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// See [`ports::Journal::sweep`].
pub(crate) async fn sweep(store: &SqlStore, events_before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
    let mut gone = 0;
    let remembered = i64::try_from(REMEMBERED.as_millis()).unwrap_or(i64::MAX);
    let long_ago = Timestamp::from_millis(now.millis().saturating_sub(remembered));
    for (table, key, age, before, which) in [
        ("desk_events", "organization, sequence", "at", events_before, "TRUE"),
        ("held_receipts", "provider_key, event", "held_at", events_before, "TRUE"),
        ("windows", "thread", "expires_at", now, "TRUE"),
        ("sign_ins", "token_hash", "expires_at", now, "TRUE"),
        ("processed", "event", "at", long_ago, "TRUE"),
        ("accepted", "slot, stream", "slot", long_ago, "TRUE"),
        ("heard", "slot, stream, fate, first, last", "slot", long_ago, "TRUE"),
        // One that was begun and never finished stays: it is in doubt.
        ("attempts", "message, part", "begun_at", long_ago, "state <> 'begun'"),
    ] {
        let text = format!(
            "DELETE FROM {table} WHERE ({key}) IN
             (SELECT {key} FROM {table} WHERE {age} < $1 AND {which} ORDER BY {age} LIMIT {AT_ONCE})"
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
