//! Runs seeds. `sim --seeds 10000`, `sim --seed 17 --trace`, `sim --seeds 1000 --mutation dedup-off`.
#![allow(clippy::print_stdout, reason = "a command line speaks")]

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use afluente_sim::{
    mutation::Mutation,
    oracle::invariant,
    plan::{Plan, kept_seeds},
    run::{Outcome, run, shrink},
};
use clap::Parser;

// A third of a world's time was the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs worlds by their seeds and says which of them break an invariant.
#[derive(Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This seed alone, with its trace.
    #[arg(long)]
    seed: Option<u64>,
    /// Only these items of the seed's plan, by their numbers.
    #[arg(long, value_delimiter = ',')]
    only: Option<Vec<usize>>,
    /// With this bug put in.
    #[arg(long)]
    mutation: Option<Mutation>,
    /// How many at a time.
    #[arg(long, default_value_t = 2)]
    jobs: u64,
    /// How many failing seeds are enough.
    #[arg(long, default_value_t = 1)]
    enough: u64,
    /// Prints failing seeds without looking for their shortest trace.
    #[arg(long)]
    quick: bool,
    /// A file of seeds that failed once, a line each: they run first, and new ones join them.
    #[arg(long)]
    kept: Option<PathBuf>,
    /// Prints what the services log, of one seed.
    #[arg(long)]
    log: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.log {
        tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG).without_time().init();
    }
    match arguments.seed {
        Some(seed) => one(seed, &arguments),
        None => many(&arguments),
    }
}

fn one(seed: u64, arguments: &Arguments) -> ExitCode {
    let mut plan = Plan::of(seed);
    if let Some(only) = &arguments.only {
        plan = plan.only(&only.iter().copied().collect::<BTreeSet<_>>());
    }
    let outcome = run(&plan, arguments.mutation, true);
    tell(&plan, &outcome);
    if outcome.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(plan: &Plan, outcome: &Outcome) {
    for (number, item) in &plan.items {
        println!("{number:>3} {item}");
    }
    outcome.trace.iter().for_each(|line| println!("{line}"));
    for finding in &outcome.findings {
        println!("** {finding}");
    }
    println!("seed {} digest {:016x}: {} findings", plan.seed, outcome.digest, outcome.findings.len());
}

fn many(arguments: &Arguments) -> ExitCode {
    let kept = match arguments.kept.as_deref().map(kept_seeds).transpose() {
        Ok(kept) => kept.unwrap_or_default(),
        Err(error) => {
            println!("the kept seeds cannot be read: {error}");
            return ExitCode::FAILURE;
        }
    };
    let seeds = || kept.iter().copied().chain(arguments.from..arguments.from.saturating_add(arguments.seeds));
    let queue = Mutex::new(seeds());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let [failed, done, shelved] = [const { AtomicU64::new(0) }; 3];
    thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while failed.load(Ordering::SeqCst) < arguments.enough
                    && let Some(seed) = next()
                {
                    let plan = Plan::of(seed);
                    let outcome = run(&plan, arguments.mutation, false);
                    done.fetch_add(1, Ordering::SeqCst);
                    shelved.fetch_add(outcome.shelved, Ordering::SeqCst);
                    if !outcome.findings.is_empty() {
                        failed.fetch_add(1, Ordering::SeqCst);
                        report(&plan, &outcome, arguments);
                        join(seed, &kept, &outcome, arguments);
                    }
                }
            });
        }
    });
    let (done, failed) = (done.into_inner(), failed.into_inner());
    let shelved = shelved.into_inner();
    println!("{done} seeds from {}: {failed} break an invariant; {shelved} messages lay on shelves", arguments.from);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A seed that failed runs first from now on. Bugs that were put in are found on purpose.
fn join(seed: u64, kept: &[u64], outcome: &Outcome, arguments: &Arguments) {
    let Some(path) = &arguments.kept else { return };
    if kept.contains(&seed) || arguments.mutation.is_some() {
        return;
    }
    let line = format!("{seed} # {}\n", outcome.findings.first().map_or("", String::as_str));
    let joined = fs::OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(line.as_bytes()));
    match joined {
        Ok(()) => println!("seed {seed} has joined {}", path.display()),
        Err(error) => println!("seed {seed} could not join {}: {error}", path.display()),
    }
}

/// The findings of a seed, and the shortest trace that shows the first of them.
fn report(plan: &Plan, outcome: &Outcome, arguments: &Arguments) {
    println!("seed {} breaks an invariant: {}", plan.seed, outcome.findings.join("; "));
    let Some(first) = outcome.findings.first().filter(|_| !arguments.quick) else { return };
    let least = shrink(plan, arguments.mutation, invariant(first));
    tell(&least, &run(&least, arguments.mutation, true));
    let numbers: Vec<String> = least.numbers().iter().map(ToString::to_string).collect();
    println!("again: make sim SEED={} ONLY={}", plan.seed, numbers.join(","));
}
