//! One run of one plan, on a thread of its own with the plan's randomness and a clock that stands still while anybody
//! has something to do.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{runtime::Builder, task::JoinSet, time::Instant};

use crate::{
    cast::{Agent, contact, operator},
    entropy,
    mutation::Mutation,
    nemesis, oracle,
    plan::{HORIZON, HOUSES, Item, Plan},
    site,
    world::World,
};

/// How long the world may take to come to rest once nothing goes wrong any more: longer than any message is held.
const REST: Duration = Duration::from_secs(20 * 60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How many looks in a row must find it at rest: longer than the router's sweep.
const LOOKS: u32 = 6;

/// What a run showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What is wrong.
    pub findings: Vec<String>,
    /// What happened, when it was asked for.
    pub trace: Vec<String>,
    /// What was done, as one number: the same for the same plan.
    pub digest: u64,
    /// How many messages lay on a shelf for a while.
    pub shelved: u64,
}

/// Runs `plan`.
pub fn run(plan: &Plan, mutation: Option<Mutation>, traced: bool) -> Outcome {
    let plan = plan.clone();
    // Made by whoever comes first: not on a thread whose randomness is counted.
    drop(site::chassis());
    let thread = std::thread::Builder::new().name(format!("seed {}", plan.seed)).spawn(move || {
        entropy::seed_this_thread(plan.seed);
        let folder = match disk() {
            Ok(folder) => folder,
            Err(error) => return failed(format!("there is no disk: {error}")),
        };
        match runtime(plan.seed) {
            Ok(runtime) => runtime.block_on(live(plan, mutation, folder.path(), traced)),
            Err(error) => failed(format!("there is no runtime: {error}")),
        }
    });
    let ended = thread.map(std::thread::JoinHandle::join);
    match ended {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => failed("the simulation itself panicked".to_owned()),
        Err(error) => failed(format!("there is no thread: {error}")),
    }
}

fn failed(why: String) -> Outcome {
    Outcome { findings: vec![format!("simulation: {why}")], trace: Vec::new(), digest: 0, shelved: 0 }
}

/// A folder in memory where there is one: a spool syncs after each append.
fn disk() -> std::io::Result<tempfile::TempDir> {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

fn runtime(seed: u64) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    // Which branch of a `select!` is looked at first is the scheduler's own chance.
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    #[cfg(not(tokio_unstable))]
    let _ = seed;
    builder.build()
}

async fn live(plan: Plan, mutation: Option<Mutation>, folder: &Path, traced: bool) -> Outcome {
    let world = World::new(plan, mutation, folder, traced);
    if let Err(error) = world.found().await {
        return failed(error.to_string());
    }
    let mut homes = JoinSet::new();
    for at in 0..world.sites.len() {
        let world = Arc::clone(&world);
        homes.spawn(async move {
            if let Some(site) = world.sites.get(at) {
                site.keep(&world).await;
            }
        });
    }
    let mut acts = act(&world);
    tokio::time::sleep(HORIZON + Duration::from_secs(10)).await;
    world.record.note(|| "-- nothing goes wrong any more".to_owned());
    world.calm();
    let mut findings = Vec::new();
    if !rests(&world, folder, &mut acts).await {
        findings.push(format!("conserved: the world does not come to rest: {}", unrest(&world, folder)));
    }
    // Asked before anybody is told to end: a timer that is due meanwhile frees an agent whom nobody gives anything any more.
    findings.extend((0..HOUSES).flat_map(|house| oracle::nobody_idles(&world, house)));
    world.sites.iter().for_each(site::Site::end);
    while homes.join_next().await.is_some() {}
    acts.abort_all();
    while let Some(ended) = acts.join_next().await {
        note_panic(&world, ended);
    }
    findings.extend(oracle::judge(&world));
    let shelved = u64::try_from(world.store.tables().last_shelved).unwrap_or(0);
    Outcome { findings, trace: world.record.lines(), digest: digest(&world), shelved }
}

/// Starts everybody and everything.
fn act(world: &Arc<World>) -> JoinSet<()> {
    let mut acts = JoinSet::new();
    for (number, item) in &world.plan.items {
        let world = Arc::clone(world);
        match item.clone() {
            Item::Contact { house, number, messages } => drop(acts.spawn(contact(world, house, number, messages))),
            Item::Agent { house, number } => drop(acts.spawn(Agent::new(world, house, number).serve())),
            Item::Operator => drop(acts.spawn(operator(world))),
            Item::Strike(at, strike) => drop(acts.spawn(nemesis::strike(world, *number, at, strike))),
            Item::Haste | Item::BrokerNoise | Item::StoreNoise | Item::ProviderNoise | Item::WebhookNoise => {}
            Item::Polled(_) | Item::Linked(_) | Item::Pictures => {}
        }
    }
    acts
}

fn note_panic(world: &World, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        world.record.known().problems.push(format!("simulation: {error}"));
    }
}

/// Waits until nobody acts and nothing is on its way.
async fn rests(world: &World, folder: &Path, acts: &mut JoinSet<()>) -> bool {
    let end = Instant::now() + REST;
    let mut quiet = 0;
    while quiet < LOOKS {
        if Instant::now() > end {
            return false;
        }
        tokio::time::sleep(LOOK).await;
        while let Some(ended) = acts.try_join_next() {
            note_panic(world, ended);
        }
        let idle = (0..HOUSES).any(|house| !oracle::nobody_idles(world, house).is_empty());
        quiet = if acts.is_empty() && !idle && unrest(world, folder).is_empty() { quiet + 1 } else { 0 };
    }
    true
}

/// What is on its way.
fn unrest(world: &World, folder: &Path) -> String {
    let tables = world.store.tables();
    let waits = [
        ("webhook calls", world.calls.load(Ordering::SeqCst)),
        ("updates that nobody asked for", world.providers.iter().map(|one| one.updates.kept()).sum()),
        ("messages at the broker", usize::try_from(world.broker.holds()).unwrap_or(usize::MAX)),
        ("rows in the outbox", tables.outbox.len()),
        ("messages on shelves", tables.shelved.len()),
        ("requests to redrive", tables.parked.values().filter(|kept| kept.asked.is_some()).count()),
        ("segments on disks", segments(folder)),
    ];
    let waits: Vec<_> = waits.iter().filter(|(_, count)| *count > 0).map(|(what, n)| format!("{n} {what}")).collect();
    waits.join(", ")
}

fn segments(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let count = |path: PathBuf| match path.is_dir() {
        true => segments(&path),
        false => usize::from(path.extension().is_some_and(|end| end == "spool")),
    };
    entries.flatten().map(|entry| count(entry.path())).sum()
}

/// Everything that was published and everything that the providers saw.
fn digest(world: &World) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut feed = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for one in world.broker.published() {
        feed(one.by.as_bytes());
        feed(one.envelope.id.as_bytes());
        feed(&world.time_of(one.at).millis().to_le_bytes());
    }
    for seen in &world.record.known().seen {
        feed(seen.text.as_bytes());
        feed(&seen.at.millis().to_le_bytes());
    }
    hash
}

/// The plan with as few items as still break the same invariant, found by taking items away while it does.
pub fn shrink(plan: &Plan, mutation: Option<Mutation>, invariant: &str) -> Plan {
    let still = |kept: &BTreeSet<usize>| {
        let outcome = run(&plan.only(kept), mutation, false);
        outcome.findings.iter().any(|finding| oracle::invariant(finding) == invariant)
    };
    let mut kept = plan.numbers();
    let mut size = (kept.len() / 2).max(1);
    loop {
        let before = kept.len();
        let all: Vec<usize> = kept.iter().copied().collect();
        for some in all.chunks(size) {
            let fewer: BTreeSet<usize> = kept.iter().filter(|number| !some.contains(number)).copied().collect();
            if fewer.len() < kept.len() && still(&fewer) {
                kept = fewer;
            }
        }
        if size == 1 && kept.len() == before {
            return plan.only(&kept);
        }
        size = (size / 2).max(1);
    }
}
