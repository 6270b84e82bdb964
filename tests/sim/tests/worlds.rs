//! The short form of the simulation: what `make test` runs. `make sim SEEDS=10000` is the long one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::Write as _,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use afluente_sim::{
    mutation::Mutation,
    oracle::invariant,
    plan::{Plan, kept_seeds},
    run::{run, shrink},
};

/// Seeds in the short form, beside those that were kept.
const SEEDS: u64 = 100;
/// How many seeds a bug may need to be found.
const ENOUGH: u64 = 1_000;
const JOBS: usize = 2;

/// Seeds that failed once: `scripts/seeds`.
fn kept() -> Vec<u64> {
    kept_seeds(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/seeds")).unwrap()
}

/// Past the harness, which keeps what a passing test prints to itself.
fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The first of `seeds` whose findings are what is looked for, with these findings, and how many were run.
fn first_broken(
    seeds: &[u64],
    mutation: Option<Mutation>,
    wanted: impl Fn(&[String]) -> bool + Sync,
) -> (Option<(u64, Vec<String>)>, u64) {
    let (next, ran) = (AtomicU64::new(0), AtomicU64::new(0));
    let broken = std::sync::Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                while broken.lock().unwrap().is_none()
                    && let Some(seed) = seeds.get(usize::try_from(next.fetch_add(1, Ordering::SeqCst)).unwrap())
                {
                    let outcome = run(&Plan::of(*seed), mutation, false);
                    ran.fetch_add(1, Ordering::SeqCst);
                    if wanted(&outcome.findings) {
                        broken.lock().unwrap().get_or_insert((*seed, outcome.findings));
                    }
                }
            });
        }
    });
    (broken.into_inner().unwrap(), ran.into_inner())
}

fn any(findings: &[String]) -> bool {
    !findings.is_empty()
}

#[test]
fn no_seed_breaks_an_invariant() {
    let mut seeds = kept();
    seeds.extend(0..SEEDS);
    let (broken, ran) = first_broken(&seeds, None, any);
    say(&format!("simulation: {ran} seeds"));
    let Some((seed, findings)) = broken else { return };
    let least = shrink(&Plan::of(seed), None, invariant(&findings[0]));
    let trace = run(&least, None, true).trace.join("\n");
    panic!("seed {seed}: {findings:#?}\nitems {:?}\n{trace}", least.items);
}

/// The invariants that a bug may break.
const fn breaks(mutation: Mutation) -> &'static [&'static str] {
    match mutation {
        Mutation::AckBeforeConfirm | Mutation::AnswerBeforeConfirm | Mutation::ConsentUntold => &["conserved"],
        Mutation::CursorAhead | Mutation::PictureDropped => &["conserved"],
        Mutation::DedupOff | Mutation::LedgerForgets => &["once"],
        Mutation::PermitUnchecked | Mutation::ConsentIgnored => &["gated"],
        Mutation::StatusOverwrites => &["ordered"],
        // The shelf's turn comes only with a marker: without one it waits for the next message.
        Mutation::MarkerFirst => &["ordered", "conserved"],
    }
}

/// What else comes of a bug: a world that breaks nothing but this is passed over, and does not count as having found it.
const fn follows(mutation: Mutation) -> &'static [&'static str] {
    match mutation {
        // An agent tries a message again for its second part. The first, which had arrived and was read, goes again; the
        // provider refuses it, so the channel stops there. What was read stays read, and the second part waits for ever.
        Mutation::LedgerForgets => &["conserved"],
        _ => &[],
    }
}

#[test]
fn each_bug_that_is_put_in_is_found() {
    let seeds: Vec<u64> = (0..ENOUGH).collect();
    for mutation in Mutation::ALL {
        let named = |finding: &String| breaks(mutation).contains(&invariant(finding));
        let other = |finding: &String| !follows(mutation).contains(&invariant(finding));
        // Any reason but those that follow from it ends the search; it must be the right one.
        let (broken, ran) = first_broken(&seeds, Some(mutation), |findings| findings.iter().any(other));
        let Some((seed, findings)) = broken else { panic!("{mutation} was not found in {ran} seeds") };
        assert!(findings.iter().any(named), "{mutation} was found for another reason: {findings:#?}");
        say(&format!("simulation: {mutation} was found by seed {seed}, after {ran}"));
    }
}

#[test]
fn a_seed_is_the_same_world_each_time() {
    assert_eq!(Plan::of(7), Plan::of(7));
    assert_ne!(Plan::of(7).items, Plan::of(8).items);
    // Everything but the branch that a `select!` looks at first, which only `make sim` can seed.
    #[cfg(tokio_unstable)]
    for seed in 0..5 {
        assert_eq!(run(&Plan::of(seed), None, true), run(&Plan::of(seed), None, true), "seed {seed}");
    }
}

#[test]
fn the_shortest_trace_still_shows_the_bug() {
    let mutation = Some(Mutation::PermitUnchecked);
    let seeds: Vec<u64> = (0..ENOUGH).collect();
    let (broken, _) = first_broken(&seeds, mutation, any);
    let (seed, findings) = broken.unwrap();
    let whole = Plan::of(seed);
    let least = shrink(&whole, mutation, invariant(&findings[0]));
    assert!(least.items.len() < whole.items.len(), "{:?}", least.items);
    let again = run(&least, mutation, true);
    assert!(again.findings.iter().any(|finding| invariant(finding) == "gated"), "{:#?}", again.findings);
    assert!(again.trace.iter().any(|line| line.contains("Forgery")), "{:#?}", again.trace);
}
