//! A commit in the making: the decisions of a batch, folded.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Conversation, ConversationId, DeskChange, DeskEvent, EventId, Failure, HeldReceipt, Inbound, Message, MessageId,
    OrganizationId, Parked, ParkedDecision, ParkedId, ParkedMoved, SendRequest, Thread, Timestamp, UserId, invariants,
};
use ports::{
    Settled,
    bus::{Envelope, headers},
    conservation::{Fate, Heard, Stamp},
    journal::{Commit, Outgoing, Processed, ProviderId, Reopened, TimerChange, TimerKind},
    topology::Topic,
};
use routing::{Change, Effect, State, Timer};
use runtime::trace;
use wire::Wire;

use crate::{consent, parked::KIND};

/// What the decisions of a batch touched. The things themselves are in the state; each is written once, as it is after
/// the last event of the batch.
#[derive(Default)]
pub(crate) struct Draft {
    partitions: u16,
    processed: Vec<Processed>,
    conversations: BTreeSet<ConversationId>,
    messages: BTreeSet<MessageId>,
    contacts: BTreeSet<Thread>,
    seats: BTreeSet<(OrganizationId, UserId)>,
    provider_ids: Vec<ProviderId>,
    hold: Vec<HeldReceipt>,
    release: Vec<EventId>,
    timers: Vec<TimerChange>,
    outbox: Vec<Outgoing>,
    decided: Vec<(ParkedDecision, u64)>,
    settled: Vec<Settled>,
    parked: Vec<Parked>,
    reopened: Vec<Reopened>,
    /// The numbers of what channels accepted.
    pub(crate) heard: Vec<(Stamp, Fate)>,
    /// Organizations whose distribution has a reason to look again.
    pub(crate) nudges: BTreeSet<OrganizationId>,
}

impl Draft {
    pub(crate) fn new(partitions: u16) -> Self {
        Self { partitions, ..Self::default() }
    }

    /// Notes a change. What becomes known at a provider is kept with `trace`, the `traceparent` of the attempt.
    pub(crate) fn change(&mut self, change: &Change, trace: Option<&str>) {
        match change {
            Change::Processed { event, organization, kind, at } => self.processed.push(Processed {
                event: *event,
                organization: *organization,
                kind: (*kind).to_owned(),
                at: *at,
            }),
            Change::Conversation(conversation) => {
                self.conversations.insert(conversation.id);
            }
            Change::Message(message) => {
                self.messages.insert(message.id);
            }
            Change::Contact(contact) => {
                self.contacts.insert(contact.thread.clone());
            }
            Change::Seat(seat) => {
                self.seats.insert((seat.organization, seat.user));
            }
            Change::ProviderId { account, id, message, organization } => self.provider_ids.push(ProviderId {
                account: *account,
                id: id.clone(),
                message: *message,
                organization: *organization,
                trace: trace.map(str::to_owned),
            }),
            Change::Hold(receipt) => self.hold.push(receipt.clone()),
            Change::Release(event) => {
                // Held and applied in one batch: the store never hears of it.
                let known = self.hold.len();
                self.hold.retain(|held| held.event != *event);
                if self.hold.len() == known {
                    self.release.push(*event);
                }
            }
            Change::Timer { thread, conversation, timer, due_at } => {
                self.timer(thread.organization, *conversation, *timer, *due_at, thread.partition(self.partitions));
            }
            Change::Parked { decision, version } => self.decided.push((decision.clone(), *version)),
        }
    }

    fn timer(
        &mut self,
        organization: OrganizationId,
        conversation: ConversationId,
        timer: Timer,
        due_at: Option<Timestamp>,
        partition: domain::Partition,
    ) {
        let kind = match timer {
            Timer::Inactive => TimerKind::Inactive,
            Timer::Abandon => TimerKind::Abandon,
        };
        self.timers.retain(|known| (known.conversation, known.kind) != (conversation, kind));
        self.timers.push(TimerChange { organization, conversation, kind, due_at, partition });
    }

    /// Takes back a timer whose conversation does not exist.
    pub(crate) fn take_back(&mut self, due: &routing::Due) {
        self.timer(due.organization, due.conversation, due.timer, None, domain::Partition(0));
    }

    /// Notes an effect; what goes out carries the trace of `span`.
    pub(crate) fn effect(&mut self, effect: Effect, span: &tracing::Span, now: Timestamp) {
        match effect {
            Effect::RequestSend(request) => {
                let partition = request.thread.partition(self.partitions);
                let envelope = requested(&request, Topic::Requested(partition), span);
                self.outbox.push(Outgoing { partition, at: now, envelope });
            }
            Effect::Reopen { message, failed } => self.reopened.push(Reopened { message, failed }),
            Effect::ParkSend { request, part, failure } => {
                let topic = Topic::Requested(request.thread.partition(self.partitions));
                self.parked.push(in_doubt(&request, part, failure, &topic, now));
            }
            Effect::Distribute(organization) => {
                self.nudges.insert(organization);
            }
        }
    }

    /// Notes what the session service must hear of, in the trace of `span`.
    pub(crate) fn tell(&mut self, inbound: &Inbound, span: &tracing::Span, now: Timestamp) {
        let partition = inbound.thread.partition(self.partitions);
        let envelope = consent::envelope(inbound, Topic::Consent(partition), span);
        self.outbox.push(Outgoing { partition, at: now, envelope });
    }

    /// Notes that a message is in doubt no longer.
    pub(crate) fn settle(&mut self, message: MessageId, at: Timestamp) {
        self.settled.push(Settled { message, at });
    }

    /// The conversation as it will be once the commit stands.
    pub(crate) fn conversation(&self, state: &State, id: ConversationId) -> Option<Conversation> {
        let mut found = state.conversations.get(&id)?.clone();
        found.version += u64::from(self.conversations.contains(&id));
        Some(found)
    }

    /// The message as it will be once the commit stands.
    pub(crate) fn message(&self, state: &State, id: MessageId) -> Option<Message> {
        let mut found = state.messages.get(&id)?.clone();
        found.version += u64::from(self.messages.contains(&id));
        Some(found)
    }

    /// How many conversations are about to be written with an agent whom nobody serves, or the other way round: must be 0.
    pub(crate) fn unowned(&self, state: &State) -> u64 {
        let touched = self.conversations.iter().filter_map(|id| state.conversations.get(id));
        touched.map(|conversation| u64::from(!invariants::owned_once(conversation))).sum()
    }

    /// The commit. None when nothing changes.
    pub(crate) fn into_commit(self, state: &State, now: Timestamp) -> Option<Commit> {
        let conversations: Vec<_> =
            self.conversations.iter().filter_map(|id| state.conversations.get(id)).cloned().collect();
        let mut messages: Vec<_> = self.messages.iter().filter_map(|id| state.messages.get(id)).cloned().collect();
        messages.sort_by_key(|message| (message.conversation, message.sequence));
        let contacts: Vec<_> = self.contacts.iter().filter_map(|thread| state.contacts.get(thread)).cloned().collect();
        let seats: Vec<_> = self.seats.iter().filter_map(|key| state.seats.get(key)).cloned().collect();
        let mut commit = Commit {
            processed: self.processed,
            conversations,
            messages,
            contacts,
            seats,
            provider_ids: self.provider_ids,
            hold: self.hold,
            release: self.release,
            timers: self.timers,
            outbox: self.outbox,
            events: Vec::new(),
            decided: self.decided,
            settled: self.settled,
            parked: self.parked,
            reopened: self.reopened,
            heard: Heard::of(self.heard),
        };
        commit.events = events(&commit, state, now);
        (commit != Commit::default()).then_some(commit)
    }
}

/// What the desk hears: each thing once, as it will stand, with the version that the commit gives it. Conversations come
/// before their messages.
fn events(commit: &Commit, state: &State, now: Timestamp) -> Vec<DeskEvent> {
    let event = |organization, change| DeskEvent { organization, sequence: 0, at: now, change };
    let conversations = commit.conversations.iter().cloned().map(|mut one| {
        one.version += 1;
        event(one.organization(), DeskChange::Conversation(Box::new(one)))
    });
    let messages = commit.messages.iter().cloned().map(|mut one| {
        one.version += 1;
        event(one.organization, DeskChange::Message(Box::new(one)))
    });
    let seats = commit.seats.iter().cloned().map(|mut one| {
        one.version += 1;
        event(one.organization, DeskChange::Seat(one))
    });
    let contacts = commit.contacts.iter().cloned().map(|mut one| {
        one.version += 1;
        event(one.thread.organization, DeskChange::Contact(Box::new(one)))
    });
    let parked =
        moved(commit, state).into_iter().map(|(organization, moved)| event(organization, DeskChange::Parked(moved)));
    conversations.chain(messages).chain(seats).chain(contacts).chain(parked).collect()
}

/// What moved among the parked messages of each organization.
fn moved(commit: &Commit, state: &State) -> BTreeMap<OrganizationId, ParkedMoved> {
    let mut moved: BTreeMap<OrganizationId, ParkedMoved> = BTreeMap::new();
    let parked = commit.parked.iter().map(|one| (one.organization, one.id));
    let decided = commit.decided.iter().map(|(one, _)| (one.organization, one.parked));
    for (organization, id) in parked.chain(decided) {
        if let Some(organization) = organization {
            moved.entry(organization).or_default().parked.push(id);
        }
    }
    for settled in &commit.settled {
        if let Some(message) = state.messages.get(&settled.message) {
            moved.entry(message.organization).or_default().settled.push(settled.message);
        }
    }
    moved
}

/// A send whose fate nobody knows, for a person.
fn in_doubt(request: &SendRequest, part: u16, failure: Failure, topic: &Topic, now: Timestamp) -> Parked {
    let turn = request.at.millis().to_string();
    let message = request.message.to_string();
    Parked {
        id: ParkedId::derive(&["in_doubt", &message, &part.to_string(), &turn]),
        organization: Some(request.thread.organization),
        place: format!("{} send", request.channel),
        code: failure.code,
        reason: failure.reason.unwrap_or_else(|| "the provider's answer was lost".to_owned()),
        account: Some(request.thread.account.to_string()),
        channel: Some(request.channel.clone()),
        provider_code: failure.provider_code,
        message: Some(request.message),
        route: topic.route(),
        headers: vec![
            (headers::ORGANIZATION.to_owned(), request.thread.organization.to_string()),
            (KIND.to_owned(), SendRequest::KIND.to_owned()),
            (headers::REOPEN.to_owned(), message),
        ],
        body: wire::encode(request).to_vec(),
        at: now,
        redriven_at: None,
    }
}

fn requested(request: &SendRequest, topic: Topic, span: &tracing::Span) -> Envelope {
    let id = EventId::derive(&["requested", &request.message.to_string(), &request.at.millis().to_string()]);
    let mut headers = BTreeMap::from([(headers::ORGANIZATION.to_owned(), request.thread.organization.to_string())]);
    trace::inject_from(span, &mut headers);
    Envelope {
        id: id.to_string(),
        topic,
        kind: SendRequest::KIND.to_owned(),
        correlation: Some(request.conversation.to_string()),
        headers,
        body: wire::encode(request),
    }
}
