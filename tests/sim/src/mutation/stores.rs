//! Stores with a bug.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Channel, ConsentEntry, Contact, ContactId, DeliveryState, DeskEvent, MessageId, OrganizationId, Outcome, ParkedId,
    Partition, QueueId, Seat, Thread, Timestamp, UserId, Waiting,
};
use ports::{
    Begun, Blobs, Claim, Consents, Cursors, Journal, Laden, Ledger, Put, Shelf, ShelfError, Shelved, Shelves,
    StoreError, Turn,
    bus::Envelope,
    conservation::Accepted,
    journal::{Commit, CommitError, DueTimer, Lookup, OutboxRow, Said, Snapshot},
};

/// Nothing was ever sent.
pub(super) struct ForgetfulLedger(pub(super) Arc<dyn Ledger>);

#[async_trait]
impl Ledger for ForgetfulLedger {
    async fn begin(&self, message: MessageId, part: u16, claim: &Claim, at: Timestamp) -> Result<Begun, StoreError> {
        self.0.begin(message, part, claim, at).await.map(|_| Begun::Fresh)
    }

    async fn finish(&self, message: MessageId, part: u16, claim: &Claim, outcome: &Outcome) -> Result<(), StoreError> {
        self.0.finish(message, part, claim, outcome).await
    }
}

/// Everybody agreed, as far as they ever did.
pub(super) struct AgreeingConsents(pub(super) Arc<dyn Consents>);

#[async_trait]
impl Consents for AgreeingConsents {
    async fn append(&self, entries: &[ConsentEntry]) -> Result<(), StoreError> {
        self.0.append(entries).await
    }

    async fn last(&self, threads: &[Thread]) -> Result<Vec<Option<ConsentEntry>>, StoreError> {
        let mut last = Vec::new();
        for thread in threads {
            last.push(self.0.history(thread).await?.into_iter().rfind(|entry| entry.change.granted));
        }
        Ok(last)
    }

    async fn history(&self, thread: &Thread) -> Result<Vec<ConsentEntry>, StoreError> {
        self.0.history(thread).await
    }
}

/// Does not say that a message lies there.
pub(super) struct BlindShelves(pub(super) Arc<dyn Shelves>);

#[async_trait]
impl Shelves for BlindShelves {
    async fn take_over(&self, channel: &Channel, partition: Partition) -> Result<(Turn, Vec<Laden>), StoreError> {
        self.0.take_over(channel, partition).await
    }

    async fn holds(&self, _shelf: &Shelf, _id: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn put(&self, turn: Turn, shelf: &Shelf, envelopes: &[Envelope]) -> Result<Put, ShelfError> {
        self.0.put(turn, shelf, envelopes).await
    }

    async fn page(&self, turn: Turn, shelf: &Shelf, after: i64, limit: u32) -> Result<Vec<Shelved>, ShelfError> {
        self.0.page(turn, shelf, after, limit).await
    }

    async fn remove(&self, shelf: &Shelf, positions: &[i64]) -> Result<(), StoreError> {
        self.0.remove(shelf, positions).await
    }
}

/// Does not say how far a message had come.
pub(super) struct OverwritingJournal(pub(super) Arc<dyn Journal>);

#[async_trait]
impl Journal for OverwritingJournal {
    async fn load(&self, lookup: &Lookup) -> Result<Snapshot, StoreError> {
        let mut found = self.0.load(lookup).await?;
        for delivery in found.messages.values_mut().filter_map(|message| message.delivery.as_mut()) {
            delivery.parts.iter_mut().for_each(|part| part.state = DeliveryState::Queued);
        }
        Ok(found)
    }

    async fn commit(&self, commit: &Commit) -> Result<Vec<DeskEvent>, CommitError> {
        self.0.commit(commit).await
    }

    async fn outbox(&self, partitions: &[Partition], limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        self.0.outbox(partitions, limit).await
    }

    async fn relayed(&self, sequences: &[i64]) -> Result<(), StoreError> {
        self.0.relayed(sequences).await
    }

    async fn due(&self, partitions: &[Partition], now: Timestamp, limit: u32) -> Result<Vec<DueTimer>, StoreError> {
        self.0.due(partitions, now, limit).await
    }

    async fn lease(
        &self,
        wanted: &[Partition],
        owner: &str,
        now: Timestamp,
        ttl_millis: u32,
    ) -> Result<Vec<Partition>, StoreError> {
        self.0.lease(wanted, owner, now, ttl_millis).await
    }

    async fn waiting(
        &self,
        organization: OrganizationId,
        queues: &[QueueId],
        each: u32,
    ) -> Result<Vec<Waiting>, StoreError> {
        self.0.waiting(organization, queues, each).await
    }

    async fn free(
        &self,
        organization: OrganizationId,
        among: Option<&[UserId]>,
        limit: u32,
    ) -> Result<Vec<Seat>, StoreError> {
        self.0.free(organization, among, limit).await
    }

    async fn contact(&self, organization: OrganizationId, id: ContactId) -> Result<Option<Contact>, StoreError> {
        self.0.contact(organization, id).await
    }

    async fn accepted(&self, streams: &[Accepted]) -> Result<(), StoreError> {
        self.0.accepted(streams).await
    }

    async fn fold_heard(&self, since: Timestamp) -> Result<(), StoreError> {
        self.0.fold_heard(since).await
    }

    async fn said(&self, since: &[(Thread, Timestamp)]) -> Result<Vec<Said>, StoreError> {
        self.0.said(since).await
    }

    async fn known_after_all(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(OrganizationId, ParkedId)>, StoreError> {
        self.0.known_after_all(since, limit).await
    }

    async fn sweep(&self, events_before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        self.0.sweep(events_before, now).await
    }

    async fn survey(&self) -> Result<usize, StoreError> {
        self.0.survey().await
    }
}

/// Always one further.
pub(super) struct HastyCursors(pub(super) Arc<dyn Cursors>);

#[async_trait]
impl Cursors for HastyCursors {
    async fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.0.get(key).await
    }

    async fn set(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let further = value.parse::<u64>().map_or_else(|_| value.to_owned(), |number| (number + 1).to_string());
        self.0.set(key, &further).await
    }
}

/// Keeps nothing, and says that it does.
pub(super) struct DroppingBlobs(pub(super) Arc<dyn Blobs>);

#[async_trait]
impl Blobs for DroppingBlobs {
    async fn put(&self, _key: &str, _mime: &str, _bytes: Bytes) -> Result<(), StoreError> {
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<(String, Bytes)>, StoreError> {
        self.0.get(key).await
    }
}
