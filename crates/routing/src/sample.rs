//! A small world for the tests of the transitions: one organization, one account, one queue, ten agents.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use domain::{
    AccountId, Address, Attempted, Command, Commanded, Content, Conversation, ConversationId, Delivery, DeliveryState,
    Distribution, EventId, Inbound, InboundBody, InboundMessage, MessageId, OrganizationId, Outcome, Presence, Profile,
    Queue, QueueId, Receipt, Role, Thread, Timestamp, UserId,
};

use crate::{Decision, Due, Event, Proposal, Roster, Rules, Stamped, State, Timer, decide, distribute};

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

pub(crate) struct World {
    pub(crate) rules: Rules,
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    events: u32,
}

impl World {
    pub(crate) fn manual() -> Self {
        let mut world = Self { rules: Rules::default(), state: State::default(), now: at(1_000), events: 0 };
        let queue = world.queue();
        world.rules.accounts.insert(world.account(), queue);
        // Agents 0 to 4 serve the queue.
        world.add_queue(queue, Distribution::Manual);
        world
    }

    pub(crate) fn circular() -> Self {
        let mut world = Self::manual();
        let queue = world.queue();
        world.add_queue(queue, Distribution::Circular);
        world
    }

    /// A manual world in which agent 0 serves `name`.
    pub(crate) fn serving(name: &str) -> Self {
        let mut world = Self::manual();
        world.says(name, "oi");
        world.seat_online(0, 5);
        assert_eq!(world.take(0, name).why, "taken");
        world
    }

    pub(crate) fn organization(&self) -> OrganizationId {
        OrganizationId::derive(&["acme"])
    }

    pub(crate) fn account(&self) -> AccountId {
        AccountId::derive(&["acme", "whatsapp"])
    }

    pub(crate) fn queue(&self) -> QueueId {
        QueueId::derive(&["acme", "first"])
    }

    pub(crate) fn user(&self, n: usize) -> UserId {
        UserId::derive(&["agent", &n.to_string()])
    }

    fn add_queue(&mut self, id: QueueId, distribution: Distribution) {
        let members = (0..5).map(|n| self.user(n)).collect();
        let organization = self.organization();
        let name = "fila".to_owned();
        let (inactive_after, abandon_after) = (1_800, 172_800);
        let queue =
            Queue { id, organization, name, distribution, inactive_after, abandon_after, members, active: true };
        self.rules.queues.insert(id, queue);
    }

    pub(crate) fn add_circular_queue(&mut self, name: &str) -> QueueId {
        let id = QueueId::derive(&["acme", name]);
        self.add_queue(id, Distribution::Circular);
        id
    }

    pub(crate) fn thread(&self, name: &str) -> Thread {
        Thread { organization: self.organization(), account: self.account(), address: Address::new(name) }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    fn next_event(&mut self) -> EventId {
        self.events += 1;
        EventId::derive(&["event", &self.events.to_string()])
    }

    /// Decides and folds the changes in.
    pub(crate) fn decide(&mut self, event: Event) -> Decision {
        let decision = decide(&self.rules, &self.state, &Stamped { at: self.now, event });
        assert!(decision.refusal.is_none() || decision.changes.is_empty(), "a refusal changes nothing");
        self.state.evolve_all(&decision.changes);
        decision
    }

    pub(crate) fn event(&mut self, name: &str, body: InboundBody) -> Inbound {
        Inbound {
            id: self.next_event(),
            thread: self.thread(name),
            channel: "whatsapp".parse().unwrap(),
            at: self.now,
            received_at: self.now,
            body,
        }
    }

    pub(crate) fn message(&mut self, name: &str, content: Content) -> Inbound {
        let profile = Profile { name: Some(name.to_owned()), ..Profile::default() };
        let provider_id = format!("in-{}", self.events);
        self.event(name, InboundBody::Message(InboundMessage { provider_id, content, profile, reply_to: None }))
    }

    pub(crate) fn inbound(&mut self, inbound: Inbound) -> Decision {
        self.decide(Event::Inbound(inbound))
    }

    pub(crate) fn says(&mut self, name: &str, text: &str) -> Decision {
        let inbound = self.message(name, Content::text(text));
        self.inbound(inbound)
    }

    pub(crate) fn open(&self, name: &str) -> Conversation {
        self.state.open_conversation(&self.thread(name)).expect("an open conversation").clone()
    }

    pub(crate) fn command(&mut self, agent: usize, command: Command) -> Commanded {
        Commanded {
            id: self.next_event(),
            organization: self.organization(),
            actor: self.user(agent),
            role: Role::Agent,
            at: self.now,
            command,
        }
    }

    pub(crate) fn carry_out(&mut self, command: Commanded) -> Decision {
        self.decide(Event::Command(command))
    }

    pub(crate) fn order(&mut self, agent: usize, command: Command) -> Decision {
        let command = self.command(agent, command);
        self.carry_out(command)
    }

    /// The code with which a command on the open conversation of `name` is refused.
    pub(crate) fn refusal(&mut self, agent: usize, command: impl Fn(ConversationId) -> Command, name: &str) -> String {
        let command = command(self.open(name).id);
        self.order(agent, command).refusal.expect("a refusal").code.to_string()
    }

    pub(crate) fn take(&mut self, agent: usize, name: &str) -> Decision {
        let conversation = self.open(name).id;
        self.order(agent, Command::Take { conversation })
    }

    pub(crate) fn conclude(&mut self, agent: usize, name: &str) -> Decision {
        let conversation = self.open(name).id;
        self.order(agent, Command::Conclude { conversation })
    }

    pub(crate) fn send(&mut self, agent: usize, name: &str, text: &str) -> MessageId {
        let conversation = self.open(name).id;
        let content = Content::text(text);
        self.order(agent, Command::Send { conversation, content, reply_to: None }).message.expect("a message")
    }

    pub(crate) fn seat(&mut self, agent: usize, presence: Presence, capacity: u16) -> Decision {
        self.order(agent, Command::SetPresence { presence, capacity })
    }

    pub(crate) fn seat_online(&mut self, agent: usize, capacity: u16) {
        self.seat(agent, Presence::Online, capacity);
    }

    pub(crate) fn set_last_assigned(&mut self, agent: usize, at: Timestamp) {
        let key = (self.organization(), self.user(agent));
        self.state.seats.get_mut(&key).unwrap().last_assigned_at = at;
    }

    pub(crate) fn load(&self, agent: usize) -> u16 {
        self.state.seat(self.organization(), self.user(agent)).unwrap().load
    }

    /// The agent among these whose id sorts first: the one who wins a tie.
    pub(crate) fn first_of(&self, agents: &[usize]) -> usize {
        agents.iter().copied().min_by_key(|agent| self.user(*agent)).unwrap()
    }

    pub(crate) fn move_to(&mut self, name: &str, queue: QueueId) {
        let id = self.open(name).id;
        self.state.conversations.get_mut(&id).unwrap().queue = queue;
    }

    pub(crate) fn distribute(&self) -> Vec<Proposal> {
        let waiting: Vec<_> = self.state.conversations.values().filter_map(Conversation::waits).collect();
        let seats: Vec<_> = self.state.seats.values().cloned().collect();
        distribute(&Roster::new(&self.rules), &waiting, &seats, self.now)
    }

    pub(crate) fn due(&mut self, name: &str, timer: Timer) -> Decision {
        let conversation = self.open(name).id;
        let organization = self.organization();
        self.decide(Event::Due(Due { organization, conversation, timer }))
    }

    pub(crate) fn attempted(
        &mut self,
        name: &str,
        message: MessageId,
        part: u16,
        planned: u16,
        outcome: Outcome,
    ) -> Decision {
        let body = InboundBody::Attempted(Attempted { message, part, planned, outcome });
        let inbound = self.event(name, body);
        self.inbound(inbound)
    }

    pub(crate) fn accepted(
        &mut self,
        name: &str,
        message: MessageId,
        part: u16,
        planned: u16,
        ids: &[&str],
    ) -> Decision {
        let provider_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        self.attempted(name, message, part, planned, Outcome::Accepted { provider_ids })
    }

    /// The send ledger knows that the provider took a part, and nobody told.
    pub(crate) fn takes(&mut self, message: MessageId, part: u16, ids: &[&str]) {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        self.state.taken.entry(message).or_default().insert(part, ids);
    }

    pub(crate) fn heard(&self, ids: &[&str], state: DeliveryState) -> Receipt {
        let provider_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Receipt { provider_ids, state, at: self.now, failure: None }
    }

    pub(crate) fn receipt(&mut self, name: &str, ids: &[&str], state: DeliveryState) -> Decision {
        let body = InboundBody::Receipt(self.heard(ids, state));
        let inbound = self.event(name, body);
        self.inbound(inbound)
    }

    pub(crate) fn delivery(&self, message: MessageId) -> Delivery {
        self.state.messages[&message].delivery.clone().expect("an outgoing message")
    }
}
