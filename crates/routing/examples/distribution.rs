//! A probe: how long a decision of distribution takes, with 10,000 agents in 20 queues and 100,000 conversations that
//! wait. `cargo run --release -p afluente-routing --example distribution`. The store's part is the probe `looks` of the
//! SQL adapter: what it hands over is cut here from lists in memory.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use afluente_routing::{Event, PROPOSED_AT_MOST, Roster, Rules, Stamped, State, decide, distribute};
use domain::{
    AccountId, Address, ContactId, Conversation, ConversationId, Distribution, OrganizationId, Presence, Queue,
    QueueId, Seat, Stage, Thread, Timestamp, UserId,
};

const AGENTS: u32 = 10_000;
const QUEUES: u32 = 20;
const WAITING: u32 = 100_000;
/// Looks in which one agent is free, as when somebody has concluded.
const LOOKS: usize = 10_000;

fn main() {
    let rules = rules();
    let begun = Instant::now();
    let roster = Roster::new(&rules);
    println!("the roster, once for each reading of the rules: {:?}", begun.elapsed());
    let mut world = World::new(&rules, &roster);
    let mut alone = Vec::new();
    for n in 0..LOOKS {
        alone.extend(world.look(&[agent(u32::try_from(n).unwrap() % AGENTS)]));
    }
    told("one free agent", alone);
    let mut world = World::new(&rules, &roster);
    let mut rush = Vec::new();
    loop {
        let first: Vec<_> = world.free.iter().take(PROPOSED_AT_MOST).map(|(_, user)| *user).collect();
        if first.is_empty() {
            break;
        }
        rush.extend(world.look(&first));
    }
    told("all agents free", rush);
}

/// Time for each assignment: its share of the proposals, and its decision.
fn told(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 1_000];
    println!("{what}: {} assignments, p50 {:?}, p99 {:?}, p99.9 {:?}", times.len(), at(500), at(990), at(999));
}

fn agent(n: u32) -> UserId {
    UserId::derive(&["agent", &n.to_string()])
}

fn queue(n: u32) -> QueueId {
    QueueId::derive(&["queue", &n.to_string()])
}

fn rules() -> Rules {
    let organization = OrganizationId::derive(&["acme"]);
    let queues = (0..QUEUES).map(|n| Queue {
        id: queue(n),
        organization,
        name: n.to_string(),
        distribution: Distribution::Circular,
        inactive_after: 1_800,
        abandon_after: 172_800,
        // Everybody serves two queues.
        members: (0..AGENTS).filter(|user| user % QUEUES == n || (user + 7) % QUEUES == n).map(agent).collect(),
        active: true,
    });
    Rules { queues: queues.map(|queue| (queue.id, queue)).collect(), ..Rules::default() }
}

/// What the store would hold.
struct World<'a> {
    rules: &'a Rules,
    roster: &'a Roster,
    waiting: BTreeMap<QueueId, VecDeque<Conversation>>,
    seats: BTreeMap<UserId, Seat>,
    free: BTreeSet<(Timestamp, UserId)>,
    now: Timestamp,
}

impl<'a> World<'a> {
    fn new(rules: &'a Rules, roster: &'a Roster) -> Self {
        let mut waiting: BTreeMap<QueueId, VecDeque<Conversation>> = BTreeMap::new();
        for n in 0..WAITING {
            waiting.entry(queue(n % QUEUES)).or_default().push_back(conversation(n));
        }
        let organization = OrganizationId::derive(&["acme"]);
        let seat = |n| Seat {
            organization,
            user: agent(n),
            presence: Presence::Online,
            load: 0,
            capacity: 5,
            last_assigned_at: Timestamp::from_secs(i64::from(n)),
            version: 1,
        };
        let seats: BTreeMap<_, _> = (0..AGENTS).map(|n| (agent(n), seat(n))).collect();
        let free = seats.values().map(|seat| (seat.last_assigned_at, seat.user)).collect();
        Self { rules, roster, waiting, seats, free, now: Timestamp::from_secs(1_000_000) }
    }

    /// Gives what these agents can be given.
    fn look(&mut self, agents: &[UserId]) -> Vec<Duration> {
        self.now = self.now + Duration::from_millis(1);
        let served: BTreeSet<QueueId> = agents.iter().flat_map(|user| self.roster.served_by(*user)).copied().collect();
        let each = agents.len().min(PROPOSED_AT_MOST);
        let heads: Vec<_> = served.iter().flat_map(|queue| self.waiting[queue].iter().take(each)).collect();
        let known = served.iter().flat_map(|queue| &self.roster.members(*queue)[..PROPOSED_AT_MOST]);
        let known: BTreeSet<_> = known.chain(agents).copied().collect();
        let mut seats: Vec<Seat> = known.iter().map(|user| self.seats[user].clone()).collect();
        for seat in seats.iter_mut().filter(|seat| !agents.contains(&seat.user)) {
            seat.load = seat.capacity;
        }
        let waiting: Vec<_> = heads.iter().filter_map(|one| one.waits()).collect();
        let mut state = State {
            conversations: heads.into_iter().map(|one| (one.id, one.clone())).collect(),
            seats: seats.iter().map(|seat| ((seat.organization, seat.user), seat.clone())).collect(),
            ..State::default()
        };
        let begun = Instant::now();
        let proposals = distribute(self.roster, &waiting, &seats, self.now);
        let share = begun.elapsed() / u32::try_from(proposals.len().max(1)).unwrap();
        let mut times = Vec::new();
        for proposal in proposals {
            let queue = state.conversations[&proposal.conversation].queue;
            let user = proposal.user;
            let begun = Instant::now();
            let decision =
                decide(self.rules, &state, &Stamped { at: self.now, event: Event::Assign(proposal.clone()) });
            state.evolve_all(&decision.changes);
            times.push(begun.elapsed() + share);
            assert_eq!(decision.why, "assigned");
            self.waiting.get_mut(&queue).unwrap().retain(|one| one.id != proposal.conversation);
            let seat = self.seats.get_mut(&user).unwrap();
            self.free.remove(&(seat.last_assigned_at, user));
            seat.last_assigned_at = self.now;
        }
        times
    }
}

fn conversation(n: u32) -> Conversation {
    let organization = OrganizationId::derive(&["acme"]);
    let account = AccountId::derive(&["acme", "whatsapp"]);
    let at = Timestamp::from_secs(i64::from(n));
    Conversation {
        id: ConversationId::derive(&["waits", &n.to_string()]),
        thread: Thread { organization, account, address: Address::new(n.to_string()) },
        channel: "whatsapp".parse().unwrap(),
        contact: ContactId::derive(&["contact", &n.to_string()]),
        contact_name: Some(format!("Ana {n}")),
        contact_email: None,
        queue: queue(n % QUEUES),
        stage: Stage::Waiting,
        agent: None,
        assignment: None,
        opened_at: at,
        waiting_since: at,
        last_inbound_at: Some(at),
        last_activity_at: at,
        closed_at: None,
        close_reason: None,
        unread: 1,
        preview: "bom dia".to_owned(),
        preview_kind: "text".to_owned(),
        next_sequence: 2,
        version: 1,
    }
}
