//! One part until its outcome is final. What surely was not sent is tried again; what may have been sent never is.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use domain::{Content, Failure, Media, MediaSource, Outcome, Permitted, error::codes};
use futures_util::FutureExt as _;
use ports::{Begun, Claim, StoreError};
use runtime::{
    names::{label, metric},
    trace,
};
use tokio::{sync::SemaphorePermit, time::Instant};

use super::{Shared, permit, report::outcome_name};
use crate::{
    account_http::RESENDS,
    accounts::Live,
    backoff::Backoff,
    contract::{Ingress, MediaHandle, Part},
    link,
};

/// What became of a part, for good.
pub(super) struct Tried {
    pub(super) outcome: Outcome,
    /// The try that the ledger could not be told of.
    pub(super) unnoted: Option<Claim>,
}

/// Sends part `index`. None when the drain came first.
pub(super) async fn part(
    shared: &Shared,
    live: &Arc<Live>,
    permitted: &Permitted,
    index: u16,
    content: Content,
) -> Option<Tried> {
    let kit = &shared.kit;
    let request = &permitted.request;
    let part = Part {
        key: format!("{}-{index}", request.message),
        address: request.thread.address.clone(),
        content,
        media: None,
        reply_to: if index == 0 { request.reply_to.clone() } else { None },
    };
    let started = Instant::now();
    let mut backoff = Backoff::new(kit.config.first_pause, kit.config.longest_pause);
    let mut last = Failure::of(codes::PROVIDER_UNAVAILABLE);
    let mut tries = 0;
    let mut claim = kit.claim();
    loop {
        let out_of_time = started.elapsed() >= kit.config.hold;
        // What has expired, on a shelf perhaps, does not wait for a provider that it will not be sent to.
        let hopeless = out_of_time || !permit::in_time(permitted, kit.now());
        let prepared = prepare(shared, live, &part, hopeless).await?;
        match begin(shared, permitted, index, &claim).await? {
            Begun::Done(outcome) => return Some(Tried { outcome, unnoted: None }),
            Begun::InDoubt => {
                let reason = Some("the service stopped between the request and its answer".to_owned());
                let outcome = Outcome::InDoubt { failure: Failure { reason, ..Failure::of(codes::IN_DOUBT) } };
                let noted = finish(shared, permitted, index, &claim, &outcome).await;
                return Some(Tried { outcome, unnoted: (!noted).then_some(claim) });
            }
            Begun::Fresh => {}
        }
        let outcome = if !permit::in_time(permitted, kit.now()) {
            Outcome::Rejected { failure: Failure::of(codes::PERMIT_EXPIRED) }
        } else if out_of_time {
            Outcome::Rejected { failure: Failure { code: codes::PROVIDER_UNAVAILABLE, ..last.clone() } }
        } else {
            match prepared {
                Ok(ready) => live.redactor.outcome(send(shared, live, &ready.part, tries).await),
                Err(outcome) => outcome,
            }
        };
        let noted = finish(shared, permitted, index, &claim, &outcome).await;
        let Some(pause) = pause_after(shared, live, &outcome, &mut backoff, &mut last) else {
            return Some(Tried { outcome, unnoted: (!noted).then_some(claim) });
        };
        tries += 1;
        claim = claim.next();
        kit.count(metric::DELIVERY_OUTCOMES, &[(label::OUTCOME, outcome_name(&outcome))]);
        tracing::info!(about = %request.message, part = index, tries, outcome = outcome_name(&outcome), "tried again later");
        let left = kit.config.hold.saturating_sub(started.elapsed());
        rest(shared, pause.min(left)).await?;
    }
}

/// How long to rest before the next try; none when the outcome is final. What it means for the whole account is done
/// here too.
fn pause_after(
    shared: &Shared,
    live: &Live,
    outcome: &Outcome,
    backoff: &mut Backoff,
    last: &mut Failure,
) -> Option<Duration> {
    match outcome {
        Outcome::Throttled { after } => {
            let pause = after.unwrap_or_else(|| backoff.pause());
            live.pause(pause);
            last.reason = Some("the provider says: too fast".to_owned());
            Some(pause)
        }
        Outcome::Unavailable { failure } => {
            *last = failure.clone();
            Some(backoff.pause())
        }
        Outcome::Misconfigured { failure } => {
            if live.trouble().is_none() {
                live.quarantine(shared.kit.config.quarantine, failure.clone());
            }
            None
        }
        _ => None,
    }
}

/// Sleeps, unless the drain begins.
pub(super) async fn rest(shared: &Shared, pause: Duration) -> Option<()> {
    tokio::select! {
        () = tokio::time::sleep(pause) => Some(()),
        () = shared.drain.begun() => None,
    }
}

/// A part with its media, and a slot of its account and one of the channel to send it in.
struct Ready<'a> {
    part: Part,
    _slots: Option<(SemaphorePermit<'a>, SemaphorePermit<'a>)>,
}

/// All the waiting, before the attempt is noted: a crash while waiting is then no doubt. The error is an outcome that
/// needs no provider.
async fn prepare<'a>(
    shared: &'a Shared,
    live: &'a Live,
    part: &Part,
    hopeless: bool,
) -> Option<Result<Ready<'a>, Outcome>> {
    if let Some(failure) = live.trouble() {
        return Some(Err(Outcome::Misconfigured { failure }));
    }
    let mut ready = Ready { part: part.clone(), _slots: None };
    if hopeless {
        return Some(Ok(ready));
    }
    match media(shared, &part.content).await {
        Ok(handle) => ready.part.media = handle,
        Err(outcome) => return Some(Err(outcome)),
    }
    if !is_link(live) {
        let started = Instant::now();
        while let Some(wait) = match live.paused() {
            Some(wait) => Some(wait),
            None => shared.rates.take(&shared.kit, live, &part.address).await,
        } {
            let left = shared.kit.config.hold.saturating_sub(started.elapsed());
            if left.is_zero() {
                let failure = Failure::of(codes::PROVIDER_UNAVAILABLE);
                return Some(Err(Outcome::Unavailable { failure }));
            }
            rest(shared, wait.min(left)).await?;
        }
    }
    // The account's first: one whose provider hangs holds no slot of the channel while it waits for its own.
    let slots = async { live.slots.acquire().await.ok().zip(shared.slots.acquire().await.ok()) };
    ready._slots = tokio::select! {
        slots = slots => slots,
        () = shared.drain.begun() => return None,
    };
    Some(Ok(ready))
}

fn is_link(live: &Live) -> bool {
    live.open.as_ref().is_ok_and(|open| matches!(open.ingress, Ingress::Link(_)))
}

/// The media's bytes and a link to them.
async fn media(shared: &Shared, content: &Content) -> Result<Option<MediaHandle>, Outcome> {
    let Content::Media(Media { source, .. }) = content else { return Ok(None) };
    let lost = |reason: &str| {
        let failure = Failure { reason: Some(reason.to_owned()), ..Failure::of(codes::MEDIA_LOST) };
        Outcome::Rejected { failure }
    };
    let MediaSource::Stored { key, .. } = source else { return Err(lost("the media was never stored")) };
    match shared.kit.env.blobs.get(key).await {
        Ok(Some((_, bytes))) => Ok(Some(MediaHandle { url: shared.kit.media_url(key), bytes })),
        Ok(None) => Err(lost("the media is no longer in the store")),
        Err(StoreError::Refused(reason)) => Err(lost(&reason)),
        Err(StoreError::Unavailable(reason)) => {
            let failure = Failure { reason: Some(reason), ..Failure::of(codes::UNAVAILABLE) };
            Err(Outcome::Unavailable { failure })
        }
    }
}

/// Notes the attempt; waits for the ledger as long as it takes, since nothing may be sent without it.
async fn begin(shared: &Shared, permitted: &Permitted, index: u16, claim: &Claim) -> Option<Begun> {
    let mut backoff = Backoff::while_away();
    loop {
        match shared.kit.env.ledger.begin(permitted.request.message, index, claim, shared.kit.now()).await {
            Ok(begun) => return Some(begun),
            Err(error) => tracing::warn!(%error, about = %permitted.request.message, "a send waits for the ledger"),
        }
        rest(shared, backoff.pause()).await?;
    }
}

/// Notes the outcome, and whether that worked. When the ledger stays away the outcome is reported all the same, and noted
/// by [`note`] afterwards: only a crash in between leaves a doubt, and it is told as one.
async fn finish(shared: &Shared, permitted: &Permitted, index: u16, claim: &Claim, outcome: &Outcome) -> bool {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    for _ in 0..6 {
        match shared.kit.env.ledger.finish(permitted.request.message, index, claim, outcome).await {
            Ok(()) => return true,
            Err(error) => {
                tracing::warn!(%error, about = %permitted.request.message, "an outcome waits for the ledger")
            }
        }
        tokio::time::sleep(backoff.pause()).await;
    }
    false
}

/// Notes an outcome that was reported; waits for the ledger as long as it takes. A person who tries the message again
/// must not have sent again what arrived. None when the drain came first.
pub(super) async fn note(
    shared: &Shared,
    permitted: &Permitted,
    index: u16,
    claim: &Claim,
    outcome: &Outcome,
) -> Option<()> {
    while !finish(shared, permitted, index, claim, outcome).await {
        if shared.drain.has_begun() {
            return None;
        }
    }
    Some(())
}

/// One request. A panic or an endless wait leaves a doubt, never a second try.
async fn send(shared: &Shared, live: &Arc<Live>, part: &Part, tries: u32) -> Outcome {
    let kit = &shared.kit;
    kit.count(metric::DELIVERY_ATTEMPTS, &[]);
    let doubt = |reason: &str| {
        trace::fail(&tracing::Span::current(), "in_doubt");
        let failure = Failure { reason: Some(reason.to_owned()), ..Failure::of(codes::IN_DOUBT) };
        Outcome::InDoubt { failure }
    };
    let Ok(open) = &live.open else { return doubt("the account closed") };
    let sending = async {
        match &open.ingress {
            Ingress::Link(facet) => link::deliver(kit, live, facet.as_ref(), part).await,
            Ingress::Webhook(_) | Ingress::Poll(_) => open.outbound.send(part, &live.http).await,
        }
    };
    let sending = AssertUnwindSafe(RESENDS.scope(tries, sending)).catch_unwind();
    match tokio::time::timeout(kit.config.send_deadline, sending).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => {
            kit.env.metrics.count(metric::PANICS, &[(label::PLACE, "send")], 1);
            doubt("the channel panicked while it sent")
        }
        Err(_) => doubt("the channel did not come back in time"),
    }
}
