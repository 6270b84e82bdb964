//! The promises of [`crate::Bus`].

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::Partition;

use super::samples::{channel, envelope};
use crate::{
    Bus,
    bus::{Delivery, Depth, Envelope, Subscription, headers},
    topology::{Queue, Topic},
};

/// How long anything may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to listen for what must not come.
const SILENCE: Duration = Duration::from_millis(300);

const TOPIC: Topic = Topic::Requested(Partition(0));
const QUEUE: Queue = Queue::SessionRequested(Partition(0));

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}

async fn next(subscription: &mut Subscription) -> Delivery {
    soon("a delivery", subscription.next()).await.expect("the bus is open")
}

async fn take(subscription: &mut Subscription, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(next(subscription).await);
    }
    taken
}

async fn take_and_ack(subscription: &mut Subscription, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let delivery = next(subscription).await;
        ids.push(delivery.envelope.id.clone());
        delivery.ack();
    }
    ids
}

async fn nothing(subscription: &mut Subscription) {
    if let Ok(delivery) = tokio::time::timeout(SILENCE, subscription.next()).await {
        panic!("nothing was to come, but {delivery:?} did");
    }
}

async fn depth_becomes(bus: &Arc<dyn Bus>, queue: &Queue, wanted: Depth) {
    let reached = async {
        while bus.depth(queue).await.expect("depth") != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, reached).await.is_err() {
        panic!("{queue} holds {:?}, not {wanted:?}", bus.depth(queue).await);
    }
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.envelope.id.as_str()).collect()
}

fn numbered(range: std::ops::Range<usize>, topic: &Topic) -> Vec<Envelope> {
    range.map(|n| envelope(&format!("m{n:05}"), topic.clone())).collect()
}

/// Publishing resolves when the queue that takes the topic has the message, and no other has it.
pub async fn a_confirmed_publish_is_in_its_queue_alone(bus: Arc<dyn Bus>) {
    bus.check().await.expect("a bus that can be published to");
    bus.publish(vec![envelope("a", Topic::Inbound(Partition(1)))]).await.expect("published");
    bus.publish(vec![envelope("b", Topic::Consent(Partition(1)))]).await.expect("published");
    for (queue, id) in [(Queue::RouterInbound(Partition(1)), "a"), (Queue::SessionInbound(Partition(1)), "b")] {
        depth_becomes(&bus, &queue, Depth { ready: 1, unsettled: 0 }).await;
        let mut subscription = bus.subscribe(queue, 10).await.expect("subscribed");
        assert_eq!(take_and_ack(&mut subscription, 1).await, [id]);
    }
}

/// Every field survives the way.
pub async fn an_envelope_arrives_as_it_was(bus: Arc<dyn Bus>) {
    let mut sent = envelope("whole", Topic::Outbound(channel("whatsapp"), Partition(1)));
    sent.headers.insert(headers::ORGANIZATION.into(), "org_é".into());
    sent.body = Bytes::from((0..=255u8).cycle().take(100_000).collect::<Vec<_>>());
    let mut bare = envelope("bare", sent.topic.clone());
    (bare.correlation, bare.body) = (None, Bytes::new());
    bare.headers.clear();
    bus.publish(vec![sent.clone(), bare.clone()]).await.expect("published");
    let queue = Queue::ChannelOutbound(channel("whatsapp"), Partition(1));
    let mut subscription = bus.subscribe(queue, 10).await.expect("subscribed");
    for expected in [sent, bare] {
        let delivery = next(&mut subscription).await;
        assert_eq!(delivery.envelope, expected);
        assert_eq!(delivery.attempt, 1);
        delivery.ack();
    }
}

/// Some thousands in one call.
pub async fn a_big_batch_arrives_whole_and_in_order(bus: Arc<dyn Bus>) {
    let sent = numbered(0..3_000, &TOPIC);
    let expected: Vec<String> = sent.iter().map(|envelope| envelope.id.clone()).collect();
    soon("publishing", bus.publish(sent)).await.expect("published");
    let mut subscription = bus.subscribe(QUEUE, 100).await.expect("subscribed");
    assert_eq!(take_and_ack(&mut subscription, 3_000).await, expected);
    depth_becomes(&bus, &QUEUE, Depth::default()).await;
}

/// Order between calls that follow each other, with a consumer at work.
pub async fn publishes_that_follow_each_other_keep_their_order(bus: Arc<dyn Bus>) {
    let mut subscription = bus.subscribe(QUEUE, 20).await.expect("subscribed");
    let publisher = bus.clone();
    let publishing = tokio::spawn(async move {
        for round in 0..40 {
            publisher.publish(numbered(round * 5..round * 5 + 5, &TOPIC)).await.expect("published");
        }
    });
    let seen = take_and_ack(&mut subscription, 200).await;
    publishing.await.expect("the publisher");
    assert!(seen.is_sorted(), "{seen:?}");
}

/// No more than the prefetch before something is settled.
pub async fn prefetch_bounds_what_is_in_hand(bus: Arc<dyn Bus>) {
    bus.publish(numbered(0..10, &TOPIC)).await.expect("published");
    let mut subscription = bus.subscribe(QUEUE, 3).await.expect("subscribed");
    let mut held = take(&mut subscription, 3).await;
    assert_eq!(ids(&held), ["m00000", "m00001", "m00002"]);
    nothing(&mut subscription).await;
    held.remove(0).ack();
    assert_eq!(next(&mut subscription).await.envelope.id, "m00003");
}

/// Acknowledged is gone, for the next subscriber too.
pub async fn an_acknowledged_message_does_not_come_back(bus: Arc<dyn Bus>) {
    bus.publish(numbered(0..3, &TOPIC)).await.expect("published");
    let mut first = bus.subscribe(QUEUE, 10).await.expect("subscribed");
    assert_eq!(take_and_ack(&mut first, 2).await.len(), 2);
    depth_becomes(&bus, &QUEUE, Depth { ready: 0, unsettled: 1 }).await;
    drop(first);
    let mut second = bus.subscribe(QUEUE, 10).await.expect("subscribed");
    assert_eq!(take_and_ack(&mut second, 1).await, ["m00002"]);
    nothing(&mut second).await;
}

/// Forgetting is safe, and counted.
pub async fn a_dropped_delivery_comes_back_in_its_place_and_counts(bus: Arc<dyn Bus>) {
    bus.publish(numbered(0..4, &TOPIC)).await.expect("published");
    let mut subscription = bus.subscribe(QUEUE, 1).await.expect("subscribed");
    for attempt in 1..=3 {
        let delivery = next(&mut subscription).await;
        assert_eq!((delivery.envelope.id.as_str(), delivery.attempt), ("m00000", attempt));
        drop(delivery);
    }
    assert_eq!(take_and_ack(&mut subscription, 4).await, ["m00000", "m00001", "m00002", "m00003"]);
}

/// What a consumer had in hand and in its buffer comes first for the next one, in order.
pub async fn a_dropped_subscription_puts_everything_back_in_order(bus: Arc<dyn Bus>) {
    bus.publish(numbered(0..20, &TOPIC)).await.expect("published");
    let mut first = bus.subscribe(QUEUE, 10).await.expect("subscribed");
    let held = take(&mut first, 5).await;
    drop(held);
    drop(first);
    let mut second = bus.subscribe(QUEUE, 30).await.expect("subscribed");
    let seen = take_and_ack(&mut second, 20).await;
    assert_eq!(seen, numbered(0..20, &TOPIC).into_iter().map(|envelope| envelope.id).collect::<Vec<_>>());
    nothing(&mut second).await;
}

/// A retry waits, lets others pass, and is counted.
pub async fn a_retried_message_comes_back_after_the_others(bus: Arc<dyn Bus>) {
    bus.publish(numbered(0..3, &TOPIC)).await.expect("published");
    let mut subscription = bus.subscribe(QUEUE, 1).await.expect("subscribed");
    next(&mut subscription).await.retry(Duration::from_millis(1_500));
    assert_eq!(take_and_ack(&mut subscription, 2).await, ["m00001", "m00002"]);
    let again = next(&mut subscription).await;
    assert_eq!(again.envelope.id, "m00000");
    assert_eq!(again.envelope.body, envelope("m00000", TOPIC).body);
    assert!(again.attempt >= 2, "attempt {}", again.attempt);
    again.ack();
    depth_becomes(&bus, &QUEUE, Depth::default()).await;
}

/// Parking keeps the bytes and says why and where from.
pub async fn a_parked_message_lands_in_the_parked_queue_with_its_reason(bus: Arc<dyn Bus>) {
    let sent = envelope("bad", TOPIC);
    bus.publish(vec![sent.clone(), envelope("good", TOPIC)]).await.expect("published");
    let mut subscription = bus.subscribe(QUEUE, 1).await.expect("subscribed");
    next(&mut subscription).await.park("poison", "it cannot be decoded");
    assert_eq!(take_and_ack(&mut subscription, 1).await, ["good"]);
    let mut parked = bus.subscribe(Queue::RouterParked, 10).await.expect("subscribed");
    let delivery = next(&mut parked).await;
    let it = &delivery.envelope;
    assert_eq!((&it.id, &it.kind, &it.body), (&sent.id, &sent.kind, &sent.body));
    assert_eq!(it.topic, Topic::Parked);
    let header = |name: &str| it.headers.get(name).map(String::as_str);
    assert_eq!(header(headers::PARKED_CODE), Some("poison"));
    assert_eq!(header(headers::PARKED_REASON), Some("it cannot be decoded"));
    assert_eq!(header(headers::PARKED_FROM), Some("session.requested.0"));
    assert_eq!(Queue::from_name("session.requested.0").map(|queue| queue.topic()), Some(TOPIC));
    assert_eq!(header("traceparent"), sent.headers.get("traceparent").map(String::as_str));
    delivery.ack();
    depth_becomes(&bus, &QUEUE, Depth::default()).await;
    depth_becomes(&bus, &Queue::RouterParked, Depth::default()).await;
}

/// One at a time, so that order needs no lock.
pub async fn a_queue_has_one_active_consumer_and_the_next_takes_over(bus: Arc<dyn Bus>) {
    let mut first = bus.subscribe(QUEUE, 4).await.expect("subscribed");
    bus.publish(numbered(0..4, &TOPIC)).await.expect("published");
    assert_eq!(take_and_ack(&mut first, 2).await, ["m00000", "m00001"]);
    let mut second = bus.subscribe(QUEUE, 4).await.expect("subscribed");
    bus.publish(numbered(4..6, &TOPIC)).await.expect("published");
    nothing(&mut second).await;
    drop(first);
    assert_eq!(take_and_ack(&mut second, 4).await, ["m00002", "m00003", "m00004", "m00005"]);
}

/// Every replica hears everything.
pub async fn a_fan_out_reaches_every_subscriber(bus: Arc<dyn Bus>) {
    let replica = |name: &str| Queue::Fanout { topic: Topic::Events, replica: name.to_owned() };
    let mut one = bus.subscribe(replica("one"), 10).await.expect("subscribed");
    let mut two = bus.subscribe(replica("two"), 10).await.expect("subscribed");
    let links = Topic::Links(channel("whatsapp"));
    let other = Queue::Fanout { topic: links, replica: "one".to_owned() };
    let mut other = bus.subscribe(other, 10).await.expect("subscribed");
    bus.publish(numbered(0..50, &Topic::Events)).await.expect("published");
    for subscription in [&mut one, &mut two] {
        let seen = take_and_ack(subscription, 50).await;
        assert!(seen.is_sorted() && seen.len() == 50, "{seen:?}");
    }
    nothing(&mut other).await;
    drop(one);
    bus.publish(numbered(50..51, &Topic::Events)).await.expect("published");
    assert_eq!(take_and_ack(&mut two, 1).await, ["m00050"]);
}

/// Nobody listens, nothing is lost that the store does not have.
pub async fn a_fan_out_without_subscribers_is_no_error(bus: Arc<dyn Bus>) {
    bus.publish(vec![envelope("unheard", Topic::Events)]).await.expect("published");
    let queue = Queue::Fanout { topic: Topic::Events, replica: "late".to_owned() };
    let mut late = bus.subscribe(queue, 10).await.expect("subscribed");
    nothing(&mut late).await;
}

/// What an operator sees.
pub async fn depth_counts_ready_and_unsettled(bus: Arc<dyn Bus>) {
    assert_eq!(bus.depth(&QUEUE).await.expect("depth"), Depth::default());
    bus.publish(numbered(0..5, &TOPIC)).await.expect("published");
    depth_becomes(&bus, &QUEUE, Depth { ready: 5, unsettled: 0 }).await;
    let mut subscription = bus.subscribe(QUEUE, 2).await.expect("subscribed");
    let mut held = take(&mut subscription, 2).await;
    depth_becomes(&bus, &QUEUE, Depth { ready: 3, unsettled: 2 }).await;
    held.remove(0).retry(Duration::from_secs(3_600));
    let _third = next(&mut subscription).await;
    depth_becomes(&bus, &QUEUE, Depth { ready: 3, unsettled: 2 }).await;
}

/// A queue takes its own topic only.
pub async fn partitions_do_not_mix(bus: Arc<dyn Bus>) {
    for p in [0, 1] {
        bus.publish(vec![envelope(&format!("p{p}"), Topic::Requested(Partition(p)))]).await.expect("published");
    }
    for p in [0, 1] {
        let mut subscription = bus.subscribe(Queue::SessionRequested(Partition(p)), 10).await.expect("subscribed");
        assert_eq!(take_and_ack(&mut subscription, 1).await, [format!("p{p}")]);
        nothing(&mut subscription).await;
    }
}

/// A worker that serves several partitions.
pub async fn merged_subscriptions_bring_all_of_each(bus: Arc<dyn Bus>) {
    let mut both = Vec::new();
    for p in [0, 1] {
        let topic = Topic::Requested(Partition(p));
        let batch = (0..30).map(|n| envelope(&format!("p{p}-{n:02}"), topic.clone())).collect();
        bus.publish(batch).await.expect("published");
        both.push(bus.subscribe(Queue::SessionRequested(Partition(p)), 10).await.expect("subscribed"));
    }
    let mut merged = Subscription::merge(both);
    let mut seen = Vec::new();
    while seen.len() < 60 {
        for delivery in soon("a batch", merged.next_batch(16)).await {
            seen.push(delivery.envelope.id.clone());
            delivery.ack();
        }
    }
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 60);
    for p in ["p0", "p1"] {
        let own: Vec<_> = seen.iter().filter(|id| id.starts_with(p)).collect();
        assert!(own.is_sorted(), "{own:?}");
    }
}
