//! Send attempts: a row from the moment before the request leaves.

use async_trait::async_trait;
use domain::{MessageId, Outcome, Timestamp};
use ports::{Begun, Claim, Ledger, StoreError, journal::Reopened};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    SqlStore,
    statement::{Sql, json, printed, text},
};

#[async_trait]
impl Ledger for SqlStore {
    async fn begin(&self, message: MessageId, part: u16, claim: &Claim, at: Timestamp) -> Result<Begun, StoreError> {
        let key = || vec![printed(message), i64::from(part).into()];
        loop {
            let mut values = key();
            values.extend([at.millis().into(), printed(claim)]);
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
            if let Some(outcome) = row.optional_json("outcome")? {
                return Ok(Begun::Done(outcome));
            }
            let Some(kept) = row.optional_text("claim")?.filter(|kept| claim.continues(kept)) else {
                return Ok(Begun::InDoubt);
            };
            let mut values = key();
            values.extend([printed(claim), text(&kept)]);
            let followed = "UPDATE attempts SET claim = $3
                 WHERE message = $1 AND part = $2 AND state = 'begun' AND claim = $4";
            if self.write(followed, values).await? == 1 {
                return Ok(Begun::Fresh);
            }
        }
    }

    async fn finish(&self, message: MessageId, part: u16, claim: &Claim, outcome: &Outcome) -> Result<(), StoreError> {
        let mut values = vec![printed(message), i64::from(part).into()];
        let statement = match outcome {
            Outcome::Throttled { .. } | Outcome::Unavailable { .. } => {
                values.push(printed(claim));
                "DELETE FROM attempts WHERE message = $1 AND part = $2 AND claim = $3 AND state = 'begun'"
            }
            Outcome::InDoubt { .. } => {
                values.push(json(outcome)?);
                "UPDATE attempts SET state = 'in_doubt', outcome = $3
                 WHERE message = $1 AND part = $2 AND state = 'begun'"
            }
            known => {
                let state = if matches!(known, Outcome::Accepted { .. }) { "accepted" } else { "failed" };
                values.extend([printed(claim), json(outcome)?, state.into()]);
                "UPDATE attempts SET state = $5, outcome = $4 WHERE message = $1 AND part = $2 AND claim = $3"
            }
        };
        self.write(statement, values).await.map(|_| ())
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
