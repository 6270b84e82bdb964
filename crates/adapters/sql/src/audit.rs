//! The conservation count: what the tables say about each other.

use domain::{OrganizationId, Timestamp};
use ports::{AuditCounts, StoreError, Unaccounted};
use sea_orm::DatabaseBackend;

use crate::{SqlStore, statement::Sql};

/// See [`ports::Views::audit`].
pub(crate) async fn counts(store: &SqlStore, organization: Option<OrganizationId>) -> Result<AuditCounts, StoreError> {
    let audit = Audit { store, organization };
    let own = "organization";
    Ok(AuditCounts {
        processed: audit.by_name("processed", "kind", "TRUE").await?,
        messages_in: audit.one("SELECT COUNT(*) AS total FROM messages", own, "author = 'contact'", "").await?,
        messages_out: audit.by_name("messages", "delivery_state", "delivery_state IS NOT NULL").await?,
        queued_out: audit.one("SELECT COUNT(*) AS total FROM messages", own, "delivery_state = 'queued'", "").await?,
        in_broker: audit.in_broker().await?,
        outbox: audit.one("SELECT COUNT(*) AS total FROM outbox", own, "TRUE", "").await?,
        held_receipts: audit.one("SELECT COUNT(DISTINCT event) AS total FROM held_receipts", own, "TRUE", "").await?,
        parked: audit.one("SELECT COUNT(*) AS total FROM parked", own, crate::parking::LISTED, "").await?,
        discarded: audit
            .one(
                "SELECT COUNT(*) AS total FROM parked",
                own,
                "closed_at IS NOT NULL AND EXISTS (SELECT 1 FROM parked_decisions d WHERE d.parked = parked.id
                 AND d.at = parked.closed_at AND d.ruling IN ('discard', 'failed'))",
                "",
            )
            .await?,
        unaccounted_in: audit
            .one(
                "SELECT COUNT(*) AS total FROM (SELECT cause FROM messages",
                own,
                "author = 'contact'",
                "GROUP BY organization, cause HAVING COUNT(*) <> 1) wrong",
            )
            .await?,
        out_of_order: audit.out_of_order().await?,
        seat_mismatch: audit.seat_mismatch().await?,
    })
}

/// See [`ports::Views::unaccounted_out`]. What is published carries its conversation as correlation, so a conversation
/// with anything in the outbox, on a shelf or on the embedded bus is not looked at. On PostgreSQL the bus's table is empty.
pub(crate) async fn unaccounted_out(
    store: &SqlStore,
    organization: Option<OrganizationId>,
    queued_before: Timestamp,
) -> Result<Unaccounted, StoreError> {
    let queued_at = match store.backend() {
        DatabaseBackend::Postgres => "CAST(CAST(m.delivery AS json) ->> 'at' AS BIGINT)",
        _ => "json_extract(m.delivery, '$.at')",
    };
    let lost = |select: &str| {
        let mut sql = Sql::new(select);
        sql.push(" FROM messages m WHERE m.delivery_state = 'queued' AND ").push(queued_at).push(" < ");
        sql.bind(queued_before.millis());
        if let Some(organization) = organization {
            sql.push(" AND m.organization = ").bind(organization.to_string());
        }
        sql.push(
            " AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.message = m.id)
             AND m.conversation NOT IN (SELECT correlation FROM outbox WHERE correlation IS NOT NULL)
             AND m.conversation NOT IN (SELECT correlation FROM bus_messages WHERE correlation IS NOT NULL)
             AND m.conversation NOT IN (SELECT correlation FROM shelved WHERE correlation IS NOT NULL)",
        );
        sql
    };
    let counted = store.read_slowly(lost("SELECT COUNT(*) AS total").into_statement(store.backend())).await?;
    let count = counted.first().map_or(Ok(0), |row| row.number("total"))?;
    if count == 0 {
        return Ok(Unaccounted::default());
    }
    let mut named = lost("SELECT m.id");
    named.push(" ORDER BY m.at, m.id LIMIT ").bind(i64::from(Unaccounted::NAMED));
    let rows = store.read_slowly(named.into_statement(store.backend())).await?;
    Ok(Unaccounted { count, messages: rows.iter().map(|row| row.parsed("id")).collect::<Result<_, _>>()? })
}

/// Counts of one organization, or of all.
struct Audit<'a> {
    store: &'a SqlStore,
    organization: Option<OrganizationId>,
}

impl Audit<'_> {
    /// The embedded bus keeps its queues in this store; they are not kept by organization.
    async fn in_broker(&self) -> Result<Option<u64>, StoreError> {
        if self.organization.is_some() || self.store.backend() != DatabaseBackend::Sqlite {
            return Ok(None);
        }
        self.one("SELECT COUNT(*) AS total FROM bus_messages", "", "TRUE", "").await.map(Some)
    }

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
        let rows = self.store.read_slowly(sql.into_statement(self.store.backend())).await?;
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
        let rows = self.store.read_slowly(sql.into_statement(self.store.backend())).await?;
        rows.iter().map(|row| Ok((row.text("name")?, row.number("total")?))).collect()
    }
}
