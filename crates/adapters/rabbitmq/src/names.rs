//! The topology in the broker's own terms: names, arguments, declarations.

use std::time::Duration;

use domain::Channel;
use lapin::{
    ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use ports::{
    bus::BusError,
    topology::{Party, Queue, Topic},
};

use crate::link::refused;

/// The pauses that a retry can wait. A TTL queue ends its pauses in order, so each length has a queue of its own; a
/// retry waits the first of these that is not shorter than asked.
const PAUSES: [Duration; 11] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(3600),
];

/// RabbitMQ 4 drops a message after 20 deliveries unless told otherwise. Here nothing is dropped: a consumer parks.
const DELIVERY_LIMIT: i64 = 1_000_000_000;

/// Names with the namespace before them.
pub(crate) struct Names {
    namespace: String,
}

/// Where retries wait: a queue for each service and pause. No retry passes by the default exchange, since who may write
/// there may write to every queue of the broker, and past the gate.
pub(crate) struct RetryQueue {
    /// Its name.
    queue: String,
    /// Where a retry is published, under [`RetryQueue::key`].
    pub(crate) exchange: String,
    /// Where a message goes when its pause is over, under the same key.
    back: String,
    /// How long a message waits there.
    pub(crate) pause: Duration,
}

/// What is declared when a connection begins.
pub(crate) struct Topology {
    exchanges: Vec<String>,
    queues: Vec<Binding>,
    /// Only where services may not declare; else each is declared when it is first needed.
    retries: Vec<RetryQueue>,
}

/// A queue and where it hangs.
pub(crate) struct Binding {
    queue: String,
    exchange: String,
    key: String,
    /// The exchange by which retries come back, and the key's pattern. None for a queue that goes with its replica.
    back: Option<(String, String)>,
}

impl Names {
    pub(crate) fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned() }
    }

    pub(crate) fn exchange(&self, topic: &Topic) -> String {
        format!("{}{}", self.namespace, topic.exchange())
    }

    pub(crate) fn queue(&self, queue: &Queue) -> String {
        format!("{}{queue}", self.namespace)
    }

    /// The queue of this connection's time: a replica that comes back must not meet the exclusive queue that the broker
    /// still keeps for its former connection.
    pub(crate) fn queue_of(&self, queue: &Queue, time: &str) -> String {
        if queue.is_durable() { self.queue(queue) } else { format!("{}{queue}.{time}", self.namespace) }
    }

    pub(crate) fn binding(&self, queue: &Queue, name: String) -> Binding {
        let topic = queue.topic();
        Binding {
            queue: name,
            exchange: self.exchange(&topic),
            key: topic.routing_key(),
            back: queue.is_durable().then(|| (self.back_exchange(&queue.party()), format!("*.{queue}"))),
        }
    }

    pub(crate) fn retry_exchange(&self, party: &Party) -> String {
        format!("{}afluente.retry.{party}", self.namespace)
    }

    fn back_exchange(&self, party: &Party) -> String {
        format!("{}afluente.back.{party}", self.namespace)
    }

    pub(crate) fn retry_queues(&self, party: &Party) -> impl Iterator<Item = RetryQueue> {
        let (exchange, back) = (self.retry_exchange(party), self.back_exchange(party));
        let start = format!("{}{party}.retry.", self.namespace);
        PAUSES.into_iter().map(move |pause| RetryQueue {
            queue: format!("{start}{}", pause.as_millis()),
            exchange: exchange.clone(),
            back: back.clone(),
            pause,
        })
    }

    /// The queue in which a retry waits at least `pause`, or the longest that there is.
    pub(crate) fn retry_queue(&self, queue: &Queue, pause: Duration) -> Option<RetryQueue> {
        let mut longest = None;
        for retry in self.retry_queues(&queue.party()) {
            if retry.pause >= pause {
                return Some(retry);
            }
            longest = Some(retry);
        }
        longest
    }

    pub(crate) fn topology(&self, partitions: u16, channels: &[Channel], retries: bool) -> Topology {
        let parties = Party::all(channels);
        let queues: Vec<Queue> = parties.iter().flat_map(|party| party.consumes(partitions)).collect();
        let mut exchanges: Vec<_> = queues.iter().map(|queue| self.exchange(&queue.topic())).collect();
        exchanges.extend(parties.iter().filter_map(Party::hears).map(|topic| self.exchange(&topic)));
        exchanges.sort();
        exchanges.dedup();
        let queues = queues.iter().map(|queue| self.binding(queue, self.queue(queue))).collect();
        let retries = parties.iter().filter(|party| retries && !party.consumes(1).is_empty());
        Topology { exchanges, queues, retries: retries.flat_map(|party| self.retry_queues(party)).collect() }
    }
}

impl Topology {
    /// Declares all of it, many declarations in flight at a time: a hundred round trips one by one would be felt at
    /// each start.
    pub(crate) async fn declare(&self, channel: &lapin::Channel) -> Result<(), BusError> {
        for exchange in &self.exchanges {
            declare_exchange(channel, exchange, ExchangeKind::Direct).await?;
        }
        let mut backs: Vec<_> = self.queues.iter().filter_map(|binding| binding.back.as_ref()).collect();
        backs.dedup_by_key(|(exchange, _)| exchange);
        for (exchange, _) in backs {
            declare_exchange(channel, exchange, ExchangeKind::Topic).await?;
        }
        for some in self.queues.chunks(32) {
            futures_util::future::try_join_all(some.iter().map(|binding| binding.declare(channel))).await?;
        }
        for retry in &self.retries {
            retry.declare(channel).await?;
        }
        Ok(())
    }
}

async fn declare_exchange(channel: &lapin::Channel, name: &str, kind: ExchangeKind) -> Result<(), BusError> {
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare(short(name)?, kind, options, FieldTable::default()).await.map_err(|error| refused(&error))
}

async fn bind(channel: &lapin::Channel, queue: &str, exchange: &str, key: &str) -> Result<(), BusError> {
    let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
    let bound = channel.queue_bind(short(queue)?, short(exchange)?, short(key)?, options, arguments).await;
    bound.map_err(|error| refused(&error))
}

impl Binding {
    /// Declares the queue with its exchanges and bindings; what is there already stays as it is.
    pub(crate) async fn declare_whole(&self, channel: &lapin::Channel) -> Result<(), BusError> {
        declare_exchange(channel, &self.exchange, ExchangeKind::Direct).await?;
        if let Some((back, _)) = &self.back {
            declare_exchange(channel, back, ExchangeKind::Topic).await?;
        }
        self.declare(channel).await
    }

    /// Declares the queue and its bindings.
    pub(crate) async fn declare(&self, channel: &lapin::Channel) -> Result<(), BusError> {
        let (options, arguments) = if self.back.is_some() {
            (QueueDeclareOptions { durable: true, ..Default::default() }, quorum(&[single_active()]))
        } else {
            let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
            (options, FieldTable::default())
        };
        channel.queue_declare(short(&self.queue)?, options, arguments).await.map_err(|error| refused(&error))?;
        if let Some((back, pattern)) = &self.back {
            bind(channel, &self.queue, back, pattern).await?;
        }
        bind(channel, &self.queue, &self.exchange, &self.key).await
    }
}

impl RetryQueue {
    /// The key of a retry of `queue`: it leads into this queue, and back to that one.
    pub(crate) fn key(&self, queue: &Queue) -> String {
        format!("{}.{queue}", self.pause.as_millis())
    }

    /// Declares it. Messages go back by at-least-once dead-lettering: the broker confirms to itself, so a retry is not
    /// lost when the node stops in that moment.
    pub(crate) async fn declare(&self, channel: &lapin::Channel) -> Result<(), BusError> {
        let ttl = i64::try_from(self.pause.as_millis()).unwrap_or(i64::MAX);
        let arguments = quorum(&[
            ("x-message-ttl", AMQPValue::LongLongInt(ttl)),
            ("x-dead-letter-exchange", text(&self.back)),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ]);
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        declare_exchange(channel, &self.exchange, ExchangeKind::Topic).await?;
        channel.queue_declare(short(&self.queue)?, options, arguments).await.map_err(|error| refused(&error))?;
        bind(channel, &self.queue, &self.exchange, &format!("{}.#", self.pause.as_millis())).await
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.queue
    }
}

fn quorum(more: &[(&'static str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    table.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
    for (name, value) in more {
        table.insert((*name).into(), value.clone());
    }
    table
}

fn single_active() -> (&'static str, AMQPValue) {
    ("x-single-active-consumer", AMQPValue::Boolean(true))
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// A name as AMQP has it: at most 255 bytes.
pub(crate) fn short(value: &str) -> Result<ShortString, BusError> {
    ShortString::try_new(value).map_err(|_| BusError::Forbidden(format!("longer than 255 bytes: {value:.40}...")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use domain::Partition;

    use super::*;

    #[test]
    fn a_retry_never_waits_less_than_asked() {
        let names = Names::new("t.");
        let queue = Queue::RouterInbound(Partition(3));
        for (asked, waits) in [(0, 100), (100, 100), (101, 500), (7_000, 10_000), (99_000_000, 3_600_000)] {
            let retry = names.retry_queue(&queue, Duration::from_millis(asked)).unwrap();
            assert_eq!(retry.name(), format!("t.router.retry.{waits}"));
            assert_eq!(retry.key(&queue), format!("{waits}.router.inbound.3"));
        }
    }

    #[test]
    fn the_topology_holds_every_queue_once() {
        let channels: Vec<Channel> = vec!["whatsapp".parse().unwrap(), "telegram".parse().unwrap()];
        let topology = Names::new("").topology(16, &channels, true);
        assert_eq!(topology.exchanges.len(), 9);
        assert_eq!(topology.retries.len(), 4 * PAUSES.len());
        let mut names: Vec<_> = topology.queues.iter().map(|binding| binding.queue.clone()).collect();
        assert_eq!(names.len(), 16 * 4 + 2 * (16 + 1) + 1);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 16 * 4 + 2 * (16 + 1) + 1);
    }
}
