//! Bundles over real buses: the same suite as the bare bus, and what is special about them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adapter_embedded::{Embedded, EmbeddedOptions};
use adapter_rabbitmq::{RabbitBus, RabbitConfig};
use async_trait::async_trait;
use domain::Partition;
use ports::{
    Bus,
    bus::{BusError, Delivery, Depth, Envelope, Subscription, headers},
    topology::{Queue, Topic},
};
use runtime::bus::{BundledBus, ON_THEIR_WAY};
use tempfile::TempDir;
use tokio::sync::Notify;

const TOPIC: Topic = Topic::Inbound(Partition(0));
const QUEUE: Queue = Queue::RouterInbound(Partition(0));
const PATIENCE: Duration = Duration::from_secs(30);

async fn embedded() -> (Arc<dyn Bus>, (Embedded, TempDir)) {
    let folder = tempfile::tempdir().unwrap();
    let embedded = Embedded::open(folder.path(), EmbeddedOptions::default()).await.unwrap();
    (Arc::clone(&embedded.bus) as Arc<dyn Bus>, (embedded, folder))
}

mod on_embedded {
    use super::*;

    ports::conformance!(bus, async {
        let (bus, world) = embedded().await;
        Some((Arc::new(BundledBus::new(bus)) as Arc<dyn Bus>, world))
    });
}

mod on_rabbitmq {
    use super::*;

    async fn fresh() -> Option<(Arc<dyn Bus>, ())> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let url = ports::conformance::server("AFLUENTE_TEST_AMQP")?;
        let namespace = format!("b{}-{}.", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let channels = vec!["whatsapp".parse().unwrap()];
        let config = RabbitConfig { namespace, ..RabbitConfig::new(url, 2, channels, "test") };
        let bus = RabbitBus::connect(config).await.unwrap();
        Some((Arc::new(BundledBus::new(Arc::new(bus))) as Arc<dyn Bus>, ()))
    }

    ports::conformance!(bus, fresh());
}

/// What is to happen before a batch reaches the bus below.
type Before = Box<dyn Fn(Vec<Topic>) -> runtime::BoxFuture<()> + Send + Sync>;

/// Sees what really goes over the bus below: counts it, and then does what the test wants first.
struct Below {
    inner: Arc<dyn Bus>,
    published: AtomicUsize,
    before: Before,
}

impl Below {
    fn new(inner: Arc<dyn Bus>, before: Before) -> Arc<Self> {
        Arc::new(Self { inner, published: AtomicUsize::new(0), before })
    }

    fn count(&self) -> usize {
        self.published.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Bus for Below {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        self.published.fetch_add(batch.len(), Ordering::Relaxed);
        (self.before)(batch.iter().map(|envelope| envelope.topic.clone()).collect()).await;
        self.inner.publish(batch).await
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError> {
        self.inner.subscribe(queue, prefetch).await
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
        self.inner.depth(queue).await
    }

    async fn check(&self) -> Result<(), BusError> {
        self.inner.check().await
    }
}

struct Bundling {
    bus: Arc<BundledBus>,
    counted: Arc<Below>,
    _world: (Embedded, TempDir),
}

async fn bundling() -> Bundling {
    let (inner, world) = embedded().await;
    let counted = Below::new(inner, Box::new(|_| Box::pin(async {})));
    let bus = Arc::new(BundledBus::new(Arc::clone(&counted) as Arc<dyn Bus>));
    Bundling { bus, counted, _world: world }
}

fn message(number: usize, topic: Topic) -> Envelope {
    Envelope {
        id: format!("m{number:04}"),
        topic,
        kind: "test.Message".to_owned(),
        correlation: number.is_multiple_of(2).then(|| format!("cnv_{number}")),
        headers: BTreeMap::from([(headers::ORGANIZATION.to_owned(), format!("org_{number}"))]),
        body: format!("body {number}").into(),
    }
}

async fn next(subscription: &mut Subscription) -> Delivery {
    tokio::time::timeout(PATIENCE, subscription.next()).await.expect("a delivery in time").expect("an open bus")
}

async fn take(subscription: &mut Subscription, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(next(subscription).await);
    }
    taken
}

async fn until_empty(bus: &dyn Bus, queue: &Queue) {
    let empty = async {
        while bus.depth(queue).await.unwrap() != Depth::default() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, empty).await.expect("an empty queue in time");
}

fn ids(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| delivery.envelope.id.clone()).collect()
}

/// One batch, so that it surely travels in few bundles.
async fn published(world: &Bundling, count: usize) -> Vec<Envelope> {
    let sent: Vec<Envelope> = (0..count).map(|number| message(number, TOPIC)).collect();
    world.bus.publish(sent.clone()).await.unwrap();
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_route_carries_few_bundles_and_everything_arrives_as_it_was() {
    let world = bundling().await;
    let sent = published(&world, 300).await;
    assert_eq!(world.counted.count(), 5, "64 at most in each");
    let mut subscription = world.bus.subscribe(QUEUE, 256).await.unwrap();
    for expected in &sent {
        let delivery = next(&mut subscription).await;
        assert_eq!(&delivery.envelope, expected);
        delivery.ack();
    }
    until_empty(world.bus.as_ref(), &QUEUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_publishes_while_another_publish_is_on_its_way_shares_the_next() {
    let world = bundling().await;
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..500 {
        let bus = Arc::clone(&world.bus);
        callers.spawn(async move { bus.publish(vec![message(number, TOPIC)]).await });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap().unwrap();
    }
    let below = world.counted.count();
    assert!(below < 500, "{below} messages below");
    let mut subscription = world.bus.subscribe(QUEUE, 256).await.unwrap();
    let mut got = ids(&take(&mut subscription, 500).await);
    got.sort_unstable();
    assert_eq!(got, (0..500).map(|number| message(number, TOPIC).id).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_alone_travels_as_itself() {
    let world = bundling().await;
    published(&world, 1).await;
    let mut bare = world.counted.inner.subscribe(QUEUE, 1).await.unwrap();
    assert_eq!(next(&mut bare).await.envelope, message(0, TOPIC));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_channel_reads_is_never_bundled() {
    let world = bundling().await;
    let topic = Topic::Outbound("whatsapp".parse().unwrap(), Partition(0));
    world.bus.publish((0..10).map(|number| message(number, topic.clone())).collect()).await.unwrap();
    assert_eq!(world.counted.count(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_does_not_drag_others_along() {
    let world = bundling().await;
    let mut sent: Vec<Envelope> = (0..3).map(|number| message(number, TOPIC)).collect();
    sent[1].body = vec![b'x'; 40_000].into();
    world.bus.publish(sent.clone()).await.unwrap();
    assert_eq!(world.counted.count(), 3);
    let mut subscription = world.bus.subscribe(QUEUE, 256).await.unwrap();
    let got: Vec<Envelope> = take(&mut subscription, 3).await.iter().map(|one| one.envelope.clone()).collect();
    assert_eq!(got, sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_put_back_brings_the_whole_bundle_again_in_order() {
    let world = bundling().await;
    published(&world, 20).await;
    let mut subscription = world.bus.subscribe(QUEUE, 256).await.unwrap();
    let mut taken = take(&mut subscription, 10).await;
    let forgotten = taken.remove(4);
    taken.into_iter().for_each(Delivery::ack);
    drop(forgotten);
    let again = take(&mut subscription, 20).await;
    assert_eq!(ids(&again), (0..20).map(|number| message(number, TOPIC).id).collect::<Vec<_>>());
    assert!(again.iter().all(|delivery| delivery.attempt == 2));
    again.into_iter().for_each(Delivery::ack);
    until_empty(world.bus.as_ref(), &QUEUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_message_parks_alone() {
    let world = bundling().await;
    published(&world, 20).await;
    let mut subscription = world.bus.subscribe(QUEUE, 256).await.unwrap();
    for delivery in take(&mut subscription, 20).await {
        if delivery.envelope.id == "m0007" { delivery.park("poison", "cannot be read") } else { delivery.ack() }
    }
    until_empty(world.bus.as_ref(), &QUEUE).await;
    let mut parked = world.bus.subscribe(Queue::RouterParked, 10).await.unwrap();
    let parked = next(&mut parked).await;
    assert_eq!((parked.envelope.id.as_str(), &parked.envelope.body), ("m0007", &message(7, TOPIC).body));
    assert_eq!(parked.envelope.headers[headers::PARKED_FROM], QUEUE.to_string());
    assert_eq!(parked.envelope.headers[headers::PARKED_CODE], "poison");
    assert_eq!(parked.envelope.headers[headers::ORGANIZATION], "org_7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_tried_later_brings_its_bundle_along() {
    let world = bundling().await;
    published(&world, 3).await;
    let mut subscription = world.bus.subscribe(QUEUE, 256).await.unwrap();
    let mut taken = take(&mut subscription, 3).await;
    taken.remove(0).retry(Duration::from_millis(50));
    taken.into_iter().for_each(Delivery::ack);
    // Its bundle's other messages are known by their ids.
    let again = take(&mut subscription, 3).await;
    assert_eq!(ids(&again), ["m0000", "m0001", "m0002"]);
    assert!(again.iter().all(|delivery| delivery.attempt == 2));
    again.into_iter().for_each(Delivery::ack);
    until_empty(world.bus.as_ref(), &QUEUE).await;
}

/// A bundle of messages as it lies on the bus, under another's id.
async fn bundle(range: std::ops::Range<usize>) -> Envelope {
    let world = bundling().await;
    world.bus.publish(range.map(|number| message(number, TOPIC)).collect()).await.unwrap();
    let mut bare = world.counted.inner.subscribe(QUEUE, 1).await.unwrap();
    next(&mut bare).await.envelope.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_among_others_travels_alone_and_all_arrives_in_order() {
    let world = bundling().await;
    let mut sent: Vec<_> = (0..4).map(|number| message(number, TOPIC)).collect();
    sent.insert(2, bundle(10..12).await);
    world.bus.publish(sent).await.unwrap();
    assert_eq!(world.counted.count(), 3, "two, the bundle, two");
    let mut subscription = world.bus.subscribe(QUEUE, 256).await.unwrap();
    let got = ids(&take(&mut subscription, 6).await);
    assert_eq!(got, ["m0000", "m0001", "m0010", "m0011", "m0002", "m0003"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundles_in_bundles_are_opened_to_a_bound() {
    // As a release before this one packed them.
    let within = |outer: usize, inner: &Envelope| Envelope {
        id: format!("around-{outer}"),
        body: wire::encode(&wire::Bundle(vec![wire::Bundled {
            id: inner.id.clone(),
            kind: inner.kind.clone(),
            correlation: None,
            headers: BTreeMap::new(),
            body: inner.body.clone(),
        }])),
        ..inner.clone()
    };
    let flat = bundle(0..2).await;
    let nested = within(1, &flat);
    let deep = (2..9).fold(nested.clone(), |inner, outer| within(outer, &inner));
    let mut torn = message(5, TOPIC);
    torn.kind.clone_from(&flat.kind);
    let with_torn = Envelope { kind: flat.kind.clone(), ..within(0, &torn) };
    let world = bundling().await;
    world.counted.inner.publish(vec![nested, deep, with_torn]).await.unwrap();
    let mut subscription = world.bus.subscribe(QUEUE, 256).await.unwrap();
    let got = take(&mut subscription, 4).await;
    assert_eq!(
        ids(&got),
        ["m0000", "m0001", "around-4", "m0005"],
        "what is too deep, or torn, is left to its consumer"
    );
    got.into_iter().for_each(Delivery::ack);
    until_empty(world.bus.as_ref(), &QUEUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_packs_nothing_reads_bundles() {
    let world = bundling().await;
    let plain = BundledBus::that_packs_nothing(Arc::clone(&world.counted) as Arc<dyn Bus>);
    plain.publish((0..3).map(|number| message(number, TOPIC)).collect()).await.unwrap();
    assert_eq!(world.counted.count(), 3);
    published(&world, 3).await;
    assert_eq!(world.counted.count(), 4);
    let mut subscription = plain.subscribe(QUEUE, 256).await.unwrap();
    assert_eq!(ids(&take(&mut subscription, 6).await), ["m0000", "m0001", "m0002", "m0000", "m0001", "m0002"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_whose_publish_breaks_off_fails_those_who_wait_and_serves_the_next() {
    let (inner, _world) = embedded().await;
    let (begun, go, broke) = (Arc::new(Notify::new()), Arc::new(Notify::new()), AtomicUsize::new(0));
    let (tell, until) = (Arc::clone(&begun), Arc::clone(&go));
    let breaking = Below::new(
        inner,
        Box::new(move |_| {
            let is_first = broke.fetch_add(1, Ordering::Relaxed) == 0;
            let (tell, until) = (Arc::clone(&tell), Arc::clone(&until));
            Box::pin(async move {
                if is_first {
                    tell.notify_one();
                    until.notified().await;
                    panic!("as an adapter must not");
                }
            })
        }),
    );
    let bus = Arc::new(BundledBus::new(breaking));
    let other = Arc::clone(&bus);
    let first = tokio::spawn(async move { other.publish(vec![message(0, TOPIC)]).await });
    begun.notified().await;
    let mut second = std::pin::pin!(bus.publish(vec![message(1, TOPIC)]));
    // Asked once, it is in line.
    tokio::select! {
        biased;
        answer = &mut second => panic!("nothing was published yet: {answer:?}"),
        () = std::future::ready(()) => {}
    }
    go.notify_one();
    let answers = async { (first.await.unwrap(), second.await) };
    let answers = tokio::time::timeout(PATIENCE, answers).await.expect("an answer in time");
    assert!(matches!(answers, (Err(BusError::Unavailable(_)), Err(BusError::Unavailable(_)))), "{answers:?}");
    bus.publish(vec![message(2, TOPIC)]).await.unwrap();
    let mut subscription = bus.subscribe(QUEUE, 16).await.unwrap();
    assert_eq!(next(&mut subscription).await.envelope.id, "m0002");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_that_cannot_be_read_is_parked() {
    let world = bundling().await;
    let mut broken = message(0, TOPIC);
    broken.kind = "afluente.common.v1.Bundle".to_owned();
    world.counted.inner.publish(vec![broken]).await.unwrap();
    let mut subscription = world.bus.subscribe(QUEUE, 256).await.unwrap();
    let mut parked = world.bus.subscribe(Queue::RouterParked, 10).await.unwrap();
    let opened = tokio::spawn(async move { subscription.next().await.is_none() });
    assert_eq!(next(&mut parked).await.envelope.headers[headers::PARKED_CODE], "poison");
    opened.abort();
}

/// All places are taken and stay so; what goes to everybody does not need one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_to_every_desk_waits_for_no_queue() {
    let (inner, _world) = embedded().await;
    let never = |topics: Vec<Topic>| async move {
        if topics.iter().any(|topic| !topic.is_fanout()) {
            std::future::pending::<()>().await;
        }
    };
    let stuck = Below::new(inner, Box::new(move |topics| Box::pin(never(topics))));
    let bus = Arc::new(BundledBus::new(Arc::clone(&stuck) as Arc<dyn Bus>));
    for route in 0..16 {
        let bus = Arc::clone(&bus);
        tokio::spawn(async move { bus.publish(vec![message(route.into(), Topic::Inbound(Partition(route)))]).await });
    }
    while stuck.count() < ON_THEIR_WAY {
        tokio::task::yield_now().await;
    }
    let event = vec![message(99, Topic::Events)];
    tokio::time::timeout(PATIENCE, bus.publish(event)).await.expect("it needs no place").unwrap();
    assert!(stuck.count() > ON_THEIR_WAY);
}

/// Queues that confirm nothing take all places, and not for as long as they confirm nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_that_confirm_nothing_hold_up_no_other() {
    let (inner, _world) = embedded().await;
    let last = Topic::Inbound(Partition(15));
    let healthy = last.clone();
    let never = move |topics: Vec<Topic>| {
        let healthy = healthy.clone();
        async move {
            if topics.iter().any(|topic| *topic != healthy) {
                std::future::pending::<()>().await;
            }
        }
    };
    let stuck = Below::new(inner, Box::new(move |topics| Box::pin(never(topics))));
    let bus = Arc::new(BundledBus::new(Arc::clone(&stuck) as Arc<dyn Bus>));
    for route in 0..12 {
        let bus = Arc::clone(&bus);
        tokio::spawn(async move { bus.publish(vec![message(route.into(), Topic::Inbound(Partition(route)))]).await });
    }
    while stuck.count() < ON_THEIR_WAY {
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(PATIENCE, bus.publish(vec![message(99, last)])).await.expect("a place in time").unwrap();
}
