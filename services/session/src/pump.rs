//! What the two pumps share: partitions, batches, pauses, readiness.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Partition, error::codes};
use ports::{
    bus::{Delivery, Subscription},
    topology::Queue,
};
use runtime::{
    Check, Drain, Env,
    names::{label, metric},
    trace,
};
use tokio::time::Instant;

use crate::Config;

/// The first pause while a dependency is away; it doubles up to the longest. Short, since the request waits here and the
/// same dependency holds up the services before and after.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The partitions of worker `worker` of `workers`.
pub(crate) fn share(partitions: u16, worker: usize, workers: usize) -> Vec<Partition> {
    (0..partitions).filter(|p| usize::from(*p) % workers == worker).map(Partition).collect()
}

/// What is done with a batch.
#[async_trait]
pub(crate) trait Handle: Send + Sync {
    /// Carries the batch out and settles each delivery, or gives back those that must wait: a dependency is away.
    async fn handle(&self, batch: Vec<Delivery>) -> Result<(), Held>;
}

/// Deliveries that could not be carried out yet, still in order, and why.
pub(crate) struct Held {
    pub(crate) batch: Vec<Delivery>,
    pub(crate) cause: String,
}

/// Takes batches from `queues` until the drain begins. A batch whose dependency is away is held and tried again:
/// order is kept, nothing is acknowledged.
pub(crate) async fn run(
    config: &Config,
    env: &Env,
    queues: Vec<Queue>,
    drain: &Drain,
    handle: &dyn Handle,
) -> Result<(), String> {
    let Some(first) = queues.first() else { return Ok(()) };
    let destination = trace::consumed(&first.topic(), first);
    let mut subscriptions = Vec::new();
    for queue in queues {
        let subscription = env.bus.subscribe(queue, config.prefetch).await.map_err(|error| error.to_string())?;
        subscriptions.push(subscription);
    }
    let mut subscription = Subscription::merge(subscriptions);
    loop {
        let batch = tokio::select! {
            batch = subscription.next_batch(config.batch) => batch,
            () = drain.begun() => return Ok(()),
        };
        if batch.is_empty() {
            return if drain.has_begun() { Ok(()) } else { Err("the subscription ended".to_owned()) };
        }
        let started = Instant::now();
        let labels = [(label::OPERATION, "process"), (label::DESTINATION, destination.as_str())];
        env.metrics.count(metric::MESSAGING_CONSUMED, &labels[1..], u64::try_from(batch.len()).unwrap_or(u64::MAX));
        let done = until_done(batch, drain, handle).await;
        env.metrics.took(metric::MESSAGING_PROCESS, &labels, started.elapsed());
        if !done {
            return Ok(());
        }
    }
}

/// What is still held when the drain begins is dropped, and so goes back to its queue. False then: what comes after it
/// must not be carried out here.
async fn until_done(mut batch: Vec<Delivery>, drain: &Drain, handle: &dyn Handle) -> bool {
    let mut pause = FIRST_PAUSE;
    while let Err(held) = handle.handle(batch).await {
        tracing::warn!(cause = held.cause, waiting = held.batch.len(), "a batch waits for a dependency");
        batch = held.batch;
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = longer(pause),
            () = drain.begun() => return false,
        }
    }
    true
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

/// Reads the bodies; what cannot be read is parked alone.
pub(crate) fn decode<T: wire::Wire>(batch: Vec<Delivery>) -> Vec<(Delivery, T)> {
    let read = |delivery: Delivery| match wire::decode::<T>(&delivery.envelope.body) {
        Ok(value) => Some((delivery, value)),
        Err(error) => {
            tracing::error!(id = delivery.envelope.id, %error, "a message cannot be read; parked");
            delivery.park(codes::POISON.as_str(), error.to_string());
            None
        }
    };
    batch.into_iter().filter_map(read).collect()
}

/// Broker and store.
pub(crate) fn checks(env: &Env) -> Vec<Check> {
    let (bus, cursors) = (Arc::clone(&env.bus), Arc::clone(&env.cursors));
    vec![
        Check {
            name: "broker".to_owned(),
            run: Arc::new(move || {
                let bus = Arc::clone(&bus);
                Box::pin(async move { bus.check().await.map_err(|error| error.to_string()) })
            }),
        },
        Check {
            name: "store".to_owned(),
            run: Arc::new(move || {
                let cursors = Arc::clone(&cursors);
                Box::pin(async move { cursors.get("readiness").await.map(drop).map_err(|error| error.to_string()) })
            }),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_that_is_back_is_found_within_a_second() {
        let pauses: Vec<Duration> =
            std::iter::successors(Some(FIRST_PAUSE), |pause| Some(longer(*pause))).take(100).collect();
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(1)));
        assert_ne!(pauses.first(), pauses.last(), "they grow");
    }
}
