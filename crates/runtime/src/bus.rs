//! Decorators over any bus: one with traces and numbers, and one that lets messages travel together.

mod bundled;
mod opened;

use std::sync::Arc;

use async_trait::async_trait;
use ports::{
    Bus,
    bus::{BusError, Depth, Envelope, Subscription},
    topology::Queue,
};
use tokio::time::Instant;

use crate::{
    metrics::{Metrics, Started},
    names::{label, metric},
    trace,
};

pub use bundled::{BundledBus, ON_THEIR_WAY};
pub use opened::taken_apart;

/// Makes one producer span for each envelope, writes it into the envelope's headers, and counts. An envelope that
/// already carries a `traceparent` (an outbox row, a message that goes on) keeps it as the parent.
pub struct TracedBus {
    inner: Arc<dyn Bus>,
    metrics: Metrics,
}

impl TracedBus {
    /// Over an adapter.
    pub fn new(inner: Arc<dyn Bus>, metrics: Metrics) -> Self {
        Self { inner, metrics }
    }
}

/// The low-cardinality `error.type` of a bus error.
pub const fn error_type(error: &BusError) -> &'static str {
    match error {
        BusError::Unavailable(_) => "amqp.unavailable",
        BusError::Unroutable(_) => "amqp.unroutable",
        BusError::Forbidden(_) => "amqp.forbidden",
    }
}

/// Counts and times the handling of one delivery of `queue`; `error` is an `error.type`, empty when it went well. A
/// consumer calls it when it settles.
pub fn processed(metrics: &Metrics, queue: &Queue, started: impl Started, error: &str) {
    let destination = trace::consumed(&queue.topic(), queue);
    let labels = [(label::DESTINATION, destination.as_str()), (label::ERROR, error)];
    metrics.count(metric::MESSAGING_CONSUMED, &labels, 1);
    let [destination, error] = labels;
    metrics.since(metric::MESSAGING_PROCESS, &[(label::OPERATION, "process"), destination, error], started);
}

#[async_trait]
impl Bus for TracedBus {
    async fn publish(&self, mut batch: Vec<Envelope>) -> Result<(), BusError> {
        let started = Instant::now();
        let mut spans = Vec::with_capacity(batch.len());
        let mut sent: Vec<(String, u64)> = Vec::new();
        for envelope in &mut batch {
            spans.push(trace::publish(envelope));
            let destination = envelope.topic.destination();
            match sent.iter_mut().find(|(known, _)| *known == destination) {
                Some((_, count)) => *count += 1,
                None => sent.push((destination, 1)),
            }
        }
        let result = self.inner.publish(batch).await;
        let error = result.as_ref().err().map_or("", error_type);
        if !error.is_empty() {
            spans.iter().for_each(|span| trace::fail(span, error));
        }
        for (destination, count) in &sent {
            let labels = [(label::DESTINATION, destination.as_str()), (label::ERROR, error)];
            self.metrics.count(metric::MESSAGING_SENT, &labels, *count);
            let [destination, error] = labels;
            let labels = [(label::OPERATION, "publish"), destination, error];
            self.metrics.since(metric::MESSAGING_OPERATION, &labels, started);
        }
        result
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError> {
        self.inner.subscribe(queue, prefetch).await
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
        self.inner.depth(queue).await
    }

    async fn waiting(&self, queue: &Queue) -> Result<u64, BusError> {
        self.inner.waiting(queue).await
    }

    async fn check(&self) -> Result<(), BusError> {
        self.inner.check().await
    }
}
