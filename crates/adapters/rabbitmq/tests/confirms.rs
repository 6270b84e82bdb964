//! Whose confirm is whose, when many tasks publish on one channel. Without `AFLUENTE_TEST_AMQP` the test says that it was
//! skipped.
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
use ports::{Bus as _, bus::BusError, topology::Topic};
use support::{INBOUND, bus, message};

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

    const fn told(told: &Result<(), BusError>) -> Option<Self> {
        match told {
            Ok(()) => Some(Self::Taken),
            Err(BusError::Unavailable(_)) => Some(Self::Refused),
            Err(BusError::Unroutable(_)) => Some(Self::Returned),
            Err(BusError::Forbidden(_)) => None,
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
