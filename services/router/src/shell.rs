//! The shell round the pure core: load, decide, commit, then tell the others.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{
    Class, Conversation, DeliveryState, DeskChange, DeskEvent, InboundBody, Message, OrganizationId, ParkedId,
    ParkedMoved, Partition, Refusal, Stage,
};
use ports::{
    StoreError,
    apis::{GateApi, HookApi, Verdict},
    conservation::{Fate, Stamp},
    journal::{Commit, CommitError},
};
use routing::{Change, Decision, Effect, Event, Rules, Stamped, State, decide};
use runtime::{
    Env,
    names::{attribute, label, metric},
    trace,
};
use tokio::sync::Notify;
use tracing::Span;

use crate::{
    Config, breaches::Breaches, consent, draft::Draft, heralds::Heralds, lookup, relay::Held, rules::RuleBook,
    send_traces::SendTraces,
};

/// An event with the span under which what comes of it is traced.
pub(crate) struct Item {
    pub(crate) event: Event,
    pub(crate) span: Span,
    /// The `traceparent` that came with it.
    pub(crate) trace: Option<String>,
    /// The number that the channel gave it.
    pub(crate) stamp: Option<Stamp>,
}

impl Item {
    /// An event that came without a message.
    pub(crate) const fn new(event: Event, span: Span) -> Self {
        Self { event, span, trace: None, stamp: None }
    }
}

/// What became of an event, once its commit stands.
pub(crate) struct Carried {
    /// Why it is not carried out.
    pub(crate) refusal: Option<Refusal>,
    /// The core's word for it.
    pub(crate) why: &'static str,
    /// It is to be decided again later.
    pub(crate) too_early: bool,
    /// The conversation for the answer to a command.
    pub(crate) conversation: Option<Conversation>,
    /// The message for the answer to a command.
    pub(crate) message: Option<Message>,
}

/// Reasons for a look, on their way to the replicas whose business it is.
#[derive(Default)]
pub(crate) struct Nudged {
    /// Something waits or somebody is free there.
    pub(crate) organizations: BTreeSet<OrganizationId>,
    /// Their outbox has rows, and another replica relays them.
    pub(crate) relays: BTreeSet<Partition>,
}

/// Why a batch was not committed.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Others were quicker: load and decide again.
    Conflict(String),
    /// The store is away: hold the batch, try again.
    Unavailable(String),
    /// The store will not take it, ever.
    Refused(String),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::Unavailable(reason),
            StoreError::Refused(reason) => Self::Refused(reason),
        }
    }
}

impl From<CommitError> for Stop {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict(reason) => Self::Conflict(reason),
            CommitError::Store(error) => error.into(),
        }
    }
}

/// What all tasks of the router share.
pub(crate) struct Shell {
    pub(crate) config: Config,
    pub(crate) env: Env,
    pub(crate) rules: RuleBook,
    gate: Arc<dyn GateApi>,
    /// Where parked webhook calls go again.
    pub(crate) hooks: Arc<dyn HookApi>,
    /// Rung after each commit that left something in the outbox.
    pub(crate) outbox: Notify,
    /// Desk events on their way to the bus.
    pub(crate) heralds: Heralds,
    /// The partitions that this replica relays.
    pub(crate) held: Held,
    nudged: Mutex<Nudged>,
    /// Rung when something was nudged.
    pub(crate) nudge: Notify,
}

impl Shell {
    pub(crate) fn new(config: Config, env: Env, gate: Arc<dyn GateApi>, hooks: Arc<dyn HookApi>) -> Self {
        let rules = RuleBook::new(Arc::clone(&env.directory), Duration::from_millis(config.rules_millis));
        Self {
            config,
            env,
            rules,
            gate,
            hooks,
            outbox: Notify::new(),
            heralds: Heralds::default(),
            held: Held::default(),
            nudged: Mutex::default(),
            nudge: Notify::new(),
        }
    }

    /// Carries the events out in one commit, in order, or nothing of them.
    pub(crate) async fn attempt(&self, items: &[Item]) -> Result<Vec<Carried>, Stop> {
        let now = self.env.clock.now();
        let (mut state, mut traces) = self.load(items).await?;
        let mut books = self.books(items).await?;
        let mut draft = Draft::new(self.env.partitions);
        let mut breaches = Breaches::default();
        let mut decisions = Vec::with_capacity(items.len());
        for item in items {
            let organization = lookup::organization(&item.event);
            let stamped = Stamped { at: now, event: item.event.clone() };
            let rules = books.get(&organization).cloned().unwrap_or_default();
            let mut decision = decide(&rules, &state, &stamped);
            if is_unknown_account(&item.event, &decision) {
                let rules = self.rules.fresh(organization).await?;
                decision = decide(&rules, &state, &stamped);
                books.insert(organization, rules);
            }
            if lacks_its_message(&item.event, &decision) {
                return Err(Stop::Refused(format!("decided as '{}', and without its message", decision.why)));
            }
            if let (Event::Command(_), Some(refusal)) = (&item.event, self.gated(&decision).await) {
                decision = Decision { why: "refused_by_gate", refusal: Some(refusal), ..Decision::default() };
            }
            if let (Event::Due(due), "unknown_conversation") = (&item.event, decision.why) {
                draft.take_back(due);
            }
            item.span.in_scope(|| trace::note(attribute::OUTCOME, decision.why));
            for change in &decision.changes {
                if let Some(message) = left_doubt(&state, change) {
                    draft.settle(message, now);
                }
                breaches.look(&state, change);
                draft.change(change, item.trace.as_deref());
                traces.learn(change, item.trace.as_deref());
                state.evolve(change);
            }
            for effect in std::mem::take(&mut decision.effects) {
                draft.effect(effect, &item.span, now);
            }
            if let Some(inbound) = consent::told(&item.event, &decision) {
                draft.tell(inbound, &item.span, now);
            }
            if let Some(stamp) = &item.stamp {
                heard(&mut draft, stamp, &decision);
            }
            decisions.push(decision);
        }
        let carried = decisions.iter().map(|decision| carried(decision, &draft, &state)).collect();
        breaches.owned_once = draft.unowned(&state);
        breaches.tell(&self.env.metrics);
        self.write(draft, &state, now).await?;
        // Once the commit stands: an attempt that meets a conflict leaves no links behind.
        traces.link(items);
        self.count(items, &decisions);
        Ok(carried)
    }

    async fn load(&self, items: &[Item]) -> Result<(State, SendTraces), StoreError> {
        let events = || items.iter().map(|item| &item.event);
        let mut state = State::default();
        let mut found = self.env.journal.load(&lookup::first(events())).await?;
        let traces = SendTraces::of(std::mem::take(&mut found.traces));
        lookup::merge(&mut state, found);
        if let Some(more) = lookup::second(events(), &state) {
            lookup::merge(&mut state, self.env.journal.load(&more).await?);
        }
        Ok((state, traces))
    }

    async fn books(&self, items: &[Item]) -> Result<BTreeMap<OrganizationId, Arc<Rules>>, StoreError> {
        let organizations: BTreeSet<_> = items.iter().map(|item| lookup::organization(&item.event)).collect();
        // Side by side: a batch may be of many, and each of them may have to be read.
        let reading = organizations.into_iter().map(async |one| Ok((one, self.rules.of(one).await?)));
        Ok(futures_util::future::try_join_all(reading).await?.into_iter().collect())
    }

    /// Asks the gate about a send before it is written: the agent hears the reason at once.
    async fn gated(&self, decision: &Decision) -> Option<Refusal> {
        let request = decision.effects.iter().find_map(|effect| match effect {
            Effect::RequestSend(request) => Some(request),
            _ => None,
        })?;
        match self.gate.check(request).await {
            Ok(Verdict::Permit { .. }) => None,
            Ok(Verdict::Refuse { code, window_closed_at }) => {
                let detail = match window_closed_at {
                    Some(at) => format!("the gate refuses: the window closed at {} ms", at.millis()),
                    None => "the gate refuses".to_owned(),
                };
                Some(Refusal::new(Class::Conflict, code, detail))
            }
            Err(refusal) => Some(refusal),
        }
    }

    async fn write(&self, mut draft: Draft, state: &State, now: domain::Timestamp) -> Result<(), Stop> {
        let nudges = std::mem::take(&mut draft.nudges);
        let Some(commit) = draft.into_commit(state, now) else { return Ok(()) };
        let events = self.env.journal.commit(&commit).await.map_err(|error| {
            if matches!(error, CommitError::Conflict(_)) {
                self.env.metrics.count(metric::ROUTER_CONFLICTS, &[], 1);
            }
            Stop::from(error)
        })?;
        if !commit.outbox.is_empty() {
            self.outbox.notify_one();
        }
        self.heralds.send(events);
        let held = self.held.now();
        let elsewhere = commit.outbox.iter().map(|row| row.partition).filter(|p| !held.contains(p)).collect();
        self.nudge(Nudged { organizations: nudges, relays: elsewhere });
        Ok(())
    }

    /// Commits what is not decided by the core, and tells the desk.
    pub(crate) async fn commit(&self, commit: &Commit) -> Result<(), Stop> {
        let events = self.env.journal.commit(commit).await?;
        self.heralds.send(events);
        Ok(())
    }

    /// The event that parked messages of an organization moved; none when they are nobody's.
    pub(crate) fn moved(&self, organization: Option<OrganizationId>, parked: Vec<ParkedId>) -> Vec<DeskEvent> {
        let change = DeskChange::Parked(ParkedMoved { parked, settled: Vec::new() });
        let at = self.env.clock.now();
        organization.map(|organization| DeskEvent { organization, sequence: 0, at, change }).into_iter().collect()
    }

    /// Asks the replicas whose business it is for a look.
    pub(crate) fn nudge(&self, more: Nudged) {
        if !more.organizations.is_empty() || !more.relays.is_empty() {
            let mut nudged = self.nudged.lock().unwrap_or_else(PoisonError::into_inner);
            nudged.organizations.extend(more.organizations);
            nudged.relays.extend(more.relays);
            drop(nudged);
            self.nudge.notify_one();
        }
    }

    /// What was nudged since the last call.
    pub(crate) fn take_nudged(&self) -> Nudged {
        std::mem::take(&mut *self.nudged.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, items: &[Item], decisions: &[Decision]) {
        let metrics = &self.env.metrics;
        for (item, decision) in items.iter().zip(decisions) {
            match (&item.event, decision.why) {
                (Event::Inbound(inbound), "opened") => {
                    metrics.count(metric::CONVERSATIONS_OPENED, &[(label::CHANNEL, inbound.channel.as_str())], 1);
                }
                (Event::Inbound(_) | Event::Command(_), "duplicate") => {
                    metrics.count(metric::DEDUP_HITS, &[(label::PLACE, "router")], 1);
                }
                (Event::Inbound(inbound), "superseded") => {
                    metrics.count(metric::RECEIPTS_SUPERSEDED, &[(label::CHANNEL, inbound.channel.as_str())], 1);
                }
                (_, why @ ("taken" | "assigned" | "transferred")) => {
                    metrics.count(metric::ASSIGNMENTS, &[(label::KIND, why)], 1);
                }
                (Event::Due(_), why) => metrics.count(metric::TIMERS_FIRED, &[(label::KIND, why)], 1),
                _ => {}
            }
            if let Some((channel, reason)) = closed(decision) {
                let labels = [(label::CHANNEL, channel), (label::REASON, reason)];
                metrics.count(metric::CONVERSATIONS_CLOSED, &labels, 1);
            }
        }
    }
}

/// Whether a message would be acknowledged as carried out without being written: it is its own mark, so nothing would
/// tell. Never so, or the core is wrong; then it is parked.
fn lacks_its_message(event: &Event, decision: &Decision) -> bool {
    let Event::Inbound(inbound) = event else { return false };
    let written = |change: &Change| matches!(change, Change::Message(message) if message.cause == inbound.id);
    matches!(inbound.body, InboundBody::Message(_))
        && decision.refusal.is_none()
        && decision.why != "duplicate"
        && !decision.changes.iter().any(written)
}

/// What is refused is parked, and heard of by whoever keeps it. What came too early comes again.
fn heard(draft: &mut Draft, stamp: &Stamp, decision: &Decision) {
    if decision.refusal.is_none() && !decision.too_early {
        let fate = if decision.why == "duplicate" { Fate::Duplicate } else { Fate::Carried };
        draft.heard.push((stamp.clone(), fate));
    }
}

fn carried(decision: &Decision, draft: &Draft, state: &State) -> Carried {
    Carried {
        refusal: decision.refusal.clone(),
        why: decision.why,
        too_early: decision.too_early,
        conversation: decision.conversation.and_then(|id| draft.conversation(state, id)),
        message: decision.message.and_then(|id| draft.message(state, id)),
    }
}

/// The channel of the conversation that a decision closes, and why.
fn closed(decision: &Decision) -> Option<(&str, &'static str)> {
    let reason = match decision.why {
        "concluded" => "concluded",
        "abandoned" => "abandoned",
        _ => return None,
    };
    decision.changes.iter().find_map(|change| match change {
        Change::Conversation(one) if one.stage == Stage::Closed => Some((one.channel.as_str(), reason)),
        _ => None,
    })
}

/// The message that this change takes out of doubt, however it came to that.
fn left_doubt(state: &State, change: &Change) -> Option<domain::MessageId> {
    let doubtful =
        |message: &Message| message.delivery.as_ref().is_some_and(|delivery| delivery.state == DeliveryState::Parked);
    match change {
        Change::Message(message) if !doubtful(message) => {
            state.messages.get(&message.id).filter(|before| doubtful(before)).map(|before| before.id)
        }
        _ => None,
    }
}

/// A message for an account that the remembered rules do not have: it may have been added just now.
fn is_unknown_account(event: &Event, decision: &Decision) -> bool {
    matches!(event, Event::Inbound(_)) && decision.refusal.is_some()
}

/// The longest pause while broker or store is away. Short, since a message passes through several services, and each of
/// them may just have begun its longest pause when the other is back.
pub(crate) const LONGEST_AWAY: Duration = Duration::from_secs(1);

/// A pause while broker or store is away.
pub(crate) fn pause_away(attempt: u32) -> Duration {
    pause(attempt, Duration::from_millis(50), LONGEST_AWAY)
}

/// A pause before trying again: doubles with each try up to `most`, half of it random, so that those who met do not
/// meet again.
pub(crate) fn pause(attempt: u32, first: Duration, most: Duration) -> Duration {
    let whole = first.saturating_mul(1 << attempt.min(16)).min(most);
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let part = u32::try_from(random % 1_000).unwrap_or(0);
    whole / 2 + whole / 2 * part / 1_000
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use domain::{AccountId, Address, Content, EventId, Inbound, InboundMessage, Profile, Thread, Timestamp};

    use super::*;

    #[test]
    fn a_message_that_would_be_carried_out_without_being_written_is_seen() {
        let at = Timestamp::from_secs(1);
        let (content, profile) = (Content::text("oi"), Profile::default());
        let said = InboundMessage { provider_id: "1".into(), content, profile, reply_to: None };
        let event = Event::Inbound(Inbound {
            id: EventId::derive(&["event"]),
            thread: Thread {
                organization: OrganizationId::derive(&["o"]),
                account: AccountId::derive(&["a"]),
                address: Address::new("5511999990000"),
            },
            channel: "whatsapp".parse().unwrap(),
            at,
            received_at: at,
            body: InboundBody::Message(said),
        });
        let decision = |why| Decision { why, ..Decision::default() };
        assert!(lacks_its_message(&event, &decision("appended")));
        assert!(!lacks_its_message(&event, &decision("duplicate")));
        let refused = Decision {
            refusal: Some(Refusal::new(Class::NotFound, domain::error::codes::NOT_FOUND, "")),
            ..decision("refused")
        };
        assert!(!lacks_its_message(&event, &refused));
        let rules = Rules {
            accounts: [(AccountId::derive(&["a"]), domain::QueueId::derive(&["q"]))].into(),
            ..Rules::default()
        };
        let written = decide(&rules, &State::default(), &Stamped { at, event: event.clone() });
        assert_eq!((written.why, lacks_its_message(&event, &written)), ("opened", false));
    }

    #[test]
    fn what_is_back_is_found_within_a_second() {
        assert!((0..100).all(|attempt| pause_away(attempt) <= Duration::from_secs(1)));
        assert!(pause_away(0) <= Duration::from_millis(50));
        assert!(pause_away(99) >= LONGEST_AWAY / 2, "they grow");
    }
}
