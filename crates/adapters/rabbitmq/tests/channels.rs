//! A connection has some two thousand numbers of channels, and some ends of a channel cost its number. They last anyhow.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::disallowed_methods)]

mod support;

use std::{sync::Arc, time::Duration};

use afluente_adapter_rabbitmq::{RabbitBus, RabbitConfig};
use domain::Partition;
use lapin::{Connection, ConnectionProperties};
use ports::{
    Bus as _,
    bus::BusError,
    topology::{Queue, Topic},
};
use support::{
    INBOUND, PATIENCE, QUEUE, message, next,
    proxy::{CHANNEL_CLOSE, CONFIRMS, Proxy, QOS_OK, through_a_proxy},
    until_empty, until_ready,
};

/// As many batches as are on their way at once, at most.
const PLACES: usize = 256;

/// A bus whose connections have few numbers, once each has the channel by which it is watched: without, that one would
/// be missed, and the connection with it.
async fn with_few_numbers() -> Option<(RabbitBus, Proxy, RabbitConfig)> {
    let mut own = None;
    let few = |config: RabbitConfig, _: &_| {
        let url = format!("{}?channel_max=40", config.url);
        own.insert(RabbitConfig { url, publish_deadline: PATIENCE, ..config }).clone()
    };
    let (bus, _, proxy) = through_a_proxy(few).await?;
    proxy.from_broker.until(QOS_OK, 6).await;
    Some((bus, proxy, own?))
}

/// Each look for a queue that is not there costs a number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_for_consumers_whose_channels_are_used_up_is_made_anew() {
    let Some((bus, _proxy, _)) = with_few_numbers().await else { return };
    let mut subscription = bus.subscribe(QUEUE, 10).await.unwrap();
    for _ in 0..100 {
        assert!(bus.depth(&Queue::RouterInbound(Partition(99))).await.is_err());
    }
    let other = Queue::SessionRequested(Partition(0));
    let mut late = bus.subscribe(other, 10).await.unwrap();
    bus.publish(vec![message(0, INBOUND), message(1, Topic::Requested(Partition(0)))]).await.unwrap();
    for (subscription, id) in [(&mut subscription, "0"), (&mut late, "1")] {
        let delivery = next(subscription).await;
        assert_eq!(delivery.envelope.id, id);
        delivery.ack();
    }
    until_empty(&bus, &QUEUE).await;
}

/// So does each publish to an exchange that is not there, and nobody can publish any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_for_publishing_whose_channels_are_used_up_is_made_anew() {
    let Some((bus, _proxy, config)) = with_few_numbers().await else { return };
    let administrator = Connection::connect(&config.url, ConnectionProperties::default()).await.unwrap();
    let channel = administrator.create_channel().await.unwrap();
    let exchange = format!("{}{}", config.namespace, Topic::Events.exchange());
    channel.exchange_delete(exchange.into(), Default::default()).await.unwrap();
    let spend = async {
        while !matches!(bus.publish(vec![message("x", Topic::Events)]).await, Err(BusError::Unavailable(_))) {}
    };
    tokio::time::timeout(PATIENCE, spend).await.expect("no number costs another one");
    let publish = async { while bus.publish(vec![message("a", INBOUND)]).await.is_err() {} };
    tokio::time::timeout(PATIENCE, publish).await.expect("another connection");
    assert_eq!(bus.connections(), 2);
    until_ready(&bus, &QUEUE, 1).await;
}

/// The place of a service's retries is declared when the first one needs it, and the others wait to hear of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_first_retries_at_once_cost_one_channel() {
    let Some((bus, _, proxy)) = through_a_proxy(|config, _| config).await else { return };
    let mut subscription = bus.subscribe(QUEUE, 50).await.unwrap();
    bus.publish((0..50).map(|n| message(n, INBOUND)).collect()).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..50 {
        held.push(next(&mut subscription).await);
    }
    for delivery in held {
        delivery.retry(Duration::from_millis(100));
    }
    for _ in 0..50 {
        let again = next(&mut subscription).await;
        assert_eq!(again.attempt, 2);
        again.ack();
    }
    assert_eq!(proxy.from_broker.count(CHANNEL_CLOSE), 1);
}

/// Spawns one publish for each place, and waits until the broker has all their messages.
async fn fill(
    bus: &Arc<RabbitBus>,
    direct: &RabbitBus,
    stored: &mut u64,
) -> tokio::task::JoinSet<Result<(), BusError>> {
    let mut stuck = tokio::task::JoinSet::new();
    for n in 0..PLACES {
        let bus = bus.clone();
        stuck.spawn(async move { bus.publish(vec![message(n, INBOUND)]).await });
    }
    *stored += PLACES as u64;
    until_ready(direct, &QUEUE, *stored).await;
    stuck
}

/// A queue that never confirms, while the connection is well: what waits for it gives its place and its channel back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_never_confirmed_keeps_neither_a_place_nor_a_channel() {
    // Fewer numbers than a connection has, so that fewer rounds would use them up.
    let few = |config: RabbitConfig, _: &_| {
        let (url, publish_deadline) = (format!("{}?channel_max=600", config.url), Duration::from_secs(2));
        RabbitConfig { url, publish_deadline, ..config }
    };
    let Some((bus, direct, proxy)) = through_a_proxy(few).await else { return };
    let bus = Arc::new(bus);
    let mut stored = 0;
    for _ in 0..4 {
        proxy.from_broker.swallow(&CONFIRMS);
        let stuck = fill(&bus, &direct, &mut stored).await;
        proxy.from_broker.pass_all();
        // It waits for a place, longer than it may if the machine is slow.
        let healthy = async { while bus.publish(vec![message("healthy", INBOUND)]).await.is_err() {} };
        tokio::time::timeout(PATIENCE, healthy).await.expect("a place in time");
        for told in stuck.join_all().await {
            assert!(matches!(told, Err(BusError::Unavailable(_))), "{told:?}");
        }
        stored = direct.depth(&QUEUE).await.unwrap().ready;
    }
    let all = fill(&bus, &direct, &mut stored).await;
    assert!(all.join_all().await.iter().all(Result::is_ok));
    assert_eq!(bus.connections(), 1);
}
