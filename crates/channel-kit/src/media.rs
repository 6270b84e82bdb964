//! Media jobs: what an incoming message refers to is fetched, kept, and its message told. The message itself was shown
//! long before.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use domain::{EventId, Inbound, InboundBody, MediaJob, MediaSettled, MediaSource, error::codes};
use futures_util::FutureExt as _;
use ports::{bus::Delivery, topology::Queue};
use runtime::{
    names::{label, metric},
    service::Drain,
    trace,
};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::{backoff, codec, contract::FetchError, kit::Kit};

/// Takes media jobs until the drain begins.
pub(crate) async fn run(kit: Arc<Kit>, drain: Drain) -> Result<(), String> {
    let queue = Queue::ChannelMedia(kit.channel.clone());
    let limit = kit.config.media_jobs.max(1);
    let prefetch = u16::try_from(limit).unwrap_or(u16::MAX);
    let mut incoming = kit.env.bus.subscribe(queue.clone(), prefetch).await.map_err(|error| error.to_string())?;
    let mut jobs = JoinSet::new();
    loop {
        tokio::select! {
            delivery = incoming.next(), if jobs.len() < limit => {
                let Some(delivery) = delivery else { break };
                let span = trace::process(&delivery.envelope, &queue);
                jobs.spawn(job(Arc::clone(&kit), delivery).instrument(span));
            }
            Some(ended) = jobs.join_next() => if let Err(error) = ended {
                tracing::error!(%error, "a media job ended; it goes back to its queue");
            },
            () = drain.begun() => break,
        }
    }
    drop(incoming);
    let in_flight = async { while jobs.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(kit.config.drain, in_flight).await;
    if drain.has_begun() { Ok(()) } else { Err("the broker ended the subscription".to_owned()) }
}

/// What came of one try.
enum Tried {
    Settled(MediaSettled),
    Again(String),
}

async fn job(kit: Arc<Kit>, delivery: Delivery) {
    let job = match codec::read_media_job(&delivery.envelope) {
        Ok(job) => job,
        Err(reason) => {
            kit.count_parked("media", &codes::POISON);
            delivery.park(codes::POISON.as_str(), reason);
            return;
        }
    };
    let tried = AssertUnwindSafe(fetch(&kit, &job)).catch_unwind().await;
    let tried = tried.unwrap_or_else(|_| Tried::Again("the channel panicked while it fetched".to_owned()));
    let settled = match tried {
        Tried::Settled(settled) => settled,
        Tried::Again(reason) if out_of_tries(&kit, &job, delivery.attempt) => {
            tracing::warn!(event = %job.message_event, reason, "media is lost");
            lost(&job, "expired")
        }
        Tried::Again(reason) => {
            let pause = backoff::after(delivery.attempt, Duration::from_secs(2), Duration::from_secs(15 * 60));
            tracing::info!(event = %job.message_event, reason, "media is fetched again later");
            delivery.retry(pause);
            return;
        }
    };
    let outcome = if matches!(settled.source, MediaSource::Stored { .. }) { "stored" } else { "lost" };
    let now = kit.now();
    let told = Inbound {
        id: EventId::derive(&[&job.message_event.to_string(), "media"]),
        thread: job.thread.clone(),
        channel: kit.channel.clone(),
        at: now,
        received_at: now,
        body: InboundBody::MediaSettled(settled),
    };
    match kit.env.bus.publish(vec![kit.envelope(&told)]).await {
        Ok(()) => {
            kit.count(metric::MEDIA_JOBS, &[(label::OUTCOME, outcome)]);
            delivery.ack();
        }
        Err(error) => {
            tracing::warn!(%error, "fetched media waits for the broker");
            delivery.retry(Duration::from_secs(2));
        }
    }
}

fn out_of_tries(kit: &Kit, job: &MediaJob, attempt: u32) -> bool {
    let expired = match &job.media.source {
        MediaSource::Pending { expires_at: Some(end), .. } => *end <= kit.now(),
        _ => false,
    };
    expired || attempt >= kit.config.media_tries
}

fn lost(job: &MediaJob, reason: &str) -> MediaSettled {
    MediaSettled {
        message_event: job.message_event,
        source: MediaSource::Lost { reason: reason.to_owned() },
        mime: None,
        size: None,
    }
}

async fn fetch(kit: &Kit, job: &MediaJob) -> Tried {
    let Some(live) = kit.accounts.by_id(job.thread.account) else {
        return Tried::Again("the account is not open".to_owned());
    };
    let Ok(open) = &live.open else { return Tried::Again("the account is misconfigured".to_owned()) };
    let Some(facet) = &open.media else { return Tried::Settled(lost(job, "not_found")) };
    let fetched = match facet.fetch(&job.media, &live.http).await {
        Ok(fetched) => fetched,
        Err(FetchError::Unavailable(reason)) => return Tried::Again(live.redactor.text(&reason)),
        Err(FetchError::Lost(reason)) => return Tried::Settled(lost(job, &live.redactor.text(&reason))),
    };
    if fetched.bytes.len() > kit.config.media_limit {
        return Tried::Settled(lost(job, "too_large"));
    }
    let mime = fetched.mime.unwrap_or_else(|| job.media.mime.clone());
    let key = format!("{}/{}/0", job.thread.organization, job.message_event);
    let size = fetched.bytes.len() as u64;
    let sha256 = hex::encode(Sha256::digest(&fetched.bytes));
    if let Err(error) = kit.env.blobs.put(&key, &mime, fetched.bytes).await {
        return Tried::Again(error.to_string());
    }
    Tried::Settled(MediaSettled {
        message_event: job.message_event,
        source: MediaSource::Stored { key, sha256 },
        mime: Some(mime),
        size: Some(size),
    })
}
