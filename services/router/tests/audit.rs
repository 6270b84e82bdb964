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
use world::{PARTITIONS, World, account, thread};

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
    // Two looks: one that sees the queues, and one that finds the sight old enough.
    tokio::time::sleep(Duration::from_millis(60)).await;
    world.clock.advance(GRACE);
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
