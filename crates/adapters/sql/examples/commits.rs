//! A probe: how long commits take, by batch size. `cargo run -p afluente-adapter-sql --example commits <postgres URL or
//! SQLite file>`. Compare `postgres://postgres@127.0.0.1/x` with `postgres://postgres@localhost/x?host=/var/run/postgresql`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use afluente_adapter_sql::{SqlStore, SqliteOptions};
use ports::{
    Journal as _,
    conformance::samples::World,
    journal::{Commit, Lookup},
};

const ROUNDS: u64 = 40;
/// Of the raw limit: how many write at once, and how much each commits at a time.
const WRITERS: u64 = 4;
const BATCH: u64 = 128;

/// The first messages of `size` contacts, each with a row for the outbox. A message is its own mark.
fn batch(world: &World, from: u64, size: u64) -> Commit {
    let mut commit = Commit::default();
    for n in from..from + size {
        let one = world.opening(n);
        commit.conversations.extend(one.conversations);
        commit.messages.extend(one.messages);
        commit.contacts.extend(one.contacts);
        commit.events.extend(one.events);
        commit.outbox.push(world.outgoing(0, &format!("o{n}")));
    }
    commit
}

#[tokio::main]
async fn main() {
    let place = std::env::args().nth(1).expect("a PostgreSQL URL or a SQLite file");
    let store = if place.starts_with("postgres") {
        SqlStore::postgres(&place, 8).await.unwrap()
    } else {
        SqlStore::sqlite(&place, SqliteOptions::default()).await.unwrap()
    };
    for size in [1, 10, 100, 300] {
        let world = World::new();
        let (mut loads, mut commits) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let commit = batch(&world, round * size, size);
            let lookup = Lookup {
                brought: commit.messages.iter().map(|message| (message.id, message.cause)).collect(),
                threads: commit.contacts.iter().map(|contact| contact.thread.clone()).collect(),
                ..Lookup::default()
            };
            let start = Instant::now();
            store.load(&lookup).await.unwrap();
            loads.push(start.elapsed());
            let start = Instant::now();
            store.commit(&commit).await.unwrap();
            commits.push(start.elapsed());
        }
        let [load, commit] = [loads, commits].map(|mut times: Vec<Duration>| {
            times.sort();
            (times[times.len() / 2], times[times.len() * 9 / 10])
        });
        println!(
            "{size:>4} messages: load p50 {:?} p90 {:?}, commit p50 {:?} p90 {:?}, {:.0} committed messages per second",
            load.0,
            load.1,
            commit.0,
            commit.1,
            Duration::from_secs(size).as_secs_f64() / commit.0.as_secs_f64()
        );
    }
    flat_out(&store).await;
    store.close().await;
}

/// The raw limit: several writers, each for an organization of its own, as fast as the store takes their batches.
async fn flat_out(store: &SqlStore) {
    let begun = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            let (world, mut rows) = (World::new(), 0);
            for round in 0..ROUNDS {
                let commit = batch(&world, round * BATCH, BATCH);
                rows += rows_of(&commit);
                store.commit(&commit).await.unwrap();
            }
            rows
        });
    }
    let rows: usize = writers.join_all().await.into_iter().sum();
    let (seconds, messages) = (begun.elapsed().as_secs_f64(), WRITERS * ROUNDS * BATCH);
    println!(
        "flat out, {WRITERS} writers with {BATCH} messages each: {:.0} messages per second, {:.0} rows per second",
        Duration::from_secs(messages).as_secs_f64() / seconds,
        Duration::from_secs(rows as u64).as_secs_f64() / seconds
    );
}

/// Events go into one row together.
fn rows_of(commit: &Commit) -> usize {
    commit.conversations.len() + commit.messages.len() + commit.contacts.len() + commit.outbox.len() + 1
}
