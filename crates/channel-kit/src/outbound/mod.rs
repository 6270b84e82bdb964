//! From `outbound.<channel>.<p>` to the provider: permits, lanes, tries, and what became of each part.
//!
//! `partition` takes the deliveries of one partition and keeps the lanes, `holding` decides what one account may have of
//! it at a time, `shelf` speaks to the store about the rest; [ADR 11](../../../docs/adr/0011-a-noisy-account-has-a-shelf.md)
//! says why. `attempt` and `report` are about one part.

mod attempt;
mod holding;
mod partition;
mod permit;
mod rate;
mod report;
mod shelf;

use std::sync::{Arc, atomic::AtomicU64};

use domain::{Failure, Outcome, Partition, Permitted, error::codes, plan};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use ports::bus::Way;
use runtime::{names::attribute, service::Drain, trace};

use crate::{accounts::Live, kit::Kit};
use attempt::Tried;
pub(crate) use rate::Rates;

/// What sends share.
pub(crate) struct Shared {
    kit: Arc<Kit>,
    drain: Drain,
    rates: Rates,
    slots: tokio::sync::Semaphore,
    /// How many messages lie on the shelves of the partitions that this replica has.
    shelved: AtomicU64,
}

/// Serves all partitions until the drain begins, then ends what is in flight.
pub(crate) async fn run(kit: Arc<Kit>, drain: Drain) -> Result<(), String> {
    let mut changes = kit.accounts.changes();
    while !kit.accounts.loaded() {
        tokio::select! {
            changed = changes.changed() => changed.map_err(|error| error.to_string())?,
            () = drain.begun() => return Ok(()),
        }
    }
    // One partition that fails has all begin again, in peace: what is in flight anywhere ends first.
    let halt = Drain(drain.0.child_token());
    let count = kit.env.partitions.max(1);
    let shared = Arc::new(Shared {
        rates: Rates::default(),
        slots: tokio::sync::Semaphore::new(kit.config.lanes.max(1)),
        shelved: AtomicU64::new(0),
        drain: halt.clone(),
        kit,
    });
    let mut partitions: FuturesUnordered<_> =
        (0..count).map(|number| partition::run(Arc::clone(&shared), Partition(number))).collect();
    let mut result = Ok(());
    while let Some(ended) = partitions.next().await {
        if ended.is_err() {
            halt.0.cancel();
            result = result.and(ended);
        }
    }
    result
}

/// Every part that was tried has been reported, and the broker confirmed it.
struct Reported;

/// Carries one message out. None when the drain came first, or the broker took back what came over `way` before all parts
/// were begun.
async fn message(shared: &Shared, permitted: &Permitted, way: &Way) -> Option<Reported> {
    let request = &permitted.request;
    trace::note(attribute::CHANNEL, request.channel.to_string());
    trace::note(attribute::DIRECTION, "outbound");
    trace::note(attribute::MESSAGE_KIND, request.content.kind());
    let whole = |outcome| async move { report::report(shared, permitted, 0, 1, outcome).await };
    if let Err(reason) = permit::genuine(&shared.kit, permitted) {
        tracing::error!(about = %request.message, reason, "a message without a genuine permit was not sent");
        let failure = Failure { reason: Some(reason.to_owned()), ..Failure::of(codes::PERMIT_INVALID) };
        return whole(Outcome::Rejected { failure }).await;
    }
    let Some(live) = account(&shared.kit, permitted).await else {
        let reason = Some("the account is unknown or inactive".to_owned());
        let failure = Failure { reason, ..Failure::of(codes::ACCOUNT_MISCONFIGURED) };
        return whole(Outcome::Misconfigured { failure }).await;
    };
    let parts = match plan::parts(&request.content, &shared.kit.can) {
        Ok(parts) => parts,
        Err(cannot) => {
            let failure = Failure { reason: Some(cannot.detail), ..Failure::of(cannot.code) };
            return whole(Outcome::Rejected { failure }).await;
        }
    };
    let planned = u16::try_from(parts.len()).unwrap_or(u16::MAX);
    for (index, content) in (0..planned).zip(parts) {
        if !way.is_current() {
            return None;
        }
        let Tried { outcome, unnoted } = attempt::part(shared, &live, permitted, index, content).await?;
        let accepted = matches!(outcome, Outcome::Accepted { .. });
        report::report(shared, permitted, index, planned, outcome.clone()).await?;
        if let Some(claim) = unnoted {
            attempt::note(shared, permitted, index, &claim, &outcome).await?;
        }
        if !accepted {
            // Part 3 without part 2 would make no sense to the contact.
            break;
        }
    }
    Some(Reported)
}

/// The account of the message; read again once when it is not known yet.
async fn account(kit: &Kit, permitted: &Permitted) -> Option<Arc<Live>> {
    let thread = &permitted.request.thread;
    let mut found = kit.accounts.by_id(thread.account);
    if found.is_none() && kit.accounts.reload(kit.env.directory.as_ref()).await.is_ok() {
        found = kit.accounts.by_id(thread.account);
    }
    found.filter(|live| live.account.organization == thread.organization)
}
