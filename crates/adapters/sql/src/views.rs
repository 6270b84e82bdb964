//! Read models for the desk.

use async_trait::async_trait;
use domain::{
    Conversation, ConversationId, DeskChange, DeskEvent, Message, MessageId, OrganizationId, QueueId, Seat, Stage,
    Timestamp,
};
use ports::{
    AuditCounts, ConversationFilter, StageCount, StoreError, Unaccounted, Views,
    conservation::{IntakeCounts, Period, SendCounts},
};

use crate::{
    SqlStore, audit, conservation,
    row::Row,
    rows,
    statement::{Sql, clean, name, number, printed},
};

/// A filter as a statement. Each stage has an index in the order of the list, so a list of several is made of the first
/// of each.
fn filtered(organization: OrganizationId, filter: &ConversationFilter) -> Result<Sql, StoreError> {
    const ALL: [Stage; 4] = [Stage::Waiting, Stage::Active, Stage::Inactive, Stage::Closed];
    let wanted = ALL.into_iter().filter(|stage| filter.stages.is_empty() || filter.stages.contains(stage));
    let wanted: Vec<Stage> = wanted.collect();
    if let [stage] = wanted[..] {
        let mut sql = Sql::new("");
        select(&mut sql, organization, filter, stage)?;
        return Ok(sql);
    }
    let mut sql = Sql::new("SELECT * FROM (SELECT * FROM (");
    for (place, stage) in wanted.into_iter().enumerate() {
        if place > 0 {
            sql.push(&format!(") AS listed_{place} UNION ALL SELECT * FROM ("));
        }
        select(&mut sql, organization, filter, stage)?;
    }
    sql.push(") AS listed) AS merged");
    in_order(&mut sql, filter, "COALESCE(closed_at, last_activity_at)");
    Ok(sql)
}

fn select(
    sql: &mut Sql,
    organization: OrganizationId,
    filter: &ConversationFilter,
    stage: Stage,
) -> Result<(), StoreError> {
    sql.push("SELECT * FROM conversations WHERE organization = ").bind(organization.to_string());
    // A word of ours, written out: partial indexes are chosen by it. What is not closed says so too.
    sql.push(&format!(" AND stage = '{}'", name(&stage)?));
    if stage != Stage::Closed {
        sql.push(" AND stage <> 'closed'");
    }
    if let Some(queues) = &filter.queues {
        sql.push(" AND queue IN ").bind_list(queues.iter().map(printed));
    }
    if let Some(agent) = filter.agent {
        sql.push(" AND agent = ").bind(agent.to_string());
    }
    if let Some(channel) = &filter.channel {
        sql.push(" AND channel = ").bind(channel.to_string());
    }
    if let Some(search) = filter.search.as_deref().filter(|search| !search.is_empty()) {
        let escaped: String = clean(search.to_lowercase())
            .chars()
            .flat_map(|letter| matches!(letter, '%' | '_' | '\\').then_some('\\').into_iter().chain([letter]))
            .collect();
        sql.push(" AND search LIKE ").bind(format!("%{escaped}%")).push(" ESCAPE '\\'");
    }
    // What is over has an index in this order; the few that are open are sorted.
    in_order(sql, filter, if stage == Stage::Closed { "closed_at" } else { "last_activity_at" });
    Ok(())
}

/// `newest` is [`Conversation::newest_at`] in SQL.
fn in_order(sql: &mut Sql, filter: &ConversationFilter, newest: &str) {
    if filter.newest_first {
        sql.push(&format!(" ORDER BY {newest} DESC, id DESC"));
    } else {
        sql.push(" ORDER BY waiting_since, id");
    }
    sql.push(" LIMIT ").bind(i64::from(filter.limit));
}

/// The changes of a row of events; the last of them has the row's number.
fn page(row: &Row) -> Result<Vec<DeskEvent>, StoreError> {
    let changes: Vec<DeskChange> = match row.text("change")? {
        list if list.starts_with('[') => row.json("change")?,
        // A row of the first release holds one.
        _ => vec![row.json("change")?],
    };
    let last: u64 = row.number("sequence")?;
    let before = last.saturating_sub(changes.len() as u64);
    let (organization, at) = (row.parsed("organization")?, row.time("at")?);
    let numbered = (before + 1..).zip(changes);
    Ok(numbered.map(|(sequence, change)| DeskEvent { organization, sequence, at, change }).collect())
}

#[async_trait]
impl Views for SqlStore {
    async fn conversations(
        &self,
        organization: OrganizationId,
        filter: &ConversationFilter,
    ) -> Result<Vec<Conversation>, StoreError> {
        let sql = filtered(organization, filter)?;
        self.read_statement(sql.into_statement(self.backend())).await?.iter().map(rows::conversation).collect()
    }

    async fn conversation(
        &self,
        organization: OrganizationId,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        let text = "SELECT * FROM conversations WHERE id = $1 AND organization = $2";
        let row = self.read_one(text, vec![printed(id), printed(organization)]).await?;
        row.as_ref().map(rows::conversation).transpose()
    }

    async fn messages(
        &self,
        organization: OrganizationId,
        conversation: ConversationId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let values = vec![
            printed(conversation),
            printed(organization),
            number(before.unwrap_or(u64::MAX)),
            i64::from(limit).into(),
        ];
        let rows = self
            .read(
                "SELECT * FROM messages WHERE conversation = $1 AND organization = $2 AND sequence < $3
                 ORDER BY sequence DESC LIMIT $4",
                values,
            )
            .await?;
        rows.iter().rev().map(rows::message).collect()
    }

    async fn message(&self, organization: OrganizationId, id: MessageId) -> Result<Option<Message>, StoreError> {
        let text = "SELECT * FROM messages WHERE id = $1 AND organization = $2";
        let row = self.read_one(text, vec![printed(id), printed(organization)]).await?;
        row.as_ref().map(rows::message).transpose()
    }

    async fn counts(
        &self,
        organization: OrganizationId,
        queues: Option<&[QueueId]>,
    ) -> Result<Vec<StageCount>, StoreError> {
        let mut sql = Sql::new("SELECT channel, stage, COUNT(*) AS total FROM conversations WHERE stage <> 'closed'");
        sql.push(" AND organization = ").bind(organization.to_string());
        if let Some(queues) = queues {
            sql.push(" AND queue IN ").bind_list(queues.iter().map(printed));
        }
        sql.push(" GROUP BY channel, stage ORDER BY channel, stage");
        let rows = self.read_statement(sql.into_statement(self.backend())).await?;
        rows.iter()
            .map(|row| {
                Ok(StageCount {
                    channel: row.parsed("channel")?,
                    stage: row.named("stage")?,
                    count: row.number("total")?,
                })
            })
            .collect()
    }

    async fn seats(&self, organization: OrganizationId) -> Result<Vec<Seat>, StoreError> {
        self.seats_of(organization).await
    }

    async fn events(&self, organization: OrganizationId, after: u64, limit: u32) -> Result<Vec<DeskEvent>, StoreError> {
        let rows = self
            .read(
                // Numbers have no holes: as many numbers beyond the first row, and the rest of a row, hold as many changes.
                "SELECT organization, sequence, at, change FROM desk_events WHERE organization = $1 AND sequence > $2
                 AND sequence <= $3 + (SELECT MIN(sequence) FROM desk_events WHERE organization = $1 AND sequence > $2)
                 ORDER BY sequence",
                vec![printed(organization), number(after), number(u64::from(limit) + rows::CHANGES_IN_A_ROW as u64)],
            )
            .await?;
        let mut events = Vec::new();
        for row in &rows {
            events.extend(page(row)?.into_iter().filter(|event| event.sequence > after));
        }
        events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(events)
    }

    async fn event_range(&self, organization: OrganizationId) -> Result<(u64, u64), StoreError> {
        let newest = self
            .read_one("SELECT last_sequence FROM event_counters WHERE organization = $1", vec![printed(organization)])
            .await?;
        let Some(newest) = newest else { return Ok((0, 0)) };
        let newest: u64 = newest.number("last_sequence")?;
        let oldest = self
            .read_one(
                "SELECT organization, sequence, at, change FROM desk_events WHERE organization = $1
                 ORDER BY sequence LIMIT 1",
                vec![printed(organization)],
            )
            .await?;
        let oldest = oldest.as_ref().map(page).transpose()?.and_then(|page| page.first().map(|event| event.sequence));
        // All were forgotten: the oldest that is kept will be the next one.
        Ok((newest, oldest.unwrap_or(newest + 1)))
    }

    async fn audit(&self, organization: Option<OrganizationId>) -> Result<AuditCounts, StoreError> {
        audit::counts(self, organization).await
    }

    async fn intake(&self, period: &Period) -> Result<IntakeCounts, StoreError> {
        conservation::intake(self, period).await
    }

    async fn sends(&self, period: &Period) -> Result<SendCounts, StoreError> {
        conservation::sends(self, period).await
    }

    async fn unaccounted_out(
        &self,
        organization: Option<OrganizationId>,
        queued_before: Timestamp,
    ) -> Result<Unaccounted, StoreError> {
        audit::unaccounted_out(self, organization, queued_before).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use domain::UserId;
    use sea_orm::{DatabaseBackend, Statement};

    use super::*;
    use crate::SqliteOptions;

    /// Which indexes SQLite reads a list by, and whether it sorts.
    async fn plan(filter: &ConversationFilter) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let store = SqlStore::sqlite(folder.path().join("plans.db"), SqliteOptions::default()).await.unwrap();
        let asked =
            filtered(OrganizationId::derive(&["acme"]), filter).unwrap().into_statement(DatabaseBackend::Sqlite);
        let explained = Statement { sql: format!("EXPLAIN QUERY PLAN {}", asked.sql), ..asked };
        let rows = store.read_statement(explained).await.unwrap();
        let found = rows.iter().map(|row| row.text("detail").unwrap()).filter(|step| step.contains("conversations"));
        let found = found.collect();
        store.close().await;
        found
    }

    #[tokio::test]
    async fn a_list_reads_no_more_of_a_stage_than_it_shows() {
        let filter = ConversationFilter { stages: vec![Stage::Active], limit: 50, ..ConversationFilter::default() };
        let all = plan(&filter).await;
        assert!(
            matches!(&all[..], [one] if one.contains("conversations_stage (organization=? AND stage=?)")),
            "{all:?}"
        );
        let own = plan(&ConversationFilter { agent: Some(UserId::derive(&["ana"])), ..filter }).await;
        let wanted = "conversations_own (agent=? AND organization=? AND stage=?)";
        assert!(matches!(&own[..], [one] if one.contains(wanted)), "{own:?}");
        let over = ConversationFilter {
            stages: vec![Stage::Closed],
            newest_first: true,
            limit: 50,
            ..ConversationFilter::default()
        };
        let over = plan(&over).await;
        assert!(matches!(&over[..], [one] if one.contains("conversations_ended (organization=?)")), "{over:?}");
    }
}
