//! Parked messages.

pub(crate) mod decisions;

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{Code, MessageId, OrganizationId, Parked, ParkedDecision, ParkedEntry, ParkedId, Ruling, Timestamp};
use ports::{Asked, ParkedFilter, ParkedGroup, Parking, Standing, StoreError, bus::headers};
use sea_orm::Value;

use crate::{
    SqlStore, conservation,
    row::Row,
    statement::{Sql, Table, execute_in, failure, insert_rows, json, optional_printed, optional_text, printed, text},
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
        "channel",
        "provider_code",
        "message",
        "route",
        "headers",
        "body",
        "at",
        "redriven_at",
    ],
};

/// The later parking counts, unless the message was redriven or ended after it.
pub(crate) const AGAIN: &str = "ON CONFLICT (id) DO UPDATE SET place = excluded.place, code = excluded.code,
    reason = excluded.reason, account = excluded.account, channel = excluded.channel,
    provider_code = excluded.provider_code, message = excluded.message, route = excluded.route,
    headers = excluded.headers, body = excluded.body, at = excluded.at, redriven_at = NULL, redrive_at = NULL,
    requested = NULL, closed_at = NULL, version = parked.version + 1
    WHERE excluded.at > parked.at AND (parked.redriven_at IS NULL OR excluded.at > parked.redriven_at)
    AND (parked.closed_at IS NULL OR excluded.at > parked.closed_at)";

/// Neither on its way nor ended.
pub(crate) const LISTED: &str = "redriven_at IS NULL AND closed_at IS NULL";

/// An entry: all but the body.
const ENTRY: &str = "SELECT id, organization, place, code, reason, account, channel, provider_code, message, route,
    headers, at, redriven_at, redrive_at, requested, closed_at, version, CAST(LENGTH(body) AS BIGINT) AS size
    FROM parked";

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
            optional_printed(it.channel.as_ref()),
            optional_text(it.provider_code.as_deref()),
            optional_printed(it.message),
            text(&it.route),
            json(&it.headers)?,
            it.body.clone().into(),
            it.at.millis().into(),
            it.redriven_at.map(Timestamp::millis).into(),
        ]);
    }
    Ok(values)
}

fn parked(row: &Row, body: Vec<u8>) -> Result<Parked, StoreError> {
    let headers: Vec<(String, String)> = row.json("headers")?;
    let message = match row.optional_parsed("message")? {
        Some(message) => Some(message),
        None => reopened(&headers),
    };
    Ok(Parked {
        id: row.parsed("id")?,
        organization: row.optional_parsed("organization")?,
        place: row.text("place")?,
        code: Code::read(row.text("code")?),
        reason: row.text("reason")?,
        account: row.optional_text("account")?,
        channel: row.optional_parsed("channel")?,
        provider_code: row.optional_text("provider_code")?,
        message,
        route: row.text("route")?,
        headers,
        body,
        at: row.time("at")?,
        redriven_at: row.optional_time("redriven_at")?,
    })
}

/// The message in doubt of a row from before it had a column.
fn reopened(headers: &[(String, String)]) -> Option<MessageId> {
    headers.iter().find(|(name, _)| name == headers::REOPEN).and_then(|(_, id)| id.parse().ok())
}

fn whole(row: &Row) -> Result<Parked, StoreError> {
    parked(row, row.bytes("body")?)
}

/// What is asked in a row, if anything is.
fn pending(row: &Row) -> Result<Option<Asked>, StoreError> {
    if row.optional_time("redrive_at")?.is_none() {
        return Ok(None);
    }
    // A request from before there were others is one to redrive.
    Ok(Some(row.optional_json("requested")?.unwrap_or(Asked::of(Ruling::Redrive))))
}

pub(crate) fn entry(row: &Row, body: Vec<u8>) -> Result<ParkedEntry, StoreError> {
    Ok(ParkedEntry {
        parked: parked(row, body)?,
        size: row.number("size")?,
        requested: pending(row)?.map(|asked| asked.ruling),
        closed_at: row.optional_time("closed_at")?,
        version: row.number("version")?,
    })
}

/// The entries of these messages, without their bodies.
pub(crate) async fn entries(
    store: &SqlStore,
    ids: impl IntoIterator<Item = Value>,
) -> Result<Vec<ParkedEntry>, StoreError> {
    let rows = store.read_in(&format!("{ENTRY} WHERE id IN ({{in}})"), &[], ids).await?;
    rows.iter().map(|row| entry(row, Vec::new())).collect()
}

/// What narrows, after a `WHERE`.
fn narrowed(sql: &mut Sql, filter: &ParkedFilter) {
    sql.push(match filter.standing {
        Standing::Listed => LISTED,
        Standing::Redrivable => {
            "redriven_at IS NULL AND closed_at IS NULL AND redrive_at IS NULL AND code <> 'in_doubt'"
        }
        Standing::Ended => "(redriven_at IS NOT NULL OR closed_at IS NOT NULL)",
    });
    if let Some(organization) = filter.organization {
        sql.push(" AND organization = ").bind(organization.to_string());
    }
    let equal = [(" AND code = ", filter.code.clone()), (" AND place = ", filter.place.clone())];
    for (column, value) in equal {
        if let Some(value) = value {
            sql.push(column).bind(value);
        }
    }
    let channels = filter.channels.as_ref().map(|channels| channels.iter().map(printed).collect());
    let accounts = filter.accounts.as_ref().map(|names| names.iter().map(|name| text(name)).collect());
    for (column, any) in [("channel", channels), ("account", accounts)] {
        let any: Option<Vec<Value>> = any;
        match any {
            None => {}
            Some(none) if none.is_empty() => {
                sql.push(" AND ").push(column).push(" IS NULL");
            }
            Some(any) => {
                sql.push(" AND ").push(column).push(" IN ").bind_list(any);
            }
        }
    }
    if let Some(since) = filter.since {
        sql.push(" AND at >= ").bind(since.millis());
    }
    if let Some(until) = filter.until {
        sql.push(" AND at < ").bind(until.millis());
    }
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
        let mut sql = Sql::new("SELECT * FROM parked WHERE ");
        narrowed(&mut sql, &ParkedFilter { organization, ..ParkedFilter::default() });
        sql.push(" ORDER BY at DESC, id LIMIT ").bind(i64::from(limit));
        self.read_statement(sql.into_statement(self.backend())).await?.iter().map(whole).collect()
    }

    async fn find(&self, filter: &ParkedFilter) -> Result<Vec<ParkedEntry>, StoreError> {
        let mut sql = Sql::new(ENTRY);
        sql.push(" WHERE ");
        narrowed(&mut sql, filter);
        if let Some((at, id)) = filter.before {
            sql.push(" AND (at < ").bind(at.millis()).push(" OR (at = ").bind(at.millis());
            sql.push(" AND id > ").bind(id.to_string()).push("))");
        }
        sql.push(" ORDER BY at DESC, id LIMIT ").bind(i64::from(filter.limit));
        let rows = self.read_statement(sql.into_statement(self.backend())).await?;
        rows.iter().map(|row| entry(row, Vec::new())).collect()
    }

    async fn groups(&self, filter: &ParkedFilter) -> Result<Vec<ParkedGroup>, StoreError> {
        let mut sql = Sql::new(
            "SELECT code, place, channel, account, COUNT(*) AS total, COUNT(redrive_at) AS asked,
             MIN(at) AS first_at, MAX(at) AS last_at FROM parked WHERE ",
        );
        narrowed(&mut sql, filter);
        sql.push(" GROUP BY code, place, channel, account ORDER BY last_at DESC, code, place, channel, account");
        let rows = self.read_statement(sql.into_statement(self.backend())).await?;
        rows.iter().map(group).collect()
    }

    async fn show(&self, id: ParkedId) -> Result<Option<ParkedEntry>, StoreError> {
        let text = "SELECT *, CAST(LENGTH(body) AS BIGINT) AS size FROM parked WHERE id = $1";
        let row = self.read_one(text, vec![printed(id)]).await?;
        row.as_ref().map(|row| entry(row, row.bytes("body")?)).transpose()
    }

    async fn decisions(&self, id: ParkedId) -> Result<Vec<ParkedDecision>, StoreError> {
        let text = "SELECT * FROM parked_decisions WHERE parked = $1 ORDER BY sequence";
        self.read(text, vec![printed(id)]).await?.iter().map(decisions::decision).collect()
    }

    async fn request(&self, ids: &[ParkedId], asked: &Asked, at: Timestamp) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let kept = json(asked)?;
        self.in_time(async {
            let writing = self.begin().await?;
            let on = writing.connection();
            // The decision to redrive is noted here; the others are noted by the commit that carries them out.
            if asked.ruling == Ruling::Redrive {
                decisions::note(on, ids, asked, at).await?;
            }
            let text = format!(
                "UPDATE parked SET redrive_at = $1, requested = $2, version = version + 1
                 WHERE {LISTED} AND id IN ({{in}})"
            );
            execute_in(on, &text, &[at.millis().into(), kept], ids.iter().map(printed)).await.map_err(failure)?;
            writing.commit().await.map_err(failure)
        })
        .await
    }

    async fn requested(&self, limit: u32) -> Result<Vec<(Parked, Asked)>, StoreError> {
        let text = "SELECT * FROM parked WHERE redrive_at IS NOT NULL ORDER BY redrive_at, at, id LIMIT $1";
        let rows = self.read(text, vec![i64::from(limit).into()]).await?;
        rows.iter().map(|row| Ok((whole(row)?, pending(row)?.unwrap_or(Asked::of(Ruling::Redrive))))).collect()
    }

    async fn redriven(&self, id: ParkedId, at: Timestamp) -> Result<(), StoreError> {
        let values = vec![printed(id), at.millis().into()];
        let text = "UPDATE parked SET redriven_at = $2, redrive_at = NULL, requested = NULL, version = version + 1
                    WHERE id = $1 AND at <= $2";
        self.write(text, values).await.map(drop)
    }

    async fn refused(&self, id: ParkedId, reason: &str) -> Result<(), StoreError> {
        let values = vec![printed(id), text(reason)];
        let text = "UPDATE parked SET redrive_at = NULL, requested = NULL, reason = $2, version = version + 1
                    WHERE id = $1";
        self.write(text, values).await.map(drop)
    }
}

fn group(row: &Row) -> Result<ParkedGroup, StoreError> {
    Ok(ParkedGroup {
        code: Code::read(row.text("code")?),
        place: row.text("place")?,
        channel: row.optional_parsed("channel")?,
        account: row.optional_text("account")?,
        count: row.number("total")?,
        requested: row.number("asked")?,
        first_at: row.time("first_at")?,
        last_at: row.time("last_at")?,
    })
}
