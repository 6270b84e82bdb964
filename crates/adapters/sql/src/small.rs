//! Cursors, named leases, session windows and sign-ins: one table each.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use domain::{Thread, Timestamp};
use ports::{Cursors, Leases, SignIn, SignIns, StoreError, Windows};

use crate::{
    SqlStore,
    rows::thread_key,
    statement::{Table, printed, text},
};

#[async_trait]
impl Cursors for SqlStore {
    async fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        let row = self.read_one("SELECT place FROM cursors WHERE name = $1", vec![text(key)]).await?;
        row.map(|row| row.text("place")).transpose()
    }

    async fn set(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let put = "INSERT INTO cursors (name, place) VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET place = excluded.place";
        self.write(put, vec![text(key), text(value)]).await.map(|_| ())
    }
}

#[async_trait]
impl Leases for SqlStore {
    async fn claim(&self, name: &str, owner: &str, now: Timestamp, ttl: Duration) -> Result<bool, StoreError> {
        let values = vec![text(name), text(owner), (now + ttl).millis().into(), now.millis().into()];
        let claimed = self
            .write(
                "INSERT INTO leases (name, owner, expires_at) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
                 WHERE leases.owner = excluded.owner OR leases.expires_at <= $4",
                values,
            )
            .await?;
        Ok(claimed == 1)
    }
}

const WINDOWS: Table = Table { name: "windows", columns: &["thread", "wrote_at", "expires_at"] };

#[async_trait]
impl Windows for SqlStore {
    async fn note(&self, wrote: &[(Thread, Timestamp)], keep: Duration) -> Result<(), StoreError> {
        let mut latest: BTreeMap<String, Timestamp> = BTreeMap::new();
        for (thread, at) in wrote {
            let known = latest.entry(thread_key(thread)).or_insert(*at);
            *known = (*known).max(*at);
        }
        if latest.is_empty() {
            return Ok(());
        }
        let values = latest
            .into_iter()
            .flat_map(|(thread, at)| [thread.into(), at.millis().into(), (at + keep).millis().into()])
            .collect();
        let forward =
            "ON CONFLICT (thread) DO UPDATE SET wrote_at = excluded.wrote_at, expires_at = excluded.expires_at
                       WHERE windows.wrote_at < excluded.wrote_at";
        self.insert(WINDOWS, forward, values).await
    }

    async fn last(&self, threads: &[Thread]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let found = self
            .read_in(
                "SELECT thread, wrote_at FROM windows WHERE thread IN ({in})",
                &[],
                threads.iter().map(|thread| thread_key(thread).into()),
            )
            .await?;
        let mut last = BTreeMap::new();
        for row in &found {
            last.insert(row.text("thread")?, row.time("wrote_at")?);
        }
        Ok(threads.iter().map(|thread| last.get(&thread_key(thread)).copied()).collect())
    }
}

#[async_trait]
impl SignIns for SqlStore {
    async fn create(&self, sign_in: &SignIn) -> Result<(), StoreError> {
        let values = vec![
            text(&sign_in.token_hash),
            printed(sign_in.organization),
            printed(sign_in.user),
            sign_in.created_at.millis().into(),
            sign_in.expires_at.millis().into(),
        ];
        let put = "INSERT INTO sign_ins (token_hash, organization, user_id, created_at, expires_at)
                   VALUES ($1, $2, $3, $4, $5)";
        self.write(put, values).await.map(|_| ())
    }

    async fn find(&self, token_hash: &str, now: Timestamp) -> Result<Option<SignIn>, StoreError> {
        let find = "SELECT * FROM sign_ins WHERE token_hash = $1 AND expires_at > $2";
        let row = self.read_one(find, vec![text(token_hash), now.millis().into()]).await?;
        row.map(|row| {
            Ok(SignIn {
                token_hash: row.text("token_hash")?,
                organization: row.parsed("organization")?,
                user: row.parsed("user_id")?,
                created_at: row.time("created_at")?,
                expires_at: row.time("expires_at")?,
            })
        })
        .transpose()
    }

    async fn end(&self, token_hash: &str) -> Result<(), StoreError> {
        self.write("DELETE FROM sign_ins WHERE token_hash = $1", vec![text(token_hash)]).await.map(|_| ())
    }
}
