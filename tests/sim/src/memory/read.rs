//! The journal: lookups, the outbox, timers, leases.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    Contact, ContactId, Conversation, DeskEvent, Message, MessageId, OrganizationId, Outcome, ParkedId, Partition,
    QueueId, Seat, Thread, Timestamp, UserId, Waiting,
};
use ports::{
    Journal, StoreError,
    conservation::Accepted,
    journal::{Commit, CommitError, DueTimer, Lookup, OutboxRow, Said, Snapshot},
};

use super::{Store, tables::Tables};

/// How long it is remembered that an event was carried out, and how a send ended.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3_600);

impl Tables {
    fn load(&self, lookup: &Lookup) -> Snapshot {
        let mut found = Snapshot::default();
        found.processed.extend(lookup.events.iter().filter(|id| self.processed.contains_key(id)));
        let brought = lookup.brought.iter().filter(|(message, _)| self.messages.contains_key(message));
        found.processed.extend(brought.map(|(_, event)| event));
        for one in self.conversations.values() {
            let open = one.is_open() && lookup.threads.contains(&one.thread);
            if open {
                found.open.insert(one.thread.clone(), one.id);
            }
            if open || lookup.conversations.contains(&(one.organization(), one.id)) {
                found.conversations.insert(one.id, one.clone());
            }
        }
        self.load_contacts(lookup, &mut found);
        self.load_messages(lookup, &mut found);
        let named = |receipt: &domain::HeldReceipt| {
            let account = receipt.thread.account;
            receipt.receipt.provider_ids.iter().any(|id| lookup.provider_ids.contains(&(account, id.clone())))
        };
        found.held = self.held.values().filter(|receipt| named(receipt)).cloned().collect();
        found.held.sort_by_key(|receipt| (receipt.held_at, receipt.event));
        for (organization, id) in &lookup.parked {
            let Some(kept) = self.parked.get(id).filter(|kept| kept.parked.organization == Some(*organization)) else {
                continue;
            };
            if let Some(message) = kept.parked.message {
                let doubted = Lookup { messages: [(*organization, message)].into(), ..Lookup::default() };
                self.load_messages(&doubted, &mut found);
                self.load_taken(message, &mut found);
            }
            found.parked.insert(*id, kept.entry(Vec::new()));
        }
        lookup.taken.iter().for_each(|message| self.load_taken(*message, &mut found));
        found.seats.extend(lookup.seats.iter().filter_map(|key| Some((*key, self.seats.get(key)?.clone()))));
        found
    }

    /// A thread's contact is the one that was there first; later ones were saved from cards.
    fn load_contacts(&self, lookup: &Lookup, found: &mut Snapshot) {
        for one in self.contacts.values().filter(|one| lookup.threads.contains(&one.thread)) {
            let known = found.contacts.get(&one.thread);
            if known.is_none_or(|known: &Contact| (one.created_at, one.id) < (known.created_at, known.id)) {
                found.contacts.insert(one.thread.clone(), one.clone());
            }
        }
    }

    fn load_taken(&self, message: MessageId, found: &mut Snapshot) {
        for ((_, part), attempt) in self.attempts.range((message, 0)..=(message, u16::MAX)) {
            if let Some(Outcome::Accepted { provider_ids }) = &attempt.outcome {
                found.taken.entry(message).or_default().insert(*part, provider_ids.clone());
            }
        }
    }

    fn load_messages(&self, lookup: &Lookup, found: &mut Snapshot) {
        let add = |found: &mut Snapshot, one: &Message| {
            if let Some(conversation) = self.conversations.get(&one.conversation) {
                found.conversations.insert(one.conversation, conversation.clone());
            }
            found.messages.insert(one.id, one.clone());
        };
        for (organization, id) in &lookup.messages {
            if let Some(one) = self.messages.get(id).filter(|one| one.organization == *organization) {
                add(found, one);
            }
        }
        for pair in &lookup.provider_ids {
            let Some(known) = self.provider_ids.get(pair) else { continue };
            if let Some(one) = self.messages.get(&known.message) {
                found.by_provider_id.insert(pair.clone(), one.id);
                found.traces.extend(known.trace.clone().map(|trace| (pair.clone(), trace)));
                add(found, one);
            }
        }
    }

    fn outgoing(&self, partitions: &[Partition], limit: u32) -> Vec<OutboxRow> {
        let ours = self.outbox.iter().filter(|(_, outgoing)| partitions.contains(&outgoing.partition));
        ours.take(limit as usize)
            .map(|(sequence, outgoing)| OutboxRow { sequence: *sequence, outgoing: outgoing.clone() })
            .collect()
    }

    fn due(&self, partitions: &[Partition], now: Timestamp, limit: u32) -> Vec<DueTimer> {
        let due = self.timers.iter().filter(|(_, timer)| timer.due_at <= now && partitions.contains(&timer.partition));
        let mut due: Vec<_> = due
            .map(|((conversation, kind), timer)| DueTimer {
                organization: timer.organization,
                conversation: *conversation,
                kind: *kind,
                due_at: timer.due_at,
            })
            .collect();
        due.sort_by_key(|timer| (timer.due_at, timer.conversation, timer.kind));
        due.truncate(limit as usize);
        due
    }

    fn waiting(&self, organization: OrganizationId, queues: &[QueueId], each: u32) -> Vec<Waiting> {
        let ours = self.conversations.values().filter(|one| one.organization() == organization);
        let mut waiting: Vec<_> = ours.filter_map(Conversation::waits).collect();
        waiting.sort_by_key(|one| (one.since, one.conversation));
        let mut left: BTreeMap<QueueId, u32> = queues.iter().map(|queue| (*queue, each)).collect();
        waiting.retain(|one| {
            let Some(left) = left.get_mut(&one.queue).filter(|left| **left > 0) else { return false };
            *left -= 1;
            true
        });
        waiting
    }

    fn free(&self, organization: OrganizationId, among: Option<&[UserId]>, limit: u32) -> Vec<Seat> {
        let mut free = self.seats_of(organization);
        free.retain(|seat| seat.is_free() && among.is_none_or(|among| among.contains(&seat.user)));
        free.sort_by_key(|seat| (seat.last_assigned_at, seat.user));
        free.truncate(limit as usize);
        free
    }

    pub(super) fn seats_of(&self, organization: OrganizationId) -> Vec<Seat> {
        self.seats.values().filter(|seat| seat.organization == organization).cloned().collect()
    }

    fn sweep(&mut self, events_before: Timestamp, now: Timestamp) -> u64 {
        let before = self.size();
        let remembered = i64::try_from(REMEMBERED.as_millis()).unwrap_or(i64::MAX);
        let long_ago = Timestamp::from_millis(now.millis().saturating_sub(remembered));
        self.events.values_mut().for_each(|events| events.retain(|event| event.at >= events_before));
        self.held.retain(|_, receipt| receipt.held_at >= events_before);
        self.windows.retain(|_, (_, until)| *until >= now);
        self.sign_ins.retain(|_, sign_in| sign_in.expires_at >= now);
        self.processed.retain(|_, mark| mark.at >= long_ago);
        // One that was begun and never finished stays: it is in doubt.
        self.attempts.retain(|_, attempt| attempt.outcome.is_none() || attempt.begun_at >= long_ago);
        self.accepted.retain(|stream, _| stream.slot >= long_ago);
        self.heard.retain(|one| one.stream.slot >= long_ago);
        before.saturating_sub(self.size()) as u64
    }

    fn size(&self) -> usize {
        let held: usize = self.held.values().map(|receipt| receipt.receipt.provider_ids.len()).sum();
        let events: usize = self.events.values().map(Vec::len).sum();
        let numbers = self.accepted.len() + self.heard.len();
        held + events + numbers + self.windows.len() + self.sign_ins.len() + self.processed.len() + self.attempts.len()
    }
}

#[async_trait]
impl Journal for Store {
    async fn load(&self, lookup: &Lookup) -> Result<Snapshot, StoreError> {
        self.ask(|tables| tables.load(lookup)).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Vec<DeskEvent>, CommitError> {
        self.ask(|tables| tables.commit(commit)).await?
    }

    async fn outbox(&self, partitions: &[Partition], limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        self.ask(|tables| tables.outgoing(partitions, limit)).await
    }

    async fn relayed(&self, sequences: &[i64]) -> Result<(), StoreError> {
        self.ask(|tables| tables.outbox.retain(|sequence, _| !sequences.contains(sequence))).await
    }

    async fn due(&self, partitions: &[Partition], now: Timestamp, limit: u32) -> Result<Vec<DueTimer>, StoreError> {
        self.ask(|tables| tables.due(partitions, now, limit)).await
    }

    async fn lease(
        &self,
        wanted: &[Partition],
        owner: &str,
        now: Timestamp,
        ttl_millis: u32,
    ) -> Result<Vec<Partition>, StoreError> {
        let ttl = Duration::from_millis(u64::from(ttl_millis));
        let wanted: BTreeSet<Partition> = wanted.iter().copied().collect();
        self.ask(|tables| {
            let mut claim = |p: &Partition| tables.claim(&format!("partition/{}", p.0), owner, now, ttl);
            wanted.into_iter().filter(|partition| claim(partition)).collect()
        })
        .await
    }

    async fn waiting(
        &self,
        organization: OrganizationId,
        queues: &[QueueId],
        each: u32,
    ) -> Result<Vec<Waiting>, StoreError> {
        self.ask(|tables| tables.waiting(organization, queues, each)).await
    }

    async fn free(
        &self,
        organization: OrganizationId,
        among: Option<&[UserId]>,
        limit: u32,
    ) -> Result<Vec<Seat>, StoreError> {
        self.ask(|tables| tables.free(organization, among, limit)).await
    }

    async fn contact(&self, organization: OrganizationId, id: ContactId) -> Result<Option<Contact>, StoreError> {
        self.ask(|tables| tables.contacts.get(&id).filter(|one| one.thread.organization == organization).cloned()).await
    }

    async fn accepted(&self, streams: &[Accepted]) -> Result<(), StoreError> {
        self.ask(|tables| tables.note_accepted(streams)).await
    }

    async fn fold_heard(&self, since: Timestamp) -> Result<(), StoreError> {
        self.ask(|tables| tables.fold_heard(since)).await
    }

    async fn said(&self, since: &[(Thread, Timestamp)]) -> Result<Vec<Said>, StoreError> {
        self.ask(|tables| tables.said(since)).await
    }

    async fn known_after_all(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(OrganizationId, ParkedId)>, StoreError> {
        self.ask(|tables| tables.known_after_all(since, limit)).await
    }

    async fn sweep(&self, events_before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        self.ask(|tables| tables.sweep(events_before, now)).await
    }

    async fn survey(&self) -> Result<usize, StoreError> {
        // Memory has no plans.
        Ok(0)
    }
}
