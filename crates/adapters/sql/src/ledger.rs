//! Send attempts: a row from the moment before the request leaves.

use async_trait::async_trait;
use domain::{MessageId, Outcome, Timestamp};
use ports::{Begun, Ledger, StoreError};

use crate::{
    SqlStore,
    statement::{json, printed},
};

#[async_trait]
impl Ledger for SqlStore {
    async fn begin(&self, message: MessageId, part: u16, at: Timestamp) -> Result<Begun, StoreError> {
        let key = || vec![printed(message), i64::from(part).into()];
        loop {
            let mut values = key();
            values.push(at.millis().into());
            let begun = self
                .write(
                    "INSERT INTO attempts (message, part, state, begun_at) VALUES ($1, $2, 'begun', $3)
                     ON CONFLICT (message, part) DO NOTHING",
                    values,
                )
                .await?;
            if begun == 1 {
                return Ok(Begun::Fresh);
            }
            let known = self.read_one("SELECT outcome FROM attempts WHERE message = $1 AND part = $2", key()).await?;
            match known {
                Some(row) => {
                    return Ok(row.optional_json("outcome")?.map_or(Begun::InDoubt, Begun::Done));
                }
                // It was cleared between the two statements: begin anew.
                None => continue,
            }
        }
    }

    async fn finish(&self, message: MessageId, part: u16, outcome: &Outcome) -> Result<(), StoreError> {
        let key = vec![printed(message), i64::from(part).into()];
        let state = match outcome {
            Outcome::Throttled { .. } | Outcome::Unavailable { .. } => {
                let text = "DELETE FROM attempts WHERE message = $1 AND part = $2 AND state = 'begun'";
                return self.write(text, key).await.map(|_| ());
            }
            Outcome::Accepted { .. } => "accepted",
            Outcome::InDoubt { .. } => "in_doubt",
            _ => "failed",
        };
        let mut values = key;
        values.extend([state.into(), json(outcome)?]);
        let text = "UPDATE attempts SET state = $3, outcome = $4 WHERE message = $1 AND part = $2";
        self.write(text, values).await.map(|_| ())
    }

    async fn reopen(&self, message: MessageId) -> Result<(), StoreError> {
        let text = "DELETE FROM attempts WHERE message = $1 AND state <> 'accepted'";
        self.write(text, vec![printed(message)]).await.map(|_| ())
    }
}
