//! Send attempts: a row from the moment before the request leaves.

use async_trait::async_trait;
use domain::{MessageId, Outcome, Timestamp};
use ports::{Begun, Ledger, StoreError, journal::Reopened};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    SqlStore,
    statement::{Sql, json, printed, text},
};

#[async_trait]
impl Ledger for SqlStore {
    async fn begin(&self, message: MessageId, part: u16, claim: &str, at: Timestamp) -> Result<Begun, StoreError> {
        let key = || vec![printed(message), i64::from(part).into()];
        loop {
            let mut values = key();
            values.extend([at.millis().into(), text(claim)]);
            let begun = self
                .write(
                    "INSERT INTO attempts (message, part, state, begun_at, claim) VALUES ($1, $2, 'begun', $3, $4)
                     ON CONFLICT (message, part) DO NOTHING",
                    values,
                )
                .await?;
            if begun == 1 {
                return Ok(Begun::Fresh);
            }
            let known = "SELECT outcome, claim FROM attempts WHERE message = $1 AND part = $2";
            // It may have been cleared between the two statements: then begin anew.
            let Some(row) = self.read_one(known, key()).await? else { continue };
            return Ok(match row.optional_json("outcome")? {
                Some(outcome) => Begun::Done(outcome),
                None if row.optional_text("claim")?.as_deref() == Some(claim) => Begun::Fresh,
                None => Begun::InDoubt,
            });
        }
    }

    async fn finish(&self, message: MessageId, part: u16, outcome: &Outcome) -> Result<(), StoreError> {
        let key = vec![printed(message), i64::from(part).into()];
        let state = match outcome {
            Outcome::Throttled { .. } | Outcome::Unavailable { .. } => {
                let cleared = "DELETE FROM attempts WHERE message = $1 AND part = $2 AND state = 'begun'";
                return self.write(cleared, key).await.map(|_| ());
            }
            Outcome::Accepted { .. } => "accepted",
            Outcome::InDoubt { .. } => "in_doubt",
            _ => "failed",
        };
        let mut values = key;
        values.extend([state.into(), json(outcome)?]);
        let update = "UPDATE attempts SET state = $3, outcome = $4 WHERE message = $1 AND part = $2";
        self.write(update, values).await.map(|_| ())
    }
}

/// Part of a commit: see [`Reopened`].
pub(crate) async fn reopen<C: ConnectionTrait>(on: &C, reopened: &[Reopened]) -> Result<(), DbErr> {
    for Reopened { message, failed } in reopened {
        let mut sql = Sql::new("DELETE FROM attempts WHERE message = ");
        sql.bind(message.to_string()).push(" AND (state <> 'accepted' OR part IN ");
        sql.bind_list(failed.iter().map(|part| i64::from(*part).into())).push(")");
        on.execute_raw(sql.into_statement(on.get_database_backend())).await?;
    }
    Ok(())
}
