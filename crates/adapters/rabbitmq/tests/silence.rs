//! What stops without a word: a consumer that hears nothing more, a connection that nobody answers on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::disallowed_methods)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use afluente_adapter_rabbitmq::{RabbitBus, RabbitConfig};
use ports::{
    Bus as _,
    bus::{BusError, Delivery},
    topology::{Queue, Topic},
};
use support::{
    INBOUND, PATIENCE, QUEUE, message, next,
    proxy::{
        CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CHANNEL_OPEN_OK, CONSUME, DELIVER, EXCHANGE_DECLARE_OK, Method, Proxy,
        QUEUE_DECLARE_OK, through_a_proxy,
    },
    until_empty,
};

/// A bus whose deliveries may vanish until a consumer is revived, and how often one was.
async fn deaf_at_times() -> Option<(RabbitBus, RabbitBus, Proxy, Arc<AtomicU32>)> {
    let revivals = Arc::new(AtomicU32::new(0));
    let count = revivals.clone();
    let (bus, direct, proxy) = through_a_proxy(|config, proxy| {
        let way = proxy.from_broker.clone();
        let revived: Arc<dyn Fn(&Topic) + Send + Sync> = Arc::new(move |_| {
            count.fetch_add(1, Ordering::AcqRel);
            way.pass_all();
        });
        RabbitConfig { revived, ..config }
    })
    .await?;
    Some((bus, direct, proxy, revivals))
}

async fn silent_at_times() -> Option<(RabbitBus, RabbitBus, Proxy)> {
    through_a_proxy(|config, _| config).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_stopped_without_a_word_is_made_anew() {
    let Some((bus, direct, proxy, revivals)) = deaf_at_times().await else { return };
    let mut subscription = bus.subscribe(QUEUE, 4).await.unwrap();
    direct.publish(vec![message(0, INBOUND)]).await.unwrap();
    next(&mut subscription).await.ack();
    until_empty(&bus, &QUEUE).await;
    proxy.from_broker.swallow(&[DELIVER]);
    direct.publish((1..30).map(|n| message(n, INBOUND)).collect()).await.unwrap();
    for n in 1..30 {
        let delivery = next(&mut subscription).await;
        assert_eq!(delivery.envelope.id, n.to_string(), "in order, none twice");
        delivery.ack();
    }
    assert_eq!(revivals.load(Ordering::Acquire), 1);
    until_empty(&bus, &QUEUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_is_missing_is_missed_at_the_next() {
    let Some((bus, direct, proxy, revivals)) = deaf_at_times().await else { return };
    let mut subscription = bus.subscribe(QUEUE, 100).await.unwrap();
    proxy.from_broker.swallow(&[DELIVER]);
    direct.publish(vec![message(0, INBOUND)]).await.unwrap();
    // It is on nobody's desk: the broker has handed it over, and the consumer has not got it.
    support::until_ready(&direct, &QUEUE, 0).await;
    proxy.from_broker.pass_all();
    direct.publish((1..10).map(|n| message(n, INBOUND)).collect()).await.unwrap();
    for n in 0..10 {
        let delivery = next(&mut subscription).await;
        assert_eq!(delivery.envelope.id, n.to_string(), "in order, none twice");
        delivery.ack();
    }
    assert_eq!(revivals.load(Ordering::Acquire), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_nobody_answers_on_is_given_up() {
    let Some((bus, direct, proxy)) = silent_at_times().await else { return };
    let mut subscription = bus.subscribe(QUEUE, 10).await.unwrap();
    direct.publish(vec![message(0, INBOUND)]).await.unwrap();
    next(&mut subscription).await.ack();
    until_empty(&bus, &QUEUE).await;
    proxy.silence();
    direct.publish(vec![message(1, INBOUND)]).await.unwrap();
    while bus.publish(vec![message(2, INBOUND)]).await.is_err() {}
    // The broker holds the cut connection's place in the queue until it misses its heartbeat, unless that ends first.
    for n in 1..3 {
        let delivery = next(&mut subscription).await;
        assert_eq!(delivery.envelope.id, n.to_string());
        delivery.ack();
    }
    assert!(bus.connections() >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_being_published_on_a_silent_connection_is_given_up_with_it() {
    let Some((bus, _, proxy)) = silent_at_times().await else { return };
    bus.publish(vec![message(0, INBOUND)]).await.unwrap();
    proxy.silence();
    let published = tokio::time::timeout(PATIENCE, bus.publish(vec![message(1, INBOUND)])).await;
    let refused = published.expect("it does not wait for the deadline").unwrap_err();
    assert!(matches!(refused, BusError::Unavailable(_)), "{refused}");
    while bus.publish(vec![message(1, INBOUND)]).await.is_err() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_stands_behind_the_active_consumer() {
    let Some((bus, direct, proxy)) = silent_at_times().await else { return };
    let mut first = bus.subscribe(QUEUE, 4).await.unwrap();
    direct.publish(vec![message(0, INBOUND)]).await.unwrap();
    next(&mut first).await.ack();
    until_empty(&direct, &QUEUE).await;
    let mut second = direct.subscribe(QUEUE, 4).await.unwrap();
    proxy.silence();
    direct.publish(vec![message(1, INBOUND)]).await.unwrap();
    let turn = next(&mut second).await;
    assert_eq!(turn.envelope.id, "1", "the broker gave the silent one up");
    // One more on the connection that was made anew, since only a new subscription says when it stands.
    let mut again = loop {
        if let Ok(subscription) = bus.subscribe(QUEUE, 4).await {
            break subscription;
        }
    };
    direct.publish((2..20).map(|n| message(n, INBOUND)).collect()).await.unwrap();
    turn.ack();
    for n in 2..20 {
        tokio::select! {
            delivery = next(&mut second) => {
                assert_eq!(delivery.envelope.id, n.to_string());
                delivery.ack();
            }
            _ = first.next() => panic!("the one that came back took over"),
            _ = again.next() => panic!("one that came later took over"),
        }
    }
    drop(second);
    direct.publish(vec![message(20, INBOUND)]).await.unwrap();
    let delivery = tokio::select! {
        delivery = next(&mut first) => delivery,
        delivery = next(&mut again) => delivery,
    };
    assert_eq!(delivery.envelope.id, "20", "now it is its turn");
}

/// A subscription that holds one delivery, on a connection that says nothing more from when this answer was due.
async fn without_an_answer(answer: Method, what: impl FnOnce(Delivery), silence: impl FnOnce(&Proxy)) -> Option<()> {
    let (bus, direct, proxy) = silent_at_times().await?;
    let mut subscription = bus.subscribe(QUEUE, 10).await.unwrap();
    direct.publish(vec![message(0, INBOUND)]).await.unwrap();
    let delivery = next(&mut subscription).await;
    let before = proxy.from_broker.count(answer);
    proxy.from_broker.swallow(&[answer]);
    what(delivery);
    proxy.from_broker.until(answer, before + 1).await;
    silence(&proxy);
    proxy.from_broker.pass_all();
    let again = next(&mut subscription).await;
    assert_eq!(again.envelope.id, "0");
    again.ack();
    until_empty(&direct, &QUEUE).await;
    Some(())
}

/// lapin keeps a question open on a connection that was given up, and a consumer that waits for its answer is one that
/// stopped without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_was_being_made_on_a_silent_connection_is_made_on_the_next() {
    without_an_answer(CHANNEL_OPEN_OK, drop, Proxy::silence).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_was_being_ended_on_a_silent_connection_is_made_on_the_next() {
    without_an_answer(CHANNEL_CLOSE_OK, drop, Proxy::silence).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_whose_place_was_being_declared_on_a_silent_connection_comes_back() {
    let retry = |delivery: Delivery| delivery.retry(Duration::from_millis(1));
    without_an_answer(EXCHANGE_DECLARE_OK, retry, Proxy::silence_publishing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_that_was_asked_for_on_a_silent_connection_is_not_waited_for() {
    let Some((bus, _, proxy)) = silent_at_times().await else { return };
    bus.depth(&QUEUE).await.unwrap();
    proxy.from_broker.swallow(&[QUEUE_DECLARE_OK]);
    let before = proxy.from_broker.count(QUEUE_DECLARE_OK);
    let silence = async {
        proxy.from_broker.until(QUEUE_DECLARE_OK, before + 1).await;
        proxy.silence();
        proxy.from_broker.pass_all();
    };
    let (asked, ()) = tokio::join!(tokio::time::timeout(PATIENCE, bus.depth(&QUEUE)), silence);
    let refused = asked.expect("it does not wait for ever").unwrap_err();
    assert!(matches!(refused, BusError::Unavailable(_)), "{refused}");
    bus.depth(&QUEUE).await.unwrap();
}

/// A broker that takes its time with each look: forty in a row are later than any answer may be, and none of them itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_that_wait_for_each_other_are_no_reason_to_begin_anew() {
    const MANY: u64 = 40;
    let Some((bus, direct, proxy)) = silent_at_times().await else { return };
    let mut subscriptions = Vec::new();
    for n in 0..MANY {
        let queue = Queue::Fanout { topic: Topic::Events, replica: n.to_string() };
        subscriptions.push(bus.subscribe(queue, 10).await.unwrap());
    }
    let before = proxy.from_broker.count(QUEUE_DECLARE_OK);
    proxy.from_broker.hold(QUEUE_DECLARE_OK, Duration::from_millis(100));
    // Each has looked, and each again.
    proxy.from_broker.until(QUEUE_DECLARE_OK, before + 2 * MANY).await;
    assert_eq!(proxy.from_client.count(CONSUME), MANY, "queues were left, and what was in them is lost");
    direct.publish(vec![message("heard", Topic::Events)]).await.unwrap();
    for subscription in &mut subscriptions {
        next(subscription).await.ack();
    }
}

/// What a bus still holds when it goes comes first at the next consumer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_is_dropped_is_not_overtaken_by_what_it_held() {
    let mut own = None;
    let through = through_a_proxy(|config, _| own.insert(config).clone()).await;
    let (Some((_, direct, proxy)), Some(config)) = (through, own) else { return };
    // A consumer that was cancelled before would give its place away meanwhile.
    proxy.from_client.hold(CHANNEL_CLOSE, Duration::from_millis(200));
    // What lapin does first when a bus goes is chance.
    for _ in 0..12 {
        let bus = RabbitBus::connect(config.clone()).await.unwrap();
        let mut first = bus.subscribe(QUEUE, 4).await.unwrap();
        let mut second = direct.subscribe(QUEUE, 100).await.unwrap();
        direct.publish((0..20).map(|n| message(n, INBOUND)).collect()).await.unwrap();
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(next(&mut first).await);
        }
        drop(bus);
        for n in 0..20 {
            let delivery = next(&mut second).await;
            assert_eq!(delivery.envelope.id, n.to_string());
            delivery.ack();
        }
        // So that the next bus is the first to come.
        drop(second);
        until_empty(&direct, &QUEUE).await;
    }
}
