//! Asks the router for decisions about parked messages, and hears what became of them.
//!
//! The command line writes the request into the store and needs neither broker nor channels: the router of this store
//! carries it out, whether it runs now or later.

use std::time::Duration;

use domain::{ParkedEntry, ParkedId};
use ports::{Asked, Clock as _, topology::Topic};
use runtime::clock::SystemClock;

use crate::exit::Problem;

/// How long the router is given before the operator is told that it has not answered yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of one message.
pub(crate) enum Outcome {
    /// It is on its way.
    Sent,
    /// It was decided about; nothing goes out.
    Ended,
    /// It will be when a router runs.
    Asked,
    /// It cannot be, and why.
    Failed(String),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sent => f.write_str("on its way: the router has carried it out"),
            Self::Ended => f.write_str("ended: the router has carried it out"),
            Self::Asked => f.write_str("requested; the router does it as soon as it runs"),
            Self::Failed(why) => write!(f, "not done: {why}"),
        }
    }
}

/// Asks. Answers what became of each message, in the order given.
pub(crate) async fn ask(
    stores: &bootstrap::Stores,
    chosen: &[ParkedEntry],
    asked: &Asked,
) -> Result<Vec<(ParkedId, Outcome)>, Problem> {
    let mut outcomes: Vec<(ParkedId, Outcome)> =
        chosen.iter().map(|entry| (entry.parked.id, hindered(entry, asked))).collect();
    let ids: Vec<ParkedId> =
        outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Asked)).map(|(id, _)| *id).collect();
    stores.parking.request(&ids, asked, SystemClock.now()).await?;
    hear(stores, chosen, &mut outcomes).await?;
    Ok(outcomes)
}

/// What can be said without asking anybody.
fn hindered(entry: &ParkedEntry, asked: &Asked) -> Outcome {
    let route = &entry.parked.route;
    if entry.parked.redriven_at.is_some() {
        return Outcome::Failed("it was sent on its way before, and has not been parked again".to_owned());
    }
    if entry.closed_at.is_some() {
        return Outcome::Failed("it was ended, and has not been parked again".to_owned());
    }
    let leads = Topic::from_route(route).is_some() || route.starts_with("webhook:");
    if asked.ruling == domain::Ruling::Redrive && !leads {
        return Outcome::Failed(format!("the route '{route}' leads nowhere"));
    }
    Outcome::Asked
}

/// Waits a moment for the router's answers.
async fn hear(
    stores: &bootstrap::Stores,
    chosen: &[ParkedEntry],
    outcomes: &mut [(ParkedId, Outcome)],
) -> Result<(), Problem> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let waiting: Vec<ParkedId> =
            stores.parking.requested(u32::MAX).await?.iter().map(|(parked, _)| parked.id).collect();
        let mut open = 0;
        for (before, (id, outcome)) in chosen.iter().zip(outcomes.iter_mut()) {
            if !matches!(outcome, Outcome::Asked) {
                continue;
            }
            if waiting.contains(id) {
                open += 1;
                continue;
            }
            *outcome = stores.parking.show(*id).await?.map_or(Outcome::Sent, |now| became(before, now));
        }
        if open == 0 || tokio::time::Instant::now() >= until {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn became(before: &ParkedEntry, now: ParkedEntry) -> Outcome {
    if now.closed_at.is_some() {
        return Outcome::Ended;
    }
    if now.parked.redriven_at.is_some() {
        return Outcome::Sent;
    }
    if now.parked.at > before.parked.at {
        return Outcome::Failed(format!("it was, and is parked again: {}", now.parked.reason));
    }
    Outcome::Failed(now.parked.reason)
}
