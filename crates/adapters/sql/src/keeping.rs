//! How long things are kept. The truth is kept; what can be read again elsewhere is not.

use domain::Timestamp;
use ports::StoreError;

use crate::SqlStore;

impl SqlStore {
    /// Forgets desk events older than `events_before`, and windows and sign-ins that have expired by `now`. A page
    /// whose cursor is older reads everything again. Answers how many rows went.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn sweep(&self, events_before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let mut gone = 0;
        for (text, before) in [
            ("DELETE FROM desk_events WHERE at < $1", events_before),
            ("DELETE FROM windows WHERE expires_at < $1", now),
            ("DELETE FROM sign_ins WHERE expires_at < $1", now),
        ] {
            gone += self.write(text, vec![before.millis().into()]).await?;
        }
        Ok(gone)
    }
}
