//! The smaller stores: attempts, windows, consent, buckets, places, leases, media, mailboxes, sign-ins.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{AccountId, Address, ConsentEntry, MessageId, Outcome, Thread, Timestamp};
use ports::{
    Begun, Blobs, Buckets, Claim, Consents, Cursors, Leases, Ledger, MailboxItem, Mailboxes, SignIn, SignIns,
    StoreError, Windows,
};
use tokio::time::Instant;

use super::{
    Store,
    tables::{Attempt, Tables},
};

impl Tables {
    pub(super) fn claim(&mut self, name: &str, owner: &str, now: Timestamp, ttl: Duration) -> bool {
        let free = self.leases.get(name).is_none_or(|(holder, until)| holder == owner || *until <= now);
        if free {
            self.leases.insert(name.to_owned(), (owner.to_owned(), now + ttl));
        }
        free
    }

    fn consent(&self, thread: &Thread) -> Option<ConsentEntry> {
        // Of entries with the same time the one that was written last: `max_by_key` answers the last of equals.
        let theirs = self.consents.iter().map(|(entry, _)| entry).filter(|entry| entry.thread == *thread);
        theirs.max_by_key(|entry| entry.at).cloned()
    }

    fn take(&mut self, key: &str, rate: f64, burst: u32, now: Timestamp) -> Option<Duration> {
        let burst = f64::from(burst.max(1));
        let (tokens, at) = self.buckets.get(key).copied().unwrap_or((burst, now));
        let tokens = (tokens + now.since(at).as_secs_f64() * rate).min(burst);
        let missing = 1.0 - tokens;
        let left = if missing <= 0.0 { tokens - 1.0 } else { tokens };
        self.buckets.insert(key.to_owned(), (left, at.max(now)));
        (missing > 0.0).then(|| Duration::from_secs_f64(missing / rate).max(Duration::from_millis(1)))
    }
}

#[async_trait]
impl Ledger for Store {
    async fn begin(&self, message: MessageId, part: u16, claim: &Claim, at: Timestamp) -> Result<Begun, StoreError> {
        self.ask(|tables| match tables.attempts.get(&(message, part)) {
            Some(Attempt { outcome: Some(outcome), .. }) => Begun::Done(outcome.clone()),
            Some(begun) if !claim.continues(&begun.claim) => Begun::InDoubt,
            _ => {
                let attempt = Attempt { begun_at: at, claim: claim.to_string(), outcome: None };
                tables.attempts.insert((message, part), attempt);
                Begun::Fresh
            }
        })
        .await
    }

    async fn finish(&self, message: MessageId, part: u16, claim: &Claim, outcome: &Outcome) -> Result<(), StoreError> {
        let key = (message, part);
        let claim = claim.to_string();
        self.ask(|tables| {
            let Some(attempt) = tables.attempts.get_mut(&key) else { return };
            let (unknown, ours) = (attempt.outcome.is_none(), attempt.claim == claim);
            match outcome {
                Outcome::Throttled { .. } | Outcome::Unavailable { .. } if ours && unknown => {
                    tables.attempts.remove(&key);
                }
                Outcome::Throttled { .. } | Outcome::Unavailable { .. } => {}
                Outcome::InDoubt { .. } if unknown => attempt.outcome = Some(outcome.clone()),
                Outcome::InDoubt { .. } => {}
                _ if ours => attempt.outcome = Some(outcome.clone()),
                _ => {}
            }
        })
        .await
    }
}

#[async_trait]
impl Windows for Store {
    async fn note(&self, wrote: &[(Thread, Timestamp)], keep: Duration) -> Result<(), StoreError> {
        self.ask(|tables| {
            for (thread, at) in wrote {
                if tables.windows.get(thread).is_none_or(|(known, _)| known < at) {
                    tables.windows.insert(thread.clone(), (*at, *at + keep));
                }
            }
        })
        .await
    }

    async fn last(&self, threads: &[Thread]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        self.ask(|tables| threads.iter().map(|thread| Some(tables.windows.get(thread)?.0)).collect()).await
    }
}

#[async_trait]
impl Consents for Store {
    async fn append(&self, entries: &[ConsentEntry]) -> Result<(), StoreError> {
        self.ask(|tables| {
            for entry in entries {
                if !tables.consents.iter().any(|(known, _)| known.cause == entry.cause) {
                    tables.consents.push((entry.clone(), Instant::now()));
                }
            }
        })
        .await
    }

    async fn last(&self, threads: &[Thread]) -> Result<Vec<Option<ConsentEntry>>, StoreError> {
        self.ask(|tables| threads.iter().map(|thread| tables.consent(thread)).collect()).await
    }

    async fn history(&self, thread: &Thread) -> Result<Vec<ConsentEntry>, StoreError> {
        self.ask(|tables| {
            let theirs = tables.consents.iter().map(|(entry, _)| entry).filter(|entry| entry.thread == *thread);
            let mut history: Vec<_> = theirs.cloned().collect();
            history.sort_by_key(|entry| entry.at);
            history
        })
        .await
    }
}

#[async_trait]
impl Buckets for Store {
    async fn take(&self, key: &str, rate: f64, burst: u32, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        self.ask(|tables| tables.take(key, rate, burst, now)).await
    }
}

#[async_trait]
impl Cursors for Store {
    async fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.ask(|tables| tables.cursors.get(key).cloned()).await
    }

    async fn set(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.ask(|tables| drop(tables.cursors.insert(key.to_owned(), value.to_owned()))).await
    }
}

#[async_trait]
impl Leases for Store {
    async fn claim(&self, name: &str, owner: &str, now: Timestamp, ttl: Duration) -> Result<bool, StoreError> {
        self.ask(|tables| tables.claim(name, owner, now, ttl)).await
    }
}

#[async_trait]
impl Blobs for Store {
    async fn put(&self, key: &str, mime: &str, bytes: Bytes) -> Result<(), StoreError> {
        let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
        if !key.split('/').all(plain) {
            return Err(StoreError::Refused(format!("'{}' is no key", key.escape_debug())));
        }
        self.ask(|tables| drop(tables.blobs.insert(key.to_owned(), (mime.to_owned(), bytes)))).await
    }

    async fn get(&self, key: &str) -> Result<Option<(String, Bytes)>, StoreError> {
        self.ask(|tables| tables.blobs.get(key).cloned()).await
    }
}

#[async_trait]
impl Mailboxes for Store {
    async fn put(
        &self,
        account: AccountId,
        address: &Address,
        id: &str,
        body: &str,
        _at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.ask(|tables| {
            let items = tables.mailboxes.entry((account, address.clone())).or_default();
            if let Some(known) = items.iter().find(|item| item.id == id) {
                return known.sequence;
            }
            let sequence = items.len() as u64 + 1;
            items.push(MailboxItem { sequence, id: id.to_owned(), body: body.to_owned() });
            sequence
        })
        .await
    }

    async fn since(
        &self,
        account: AccountId,
        address: &Address,
        after: u64,
        limit: u32,
    ) -> Result<Vec<MailboxItem>, StoreError> {
        self.ask(|tables| {
            let items = tables.mailboxes.get(&(account, address.clone())).map(Vec::as_slice).unwrap_or_default();
            items.iter().filter(|item| item.sequence > after).take(limit as usize).cloned().collect()
        })
        .await
    }
}

#[async_trait]
impl SignIns for Store {
    async fn create(&self, sign_in: &SignIn) -> Result<(), StoreError> {
        self.ask(|tables| drop(tables.sign_ins.insert(sign_in.token_hash.clone(), sign_in.clone()))).await
    }

    async fn find(&self, token_hash: &str, now: Timestamp) -> Result<Option<SignIn>, StoreError> {
        self.ask(|tables| tables.sign_ins.get(token_hash).filter(|one| one.expires_at > now).cloned()).await
    }

    async fn end(&self, token_hash: &str) -> Result<(), StoreError> {
        self.ask(|tables| drop(tables.sign_ins.remove(token_hash))).await
    }
}
