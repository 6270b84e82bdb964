//! Read models for the desk, and the conservation count.

use async_trait::async_trait;
use domain::{Conversation, ConversationId, DeskEvent, Message, MessageId, OrganizationId, QueueId, Seat, Stage};
use ports::{AuditCounts, ConversationFilter, StageCount, StoreError, Views};
use sea_orm::Value;

use crate::{
    SqlStore, rows,
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
        let audit = Audit { store: self, organization };
        let own = "organization";
        Ok(AuditCounts {
            processed: audit.by_name("processed", "kind", "TRUE").await?,
            messages_in: audit.one("SELECT COUNT(*) AS total FROM messages", own, "author = 'contact'", "").await?,
            messages_out: audit.by_name("messages", "delivery_state", "delivery_state IS NOT NULL").await?,
            outbox: audit.one("SELECT COUNT(*) AS total FROM outbox", own, "TRUE", "").await?,
            held_receipts: audit
                .one("SELECT COUNT(DISTINCT event) AS total FROM held_receipts", own, "TRUE", "")
                .await?,
            parked: audit.one("SELECT COUNT(*) AS total FROM parked", own, "redriven_at IS NULL", "").await?,
            unaccounted_in: audit
                .one(
                    "SELECT COUNT(*) AS total FROM (SELECT p.event FROM processed p
                     LEFT JOIN messages m ON m.cause = p.event",
                    "p.organization",
                    "p.kind = 'message'",
                    "GROUP BY p.event HAVING COUNT(m.id) <> 1) wrong",
                )
                .await?,
            out_of_order: audit.out_of_order().await?,
            seat_mismatch: audit.seat_mismatch().await?,
        })
    }
}

/// Counts of one organization, or of all.
struct Audit<'a> {
    store: &'a SqlStore,
    organization: Option<OrganizationId>,
}

impl Audit<'_> {
    /// `select` WHERE `condition` and the organization (its column as `column`), then `rest`.
    fn sql(&self, select: &str, column: &str, condition: &str, rest: &str) -> Sql {
        let mut sql = Sql::new(select);
        sql.push(" WHERE ").push(condition);
        if let Some(organization) = self.organization {
            sql.push(" AND ").push(column).push(" = ").bind(organization.to_string());
        }
        sql.push(" ").push(rest);
        sql
    }

    async fn one(&self, select: &str, column: &str, condition: &str, rest: &str) -> Result<u64, StoreError> {
        let sql = self.sql(select, column, condition, rest);
        let rows = self.store.read_statement(sql.into_statement(self.store.backend())).await?;
        rows.first().map_or(Ok(0), |row| row.number("total"))
    }

    /// Conversations whose messages are not 1, 2, 3... up to where the conversation says, and those that say more than
    /// they have.
    async fn out_of_order(&self) -> Result<u64, StoreError> {
        let wrong = self
            .one(
                "SELECT COUNT(*) AS total FROM (SELECT m.conversation FROM messages m
                 LEFT JOIN conversations c ON c.id = m.conversation",
                "m.organization",
                "TRUE",
                "GROUP BY m.conversation, c.next_sequence
                 HAVING MIN(m.sequence) <> 1 OR MAX(m.sequence) <> COUNT(*)
                 OR COUNT(DISTINCT m.sequence) <> COUNT(*) OR c.next_sequence IS NULL
                 OR c.next_sequence <> COUNT(*) + 1) wrong",
            )
            .await?;
        let bare = self
            .one(
                "SELECT COUNT(*) AS total FROM conversations c",
                "c.organization",
                "c.next_sequence <> 1 AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = c.id)",
                "",
            )
            .await?;
        Ok(wrong + bare)
    }

    /// Seats whose load is not what they serve, and agents who serve without a seat.
    async fn seat_mismatch(&self) -> Result<u64, StoreError> {
        let wrong = self
            .one(
                "SELECT COUNT(*) AS total FROM seats s",
                "s.organization",
                "s.load <> (SELECT COUNT(*) FROM conversations c WHERE c.agent = s.user_id
                 AND c.organization = s.organization AND c.stage <> 'closed')",
                "",
            )
            .await?;
        let seatless = self
            .one(
                "SELECT COUNT(DISTINCT c.agent) AS total FROM conversations c",
                "c.organization",
                "c.agent IS NOT NULL AND c.stage <> 'closed' AND NOT EXISTS (SELECT 1 FROM seats s
                 WHERE s.user_id = c.agent AND s.organization = c.organization)",
                "",
            )
            .await?;
        Ok(wrong + seatless)
    }

    async fn by_name(&self, table: &str, column: &str, condition: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let select = format!("SELECT {column} AS name, COUNT(*) AS total FROM {table}");
        let rest = format!("GROUP BY {column} ORDER BY {column}");
        let sql = self.sql(&select, "organization", condition, &rest);
        let rows = self.store.read_statement(sql.into_statement(self.store.backend())).await?;
        rows.iter().map(|row| Ok((row.text("name")?, row.number("total")?))).collect()
    }
}
