//! Read models for the desk.

use async_trait::async_trait;
use domain::{
    Conversation, ConversationId, DeskEvent, Message, MessageId, OrganizationId, QueueId, Seat, Stage, Timestamp,
};
use ports::{AuditCounts, ConversationFilter, StageCount, StoreError, Unaccounted, Views};
use sea_orm::Value;

use crate::{
    SqlStore, audit, rows,
    statement::{Sql, clean, name, number, printed},
};

/// A filter as a statement.
fn filtered(organization: OrganizationId, filter: &ConversationFilter) -> Result<Sql, StoreError> {
    let mut sql = Sql::new("SELECT * FROM conversations WHERE organization = ");
    sql.bind(organization.to_string());
    if !filter.stages.is_empty() {
        let stages = filter.stages.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        sql.push(" AND stage IN ").bind_list(stages.into_iter().map(Value::from));
        if !filter.stages.contains(&Stage::Closed) {
            // Says what the list already says, in the words of the partial index.
            sql.push(" AND stage <> 'closed'");
        }
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
    sql.push(if filter.newest_first {
        " ORDER BY last_activity_at DESC, id DESC"
    } else {
        " ORDER BY waiting_since, id"
    });
    sql.push(" LIMIT ").bind(i64::from(filter.limit));
    Ok(sql)
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
                "SELECT organization, sequence, at, change FROM desk_events WHERE organization = $1 AND sequence > $2
                 ORDER BY sequence LIMIT $3",
                vec![printed(organization), number(after), i64::from(limit).into()],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(DeskEvent {
                    organization: row.parsed("organization")?,
                    sequence: row.number("sequence")?,
                    at: row.time("at")?,
                    change: row.json("change")?,
                })
            })
            .collect()
    }

    async fn event_range(&self, organization: OrganizationId) -> Result<(u64, u64), StoreError> {
        let row = self
            .read_one(
                "SELECT COALESCE((SELECT last_sequence FROM event_counters WHERE organization = $1), 0) AS newest,
                 COALESCE((SELECT MIN(sequence) FROM desk_events WHERE organization = $1), 0) AS oldest",
                vec![printed(organization)],
            )
            .await?;
        let Some(row) = row else { return Ok((0, 0)) };
        let (newest, oldest): (u64, u64) = (row.number("newest")?, row.number("oldest")?);
        // All were forgotten: the oldest that is kept will be the next one.
        Ok((newest, if oldest == 0 && newest > 0 { newest + 1 } else { oldest }))
    }

    async fn audit(&self, organization: Option<OrganizationId>) -> Result<AuditCounts, StoreError> {
        audit::counts(self, organization).await
    }

    async fn unaccounted_out(
        &self,
        organization: Option<OrganizationId>,
        queued_before: Timestamp,
    ) -> Result<Unaccounted, StoreError> {
        audit::unaccounted_out(self, organization, queued_before).await
    }
}
