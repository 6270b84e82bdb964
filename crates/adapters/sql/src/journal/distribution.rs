//! What distribution reads: the heads of queues, and who is free. Each is an index read from its beginning, so neither
//! grows with what waits or with how many agents there are.

use domain::{OrganizationId, QueueId, Seat, UserId, Waiting};
use ports::StoreError;
use sea_orm::{DatabaseBackend, Value};

use crate::{
    SqlStore,
    row::Row,
    rows,
    statement::{json, printed},
};

/// The names come as one JSON list: one text for every length. The limit is part of the text: PostgreSQL takes one that it
/// does not know for a tenth of all that waits, and compiles a program for it.
const WAITING_POSTGRES: &str = "
    SELECT head.id, head.queue, head.waiting_since FROM json_array_elements_text($2::json) AS asked (queue)
    CROSS JOIN LATERAL (SELECT c.id, c.queue, c.waiting_since FROM conversations c
      WHERE c.organization = $1 AND c.queue = asked.queue AND c.stage = 'waiting'
      ORDER BY c.waiting_since, c.id LIMIT {each}) AS head
    ORDER BY head.waiting_since, head.id";

/// SQLite knows no `LATERAL`; a list that is made anew for each queue does the same.
const WAITING_SQLITE: &str = "
    SELECT head.id, head.queue, head.waiting_since FROM json_each($2) AS asked
    CROSS JOIN conversations head ON head.id IN (SELECT c.id FROM conversations c
      WHERE c.organization = $1 AND c.queue = asked.value AND c.stage = 'waiting'
      ORDER BY c.waiting_since, c.id LIMIT {each})
    ORDER BY head.waiting_since, head.id";

pub(super) async fn waiting(
    store: &SqlStore,
    organization: OrganizationId,
    queues: &[QueueId],
    each: u32,
) -> Result<Vec<Waiting>, StoreError> {
    if queues.is_empty() {
        return Ok(Vec::new());
    }
    let text = match store.backend() {
        DatabaseBackend::Postgres => WAITING_POSTGRES,
        _ => WAITING_SQLITE,
    };
    let text = text.replace("{each}", &each.to_string());
    let values = vec![printed(organization), list(queues)?];
    let waiting = |row: &Row| {
        Ok(Waiting {
            organization,
            conversation: row.parsed("id")?,
            queue: row.parsed("queue")?,
            since: row.time("waiting_since")?,
        })
    };
    store.read(&text, values).await?.iter().map(waiting).collect()
}

pub(super) async fn free(
    store: &SqlStore,
    organization: OrganizationId,
    among: Option<&[UserId]>,
    limit: u32,
) -> Result<Vec<Seat>, StoreError> {
    let mut values = vec![printed(organization), i64::from(limit).into()];
    let mut text =
        format!("{} WHERE organization = $1 AND presence = 'online' AND load < capacity", rows::SEATS.read());
    if let Some(among) = among {
        values.push(list(among)?);
        text.push_str(match store.backend() {
            // An array, and not a join: its members are looked up one by one.
            DatabaseBackend::Postgres => " AND user_id = ANY(ARRAY(SELECT json_array_elements_text($3::json)))",
            _ => " AND user_id IN (SELECT value FROM json_each($3))",
        });
    }
    text.push_str(" ORDER BY last_assigned_at, user_id LIMIT $2");
    store.read(&text, values).await?.iter().map(rows::seat).collect()
}

fn list(ids: &[impl ToString]) -> Result<Value, StoreError> {
    json(&ids.iter().map(ToString::to_string).collect::<Vec<_>>())
}
