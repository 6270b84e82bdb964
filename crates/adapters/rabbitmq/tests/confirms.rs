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

/// A message that the broker refused must never count as confirmed because another task's was: it would be lost behind an
/// answer that says it is safe.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_task_hears_what_became_of_its_own_messages() {
    let Some((bus, config)) = bus().await else { return };
    let _full = a_queue_that_is_full(&config).await;
    let bus = Arc::new(bus);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let bus = Arc::clone(&bus);
        let (topic, taken) = if task % 2 == 0 { (INBOUND, true) } else { (FULL, false) };
        tasks.spawn(async move {
            let mut wrong = 0;
            for n in 0..EACH {
                let told = bus.publish(vec![message(format!("{task}.{n}"), topic.clone())]).await;
                match told {
                    Ok(()) => wrong += usize::from(!taken),
                    Err(BusError::Unavailable(_)) => wrong += usize::from(taken),
                    Err(other) => panic!("{other}"),
                }
            }
            wrong
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<usize>(), 0, "tasks were told of others' messages");
}
