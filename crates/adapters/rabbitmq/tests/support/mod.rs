//! What the tests against a real broker share.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods
)]

pub mod proxy;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use afluente_adapter_rabbitmq::{RabbitBus, RabbitConfig};
use bytes::Bytes;
use domain::Partition;
use ports::{
    Bus as _,
    bus::{Delivery, Envelope, Subscription, headers},
    topology::{Queue, Topic},
};

pub const PATIENCE: Duration = Duration::from_secs(60);
pub const INBOUND: Topic = Topic::Inbound(Partition(0));
pub const QUEUE: Queue = Queue::RouterInbound(Partition(0));

pub fn config(url: &str) -> RabbitConfig {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let channels = vec!["whatsapp".parse().unwrap()];
    let namespace = format!("t{}-{}.", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    RabbitConfig { namespace, ..RabbitConfig::new(url, 2, channels, "test") }
}

/// The bus of a fresh namespace, or none when there is no broker.
pub async fn bus() -> Option<(RabbitBus, RabbitConfig)> {
    let url = ports::conformance::server("AFLUENTE_TEST_AMQP")?;
    let config = config(&url);
    Some((RabbitBus::connect(config.clone()).await.unwrap(), config))
}

pub fn message(id: impl std::fmt::Display, topic: Topic) -> Envelope {
    Envelope {
        id: id.to_string(),
        topic,
        kind: "test.Message".into(),
        correlation: Some("cnv_1".into()),
        headers: BTreeMap::from([(headers::ORGANIZATION.to_owned(), "org_1".to_owned())]),
        body: Bytes::from(format!("body of {id}")),
    }
}

pub async fn next(subscription: &mut Subscription) -> Delivery {
    tokio::time::timeout(PATIENCE, subscription.next()).await.expect("a delivery in time").expect("an open bus")
}

/// Waits until `queue` holds `ready` messages.
pub async fn until_ready(bus: &RabbitBus, queue: &Queue, ready: u64) {
    let wait = async {
        while bus.depth(queue).await.unwrap().ready != ready {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        panic!("{queue} has {:?}, not {ready}", bus.depth(queue).await);
    }
}

pub async fn until_empty(bus: &RabbitBus, queue: &Queue) {
    let wait = async {
        loop {
            let depth = bus.depth(queue).await.unwrap();
            if (depth.ready, depth.unsettled) == (0, 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("an empty queue in time");
}
