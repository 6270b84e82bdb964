//! The consent ledger.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{ConsentChange, ConsentEntry, Thread};
use ports::{Consents, StoreError};

use crate::{
    SqlStore,
    row::Row,
    rows,
    rows::thread_key,
    statement::{Table, printed, text},
};

const CONSENTS: Table = Table {
    name: "consents",
    columns: &[
        "cause",
        "thread",
        "organization",
        "account",
        "address",
        "channel",
        "granted",
        "source",
        "evidence",
        "at",
    ],
};

fn entry(row: &Row) -> Result<ConsentEntry, StoreError> {
    Ok(ConsentEntry {
        cause: row.parsed("cause")?,
        thread: rows::thread(row)?,
        channel: row.parsed("channel")?,
        change: ConsentChange {
            granted: row.flag("granted")?,
            source: row.text("source")?,
            evidence: row.text("evidence")?,
        },
        at: row.time("at")?,
    })
}

#[async_trait]
impl Consents for SqlStore {
    async fn append(&self, entries: &[ConsentEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let values = entries
            .iter()
            .flat_map(|entry| {
                [
                    printed(entry.cause),
                    thread_key(&entry.thread).into(),
                    printed(entry.thread.organization),
                    printed(entry.thread.account),
                    text(entry.thread.address.as_str()),
                    printed(&entry.channel),
                    i64::from(entry.change.granted).into(),
                    text(&entry.change.source),
                    text(&entry.change.evidence),
                    entry.at.millis().into(),
                ]
            })
            .collect();
        self.insert(CONSENTS, "ON CONFLICT (cause) DO NOTHING", values).await
    }

    async fn last(&self, threads: &[Thread]) -> Result<Vec<Option<ConsentEntry>>, StoreError> {
        let found = self
            .read_in(
                "SELECT c.* FROM consents c WHERE c.thread IN ({in}) AND c.sequence = (SELECT l.sequence
                 FROM consents l WHERE l.thread = c.thread ORDER BY l.at DESC, l.sequence DESC LIMIT 1)",
                &[],
                threads.iter().map(|thread| thread_key(thread).into()),
            )
            .await?;
        let mut last = BTreeMap::new();
        for row in &found {
            last.insert(row.text("thread")?, entry(row)?);
        }
        Ok(threads.iter().map(|thread| last.get(&thread_key(thread)).cloned()).collect())
    }

    async fn history(&self, thread: &Thread) -> Result<Vec<ConsentEntry>, StoreError> {
        let text = "SELECT * FROM consents WHERE thread = $1 ORDER BY at, sequence";
        self.read(text, vec![thread_key(thread).into()]).await?.iter().map(entry).collect()
    }
}
