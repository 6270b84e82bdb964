//! What is decided about parked messages: their rows move with the commit that decides, and each decision is kept.

use domain::{OrganizationId, ParkedDecision, ParkedId, Ruling, Timestamp, UserId};
use ports::{Asked, Settled, StoreError};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Value};

use super::LISTED;
use crate::{
    SqlStore,
    row::Row,
    statement::{
        Table, execute_in, failure, insert_rows, json, name, number, optional_printed, optional_text, printed,
        select_in, statement,
    },
};

const DECISIONS: Table =
    Table { name: "parked_decisions", columns: &["parked", "organization", "ruling", "reason", "user_id", "at"] };

/// The rows of the decisions' own table.
pub(crate) fn decision_values<'a>(
    decisions: impl Iterator<Item = &'a ParkedDecision>,
) -> Result<Vec<Value>, StoreError> {
    let mut values = Vec::new();
    for it in decisions {
        values.extend([
            printed(it.parked),
            optional_printed(it.organization),
            name(&it.ruling)?.into(),
            optional_text(it.reason.as_deref()),
            optional_printed(it.by),
            it.at.millis().into(),
        ]);
    }
    Ok(values)
}

pub(crate) async fn insert_decisions(on: &DatabaseTransaction, values: Vec<Value>) -> Result<u64, DbErr> {
    insert_rows(on, DECISIONS, "", values).await
}

/// See [`ports::Journal::known_after_all`]. Those that were parked lately are found by their age.
pub(crate) async fn known_after_all(
    store: &SqlStore,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<(OrganizationId, ParkedId)>, StoreError> {
    let text = format!(
        "SELECT id, organization FROM parked
         WHERE {LISTED} AND at >= $1 AND code = 'in_doubt' AND organization IS NOT NULL
         AND EXISTS (SELECT 1 FROM attempts a WHERE a.message = parked.message AND a.state = 'accepted')
         AND NOT EXISTS
             (SELECT 1 FROM attempts a WHERE a.message = parked.message AND a.state IN ('begun', 'in_doubt'))
         ORDER BY at, id LIMIT $2"
    );
    let rows = store.read(&text, vec![since.millis().into(), i64::from(limit).into()]).await?;
    rows.iter().map(|row| Ok((row.parsed("organization")?, row.parsed("id")?))).collect()
}

/// Moves one message as its decision says. Answers how many rows that were: none when it is no longer as it was loaded.
pub(crate) async fn rule(
    on: &DatabaseTransaction,
    decision: &ParkedDecision,
    version: u64,
    asked: Value,
) -> Result<u64, DbErr> {
    let moves = match decision.ruling {
        Ruling::Redrive => "redrive_at = $3, requested = $4",
        Ruling::Again => "redriven_at = $3, redrive_at = NULL, requested = $4",
        Ruling::Arrived | Ruling::Failed | Ruling::Discard => "closed_at = $3, redrive_at = NULL, requested = $4",
    };
    let asked = if decision.ruling == Ruling::Redrive { asked } else { Value::String(None) };
    let text = format!("UPDATE parked SET {moves}, version = version + 1 WHERE id = $1 AND version = $2 AND {LISTED}");
    let values = vec![printed(decision.parked), number(version), decision.at.millis().into(), asked];
    on.execute_raw(statement(on, text, values)).await.map(|done| done.rows_affected())
}

/// What is asked by a decision, as the `requested` column keeps it.
pub(crate) fn asked(decision: &ParkedDecision) -> Result<Value, StoreError> {
    json(&Asked { ruling: decision.ruling, reason: decision.reason.clone(), by: decision.by })
}

/// Ends what is still parked of messages that are in doubt no longer.
pub(crate) async fn settle(on: &DatabaseTransaction, settled: &[Settled]) -> Result<(), DbErr> {
    let Some(at) = settled.iter().map(|one| one.at).max() else { return Ok(()) };
    let text = format!(
        "UPDATE parked SET closed_at = $1, redrive_at = NULL, requested = NULL, version = version + 1
         WHERE {LISTED} AND message IN ({{in}})"
    );
    execute_in(on, &text, &[at.millis().into()], settled.iter().map(|one| printed(one.message))).await.map(drop)
}

pub(super) fn decision(row: &Row) -> Result<ParkedDecision, StoreError> {
    Ok(ParkedDecision {
        parked: row.parsed("parked")?,
        organization: row.optional_parsed("organization")?,
        ruling: row.named("ruling")?,
        reason: row.optional_text("reason")?,
        by: row.optional_parsed::<UserId>("user_id")?,
        at: row.time("at")?,
    })
}

/// Keeps the decision that a request stands for, for each of these that is listed.
pub(super) async fn note(
    on: &DatabaseTransaction,
    ids: &[ParkedId],
    asked: &Asked,
    at: Timestamp,
) -> Result<(), StoreError> {
    let text = format!("SELECT id, organization FROM parked WHERE {LISTED} AND id IN ({{in}})");
    let found = select_in(on, &text, &[], ids.iter().map(printed)).await.map_err(failure)?;
    let mut decisions = Vec::new();
    for row in found.into_iter().map(Row) {
        decisions.push(ParkedDecision {
            parked: row.parsed("id")?,
            organization: row.optional_parsed("organization")?,
            ruling: asked.ruling,
            reason: asked.reason.clone(),
            by: asked.by,
            at,
        });
    }
    insert_decisions(on, decision_values(decisions.iter())?).await.map(drop).map_err(failure)
}
