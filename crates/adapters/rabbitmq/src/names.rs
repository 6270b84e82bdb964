//! The topology in the broker's own terms: names, arguments, declarations.

use std::time::Duration;

use domain::{Channel, Partition};
use lapin::{
    ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use ports::{
    bus::BusError,
    topology::{Queue, Topic},
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

/// A queue in which retries of another queue wait.
pub(crate) struct RetryQueue {
    /// Its name.
    pub(crate) name: String,
    /// How long a message waits there.
    pub(crate) pause: Duration,
    /// Where it goes then.
    back: String,
}

/// What is declared when a connection begins.
pub(crate) struct Topology {
    exchanges: Vec<String>,
    queues: Vec<Binding>,
}

/// A queue and where it hangs.
pub(crate) struct Binding {
    queue: String,
    exchange: String,
    key: String,
    durable: bool,
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

    pub(crate) fn binding(&self, queue: &Queue) -> Binding {
        let topic = queue.topic();
        Binding {
            queue: self.queue(queue),
            exchange: self.exchange(&topic),
            key: topic.routing_key(),
            durable: queue.is_durable(),
        }
    }

    pub(crate) fn retry_queues(&self, queue: &Queue) -> impl Iterator<Item = RetryQueue> {
        let back = self.queue(queue);
        PAUSES.into_iter().map(move |pause| RetryQueue {
            name: format!("{back}.retry.{}", pause.as_millis()),
            pause,
            back: back.clone(),
        })
    }

    /// The queue in which a retry waits at least `pause`, or the longest that there is.
    pub(crate) fn retry_queue(&self, queue: &Queue, pause: Duration) -> Option<RetryQueue> {
        let mut longest = None;
        for retry in self.retry_queues(queue) {
            if retry.pause >= pause {
                return Some(retry);
            }
            longest = Some(retry);
        }
        longest
    }

    pub(crate) fn topology(&self, partitions: u16, channels: &[Channel]) -> Topology {
        let mut topics = vec![Topic::Parked, Topic::Events];
        for p in (0..partitions.max(1)).map(Partition) {
            topics.extend([Topic::Inbound(p), Topic::Requested(p), Topic::Distribution(p)]);
            topics.extend(channels.iter().map(|channel| Topic::Outbound(channel.clone(), p)));
        }
        for channel in channels {
            topics.extend([Topic::Media(channel.clone()), Topic::Links(channel.clone())]);
        }
        let mut exchanges: Vec<_> = topics.iter().map(|topic| self.exchange(topic)).collect();
        exchanges.sort();
        exchanges.dedup();
        let queues = topics.iter().flat_map(Topic::queues).map(|queue| self.binding(&queue)).collect();
        Topology { exchanges, queues }
    }
}

impl Topology {
    /// Declares all of it, many declarations in flight at a time: a hundred round trips one by one would be felt at
    /// each start.
    pub(crate) async fn declare(&self, channel: &lapin::Channel) -> Result<(), BusError> {
        for exchange in &self.exchanges {
            declare_exchange(channel, exchange).await?;
        }
        for some in self.queues.chunks(32) {
            futures_util::future::try_join_all(some.iter().map(|binding| binding.declare(channel))).await?;
        }
        Ok(())
    }
}

async fn declare_exchange(channel: &lapin::Channel, name: &str) -> Result<(), BusError> {
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel
        .exchange_declare(short(name)?, ExchangeKind::Direct, options, FieldTable::default())
        .await
        .map_err(|error| refused(&error))
}

impl Binding {
    /// Declares the queue with its exchange and binding; what is there already stays as it is.
    pub(crate) async fn declare_whole(&self, channel: &lapin::Channel) -> Result<(), BusError> {
        declare_exchange(channel, &self.exchange).await?;
        self.declare(channel).await
    }

    /// Declares the queue and its binding.
    pub(crate) async fn declare(&self, channel: &lapin::Channel) -> Result<(), BusError> {
        let (options, arguments) = if self.durable {
            (QueueDeclareOptions { durable: true, ..Default::default() }, quorum(&[single_active()]))
        } else {
            let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
            (options, FieldTable::default())
        };
        channel.queue_declare(short(&self.queue)?, options, arguments).await.map_err(|error| refused(&error))?;
        let (queue, exchange, key) = (short(&self.queue)?, short(&self.exchange)?, short(&self.key)?);
        channel
            .queue_bind(queue, exchange, key, QueueBindOptions::default(), FieldTable::default())
            .await
            .map_err(|error| refused(&error))
    }
}

impl RetryQueue {
    /// Declares it. Messages go back by at-least-once dead-lettering: the broker confirms to itself, so a retry is not
    /// lost when the node stops in that moment.
    pub(crate) async fn declare(&self, channel: &lapin::Channel) -> Result<(), BusError> {
        let ttl = i64::try_from(self.pause.as_millis()).unwrap_or(i64::MAX);
        let arguments = quorum(&[
            ("x-message-ttl", AMQPValue::LongLongInt(ttl)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(&self.back)),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ]);
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare(short(&self.name)?, options, arguments).await.map(|_| ()).map_err(|error| refused(&error))
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
    use super::*;

    #[test]
    fn a_retry_never_waits_less_than_asked() {
        let names = Names::new("t.");
        let queue = Queue::RouterInbound(Partition(3));
        for (asked, waits) in [(0, 100), (100, 100), (101, 500), (7_000, 10_000), (99_000_000, 3_600_000)] {
            let retry = names.retry_queue(&queue, Duration::from_millis(asked)).unwrap();
            assert_eq!(retry.name, format!("t.router.inbound.3.retry.{waits}"));
        }
    }

    #[test]
    fn the_topology_holds_every_queue_once() {
        let channels: Vec<Channel> = vec!["whatsapp".parse().unwrap(), "telegram".parse().unwrap()];
        let topology = Names::new("").topology(16, &channels);
        assert_eq!(topology.exchanges.len(), 8);
        let mut names: Vec<_> = topology.queues.iter().map(|binding| binding.queue.clone()).collect();
        assert_eq!(names.len(), 16 * 4 + 2 * (16 + 1) + 1);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 16 * 4 + 2 * (16 + 1) + 1);
    }
}
