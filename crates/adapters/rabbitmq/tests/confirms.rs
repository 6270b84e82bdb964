//! Whose confirm is whose, when many tasks publish at once, and what order is kept. Without `AFLUENTE_TEST_AMQP` each test
//! says that it was skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::disallowed_methods)]

mod support;

use std::sync::Arc;

use afluente_adapter_rabbitmq::RabbitConfig;
use domain::Partition;
use lapin::{
    Connection, ConnectionProperties,
    options::{QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use ports::{
    Bus as _,
    bus::BusError,
    topology::{Queue, Topic},
};
use support::{INBOUND, QUEUE, bus, message, next};

const FULL: Topic = Topic::Inbound(Partition(9));
const TASKS: usize = 16;
const EACH: usize = 500;

/// A queue without any room on the exchange of what comes in, which refuses each message.
async fn a_queue_that_is_full(config: &RabbitConfig) -> Connection {
    let connection = Connection::connect(&config.url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(0));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), options, arguments).await.unwrap();
    let exchange = format!("{}{}", config.namespace, FULL.exchange());
    let (queue, options) = (queue.name().clone(), QueueBindOptions::default());
    let bound = channel.queue_bind(queue, exchange.into(), FULL.routing_key().into(), options, FieldTable::default());
    bound.await.unwrap();
    connection
}

/// What the broker does with a task's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    Refused,
    /// No queue is bound to their topic.
    Returned,
}

impl Fate {
    const fn topic(self) -> Topic {
        match self {
            Self::Taken => INBOUND,
            Self::Refused => FULL,
            Self::Returned => Topic::Inbound(Partition(99)),
        }
    }

    fn told(told: &Result<(), BusError>) -> Option<Self> {
        match told {
            Ok(()) => Some(Self::Taken),
            Err(BusError::Unavailable(why)) if why.contains("could not store") => Some(Self::Refused),
            Err(BusError::Unroutable(_)) => Some(Self::Returned),
            Err(_) => None,
        }
    }
}

/// A message that the broker refused or sent back must never count as confirmed because another task's was: it would be
/// lost behind an answer that says it is safe.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_task_hears_what_became_of_its_own_messages() {
    let Some((bus, config)) = bus().await else { return };
    let _full = a_queue_that_is_full(&config).await;
    let bus = Arc::new(bus);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let bus = Arc::clone(&bus);
        let fate = [Fate::Taken, Fate::Refused, Fate::Returned][task % 3];
        tasks.spawn(async move {
            let mut wrong = Vec::new();
            for n in 0..EACH {
                let told = bus.publish(vec![message(format!("{task}.{n}"), fate.topic())]).await;
                if Fate::told(&told) != Some(fate) {
                    wrong.push((fate, told));
                }
            }
            wrong
        });
    }
    let wrong: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} were told of others' messages, the first {:?}", wrong.len(), wrong.first());
}

/// Each queue has its own order, however its messages are mixed with others' in a batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_for_several_exchanges_keeps_its_order_in_each() {
    let Some((bus, _)) = bus().await else { return };
    let topics = [(INBOUND, QUEUE), (Topic::Requested(Partition(0)), Queue::SessionRequested(Partition(0)))];
    for batch in 0..20 {
        let mixed = (0..100).map(|n| message(batch * 100 + n, topics[n % 2].0.clone())).collect();
        bus.publish(mixed).await.unwrap();
    }
    for (at, (_, queue)) in topics.into_iter().enumerate() {
        let mut subscription = bus.subscribe(queue, 200).await.unwrap();
        for n in (at..2_000).step_by(2) {
            let delivery = next(&mut subscription).await;
            assert_eq!(delivery.envelope.id, n.to_string());
            delivery.ack();
        }
    }
}

/// Who gives up takes nobody along: what was handed over goes on to its end, and the connection stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_publish_that_is_given_up_hurts_nobody() {
    let Some((bus, _)) = bus().await else { return };
    let before = bus.connections();
    for round in 0..200 {
        let batch = (0..100).map(|n| message(format!("{round}.{n}"), INBOUND)).collect();
        let mut given_up = bus.publish(batch);
        for _ in 0..round / 10 {
            if futures_util::poll!(&mut given_up).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(given_up);
        bus.publish(vec![message(format!("after.{round}"), INBOUND)]).await.unwrap();
    }
    assert_eq!(bus.connections(), before, "the connection was lost");
}

/// More at once than a connection may have channels, and each has its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn more_batches_than_there_are_channels_wait_for_each_other() {
    let Some((bus, _)) = bus().await else { return };
    let bus = Arc::new(bus);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..3_000 {
        let bus = Arc::clone(&bus);
        tasks.spawn(async move { bus.publish(vec![message(task, INBOUND)]).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(bus.depth(&QUEUE).await.unwrap().ready, 3_000);
}

/// A queue that does not exist costs the number of a channel at each look, and a connection has some two thousand.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn looking_at_depths_uses_no_channels_up() {
    let Some((bus, _)) = bus().await else { return };
    for _ in 0..250 {
        bus.depth(&QUEUE).await.unwrap();
    }
    bus.publish(vec![message("a", INBOUND)]).await.unwrap();
    let mut subscription = bus.subscribe(QUEUE, 10).await.unwrap();
    next(&mut subscription).await.ack();
    assert_eq!(bus.connections(), 1);
}
