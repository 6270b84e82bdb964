//! Parked messages.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{Code, OrganizationId, Parked, ParkedId, Timestamp};
use ports::{Parking, StoreError};
use sea_orm::Value;

use crate::{
    SqlStore, conservation,
    statement::{
        Row, Sql, Table, execute_in, failure, insert_rows, json, optional_printed, optional_text, printed, text,
    },
};

pub(crate) const PARKED: Table = Table {
    name: "parked",
    columns: &[
        "id",
        "organization",
        "place",
        "code",
        "reason",
        "account",
        "route",
        "headers",
        "body",
        "at",
        "redriven_at",
    ],
};

/// The later parking counts, unless the message was redriven after it.
pub(crate) const AGAIN: &str = "ON CONFLICT (id) DO UPDATE SET place = excluded.place, code = excluded.code,
    reason = excluded.reason, route = excluded.route, headers = excluded.headers, body = excluded.body,
    at = excluded.at, redriven_at = NULL, redrive_at = NULL
    WHERE excluded.at > parked.at AND (parked.redriven_at IS NULL OR excluded.at > parked.redriven_at)";

pub(crate) fn values(parked: &[Parked]) -> Result<Vec<Value>, StoreError> {
    // One statement may touch a row only once.
    let mut latest: BTreeMap<ParkedId, &Parked> = BTreeMap::new();
    for it in parked {
        if latest.get(&it.id).is_none_or(|known| known.at < it.at) {
            latest.insert(it.id, it);
        }
    }
    let mut values = Vec::new();
    for it in latest.values() {
        values.extend([
            printed(it.id),
            optional_printed(it.organization),
            text(&it.place),
            text(it.code.as_str()),
            text(&it.reason),
            optional_text(it.account.as_deref()),
            text(&it.route),
            json(&it.headers)?,
            it.body.clone().into(),
            it.at.millis().into(),
            it.redriven_at.map(Timestamp::millis).into(),
        ]);
    }
    Ok(values)
}

fn parked(row: &Row) -> Result<Parked, StoreError> {
    Ok(Parked {
        id: row.parsed("id")?,
        organization: row.optional_parsed("organization")?,
        place: row.text("place")?,
        code: Code::read(row.text("code")?),
        reason: row.text("reason")?,
        account: row.optional_text("account")?,
        route: row.text("route")?,
        headers: row.json("headers")?,
        body: row.bytes("body")?,
        at: row.time("at")?,
        redriven_at: row.optional_time("redriven_at")?,
    })
}

#[async_trait]
impl Parking for SqlStore {
    async fn park(&self, parked: &[Parked]) -> Result<(), StoreError> {
        if parked.is_empty() {
            return Ok(());
        }
        let values = values(parked)?;
        let heard = conservation::parked_values(parked);
        self.in_time(async {
            let writing = self.begin().await?;
            insert_rows(writing.connection(), PARKED, AGAIN, values).await.map_err(failure)?;
            conservation::note_heard(writing.connection(), heard).await.map_err(failure)?;
            writing.commit().await.map_err(failure)
        })
        .await
    }

    async fn list(&self, organization: Option<OrganizationId>, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let mut sql = Sql::new("SELECT * FROM parked WHERE redriven_at IS NULL");
        if let Some(organization) = organization {
            sql.push(" AND organization = ").bind(organization.to_string());
        }
        sql.push(" ORDER BY at DESC, id LIMIT ").bind(i64::from(limit));
        self.read_statement(sql.into_statement(self.backend())).await?.iter().map(parked).collect()
    }

    async fn show(&self, id: ParkedId) -> Result<Option<Parked>, StoreError> {
        let row = self.read_one("SELECT * FROM parked WHERE id = $1", vec![printed(id)]).await?;
        row.as_ref().map(parked).transpose()
    }

    async fn request_redrive(&self, ids: &[ParkedId], at: Timestamp) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let writing = self.begin().await?;
        let text = "UPDATE parked SET redrive_at = $1 WHERE redriven_at IS NULL AND id IN ({in})";
        execute_in(writing.connection(), text, &[at.millis().into()], ids.iter().map(printed))
            .await
            .map_err(failure)?;
        writing.commit().await.map_err(failure)
    }

    async fn redrive_requested(&self, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let text = "SELECT * FROM parked WHERE redrive_at IS NOT NULL ORDER BY redrive_at, at, id LIMIT $1";
        self.read(text, vec![i64::from(limit).into()]).await?.iter().map(parked).collect()
    }

    async fn redriven(&self, id: ParkedId, at: Timestamp) -> Result<(), StoreError> {
        let values = vec![printed(id), at.millis().into()];
        let text = "UPDATE parked SET redriven_at = $2, redrive_at = NULL WHERE id = $1 AND at <= $2";
        self.write(text, values).await.map(|_| ())
    }

    async fn redrive_refused(&self, id: ParkedId, reason: &str) -> Result<(), StoreError> {
        let values = vec![printed(id), text(reason)];
        self.write("UPDATE parked SET redrive_at = NULL, reason = $2 WHERE id = $1", values).await.map(|_| ())
    }
}
