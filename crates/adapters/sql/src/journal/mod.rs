//! The router's store.

mod commit;
mod distribution;
mod events;
mod load;
mod outbox;
mod said;

pub(crate) use outbox::envelope;

use async_trait::async_trait;
use domain::{
    Contact, ContactId, DeskEvent, OrganizationId, ParkedId, Partition, QueueId, Seat, Thread, Timestamp, UserId,
    Waiting,
};
use ports::{
    Journal, StoreError,
    conservation::Accepted,
    journal::{Commit, CommitError, DueTimer, Lookup, OutboxRow, Said, Snapshot},
};

use crate::{SqlStore, conservation, keeping, parking::decisions, rows, statement::printed, survey};

#[async_trait]
impl Journal for SqlStore {
    async fn load(&self, lookup: &Lookup) -> Result<Snapshot, StoreError> {
        self.in_time(load::load(self, lookup)).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Vec<DeskEvent>, CommitError> {
        self.in_time(commit::commit(self, commit)).await
    }

    async fn outbox(&self, partitions: &[Partition], limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        self.in_time(outbox::read(self, partitions, limit)).await
    }

    async fn relayed(&self, sequences: &[i64]) -> Result<(), StoreError> {
        self.in_time(outbox::forget(self, sequences)).await
    }

    async fn due(&self, partitions: &[Partition], now: Timestamp, limit: u32) -> Result<Vec<DueTimer>, StoreError> {
        self.in_time(outbox::due(self, partitions, now, limit)).await
    }

    async fn lease(
        &self,
        wanted: &[Partition],
        owner: &str,
        now: Timestamp,
        ttl_millis: u32,
    ) -> Result<Vec<Partition>, StoreError> {
        self.in_time(outbox::lease(self, wanted, owner, now, ttl_millis)).await
    }

    async fn waiting(
        &self,
        organization: OrganizationId,
        queues: &[QueueId],
        each: u32,
    ) -> Result<Vec<Waiting>, StoreError> {
        distribution::waiting(self, organization, queues, each).await
    }

    async fn free(
        &self,
        organization: OrganizationId,
        among: Option<&[UserId]>,
        limit: u32,
    ) -> Result<Vec<Seat>, StoreError> {
        distribution::free(self, organization, among, limit).await
    }

    async fn contact(&self, organization: OrganizationId, id: ContactId) -> Result<Option<Contact>, StoreError> {
        let text = format!("{} WHERE id = $1 AND organization = $2", rows::CONTACTS.read());
        let row = self.read_one(&text, vec![printed(id), printed(organization)]).await?;
        row.as_ref().map(rows::contact).transpose()
    }

    async fn accepted(&self, streams: &[Accepted]) -> Result<(), StoreError> {
        conservation::accepted(self, streams).await
    }

    async fn fold_heard(&self, since: Timestamp) -> Result<(), StoreError> {
        conservation::fold(self, since).await
    }

    async fn said(&self, since: &[(Thread, Timestamp)]) -> Result<Vec<Said>, StoreError> {
        said::read(self, since).await
    }

    async fn known_after_all(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(OrganizationId, ParkedId)>, StoreError> {
        decisions::known_after_all(self, since, limit).await
    }

    async fn sweep(&self, events_before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        keeping::sweep(self, events_before, now).await
    }

    async fn survey(&self) -> Result<usize, StoreError> {
        survey::look(self).await
    }
}

impl SqlStore {
    pub(crate) async fn seats_of(&self, organization: OrganizationId) -> Result<Vec<Seat>, StoreError> {
        let text = format!("{} WHERE organization = $1 ORDER BY user_id", rows::SEATS.read());
        let seats = self.read(&text, vec![printed(organization)]).await?;
        seats.iter().map(rows::seat).collect()
    }
}
