//! Read models and the audit.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::{
    Author, Conversation, ConversationId, DeliveryState, DeskEvent, Message, MessageId, OrganizationId, QueueId, Seat,
    Timestamp,
};
use ports::{
    AuditCounts, ConversationFilter, StageCount, StoreError, Unaccounted, Views,
    conservation::{IntakeCounts, Period, SendCounts},
};

use super::{Store, tables::Tables};

type Asked = Option<OrganizationId>;

fn fits(one: &Conversation, filter: &ConversationFilter) -> bool {
    let found = |text: &str| {
        let fields = [one.contact_name.as_deref(), one.contact_email.as_deref(), Some(one.thread.address.as_str())];
        fields.into_iter().flatten().any(|field| field.to_lowercase().contains(&text.to_lowercase()))
    };
    (filter.stages.is_empty() || filter.stages.contains(&one.stage))
        && filter.queues.as_ref().is_none_or(|queues| queues.contains(&one.queue))
        && filter.agent.is_none_or(|agent| one.agent == Some(agent))
        && filter.channel.as_ref().is_none_or(|channel| one.channel == *channel)
        && filter.search.as_deref().is_none_or(found)
}

fn state_of(message: &Message) -> Option<DeliveryState> {
    message.delivery.as_ref().map(|delivery| delivery.state)
}

fn by_name(names: impl Iterator<Item = String>) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts.into_iter().collect()
}

fn count<T>(of: impl Iterator<Item = T>) -> u64 {
    of.count() as u64
}

impl Tables {
    /// See [`Views::audit`].
    pub fn audit(&self, asked: Asked) -> AuditCounts {
        let ours = |organization: OrganizationId| asked.is_none_or(|asked| asked == organization);
        let messages = || self.messages.values().filter(move |one| ours(one.organization));
        let marks = || self.processed.values().filter(move |mark| ours(mark.organization));
        let organization_of = |envelope: &ports::bus::Envelope| -> Option<OrganizationId> {
            envelope.headers.get(ports::bus::headers::ORGANIZATION)?.parse().ok()
        };
        let parked =
            || self.parked.values().filter(|kept| asked.is_none_or(|asked| kept.parked.organization == Some(asked)));
        let named = |state: DeliveryState| format!("{state:?}").to_lowercase();
        let mut caused: BTreeMap<_, u64> = BTreeMap::new();
        for one in messages().filter(|one| one.author == Author::Contact) {
            *caused.entry((one.organization, one.cause)).or_default() += 1;
        }
        AuditCounts {
            processed: by_name(marks().map(|mark| mark.kind.clone())),
            messages_in: count(messages().filter(|one| one.author == Author::Contact)),
            messages_out: by_name(messages().filter_map(state_of).map(named)),
            queued_out: count(messages().filter_map(state_of).filter(|state| *state == DeliveryState::Queued)),
            in_broker: None,
            outbox: count(
                self.outbox
                    .values()
                    .filter(|one| asked.is_none_or(|asked| organization_of(&one.envelope) == Some(asked))),
            ),
            held_receipts: count(self.held.values().filter(|one| ours(one.thread.organization))),
            parked: count(parked().filter(|kept| kept.is_listed())),
            discarded: count(parked().filter(|kept| self.is_discarded(kept))),
            unaccounted_in: count(caused.values().filter(|messages| **messages != 1)),
            out_of_order: self.out_of_order(asked),
            seat_mismatch: self.seat_mismatch(asked),
        }
    }

    fn out_of_order(&self, asked: Asked) -> u64 {
        let mut places: BTreeMap<ConversationId, Vec<u64>> = BTreeMap::new();
        for one in self.messages.values().filter(|one| asked.is_none_or(|asked| one.organization == asked)) {
            places.entry(one.conversation).or_default().push(one.sequence);
        }
        for one in self.conversations.values().filter(|one| asked.is_none_or(|asked| one.organization() == asked)) {
            places.entry(one.id).or_default();
        }
        let wrong = |(id, taken): &(ConversationId, Vec<u64>)| {
            let mut taken = taken.clone();
            taken.sort_unstable();
            let dense = taken.iter().copied().eq(1..=taken.len() as u64);
            let said = self.conversations.get(id).map(|one| one.next_sequence);
            !dense || said != Some(taken.len() as u64 + 1)
        };
        count(places.into_iter().filter(wrong))
    }

    fn seat_mismatch(&self, asked: Asked) -> u64 {
        let mut served: BTreeMap<(OrganizationId, domain::UserId), u16> = BTreeMap::new();
        for one in self.conversations.values().filter(|one| one.is_open()) {
            if let Some(agent) = one.agent {
                *served.entry((one.organization(), agent)).or_default() += 1;
            }
        }
        let keys: BTreeSet<_> = served.keys().chain(self.seats.keys()).copied().collect();
        let wrong = |key: &(OrganizationId, domain::UserId)| {
            self.seats.get(key).map(|seat| seat.load) != Some(served.get(key).copied().unwrap_or(0))
        };
        count(keys.into_iter().filter(|key| asked.is_none_or(|asked| key.0 == asked)).filter(wrong))
    }

    fn unaccounted_out(&self, asked: Asked, queued_before: Timestamp) -> Unaccounted {
        let on_its_way: BTreeSet<_> = self.outbox.values().filter_map(|one| one.envelope.correlation.clone()).collect();
        let lost = |one: &&Message| {
            asked.is_none_or(|asked| one.organization == asked)
                && one.delivery.as_ref().is_some_and(|it| it.state == DeliveryState::Queued && it.at < queued_before)
                && !self.attempts.keys().any(|(message, _)| *message == one.id)
                && !on_its_way.contains(&one.conversation.to_string())
        };
        let mut lost: Vec<_> = self.messages.values().filter(lost).collect();
        lost.sort_by_key(|one| (one.at, one.id));
        let named = lost.iter().take(Unaccounted::NAMED as usize).map(|one| one.id).collect();
        Unaccounted { count: lost.len() as u64, messages: named }
    }

    fn counts(&self, organization: OrganizationId, queues: Option<&[QueueId]>) -> Vec<StageCount> {
        let mut counts: BTreeMap<(domain::Channel, domain::Stage), u64> = BTreeMap::new();
        for one in self.conversations.values().filter(|one| one.is_open() && one.organization() == organization) {
            if queues.is_none_or(|queues| queues.contains(&one.queue)) {
                *counts.entry((one.channel.clone(), one.stage)).or_default() += 1;
            }
        }
        counts.into_iter().map(|((channel, stage), count)| StageCount { channel, stage, count }).collect()
    }
}

#[async_trait]
impl Views for Store {
    async fn conversations(
        &self,
        organization: OrganizationId,
        filter: &ConversationFilter,
    ) -> Result<Vec<Conversation>, StoreError> {
        self.ask(|tables| {
            let all = tables.conversations.values().filter(|one| one.organization() == organization);
            let mut found: Vec<_> = all.filter(|one| fits(one, filter)).cloned().collect();
            if filter.newest_first {
                found.sort_by_key(|one| std::cmp::Reverse((one.newest_at(), one.id)));
            } else {
                found.sort_by_key(|one| (one.waiting_since, one.id));
            }
            found.truncate(filter.limit as usize);
            found
        })
        .await
    }

    async fn conversation(
        &self,
        organization: OrganizationId,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        self.ask(|tables| tables.conversations.get(&id).filter(|one| one.organization() == organization).cloned()).await
    }

    async fn messages(
        &self,
        organization: OrganizationId,
        conversation: ConversationId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        self.ask(|tables| {
            let of_it = tables.places.range((conversation, 0)..(conversation, before.unwrap_or(u64::MAX)));
            let newest = of_it.rev().filter_map(|(_, id)| tables.messages.get(id));
            let mut page: Vec<_> =
                newest.filter(|one| one.organization == organization).take(limit as usize).cloned().collect();
            page.reverse();
            page
        })
        .await
    }

    async fn message(&self, organization: OrganizationId, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.ask(|tables| tables.messages.get(&id).filter(|one| one.organization == organization).cloned()).await
    }

    async fn counts(
        &self,
        organization: OrganizationId,
        queues: Option<&[QueueId]>,
    ) -> Result<Vec<StageCount>, StoreError> {
        self.ask(|tables| tables.counts(organization, queues)).await
    }

    async fn seats(&self, organization: OrganizationId) -> Result<Vec<Seat>, StoreError> {
        self.ask(|tables| tables.seats_of(organization)).await
    }

    async fn events(&self, organization: OrganizationId, after: u64, limit: u32) -> Result<Vec<DeskEvent>, StoreError> {
        self.ask(|tables| {
            let all = tables.events.get(&organization).map(Vec::as_slice).unwrap_or_default();
            all.iter().filter(|event| event.sequence > after).take(limit as usize).cloned().collect()
        })
        .await
    }

    async fn event_range(&self, organization: OrganizationId) -> Result<(u64, u64), StoreError> {
        self.ask(|tables| {
            let newest = tables.last_event.get(&organization).copied().unwrap_or(0);
            let oldest = tables.events.get(&organization).and_then(|all| all.first()).map(|event| event.sequence);
            (newest, oldest.unwrap_or(if newest > 0 { newest + 1 } else { 0 }))
        })
        .await
    }

    async fn audit(&self, organization: Option<OrganizationId>) -> Result<AuditCounts, StoreError> {
        self.ask(|tables| tables.audit(organization)).await
    }

    async fn intake(&self, period: &Period) -> Result<IntakeCounts, StoreError> {
        self.ask(|tables| tables.intake(period)).await
    }

    async fn sends(&self, period: &Period) -> Result<SendCounts, StoreError> {
        self.ask(|tables| tables.sends(period)).await
    }

    async fn unaccounted_out(
        &self,
        organization: Option<OrganizationId>,
        queued_before: Timestamp,
    ) -> Result<Unaccounted, StoreError> {
        self.ask(|tables| tables.unaccounted_out(organization, queued_before)).await
    }
}
