//! Conservation on a live router: what channels accepted is heard of, or named.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::{collections::BTreeMap, time::Duration};

use domain::{Distribution, Inbound, Ruling};
use ports::{
    Asked,
    bus::{Envelope, headers},
    conservation::{Accepted, GRACE, IntakeCounts, Period, SKEW, Stamp, Stream},
    topology::{Queue, Topic},
};
use wire::Wire as _;
use world::{PARTITIONS, World, account, organization, thread};

fn stream(world: &World) -> Stream {
    Stream {
        slot: Stream::slot_of(world.now()),
        source: "whatsapp-test".to_owned(),
        account: account(),
        partition: thread("ana").partition(PARTITIONS),
    }
}

/// Publishes what `ana` wrote as a channel does that gave it this number.
async fn accepted(world: &World, inbound: &Inbound, number: u64) {
    publish(world, wire::encode(inbound), &inbound.id.to_string(), number).await;
}

async fn publish(world: &World, body: bytes::Bytes, id: &str, number: u64) {
    let stamp = Stamp { stream: stream(world), number };
    let envelope = Envelope {
        id: id.to_owned(),
        topic: Topic::Inbound(stamp.stream.partition),
        kind: Inbound::KIND.to_owned(),
        correlation: None,
        headers: BTreeMap::from([(headers::ACCEPTED.to_owned(), stamp.to_string())]),
        body,
    };
    world.env.bus.publish(vec![envelope]).await.unwrap();
}

/// The channel tells how far the broker has confirmed.
async fn told(world: &World, upto: u64) {
    let note = Accepted { stream: stream(world), upto, void: Vec::new(), at: world.now() };
    world.env.journal.accepted(&[note]).await.unwrap();
}

async fn counts(world: &World) -> IntakeCounts {
    world.env.views.intake(&Period::default()).await.unwrap()
}

/// Time goes on, with looks at the queues in between, until what is seen now counts.
async fn looks(world: &World) {
    world.clock.advance(SKEW);
    // One look sees the queues, one sees the parked queue a minute later, and one finds both old enough.
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        world.clock.advance(GRACE);
    }
}

/// What a service that cannot read bundles parks: the bundle as it is, with a cause of its own.
async fn parked_whole(world: &World, bodies: Vec<bytes::Bytes>) {
    let number = |at: usize| Stamp { stream: stream(world), number: at as u64 + 1 };
    let travelled = |(at, body)| wire::Bundled {
        id: format!("member-{at}"),
        kind: Inbound::KIND.to_owned(),
        correlation: None,
        headers: BTreeMap::from([
            (headers::ACCEPTED.to_owned(), number(at).to_string()),
            (headers::ORGANIZATION.to_owned(), organization().to_string()),
        ]),
        body,
    };
    let bundle = wire::Bundle(bodies.into_iter().enumerate().map(travelled).collect());
    let from = Queue::RouterInbound(thread("ana").partition(PARTITIONS));
    let why = [(headers::PARKED_CODE, "poison"), (headers::PARKED_REASON, "unknown"), (headers::PARKED_FROM, "")];
    let mut headers: BTreeMap<_, _> = why.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    headers.insert(ports::bus::headers::PARKED_FROM.to_owned(), from.to_string());
    let (kind, body) = (wire::Bundle::KIND.to_owned(), wire::encode(&bundle));
    let envelope =
        Envelope { id: "bundle/member-0".into(), topic: Topic::Parked, kind, correlation: None, headers, body };
    world.env.bus.publish(vec![envelope]).await.unwrap();
}

fn numbers(counts: &IntakeCounts) -> [u64; 7] {
    let IntakeCounts { accepted, carried_out, duplicates, parked, on_its_way, unaccounted, unconfirmed, .. } = *counts;
    [accepted, carried_out, duplicates, parked, on_its_way, unaccounted, unconfirmed]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_1_a_message_that_is_deleted_from_the_broker_is_named() {
    let world = World::new(Distribution::Manual).await;
    let stream = stream(&world);
    for number in 1..=5 {
        accepted(&world, &world.message("ana", &format!("{number}")), number).await;
    }
    told(&world, 5).await;
    // Somebody takes the third one away while no router runs.
    let queue = Queue::RouterInbound(thread("ana").partition(PARTITIONS));
    let mut stranger = world.env.bus.subscribe(queue.clone(), 5).await.unwrap();
    let mut in_hand = Vec::new();
    for number in 1..=5 {
        let delivery = stranger.next().await.unwrap();
        if number == 3 { delivery.ack() } else { in_hand.push(delivery) }
    }
    drop(in_hand);
    drop(stranger);
    world
        .until("four are back in the queue", async || {
            let depth = world.env.bus.depth(&queue).await.unwrap();
            (depth.ready == 4 && depth.unsettled == 0).then_some(())
        })
        .await;
    assert_eq!(numbers(&counts(&world).await), [5, 0, 0, 0, 5, 0, 0], "nothing is proven while the queue is not empty");

    let running = world.start_as(world.env.clone(), |config| config.audit_millis = 20);
    world.until("four are heard", async || (counts(&world).await.carried_out == 4).then_some(())).await;
    assert_eq!(counts(&world).await.unaccounted, 0);
    let found = world
        .until("the audit", async || {
            looks(&world).await;
            Some(counts(&world).await).filter(|counts| counts.unaccounted > 0)
        })
        .await;
    assert_eq!(numbers(&found), [5, 4, 0, 0, 0, 1, 0]);
    assert_eq!((&found.missing[0].stream, found.missing[0].range), (&stream, (3, 3)));
    let text = world.env.metrics.render();
    assert!(text.contains("afluente_audit_accepted{outcome=\"carried_out\"} 4"), "{text}");
    // Of another account, and of another time, nothing is said.
    let other = Period { account: Some(domain::AccountId::derive(&["other"])), ..Period::default() };
    assert_eq!(world.env.views.intake(&other).await.unwrap(), IntakeCounts::default());
    let before = Period { until: Some(found.missing[0].stream.slot), ..Period::default() };
    assert_eq!(world.env.views.intake(&before).await.unwrap(), IntakeCounts::default());
    running.stop().await;
    world.sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_1_duplicates_and_what_is_parked_are_accounted_for() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let one = world.message("ana", "oi");
    accepted(&world, &one, 1).await;
    // The provider sends it again; the channel publishes its own doubt again.
    accepted(&world, &one, 2).await;
    accepted(&world, &one, 2).await;
    publish(&world, bytes::Bytes::from_static(b"\xff\xffnot an event"), "poison", 3).await;
    let mut stranger = world.message("ana", "oi");
    stranger.thread.account = domain::AccountId::derive(&["nobody"]);
    publish(&world, wire::encode(&stranger), "stranger", 4).await;
    told(&world, 4).await;
    world
        .until("all is accounted for", async || (numbers(&counts(&world).await) == [4, 1, 1, 2, 0, 0, 0]).then_some(()))
        .await;
    // What was mended and goes again is carried out, and no longer parked.
    world.env.directory.save_account(&world.account("late", stranger.thread.account)).await.unwrap();
    let parked = world.env.parking.list(None, 10).await.unwrap();
    let ids: Vec<_> =
        parked.iter().filter(|one| one.code == domain::error::codes::ACCOUNT_UNKNOWN).map(|one| one.id).collect();
    world.env.parking.request(&ids, &Asked::of(Ruling::Redrive), world.now()).await.unwrap();
    world
        .until("the stranger is carried out", async || {
            (numbers(&counts(&world).await) == [4, 2, 1, 1, 0, 0, 0]).then_some(())
        })
        .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_1_folding_changes_no_count() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    for number in (1..=40).filter(|number| *number != 17) {
        accepted(&world, &world.message("ana", "oi"), number).await;
        // A commit of its own, now and then.
        if number % 3 == 0 {
            world.quiet().await;
        }
    }
    told(&world, 40).await;
    world.quiet().await;
    let before = counts(&world).await;
    assert_eq!(numbers(&before), [40, 39, 0, 0, 1, 0, 0]);
    let since = stream(&world).slot;
    world.env.journal.fold_heard(since).await.unwrap();
    world.env.journal.fold_heard(since).await.unwrap();
    assert_eq!(counts(&world).await, before);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_1_a_bundle_that_was_parked_whole_is_as_many_parked_messages_as_travelled_in_it() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let said: Vec<_> = ["oi", "tudo bem?"].map(|text| world.message("ana", text)).into();
    let mut bodies: Vec<_> = said.iter().map(wire::encode).collect();
    bodies.push(bytes::Bytes::from_static(b"\xff\xffnot an event"));
    parked_whole(&world, bodies).await;
    told(&world, 3).await;
    let parked = world
        .until("three parked", async || {
            let parked = world.env.parking.list(Some(organization()), 10).await.unwrap();
            (parked.len() == 3).then_some(parked)
        })
        .await;
    assert_eq!(numbers(&counts(&world).await), [3, 0, 0, 3, 0, 0, 0]);
    assert!(parked.iter().all(|one| (one.place.as_str(), one.reason.as_str()) == ("router inbound", "unknown")));
    assert_eq!(parked.iter().filter(|one| one.account.is_some()).count(), 2, "each says what it is about");
    // Each goes again alone.
    let ids: Vec<_> = parked.iter().map(|one| one.id).collect();
    world.env.parking.request(&ids, &Asked::of(Ruling::Redrive), world.now()).await.unwrap();
    let conversation = world.open("ana").await.id;
    world.until("both messages", async || (world.messages(conversation).await.len() == 2).then_some(())).await;
    world
        .until("the third is parked again", async || {
            (numbers(&counts(&world).await) == [3, 2, 0, 1, 0, 0, 0]).then_some(())
        })
        .await;
    assert_eq!(world.env.metrics.render().matches("afluente_parked_nobodys_total{").count(), 0);
    // What cannot be taken apart is nobody's, and says so.
    let mut headers = BTreeMap::from([(headers::PARKED_CODE.to_owned(), "poison".to_owned())]);
    headers.insert(headers::PARKED_FROM.to_owned(), "router.inbound.0".to_owned());
    let (kind, body) = (wire::Bundle::KIND.to_owned(), bytes::Bytes::from_static(b"\xff\xff"));
    let torn = Envelope { id: "torn".into(), topic: Topic::Parked, kind, correlation: None, headers, body };
    world.env.bus.publish(vec![torn]).await.unwrap();
    let said = "afluente_parked_nobodys_total{code=\"poison\",place=\"router inbound\"} 1";
    world.until("the metric", async || world.env.metrics.render().contains(said).then_some(())).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_1_what_waits_to_be_kept_as_parked_is_not_lost() {
    let world = World::new(Distribution::Manual).await;
    // The router parks it, and cannot keep it: somebody else reads the parked queue first.
    let mut keeper = world.env.bus.subscribe(Queue::RouterParked, 1).await.unwrap();
    let running = world.start_as(world.env.clone(), |config| config.audit_millis = 20);
    for number in 1..=2 {
        publish(&world, bytes::Bytes::from_static(b"\xff\xff"), &format!("poison-{number}"), number).await;
    }
    told(&world, 2).await;
    let first = keeper.next().await.unwrap();
    for _ in 0..4 {
        looks(&world).await;
    }
    assert_eq!(numbers(&counts(&world).await), [2, 0, 0, 0, 2, 0, 0], "one is in hand, one waits behind it");
    drop((first, keeper));
    world
        .until("both are kept", async || {
            looks(&world).await;
            (numbers(&counts(&world).await) == [2, 0, 0, 2, 0, 0, 0]).then_some(())
        })
        .await;
    running.stop().await;
}
