//! The bus against a real RabbitMQ. Without `AFLUENTE_TEST_AMQP` (see `scripts/servers.sh`) each test says that it was
//! skipped. Every test has a namespace of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::disallowed_methods)]

mod support;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use afluente_adapter_rabbitmq::{RabbitBus, RabbitConfig};
use domain::Partition;
use ports::{
    Bus as _,
    bus::{BusError, headers},
    topology::{Queue, Topic},
};
use support::{INBOUND, PATIENCE, QUEUE, bus, config, message, next, until_empty, until_ready};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_arrives_whole_and_in_order() {
    let Some((bus, _)) = bus().await else { return };
    let mut subscription = bus.subscribe(QUEUE, 50).await.unwrap();
    for batch in 0..5 {
        bus.publish((0..100).map(|n| message(batch * 100 + n, INBOUND)).collect()).await.unwrap();
    }
    let mut seen = 0;
    while seen < 500 {
        for delivery in subscription.next_batch(30).await {
            assert_eq!(delivery.envelope, message(seen, INBOUND));
            assert_eq!(delivery.attempt, 1);
            delivery.ack();
            seen += 1;
        }
    }
    until_empty(&bus, &QUEUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_delivery_comes_back() {
    let Some((bus, _)) = bus().await else { return };
    bus.publish(vec![message("a", INBOUND)]).await.unwrap();
    let mut subscription = bus.subscribe(QUEUE, 10).await.unwrap();
    drop(next(&mut subscription).await);
    let again = next(&mut subscription).await;
    assert_eq!((again.envelope.id.as_str(), again.attempt), ("a", 2));
    assert_eq!(bus.depth(&QUEUE).await.unwrap().unsettled, 1);
    again.ack();
    until_empty(&bus, &QUEUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_behind_a_forgotten_delivery_does_not_overtake_it() {
    let Some((bus, _)) = bus().await else { return };
    bus.publish((0..40).map(|n| message(n, INBOUND)).collect()).await.unwrap();
    let mut subscription = bus.subscribe(QUEUE, 20).await.unwrap();
    next(&mut subscription).await.ack();
    let forgotten = next(&mut subscription).await;
    let behind = next(&mut subscription).await;
    assert_eq!(behind.envelope.id, "2");
    // The rest of the prefetch waits in the subscription's buffer by now, or is on its way.
    drop(forgotten);
    let mut seen = Vec::new();
    while seen.last() != Some(&1) {
        // A few may have been taken out of the buffer before the broker had them back.
        let delivery = next(&mut subscription).await;
        seen.push(delivery.envelope.id.parse::<u32>().unwrap());
        drop(delivery);
    }
    drop(behind);
    let mut seen = Vec::new();
    while seen.len() < 39 {
        let delivery = next(&mut subscription).await;
        let n = delivery.envelope.id.parse::<u32>().unwrap();
        delivery.ack();
        if !seen.contains(&n) {
            seen.push(n);
        }
    }
    assert_eq!(seen, (1..40).collect::<Vec<_>>());
    until_empty(&bus, &QUEUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_waits_in_the_broker_and_counts() {
    let Some((bus, _)) = bus().await else { return };
    bus.publish(vec![message("a", INBOUND)]).await.unwrap();
    let mut subscription = bus.subscribe(QUEUE, 10).await.unwrap();
    next(&mut subscription).await.retry(Duration::from_millis(1_500));
    until_ready(&bus, &QUEUE, 1).await;
    let again = next(&mut subscription).await;
    assert_eq!((again.envelope.id.as_str(), again.attempt), ("a", 2));
    assert_eq!(again.envelope.body, message("a", INBOUND).body);
    assert_eq!(again.envelope.topic, INBOUND);
    again.retry(Duration::ZERO);
    let third = next(&mut subscription).await;
    assert_eq!(third.attempt, 3);
    third.ack();
    until_empty(&bus, &QUEUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_a_parked_message_says_why_and_whence() {
    let Some((bus, _)) = bus().await else { return };
    bus.publish(vec![message("a", INBOUND)]).await.unwrap();
    let mut subscription = bus.subscribe(QUEUE, 10).await.unwrap();
    next(&mut subscription).await.park("poison", "cannot be decoded");
    let mut parked = bus.subscribe(Queue::RouterParked, 10).await.unwrap();
    let delivery = next(&mut parked).await;
    let header = |name: &str| delivery.envelope.headers.get(name).map(String::as_str);
    assert_eq!(header(headers::PARKED_CODE), Some("poison"));
    assert_eq!(header(headers::PARKED_REASON), Some("cannot be decoded"));
    assert_eq!(header(headers::PARKED_FROM), Some("router.inbound.0"));
    assert_eq!(header(headers::ORGANIZATION), Some("org_1"));
    assert_eq!(delivery.envelope.id, "a");
    assert_eq!(delivery.envelope.kind, "test.Message");
    delivery.ack();
    until_empty(&bus, &QUEUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_consumer_is_active_and_another_takes_over_in_order() {
    let Some((bus, config)) = bus().await else { return };
    let other = RabbitBus::connect(config).await.unwrap();
    let mut first = bus.subscribe(QUEUE, 4).await.unwrap();
    let mut second = other.subscribe(QUEUE, 100).await.unwrap();
    bus.publish((0..20).map(|n| message(n, INBOUND)).collect()).await.unwrap();
    let mut in_hand = Vec::new();
    for n in 0..4 {
        let delivery = next(&mut first).await;
        assert_eq!(delivery.envelope.id, n.to_string());
        in_hand.push(delivery);
    }
    // No more than the prefetch, and nothing for the one that stands by.
    assert!(tokio::time::timeout(Duration::from_millis(300), second.next()).await.is_err());
    in_hand.remove(0).ack();
    drop(first);
    // What is in hand may still be settled after the subscription is gone; nobody overtakes it.
    in_hand.remove(0).ack();
    assert!(tokio::time::timeout(Duration::from_millis(300), second.next()).await.is_err());
    drop(in_hand);
    for n in 2..20 {
        let delivery = next(&mut second).await;
        assert_eq!(delivery.envelope.id, n.to_string());
        delivery.ack();
    }
    until_empty(&other, &QUEUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_replica_gets_a_fanned_out_message() {
    let Some((bus, _)) = bus().await else { return };
    bus.publish(vec![message("nobody listens", Topic::Events)]).await.unwrap();
    let queue = |replica: &str| Queue::Fanout { topic: Topic::Events, replica: replica.to_owned() };
    let mut one = bus.subscribe(queue("one"), 10).await.unwrap();
    let mut two = bus.subscribe(queue("two"), 10).await.unwrap();
    bus.publish(vec![message("a", Topic::Events)]).await.unwrap();
    for subscription in [&mut one, &mut two] {
        let delivery = next(subscription).await;
        assert_eq!(delivery.envelope.id, "a");
        delivery.ack();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_without_a_queue_is_an_error_and_hurts_nobody_else() {
    let Some((bus, _)) = bus().await else { return };
    let nowhere = Topic::Inbound(Partition(99));
    let error = bus.publish(vec![message("a", INBOUND), message("b", nowhere)]).await.unwrap_err();
    assert!(matches!(error, BusError::Unroutable(_)), "{error}");
    assert!(matches!(bus.depth(&Queue::RouterInbound(Partition(99))).await, Err(BusError::Unroutable(_))));
    bus.publish(vec![message("c", INBOUND)]).await.unwrap();
    bus.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_publish_at_once() {
    let Some((bus, _)) = bus().await else { return };
    let bus = std::sync::Arc::new(bus);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..64 {
        let bus = bus.clone();
        tasks.spawn(async move {
            for n in 0..10 {
                bus.publish(vec![message(format!("{task}.{n}"), INBOUND)]).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let mut subscription = bus.subscribe(QUEUE, 200).await.unwrap();
    let mut last: BTreeMap<String, i32> = BTreeMap::new();
    for _ in 0..640 {
        let delivery = next(&mut subscription).await;
        let (task, n) = delivery.envelope.id.split_once('.').unwrap();
        let (task, n) = (task.to_owned(), n.parse::<i32>().unwrap());
        assert_eq!(last.insert(task, n).unwrap_or(-1), n - 1);
        delivery.ack();
    }
    until_empty(&bus, &QUEUE).await;
}

#[tokio::test]
async fn a_broker_that_refuses_or_is_away_is_told_apart() {
    let Some((_, config)) = bus().await else { return };
    let wrong = config.url.replace("guest:guest", "guest:wrong");
    let refused = RabbitBus::connect(RabbitConfig { url: wrong, ..config.clone() }).await.unwrap_err();
    assert!(matches!(refused, BusError::Forbidden(_)), "{refused}");
    assert!(!format!("{refused:?}").contains("wrong"));
    let away = RabbitConfig {
        url: "amqp://guest:guest@127.0.0.1:1/%2f".into(),
        publish_deadline: Duration::from_millis(500),
        ..config
    };
    let bus = RabbitBus::open(away).unwrap();
    assert!(matches!(bus.publish(vec![message("a", INBOUND)]).await, Err(BusError::Unavailable(_))));
    assert!(matches!(bus.check().await, Err(BusError::Unavailable(_))));
    assert!(matches!(bus.subscribe(QUEUE, 1).await, Err(BusError::Unavailable(_))));
}

/// A broker that the test may kill.
struct OwnBroker {
    folder: tempfile::TempDir,
    script: PathBuf,
}

impl OwnBroker {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../scripts/servers.sh");
        let own = Self { folder: tempfile::tempdir().unwrap(), script };
        own.script("start");
        own
    }

    fn script(&self, action: &str) {
        let status = Command::new(&self.script).arg(action).arg(self.folder.path()).arg("rabbitmq").status().unwrap();
        assert!(status.success(), "servers.sh {action}");
    }

    fn url(&self) -> String {
        let env = std::fs::read_to_string(self.folder.path().join("env")).unwrap();
        let line = env.lines().find_map(|line| line.strip_prefix("export AFLUENTE_TEST_AMQP=")).unwrap();
        line.to_owned()
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        drop(Command::new(&self.script).arg("stop").arg(self.folder.path()).arg("rabbitmq").status());
    }
}

/// Conserved and ordered, through kill -9 of the broker while publishing and consuming.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_loses_nothing() {
    if ports::conformance::server("AFLUENTE_TEST_AMQP").is_none() {
        return;
    }
    let broker = tokio::task::spawn_blocking(OwnBroker::start).await.unwrap();
    let bus = std::sync::Arc::new(RabbitBus::connect(config(&broker.url())).await.unwrap());
    let mut subscription = bus.subscribe(QUEUE, 100).await.unwrap();
    let total = 3_000_u32;
    let publisher = {
        let bus = bus.clone();
        tokio::spawn(async move {
            let mut failures = 0;
            for n in 0..total {
                // Published again after a doubt: the same id, so the consumer knows it.
                while bus.publish(vec![message(n, INBOUND)]).await.is_err() {
                    failures += 1;
                }
            }
            failures
        })
    };
    let mut killed = false;
    let mut broker = Some(broker);
    let mut seen = 0;
    while seen < total {
        let batch = tokio::time::timeout(PATIENCE * 2, subscription.next_batch(20)).await.expect("deliveries go on");
        assert!(!batch.is_empty());
        for delivery in batch {
            let n: u32 = delivery.envelope.id.parse().unwrap();
            assert!(n <= seen, "{n} came before {seen}");
            seen = seen.max(n + 1);
            delivery.ack();
        }
        if seen > total / 3 && !killed {
            killed = true;
            let own = broker.take().unwrap();
            broker = Some(
                tokio::task::spawn_blocking(move || {
                    own.script("kill");
                    own.script("start");
                    own
                })
                .await
                .unwrap(),
            );
        }
    }
    let failures = publisher.await.unwrap();
    assert!(failures > 0, "the broker was killed while publishing");
    until_empty(&bus, &QUEUE).await;
    bus.check().await.unwrap();
    assert_eq!(bus.connections(), 2);
    drop(bus);
    tokio::task::spawn_blocking(move || drop(broker)).await.unwrap();
}
