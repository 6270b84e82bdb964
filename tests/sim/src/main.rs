//! Runs seeds. `sim --seeds 10000`, `sim --seed 17 --trace`, `sim --seeds 1000 --mutation dedup-off`.
#![allow(clippy::print_stdout, reason = "a command line speaks")]

use std::{
    collections::BTreeSet,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use afluente_sim::{
    mutation::Mutation,
    oracle::invariant,
    plan::Plan,
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
    let [next, failed, done, shelved] = [const { AtomicU64::new(0) }; 4];
    thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while failed.load(Ordering::SeqCst) < arguments.enough {
                    let turn = next.fetch_add(1, Ordering::SeqCst);
                    if turn >= arguments.seeds {
                        return;
                    }
                    let plan = Plan::of(arguments.from + turn);
                    let outcome = run(&plan, arguments.mutation, false);
                    done.fetch_add(1, Ordering::SeqCst);
                    shelved.fetch_add(outcome.shelved, Ordering::SeqCst);
                    if !outcome.findings.is_empty() {
                        failed.fetch_add(1, Ordering::SeqCst);
                        report(&plan, &outcome, arguments);
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

/// The findings of a seed, and the shortest trace that shows the first of them.
fn report(plan: &Plan, outcome: &Outcome, arguments: &Arguments) {
    println!("seed {} breaks an invariant: {}", plan.seed, outcome.findings.join("; "));
    let Some(first) = outcome.findings.first().filter(|_| !arguments.quick) else { return };
    let least = shrink(plan, arguments.mutation, invariant(first));
    tell(&least, &run(&least, arguments.mutation, true));
    let numbers: Vec<String> = least.numbers().iter().map(ToString::to_string).collect();
    println!("again: make sim SEED={} ONLY={}", plan.seed, numbers.join(","));
}
