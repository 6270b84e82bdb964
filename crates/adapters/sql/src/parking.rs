//! Parked messages.

use async_trait::async_trait;
use domain::{Code, OrganizationId, Parked, ParkedId, Timestamp};
use ports::{Parking, StoreError};
use sea_orm::Value;

use crate::{
    SqlStore,
    statement::{Row, Sql, Table, failure, insert_rows, json, optional_printed, optional_text, printed, text},
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

pub(crate) fn values(parked: &[Parked]) -> Result<Vec<Value>, StoreError> {
    let mut values = Vec::new();
    for it in parked {
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
        let writing = self.begin().await?;
        insert_rows(writing.connection(), PARKED, "ON CONFLICT (id) DO NOTHING", values).await.map_err(failure)?;
        writing.commit().await.map_err(failure)
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

    async fn redriven(&self, id: ParkedId, at: Timestamp) -> Result<(), StoreError> {
        let values = vec![printed(id), at.millis().into()];
        self.write("UPDATE parked SET redriven_at = $2 WHERE id = $1", values).await.map(|_| ())
    }
}
