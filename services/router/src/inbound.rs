//! What happens at providers: batches of deliveries, one commit each, settled after it stands.

use std::{sync::Arc, time::Duration};

use domain::{Inbound, Partition, error::codes};
use ports::{
    bus::{Delivery, Subscription},
    conservation::Stamp,
    topology::Queue,
};
use routing::Event;
use runtime::{
    Drain,
    names::{label, metric},
    trace,
};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::{
    gather,
    shell::{Carried, Item, LONGEST_AWAY, Shell, Stop, pause},
};

/// How often a single event that the store refuses is tried before it is parked.
const REFUSED_TRIES: u32 = 3;

/// Serves a share of the partitions until the drain begins.
pub(crate) async fn run(shell: Arc<Shell>, share: Vec<Partition>, drain: Drain) -> Result<(), String> {
    if share.is_empty() {
        // More workers than partitions.
        drain.begun().await;
        return Ok(());
    }
    let queues = share.into_iter().map(Queue::RouterInbound).collect();
    let mut subscription = subscribe(&shell, queues, shell.config.prefetch).await?;
    let linger = Duration::from_millis(shell.config.linger_millis);
    loop {
        let batch = tokio::select! {
            batch = gather::next_batch(&mut subscription, shell.config.batch, linger) => batch,
            () = drain.begun() => return Ok(()),
        };
        if batch.is_empty() {
            return if drain.has_begun() { Ok(()) } else { Err("the subscription ended".to_owned()) };
        }
        if handle(&shell, batch, &drain).await == Progress::GivenBack {
            return Ok(());
        }
    }
}

/// Whether the next batch may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Settled,
    /// The drain came first, and the batch went back to its queues: what comes after it must not be carried out here.
    GivenBack,
}

pub(crate) async fn subscribe(shell: &Shell, queues: Vec<Queue>, prefetch: u16) -> Result<Subscription, String> {
    let mut subscriptions = Vec::new();
    for queue in queues {
        subscriptions.push(shell.env.bus.subscribe(queue, prefetch).await.map_err(|error| error.to_string())?);
    }
    Ok(Subscription::merge(subscriptions))
}

/// A delivery and what it says.
struct Arrived {
    delivery: Delivery,
    item: Item,
}

async fn handle(shell: &Shell, batch: Vec<Delivery>, drain: &Drain) -> Progress {
    let started = Instant::now();
    let arrived: Vec<Arrived> = batch.into_iter().filter_map(|delivery| read(shell, delivery)).collect();
    let Some(queue) = arrived.first().map(|one| queue_of(shell, &one.item)) else {
        return Progress::Settled;
    };
    let count = arrived.len();
    let span = match &arrived[..] {
        [one] => one.item.span.clone(),
        many => trace::process_batch(many.iter().map(|one| &one.delivery.envelope), &queue),
    };
    let progress = carry_out(shell, arrived, drain).instrument(span).await;
    let destination = trace::consumed(&queue.topic(), &queue);
    let labels = [(label::OPERATION, "process"), (label::DESTINATION, destination.as_str())];
    let metrics = &shell.env.metrics;
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    metrics.observe(metric::ROUTER_BATCH, &[], count as f64);
    metrics.count(metric::MESSAGING_CONSUMED, &labels[1..], u64::try_from(count).unwrap_or(u64::MAX));
    metrics.took(metric::MESSAGING_PROCESS, &labels, started.elapsed());
    progress
}

fn queue_of(shell: &Shell, item: &Item) -> Queue {
    let partition = match &item.event {
        Event::Inbound(inbound) => inbound.thread.partition(shell.env.partitions),
        _ => Partition(0),
    };
    Queue::RouterInbound(partition)
}

/// Reads the body; what cannot be read is parked alone.
fn read(shell: &Shell, delivery: Delivery) -> Option<Arrived> {
    match wire::decode::<Inbound>(&delivery.envelope.body) {
        Ok(inbound) => {
            let queue = Queue::RouterInbound(inbound.thread.partition(shell.env.partitions));
            let span = trace::process(&delivery.envelope, &queue);
            let trace = delivery.envelope.headers.get(trace::TRACEPARENT).cloned();
            let stamp = Stamp::of(&delivery.envelope);
            Some(Arrived { delivery, item: Item { event: Event::Inbound(inbound), span, trace, stamp } })
        }
        Err(error) => {
            tracing::error!(id = delivery.envelope.id, %error, "an inbound event cannot be read; parked");
            delivery.park(codes::POISON.as_str(), error.to_string());
            None
        }
    }
}

/// Commits the batch. While the store is away it is held, and so its order; when the store refuses it, its events are
/// tried one by one, and the one that is refused alone is parked alone. What is left when the drain begins goes back.
async fn carry_out(shell: &Shell, arrived: Vec<Arrived>, drain: &Drain) -> Progress {
    let (deliveries, items): (Vec<_>, Vec<_>) = arrived.into_iter().map(|one| (one.delivery, one.item)).unzip();
    match persist(shell, &items, drain, 1).await {
        Ending::Carried(carried) => settle(deliveries, carried),
        Ending::Drained => return Progress::GivenBack,
        Ending::Refused(reason) => {
            tracing::error!(reason, count = items.len(), "the store refuses a batch; its events are tried one by one");
            for (delivery, item) in deliveries.into_iter().zip(items) {
                let alone = std::slice::from_ref(&item);
                match persist(shell, alone, drain, REFUSED_TRIES).await {
                    Ending::Carried(carried) => settle(vec![delivery], carried),
                    Ending::Refused(reason) => {
                        tracing::error!(id = delivery.envelope.id, reason, "the store refuses an event; parked");
                        delivery.park(codes::STORE_REFUSED.as_str(), reason);
                    }
                    Ending::Drained => return Progress::GivenBack,
                }
            }
        }
    }
    Progress::Settled
}

enum Ending {
    Carried(Vec<Carried>),
    Refused(String),
    Drained,
}

/// How often an event is tried whose message has not come yet: half an hour or so.
const EARLY_TRIES: u32 = 40;
/// The first pause before a batch is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

async fn persist(shell: &Shell, items: &[Item], drain: &Drain, refusals: u32) -> Ending {
    let mut tries = 0;
    let mut refused = 0;
    loop {
        let (first, longest) = match shell.attempt(items).await {
            Ok(carried) => return Ending::Carried(carried),
            Err(Stop::Conflict(reason)) => {
                tracing::debug!(reason, "others were quicker; decided again");
                (FIRST_PAUSE, Duration::from_millis(200))
            }
            Err(Stop::Unavailable(reason)) => {
                tracing::warn!(reason, waiting = items.len(), "a batch waits for the store");
                (FIRST_PAUSE, LONGEST_AWAY)
            }
            Err(Stop::Refused(reason)) => {
                refused += 1;
                if refused >= refusals {
                    return Ending::Refused(reason);
                }
                // What a store refuses wrongly for a moment, it may take after one: parking is for a person.
                (Duration::from_millis(500), Duration::from_secs(1))
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause(tries, first, longest)) => tries += 1,
            () = drain.begun() => return Ending::Drained,
        }
    }
}

fn settle(deliveries: Vec<Delivery>, carried: Vec<Carried>) {
    for (delivery, one) in deliveries.into_iter().zip(carried) {
        match one.refusal {
            None if one.too_early => later(delivery),
            None => delivery.ack(),
            // An account that nobody knows: kept for a person, who may add it and redrive.
            Some(refusal) => delivery.park(refusal.code.as_str(), refusal.detail),
        }
    }
}

/// Comes again, for about as long as a message may wait on the disk of a channel; then a person may look for it.
fn later(delivery: Delivery) {
    if delivery.attempt >= EARLY_TRIES {
        tracing::error!(id = delivery.envelope.id, "what an event is about never came; parked");
        delivery.park(codes::NOT_FOUND.as_str(), "what it is about has not come");
        return;
    }
    let pause = pause(delivery.attempt, Duration::from_secs(1), Duration::from_secs(60));
    delivery.retry(pause);
}

/// The partitions of worker `worker` of `workers`.
pub(crate) fn share(partitions: u16, worker: usize, workers: usize) -> Vec<Partition> {
    (0..partitions).filter(|p| usize::from(*p) % workers.max(1) == worker).map(Partition).collect()
}

/// A span for work that no message caused.
pub(crate) fn own_span(name: &'static str) -> Span {
    tracing::info_span!(parent: None, "router", otel.name = name, otel.kind = "internal")
}
