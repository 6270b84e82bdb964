//! Random histories: whatever happens, in whatever order, the invariants hold after each event.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{collections::BTreeMap, time::Duration};

use afluente_routing::{Due, Event, Roster, Rules, Stamped, State, Timer, decide, distribute};
use domain::{
    AccountId, Address, Attempted, Command, Commanded, Content, Conversation, DeliveryState, Distribution, EventId,
    Failure, Inbound, InboundBody, InboundMessage, MessageId, OrganizationId, Outcome, Presence, Profile, Queue,
    QueueId, Receipt, Role, Target, Thread, Timestamp, UserId,
    error::codes,
    invariants::{owned_once, parts_forward, within_capacity},
};
use proptest::prelude::*;

const CONTACTS: usize = 4;
const AGENTS: usize = 4;

/// One step of a history, in small numbers that always mean something.
#[derive(Debug, Clone)]
enum Step {
    Says(usize),
    Presence(usize, u8, u16),
    Take(usize, usize),
    ToUser(usize, usize, usize),
    ToQueue(usize, usize, usize),
    Return(usize, usize),
    Conclude(usize, usize),
    Send(usize, usize),
    Retry(usize, usize),
    Read(usize, usize),
    Attempted(usize, u8),
    Receipt(usize, u8),
    Due(usize, bool),
    Distribute,
    Again(usize),
    Pass(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let (agent, contact, nth) = (0..AGENTS, 0..CONTACTS, 0..12_usize);
    prop_oneof![
        4 => contact.clone().prop_map(Step::Says),
        2 => (agent.clone(), 0..3_u8, 0..4_u16).prop_map(|(a, p, c)| Step::Presence(a, p, c)),
        4 => (agent.clone(), contact.clone()).prop_map(|(a, c)| Step::Take(a, c)),
        2 => (agent.clone(), contact.clone(), agent.clone()).prop_map(|(a, c, b)| Step::ToUser(a, c, b)),
        1 => (agent.clone(), contact.clone(), 0..2_usize).prop_map(|(a, c, q)| Step::ToQueue(a, c, q)),
        1 => (agent.clone(), contact.clone()).prop_map(|(a, c)| Step::Return(a, c)),
        1 => (agent.clone(), contact.clone()).prop_map(|(a, c)| Step::Conclude(a, c)),
        4 => (agent.clone(), contact.clone()).prop_map(|(a, c)| Step::Send(a, c)),
        1 => (agent.clone(), nth.clone()).prop_map(|(a, m)| Step::Retry(a, m)),
        1 => (agent, contact.clone()).prop_map(|(a, c)| Step::Read(a, c)),
        3 => (nth.clone(), 0..4_u8).prop_map(|(m, o)| Step::Attempted(m, o)),
        4 => (nth.clone(), 0..4_u8).prop_map(|(m, s)| Step::Receipt(m, s)),
        2 => (contact, any::<bool>()).prop_map(|(c, inactive)| Step::Due(c, inactive)),
        2 => Just(Step::Distribute),
        2 => nth.prop_map(Step::Again),
        1 => (0..100_000_u32).prop_map(Step::Pass),
    ]
}

struct History {
    rules: Rules,
    state: State,
    now: Timestamp,
    steps: u32,
    sent: Vec<MessageId>,
    past: Vec<Event>,
}

fn organization() -> OrganizationId {
    OrganizationId::derive(&["acme"])
}

fn user(n: usize) -> UserId {
    UserId::derive(&["agent", &n.to_string()])
}

fn queue(n: usize) -> QueueId {
    QueueId::derive(&["queue", &n.to_string()])
}

fn thread(n: usize) -> Thread {
    let account = AccountId::derive(&["account"]);
    Thread { organization: organization(), account, address: Address::new(n.to_string()) }
}

impl History {
    fn new() -> Self {
        let queues = (0..2).map(|n| Queue {
            id: queue(n),
            organization: organization(),
            name: n.to_string(),
            distribution: if n == 0 { Distribution::Circular } else { Distribution::Manual },
            inactive_after: 1_800,
            abandon_after: 172_800,
            members: (0..AGENTS - 1).map(user).collect(),
            active: true,
        });
        let rules = Rules {
            accounts: BTreeMap::from([(AccountId::derive(&["account"]), queue(0))]),
            queues: queues.map(|queue| (queue.id, queue)).collect(),
        };
        let now = Timestamp::from_secs(1_000);
        Self { rules, state: State::default(), now, steps: 0, sent: Vec::new(), past: Vec::new() }
    }

    fn inbound(&self, contact: usize, body: InboundBody) -> Event {
        let id = EventId::derive(&["step", &self.steps.to_string()]);
        let channel = "whatsapp".parse().unwrap();
        Event::Inbound(Inbound { id, thread: thread(contact), channel, at: self.now, received_at: self.now, body })
    }

    fn command(&self, agent: usize, command: Command) -> Event {
        let id = EventId::derive(&["step", &self.steps.to_string()]);
        let role = if agent == AGENTS - 1 { Role::SupervisorAgent } else { Role::Agent };
        let (organization, actor) = (organization(), user(agent));
        Event::Command(Commanded { id, organization, actor, role, at: self.now, command })
    }

    fn on(
        &self,
        agent: usize,
        contact: usize,
        command: impl FnOnce(domain::ConversationId) -> Command,
    ) -> Option<Event> {
        let conversation = self.state.open.get(&thread(contact))?;
        Some(self.command(agent, command(*conversation)))
    }

    fn sent(&self, n: usize) -> Option<MessageId> {
        (!self.sent.is_empty()).then(|| self.sent[n % self.sent.len()])
    }

    #[expect(clippy::too_many_lines, reason = "a table: one arm for each step")]
    fn events(&self, step: &Step) -> Vec<Event> {
        let one = match *step {
            Step::Says(contact) => {
                let provider_id = self.steps.to_string();
                let (content, profile) = (Content::text("oi"), Profile::default());
                let said = InboundMessage { provider_id, content, profile, reply_to: None };
                Some(self.inbound(contact, InboundBody::Message(said)))
            }
            Step::Presence(agent, presence, capacity) => {
                let presence = [Presence::Online, Presence::Paused, Presence::Offline][usize::from(presence)];
                Some(self.command(agent, Command::SetPresence { presence, capacity }))
            }
            Step::Take(agent, contact) => self.on(agent, contact, |conversation| Command::Take { conversation }),
            Step::ToUser(agent, contact, to) => {
                self.on(agent, contact, |conversation| Command::Transfer { conversation, to: Target::User(user(to)) })
            }
            Step::ToQueue(agent, contact, to) => {
                self.on(agent, contact, |conversation| Command::Transfer { conversation, to: Target::Queue(queue(to)) })
            }
            Step::Return(agent, contact) => self.on(agent, contact, |conversation| Command::Return { conversation }),
            Step::Conclude(agent, contact) => {
                self.on(agent, contact, |conversation| Command::Conclude { conversation })
            }
            Step::Send(agent, contact) => self.on(agent, contact, |conversation| Command::Send {
                conversation,
                content: Content::text("a"),
                reply_to: None,
            }),
            Step::Retry(agent, n) => self.sent(n).map(|message| {
                let conversation = self.state.messages[&message].conversation;
                self.command(agent, Command::Retry { conversation, message })
            }),
            Step::Read(agent, contact) => self.on(agent, contact, |conversation| Command::MarkRead { conversation }),
            Step::Attempted(n, outcome) => self.sent(n).map(|message| {
                let failure = Failure::of(codes::PROVIDER_REJECTED);
                let outcome = match outcome {
                    0 => Outcome::Rejected { failure },
                    1 => Outcome::InDoubt { failure },
                    _ => Outcome::Accepted { provider_ids: vec![message.to_string()] },
                };
                let attempted = Attempted { message, part: 0, planned: 1, outcome };
                self.inbound(0, InboundBody::Attempted(attempted))
            }),
            Step::Receipt(n, state) => self.sent(n).map(|message| {
                use DeliveryState::{Delivered, Failed, Read, Sent};
                let state = [Sent, Delivered, Read, Failed][usize::from(state)];
                let provider_ids = vec![message.to_string()];
                self.inbound(0, InboundBody::Receipt(Receipt { provider_ids, state, at: self.now, failure: None }))
            }),
            Step::Due(contact, inactive) => self.state.open.get(&thread(contact)).map(|conversation| {
                let timer = if inactive { Timer::Inactive } else { Timer::Abandon };
                Event::Due(Due { organization: organization(), conversation: *conversation, timer })
            }),
            Step::Distribute => {
                let waiting: Vec<_> = self.state.conversations.values().filter_map(Conversation::waits).collect();
                let seats: Vec<_> = self.state.seats.values().cloned().collect();
                let roster = Roster::new(&self.rules);
                return distribute(&roster, &waiting, &seats, self.now).into_iter().map(Event::Assign).collect();
            }
            Step::Again(n) => (!self.past.is_empty()).then(|| self.past[n % self.past.len()].clone()),
            Step::Pass(_) => None,
        };
        one.into_iter().collect()
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.steps += 1;
        if let Step::Pass(seconds) = step {
            self.now = self.now + Duration::from_secs(u64::from(*seconds));
        }
        for event in self.events(step) {
            let before = self.state.clone();
            let decision = decide(&self.rules, &self.state, &Stamped { at: self.now, event: event.clone() });
            if decision.refusal.is_some() {
                prop_assert!(decision.changes.is_empty(), "a refusal changes nothing");
            }
            self.state.evolve_all(&decision.changes);
            let retried = matches!(&event, Event::Command(one) if matches!(one.command, Command::Retry { .. }));
            self.holds(&before, retried)?;
            if decision.why == "queued" {
                self.sent.extend(decision.message);
            }
            if matches!(event, Event::Inbound(_) | Event::Command(_)) {
                if matches!(step, Step::Again(_)) && !decision.changes.is_empty() {
                    // Only what was refused, or changed nothing, may be carried out when it comes again.
                    let id = match &event {
                        Event::Inbound(inbound) => inbound.id,
                        Event::Command(command) => command.id,
                        _ => unreachable!("matched above"),
                    };
                    prop_assert!(!before.processed.contains(&id));
                }
                self.past.push(event);
            }
        }
        Ok(())
    }

    fn holds(&self, before: &State, retried: bool) -> Result<(), TestCaseError> {
        for conversation in self.state.conversations.values() {
            prop_assert!(owned_once(conversation));
            prop_assert!(conversation.stage != domain::Stage::Closed || conversation.agent.is_none());
        }
        for (key, seat) in &self.state.seats {
            let serves = |one: &&Conversation| one.is_open() && one.agent == Some(seat.user);
            let open = self.state.conversations.values().filter(serves).count();
            prop_assert_eq!(usize::from(seat.load), open, "the load is what the agent serves");
            if let Some(before) = before.seats.get(key) {
                prop_assert!(within_capacity(before, seat));
            }
        }
        for (id, message) in &self.state.messages {
            let was = before.messages.get(id).and_then(|message| message.delivery.as_ref());
            if let (Some(was), Some(is), false) = (was, &message.delivery, retried) {
                prop_assert!(parts_forward(was, is), "{was:?} -> {is:?}");
            }
        }
        for conversation in self.state.conversations.values() {
            let mut sequences: Vec<u64> = self
                .state
                .messages
                .values()
                .filter(|message| message.conversation == conversation.id)
                .map(|message| message.sequence)
                .collect();
            sequences.sort_unstable();
            let dense: Vec<u64> = (1..conversation.next_sequence).collect();
            prop_assert_eq!(sequences, dense, "no gap and no double");
        }
        Ok(())
    }

    /// Invariant 5, the last part: after distribution nobody idles while something waits that they may take.
    fn nobody_idles(&mut self) -> Result<(), TestCaseError> {
        self.take(&Step::Distribute)?;
        let waits = self
            .state
            .conversations
            .values()
            .any(|one| one.stage == domain::Stage::Waiting && self.rules.distributes(one.queue));
        let idles = self.state.seats.values().any(|seat| seat.is_free() && self.rules.may_be_given(seat.user));
        prop_assert!(!(waits && idles));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_in_every_history(steps in prop::collection::vec(step(), 1..60)) {
        let mut history = History::new();
        for step in &steps {
            history.take(step)?;
        }
        history.nobody_idles()?;
    }
}
