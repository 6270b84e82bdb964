//! How many partitions the mesh has: one fact for all of its processes, kept where none of them passes by.
//!
//! A thread's partition is the queue in which its events wait. Two processes that count differently would write where
//! nobody reads, and carry out one thread in two places.

use ports::StoreError;
use sea_orm::{ConnectionTrait as _, Database, DbErr};

use crate::{
    SqlStore,
    open::OpenError,
    row::Row,
    statement::{failure, statement},
};

/// Of a mesh that was never told otherwise. Each partition is a few queues on the broker, and each queue costs: with 16, a
/// message takes a tenth more of all CPU (docs/performance.md). A partition is served by one worker at a time, so eight
/// are enough for four routers.
const PARTITIONS: u16 = 8;
/// Of a mesh that is at work from before it was kept.
const BEFORE: u16 = 16;

impl SqlStore {
    /// How many partitions this mesh has, for a process of it. The first to ask decides it for good, by what it is
    /// configured with, or as eight; in a mesh of a release that kept no such fact, as sixteen.
    ///
    /// # Errors
    /// [`OpenError::OtherPartitions`] when the mesh has another number than `configured`; or the store does not answer.
    pub async fn partitions(&self, configured: Option<u16>) -> Result<u16, OpenError> {
        let known = match self.known().await.map_err(OpenError::from_failure)? {
            Some((count, false)) => count,
            _ => self.settle(configured).await.map_err(OpenError::from_failure)?,
        };
        match configured {
            Some(configured) if configured != known => Err(OpenError::OtherPartitions { configured, known }),
            _ => Ok(known),
        }
    }

    /// The number, and whether it is only assumed.
    async fn known(&self) -> Result<Option<(u16, bool)>, StoreError> {
        let row = self.read_one("SELECT count, assumed FROM mesh_partitions WHERE one = 1", vec![]).await?;
        row.map(|row| Ok((row.number("count")?, row.flag("assumed")?))).transpose()
    }

    async fn settle(&self, configured: Option<u16>) -> Result<u16, StoreError> {
        let sure = "UPDATE mesh_partitions SET assumed = 0, count = COALESCE($1, count) WHERE assumed = 1";
        self.write(sure, vec![configured.map(i64::from).into()]).await?;
        let first = "INSERT INTO mesh_partitions (one, count, assumed) VALUES (1, $1, 0) ON CONFLICT (one) DO NOTHING";
        self.write(first, vec![i64::from(configured.unwrap_or(PARTITIONS)).into()]).await?;
        let settled = self.known().await?;
        settled.map(|(count, _)| count).ok_or_else(|| StoreError::Refused("the mesh has no partitions".to_owned()))
    }
}

/// How many partitions the mesh at this address has, or will have when it is started: for who looks at it from outside.
/// Decides nothing, and leaves the store at its version.
///
/// # Errors
/// [`OpenError::Unreachable`], or what PostgreSQL refuses.
pub async fn partitions_at(url: &str) -> Result<u16, OpenError> {
    let unreachable = |error: DbErr| OpenError::Unreachable(error.to_string());
    let refused = |error: DbErr| OpenError::from_failure(failure(error));
    let store = Database::connect(url).await.map_err(unreachable)?;
    let is_there = async |table: &str| {
        let text = format!("SELECT to_regclass('{table}') IS NOT NULL AS there");
        let row = store.query_one_raw(statement(&store, text, vec![])).await.map_err(refused)?;
        row.map_or(Ok(false), |row| row.try_get("", "there").map_err(refused))
    };
    let first = async |text: &str| -> Result<Option<Row>, OpenError> {
        Ok(store.query_one_raw(statement(&store, text, vec![])).await.map_err(refused)?.map(Row))
    };
    if is_there("mesh_partitions").await? {
        let row = first("SELECT count FROM mesh_partitions WHERE one = 1").await?;
        return row.map_or(Ok(PARTITIONS), |row| row.number("count").map_err(OpenError::from_failure));
    }
    let at_work = is_there("accounts").await? && first("SELECT 1 AS one FROM accounts LIMIT 1").await?.is_some();
    Ok(if at_work { BEFORE } else { PARTITIONS })
}
