//! What was parked goes again when an operator asks, and what is old is forgotten.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::{collections::BTreeMap, time::Duration};

use domain::{
    Attempted, Command, DeliveryState, Distribution, Failure, InboundBody, Outcome, Parked, ParkedId, Permitted,
    Ruling, error::codes,
};
use ports::{
    Asked,
    bus::{Envelope, headers},
    journal::Lookup,
    topology::Topic,
};
use runtime::names::metric;
use wire::Wire as _;
use world::{World, account, organization, permitted, thread};

async fn listed(world: &World) -> Vec<Parked> {
    world.env.parking.list(None, 100).await.unwrap()
}

/// Asks as the command line does, a moment later.
async fn request(world: &World, id: ParkedId) {
    world.clock.advance(Duration::from_secs(5));
    ask(world, id, Ruling::Redrive).await;
}

async fn ask(world: &World, id: ParkedId, ruling: Ruling) {
    world.env.parking.request(&[id], &Asked::of(ruling), world.now()).await.unwrap();
}

async fn redriven(world: &World, id: ParkedId) {
    world
        .until("the redrive", async || {
            let requested = world.env.parking.requested(100).await.unwrap();
            requested.iter().all(|(one, _)| one.id != id).then_some(())
        })
        .await;
}

/// Publishes bytes as an inbound event of `ana`.
async fn publish(world: &World, id: &str, body: bytes::Bytes, headers: BTreeMap<String, String>) {
    let topic = Topic::Inbound(thread("ana").partition(world::PARTITIONS));
    let kind = domain::Inbound::KIND.to_owned();
    let envelope = Envelope { id: id.into(), topic, kind, correlation: None, headers, body };
    world.env.bus.publish(vec![envelope]).await.unwrap();
}

fn parked(route: &str, body: Vec<u8>, at: domain::Timestamp) -> Parked {
    Parked {
        id: ParkedId::derive(&[route]),
        organization: Some(organization()),
        place: "whatsapp outbound".into(),
        code: codes::POISON,
        reason: "a test".into(),
        account: None,
        channel: None,
        provider_code: None,
        message: None,
        route: route.into(),
        headers: vec![
            (headers::ORGANIZATION.into(), organization().to_string()),
            (afluente_router::KIND.into(), Permitted::KIND.into()),
        ],
        body,
        at,
        redriven_at: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_a_message_for_an_account_that_was_added_later_goes_again() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let mut stranger = world.message("ana", "oi");
    stranger.thread.account = domain::AccountId::derive(&["late"]);
    publish(&world, "late-1", wire::encode(&stranger), BTreeMap::new()).await;
    let one = world.until("the parked message", async || listed(&world).await.pop()).await;
    world.env.directory.save_account(&world.account("late", stranger.thread.account)).await.unwrap();
    request(&world, one.id).await;
    world
        .until("the conversation", async || {
            let all = world.conversations(&[]).await;
            all.into_iter().find(|found| found.thread == stranger.thread)
        })
        .await;
    redriven(&world, one.id).await;
    assert_eq!(listed(&world).await, []);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_what_still_cannot_be_read_is_listed_again_as_the_same() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    publish(&world, "poison-1", bytes::Bytes::from_static(b"\xff\xffnot an event"), BTreeMap::new()).await;
    let one = world.until("the parked message", async || listed(&world).await.pop()).await;
    assert_eq!(one.place, "router inbound");
    request(&world, one.id).await;
    let again = world
        .until("parked again", async || listed(&world).await.into_iter().find(|again| again.at == world.now()))
        .await;
    assert_eq!(again.id, one.id);
    redriven(&world, one.id).await;
    assert_eq!(listed(&world).await.len(), 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_an_operator_decides_that_a_doubtful_send_goes_again() {
    let world = World::new(Distribution::Manual).await;
    let mut channel = world.outbound("ana").await;
    let running = world.start();
    let (conversation, message) = running.answered(&world, &mut channel, "ana").await;
    for _ in 0..2 {
        // Twice: what goes again may be in doubt again.
        let claim = world.claim();
        assert_eq!(world.env.ledger.begin(message, 0, &claim, world.now()).await.unwrap(), ports::Begun::Fresh);
        let doubt = Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) };
        world.env.ledger.finish(message, 0, &claim, &doubt).await.unwrap();
        world.attempted("ana", message, doubt).await;
        let one = world.until("the parked message", async || listed(&world).await.pop()).await;
        request(&world, one.id).await;
        assert_eq!(permitted(&mut channel).await.request.message, message);
        redriven(&world, one.id).await;
        assert_eq!(listed(&world).await, []);
        world.delivery(conversation, message, DeliveryState::Queued).await;
    }
    world.accepted("ana", message, "gs-1").await;
    world.delivery(conversation, message, DeliveryState::Accepted).await;
    world.sound().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_1_a_parked_send_goes_through_the_gate_again_and_nonsense_is_refused_with_its_reason() {
    let world = World::new(Distribution::Manual).await;
    let mut channel = world.outbound("ana").await;
    let running = world.start();
    let conversation = running.serve(&world, "ana").await;
    let message = running.send(&world, conversation, "bom dia").await;
    let first = permitted(&mut channel).await;
    let good = parked("afluente.outbound/whatsapp.0", wire::encode(&first).to_vec(), world.now());
    let nonsense = parked("afluente.outbound/whatsapp.1", b"\xff\xff".to_vec(), world.now());
    world.env.parking.park(&[good.clone(), nonsense.clone()]).await.unwrap();
    request(&world, nonsense.id).await;
    request(&world, good.id).await;
    let again = permitted(&mut channel).await;
    assert_eq!(again.request.message, message);
    assert_ne!(again.permit, first.permit, "a permit of its own");
    redriven(&world, good.id).await;
    redriven(&world, nonsense.id).await;
    let left = listed(&world).await;
    assert_eq!(left.len(), 1);
    assert!(left[0].reason.starts_with("a test; not redriven: what it asks to send"), "{}", left[0].reason);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn op_3_the_trace_of_a_send_is_kept_for_its_receipts() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let conversation = running.serve(&world, "ana").await;
    let message = running.send(&world, conversation, "bom dia").await;
    let outcome = Outcome::Accepted { provider_ids: vec!["gs-1".into(), "wamid-1".into()] };
    let attempted = world.event("ana", InboundBody::Attempted(Attempted { message, part: 0, planned: 1, outcome }));
    let headers = BTreeMap::from([("traceparent".to_owned(), TRACE.to_owned())]);
    publish(&world, "attempted-1", wire::encode(&attempted), headers).await;
    world.delivery(conversation, message, DeliveryState::Accepted).await;
    let id = |id: &str| (account(), id.to_owned());
    let lookup = Lookup { provider_ids: [id("gs-1"), id("wamid-1"), id("x")].into(), ..Lookup::default() };
    let found = world.env.journal.load(&lookup).await.unwrap();
    let kept = BTreeMap::from([(id("gs-1"), TRACE.to_owned()), (id("wamid-1"), TRACE.to_owned())]);
    assert_eq!(found.traces, kept);
    world.receipt("ana", "wamid-1", DeliveryState::Delivered).await;
    world.delivery(conversation, message, DeliveryState::Delivered).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_old_is_forgotten_and_the_conversations_are_counted() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let conversation = running.serve(&world, "ana").await;
    world.says("bia", "oi").await;
    world.open("bia").await;
    world.receipt("ana", "nobody-knows", DeliveryState::Read).await;
    let (newest, oldest) = world.env.views.event_range(organization()).await.unwrap();
    assert!(newest > 1 && oldest == 1);
    running.order(&world, 0, Command::Conclude { conversation }).await;
    let closed = world.env.metrics.total(metric::CONVERSATIONS_CLOSED, &[("reason", "concluded")]);
    assert!((closed - 1.0).abs() < 0.1, "{closed}");
    world.quiet().await;
    running.stop().await;

    world.clock.advance(Duration::from_secs(8 * 24 * 3600));
    let running = world.start_with(runtime::Env { replica: "replica-2".into(), ..world.env.clone() });
    world
        .until("the sweep", async || {
            let (newest, oldest) = world.env.views.event_range(organization()).await.unwrap();
            let held = world.env.views.audit(None).await.unwrap().held_receipts;
            (oldest == newest + 1 && held == 0).then_some(())
        })
        .await;
    let counted = "afluente_conversations{channel=\"whatsapp\",stage=\"waiting\"} 1";
    world.until("the count", async || world.env.metrics.render().contains(counted).then_some(())).await;
    assert_eq!(world.messages(conversation).await.len(), 1, "the truth is kept");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_does_not_relay_wakes_the_one_that_does() {
    let world = World::new(Distribution::Manual).await;
    let mut channel = world.outbound("ana").await;
    // Left alone, the relay would rest longer than the channel waits in this test.
    let resting = |config: &mut afluente_router::Config| config.relay_rest_millis = 600_000;
    let first = world.start_as(world.env.clone(), resting);
    let conversation = first.serve(&world, "ana").await;
    let second = world.start_as(runtime::Env { replica: "replica-2".into(), ..world.env.clone() }, resting);
    for text in ["um", "dois"] {
        let message = second.send(&world, conversation, text).await;
        assert_eq!(permitted(&mut channel).await.request.message, message);
    }
    first.crash().await;
    second.crash().await;
}
