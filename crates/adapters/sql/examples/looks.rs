//! A probe: what a look of distribution asks of the store, with 10,000 seats and 100,000 conversations that wait in 20
//! queues. `cargo run --release -p afluente-adapter-sql --example looks <postgres URL or SQLite file>`; the decision's
//! part is the probe `distribution` of `routing`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use afluente_adapter_sql::{SqlStore, SqliteOptions};
use domain::{Conversation, Presence, QueueId, Seat, Timestamp, UserId};
use ports::{
    Journal,
    conformance::samples::World,
    journal::{Commit, Lookup},
};

const AGENTS: u64 = 10_000;
const QUEUES: u64 = 20;
const WAITING: u64 = 100_000;
const LOOKS: u64 = 200;
/// As many as the router asks for.
const AT_ONCE: u32 = 64;

#[tokio::main]
async fn main() {
    let place = std::env::args().nth(1).expect("a PostgreSQL URL or a SQLite file");
    let store = if place.starts_with("postgres") {
        SqlStore::postgres(&place, 8).await.unwrap()
    } else {
        SqlStore::sqlite(&place, SqliteOptions::default()).await.unwrap()
    };
    let world = World::new();
    fill(&store, &world).await;
    let queues: Vec<QueueId> = (0..QUEUES).map(|n| world.queue(n)).collect();
    let mut nobody = Vec::new();
    for _ in 0..LOOKS {
        let begun = Instant::now();
        assert_eq!(store.free(world.organization, None, AT_ONCE).await.unwrap(), []);
        nobody.push(begun.elapsed());
    }
    told("nobody is free", nobody);
    let (mut asked, mut given) = (Vec::new(), Vec::new());
    for n in 0..LOOKS {
        let seat = Seat { load: 3, version: 1 + (n / AGENTS), ..seat(&world, n) };
        store.commit(&Commit { seats: vec![seat], ..Commit::default() }).await.unwrap();
        let begun = Instant::now();
        let free = store.free(world.organization, None, AT_ONCE).await.unwrap();
        let waiting = store.waiting(world.organization, &queues[..2], 1).await.unwrap();
        others(&store, &world, &free).await;
        asked.push(begun.elapsed());
        let begun = Instant::now();
        give(&store, free, &[waiting[0].conversation]).await;
        given.push(begun.elapsed());
    }
    told("one is free, asked", asked);
    told("one is free, given", given);
    let seats = (LOOKS..AGENTS).map(|n| Seat { load: 3, version: 1, ..seat(&world, n) }).collect();
    store.commit(&Commit { seats, ..Commit::default() }).await.unwrap();
    let (mut asked, mut given) = (Vec::new(), Vec::new());
    for _ in 0..LOOKS / 4 {
        let begun = Instant::now();
        let free = store.free(world.organization, None, AT_ONCE).await.unwrap();
        let waiting = store.waiting(world.organization, &queues, AT_ONCE).await.unwrap();
        others(&store, &world, &free).await;
        asked.push(begun.elapsed());
        let begun = Instant::now();
        let chosen: Vec<_> = waiting.iter().take(free.len()).map(|one| one.conversation).collect();
        give(&store, free, &chosen).await;
        given.push(begun.elapsed());
    }
    told("all are free, 64 asked", asked);
    told("all are free, 64 given", given);
    store.close().await;
}

fn told(what: &str, mut times: Vec<Duration>) {
    times.sort();
    println!("{what}: p50 {:?}, p99 {:?}", times[times.len() / 2], times[(times.len() - 1) * 99 / 100]);
}

fn seat(world: &World, n: u64) -> Seat {
    Seat {
        presence: Presence::Online,
        load: 4,
        capacity: 4,
        last_assigned_at: Timestamp::from_secs(1),
        ..world.seat(n)
    }
}

async fn fill(store: &SqlStore, world: &World) {
    for from in (0..AGENTS).step_by(1_000) {
        let seats = (from..from + 1_000).map(|n| seat(world, n)).collect();
        store.commit(&Commit { seats, ..Commit::default() }).await.unwrap();
    }
    for from in (0..WAITING).step_by(1_000) {
        let waits = |n| Conversation { queue: world.queue(n % QUEUES), ..world.conversation(n) };
        let conversations = (from..from + 1_000).map(waits).collect();
        store.commit(&Commit { conversations, ..Commit::default() }).await.unwrap();
    }
}

/// The seats of those whose reasons are told.
async fn others(store: &SqlStore, world: &World, free: &[Seat]) {
    let known: BTreeSet<UserId> = free.iter().map(|seat| seat.user).collect();
    let users = (0..u64::from(AT_ONCE)).map(|n| world.user(n)).filter(|user| !known.contains(user));
    let seats = users.map(|user| (world.organization, user)).collect();
    store.load(&Lookup { seats, ..Lookup::default() }).await.unwrap();
}

/// Loads and commits, as the router does for proposals.
async fn give(store: &SqlStore, free: Vec<Seat>, chosen: &[domain::ConversationId]) {
    let organization = free[0].organization;
    let lookup = Lookup {
        conversations: chosen.iter().map(|id| (organization, *id)).collect(),
        seats: free.iter().map(|seat| (organization, seat.user)).collect(),
        ..Lookup::default()
    };
    let found = store.load(&lookup).await.unwrap();
    let mut seats: Vec<Seat> = found.seats.into_values().collect();
    let mut conversations: Vec<Conversation> = found.conversations.into_values().collect();
    for (conversation, seat) in conversations.iter_mut().zip(&mut seats) {
        conversation.stage = domain::Stage::Active;
        conversation.agent = Some(seat.user);
        seat.load += 1;
        seat.last_assigned_at = Timestamp::from_secs(2);
    }
    store.commit(&Commit { conversations, seats, ..Commit::default() }).await.unwrap();
}
