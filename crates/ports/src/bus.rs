//! The bus: what is published is confirmed, what is delivered is settled once.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::topology::{Queue, Topic};

/// One message on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Unique id; the same when it is published again after a doubt (AMQP `message_id`).
    pub id: String,
    /// Where it goes.
    pub topic: Topic,
    /// What the body is, e.g. `afluente.channel.v1.Inbound` (AMQP `type`).
    pub kind: String,
    /// The conversation or thread id that joins messages in traces (AMQP `correlation_id`). No personal data.
    pub correlation: Option<String>,
    /// Small text headers: `traceparent`, `tracestate`, `afluente-organization`...
    pub headers: BTreeMap<String, String>,
    /// The encoded body.
    pub body: Bytes,
}

/// Why the bus did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The broker is away, or did not confirm in time. Some of the batch may have been published: publish it again,
    /// consumers deduplicate.
    #[error("the broker is not reachable: {0}")]
    Unavailable(String),
    /// Nothing is bound to the topic: a mistake in the topology, never retried silently.
    #[error("no queue takes {0}")]
    Unroutable(String),
    /// The broker's user lacks the right.
    #[error("the broker refuses: {0}")]
    Forbidden(String),
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Ready to be delivered, waiting retries included.
    pub ready: u64,
    /// Delivered and not settled.
    pub unsettled: u64,
}

/// The broker.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Publishes the batch in order and returns when all of it is confirmed and routed to at least one queue. Order
    /// holds within one call, and between calls that follow each other: the first copy of each message in a queue is in
    /// order when who was refused publishes the same again before anything newer.
    ///
    /// # Errors
    /// [`BusError`]; some may have been published.
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError>;

    /// Starts to receive from `queue`, at most `prefetch` unsettled at a time, in order. A queue that is not a fan-out
    /// has one active consumer at a time in the whole mesh; others stand by. The subscription survives the broker's
    /// restarts; ends when it is dropped.
    ///
    /// # Errors
    /// [`BusError`] when it cannot be started at all.
    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError>;

    /// How many messages `queue` holds.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away.
    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError>;

    /// How many messages wait in `queue` itself. What is to come again later may not be among them, where it lies
    /// elsewhere: then this asks the broker less than [`Bus::depth`].
    ///
    /// # Errors
    /// [`BusError`] when the broker is away.
    async fn waiting(&self, queue: &Queue) -> Result<u64, BusError> {
        Ok(self.depth(queue).await?.ready)
    }

    /// Whether it would take a publish now; for readiness.
    ///
    /// # Errors
    /// [`BusError`] with what is wrong.
    async fn check(&self) -> Result<(), BusError>;
}

/// What to do with a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Done.
    Ack,
    /// Back to the head of its queue, as near to its place as the broker can.
    Requeue,
    /// Again after a pause; loses its place in the order.
    Retry(Duration),
    /// To the parked queue with a reason ([`headers::PARKED_CODE`], [`headers::PARKED_REASON`]).
    Park {
        /// Stable code.
        code: String,
        /// One sentence, secrets removed.
        reason: String,
    },
}

/// Header names of the project. W3C trace headers keep their own.
pub mod headers {
    /// The tenant's id.
    pub const ORGANIZATION: &str = "afluente-organization";
    /// The number that a channel gave to what it accepted ([`crate::conservation::Stamp`]).
    pub const ACCEPTED: &str = "afluente-accepted";
    /// Why a message was parked: the stable code.
    pub const PARKED_CODE: &str = "afluente-parked-code";
    /// Why a message was parked: one sentence.
    pub const PARKED_REASON: &str = "afluente-parked-reason";
    /// The queue from which a message was parked.
    pub const PARKED_FROM: &str = "afluente-parked-from";
    /// On a parked message: the `kind` of its envelope.
    pub const KIND: &str = "afluente-kind";
    /// On a parked message: redriving it is a new attempt at this outgoing message.
    pub const REOPEN: &str = "afluente-reopen";
    /// How often it was tried.
    pub const ATTEMPT: &str = "afluente-attempt";
}

/// An adapter's side of settling: called at most once for each delivery, must not block.
pub trait Settle: Send + Sync {
    /// Settles the delivery with this tag. A settlement that is lost in a crash means redelivery, which is harmless.
    fn settle(&self, tag: u64, settlement: Settlement);

    /// False when the broker already took back what was delivered over this way: a subscription leaves out what then
    /// still waits in its buffer, so that it does not come before what is delivered again.
    fn is_current(&self) -> bool {
        true
    }
}

/// A message in hand. Dropping it unsettled puts it back: forgetting is safe.
pub struct Delivery {
    /// The message.
    pub envelope: Envelope,
    /// 1 for the first delivery, more for each redelivery or retry that the broker counts. What was ever handed to a
    /// consumer is never 1 again.
    pub attempt: u32,
    tag: u64,
    settle: Option<Arc<dyn Settle>>,
}

impl Delivery {
    /// For adapters.
    pub fn new(envelope: Envelope, attempt: u32, tag: u64, settle: Arc<dyn Settle>) -> Self {
        Self { envelope, attempt, tag, settle: Some(settle) }
    }

    /// Done.
    pub fn ack(self) {
        self.finish(Settlement::Ack);
    }

    /// Again after `pause`, out of order.
    pub fn retry(self, pause: Duration) {
        self.finish(Settlement::Retry(pause));
    }

    /// To the parked messages.
    pub fn park(self, code: impl Into<String>, reason: impl Into<String>) {
        self.finish(Settlement::Park { code: code.into(), reason: reason.into() });
    }

    /// Whether it is still this consumer's to settle.
    pub fn is_current(&self) -> bool {
        self.settle.as_ref().is_some_and(|settle| settle.is_current())
    }

    /// The way over which it came.
    pub fn way(&self) -> Way {
        Way(self.settle.clone())
    }

    fn finish(mut self, settlement: Settlement) {
        if let Some(settle) = self.settle.take() {
            settle.settle(self.tag, settlement);
        }
    }
}

/// The way over which deliveries came: outlives them, for a consumer that asks whether it has been the active one without
/// a break since.
#[derive(Clone)]
pub struct Way(Option<Arc<dyn Settle>>);

impl Way {
    /// False when the broker took back what was delivered over it. What comes next may be old, and somebody else may have
    /// been the active consumer meanwhile.
    pub fn is_current(&self) -> bool {
        self.0.as_ref().is_some_and(|settle| settle.is_current())
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(settle) = self.settle.take() {
            settle.settle(self.tag, Settlement::Requeue);
        }
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.envelope.id)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// Takes a delivery apart into the messages that travelled in it, in their order. Most carry one: themselves.
pub type Opener = Arc<dyn Fn(Delivery) -> Vec<Delivery> + Send + Sync>;

/// The receiving end of a queue, or of several.
pub struct Subscription {
    source: Source,
    opener: Option<Opener>,
    /// What was taken apart and not yet handed out.
    opened: VecDeque<Delivery>,
}

enum Source {
    /// An adapter's side.
    Queue(mpsc::Receiver<Delivery>),
    /// Others', each with what was ready at its turn.
    Merged(mpsc::Receiver<Vec<Delivery>>),
}

/// The most that one of several merged subscriptions hands over at its turn.
const A_TURN: usize = 64;

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("opened", &self.opened.len()).finish_non_exhaustive()
    }
}

impl Subscription {
    /// For adapters: the adapter keeps the sender, and ends its consumer when the sender reports closed.
    pub const fn new(deliveries: mpsc::Receiver<Delivery>) -> Self {
        Self::of(Source::Queue(deliveries))
    }

    const fn of(source: Source) -> Self {
        Self { source, opener: None, opened: VecDeque::new() }
    }

    /// For decorators: hands out what `opener` finds in each delivery.
    #[must_use]
    pub fn opening(self, opener: Opener) -> Self {
        Self { opener: Some(opener), ..self }
    }

    fn open(&mut self, delivery: Delivery) {
        match &self.opener {
            _ if !delivery.is_current() => {}
            Some(opener) => self.opened.extend(opener(delivery)),
            None => self.opened.push_back(delivery),
        }
    }

    /// Waits for what comes next. False when the bus was shut down.
    async fn wait(&mut self) -> bool {
        match &mut self.source {
            Source::Queue(deliveries) => match deliveries.recv().await {
                Some(delivery) => self.open(delivery),
                None => return false,
            },
            Source::Merged(turns) => match turns.recv().await {
                Some(turn) => self.opened.extend(turn),
                None => return false,
            },
        }
        true
    }

    /// Takes what is there already. False when nothing is.
    fn take_ready(&mut self) -> bool {
        match &mut self.source {
            Source::Queue(deliveries) => match deliveries.try_recv() {
                Ok(delivery) => self.open(delivery),
                Err(_) => return false,
            },
            Source::Merged(turns) => match turns.try_recv() {
                Ok(turn) => self.opened.extend(turn),
                Err(_) => return false,
            },
        }
        true
    }

    /// The next delivery; none when the bus was shut down.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            while let Some(delivery) = self.opened.pop_front() {
                if delivery.is_current() {
                    return Some(delivery);
                }
            }
            if !self.wait().await {
                return None;
            }
        }
    }

    /// Waits for one delivery, then takes what else is ready, at most `limit` in all. Empty when the bus was shut down.
    pub async fn next_batch(&mut self, limit: usize) -> Vec<Delivery> {
        let limit = limit.max(1);
        loop {
            if self.opened.is_empty() && !self.wait().await {
                return Vec::new();
            }
            let batch = self.ready(limit);
            if !batch.is_empty() {
                return batch;
            }
        }
    }

    /// What is ready, at most `limit`: goes on where [`next_batch`](Self::next_batch) stopped, in order, and waits for
    /// nothing. Empty means that nothing is ready, not that it ended.
    pub fn ready(&mut self, limit: usize) -> Vec<Delivery> {
        while self.opened.len() < limit && self.take_ready() {}
        let ready = self.opened.len().min(limit);
        self.opened.drain(..ready).filter(Delivery::is_current).collect()
    }

    /// Several subscriptions as one: order holds within each, and each has its turn. For a worker that serves many
    /// partitions and commits once for all of them.
    pub fn merge(mut subscriptions: Vec<Self>) -> Self {
        if subscriptions.len() == 1
            && let Some(alone) = subscriptions.pop()
        {
            return alone;
        }
        // Room for as many turns as there are subscriptions.
        let (sender, turns) = mpsc::channel(subscriptions.len().max(1));
        for mut one in subscriptions {
            let sender = sender.clone();
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        turn = one.next_batch(A_TURN) => {
                            if turn.is_empty() || sender.send(turn).await.is_err() {
                                break;
                            }
                        }
                        () = sender.closed() => break,
                    }
                }
            });
        }
        Self::of(Source::Merged(turns))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::topology::Topic;

    struct Nobody;

    impl Settle for Nobody {
        fn settle(&self, _: u64, _: Settlement) {}
    }

    fn delivery(id: String) -> Delivery {
        let (kind, headers) = (String::new(), BTreeMap::new());
        let envelope = Envelope { id, topic: Topic::Parked, kind, correlation: None, headers, body: Bytes::new() };
        Delivery::new(envelope, 1, 0, Arc::new(Nobody))
    }

    /// A queue with `count` deliveries that are ready.
    fn queue(name: &str, count: usize) -> (mpsc::Sender<Delivery>, Subscription) {
        let (sender, deliveries) = mpsc::channel(count.max(1));
        (0..count).for_each(|n| sender.try_send(delivery(format!("{name}-{n:03}"))).unwrap());
        (sender, Subscription::new(deliveries))
    }

    #[tokio::test]
    async fn what_is_ready_is_taken_in_order_and_not_waited_for() {
        let (sender, mut subscription) = queue("a", 3);
        assert_eq!(
            subscription.ready(2).iter().map(|one| one.envelope.id.as_str()).collect::<Vec<_>>(),
            ["a-000", "a-001"]
        );
        sender.try_send(delivery("a-003".to_owned())).unwrap();
        assert_eq!(
            subscription.ready(9).iter().map(|one| one.envelope.id.as_str()).collect::<Vec<_>>(),
            ["a-002", "a-003"]
        );
        assert!(subscription.ready(9).is_empty());
    }

    /// A worker's batch is as large as what is ready: its commit costs nearly the same for ten messages as for hundreds.
    #[tokio::test]
    async fn a_merged_batch_is_filled_from_all_that_is_ready() {
        let (_one, first) = queue("a", 100);
        let (_two, second) = queue("b", 300);
        let mut merged = Subscription::merge(vec![first, second]);
        let mut ids = Vec::new();
        let mut sizes = Vec::new();
        while ids.len() < 400 {
            // As long as a commit takes: there are two turns of 64 and of what is left.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            let batch = merged.next_batch(256).await;
            sizes.push(batch.len());
            ids.extend(batch.into_iter().map(|one| one.envelope.id.clone()));
        }
        assert!(sizes.len() <= 5 && sizes.iter().all(|size| *size <= 256), "{sizes:?}");
        let first_of_second = ids.iter().position(|id| id.starts_with("b-"));
        assert!(first_of_second.is_some_and(|at| at <= 100), "{first_of_second:?}");
        for queue in ["a-", "b-"] {
            assert!(ids.iter().filter(|id| id.starts_with(queue)).is_sorted());
        }
    }

    #[tokio::test]
    async fn a_batch_has_no_more_than_its_limit_and_loses_nothing() {
        let (sender, subscription) = queue("a", 5);
        drop(sender);
        let mut subscription = subscription
            .opening(Arc::new(|bundle| (0..4).map(|n| delivery(format!("{}/{n}", bundle.envelope.id))).collect()));
        let mut sizes = Vec::new();
        loop {
            let batch = subscription.next_batch(6).await;
            if batch.is_empty() {
                break;
            }
            sizes.push(batch.len());
        }
        assert_eq!(sizes, [6, 6, 6, 2]);
    }
}
