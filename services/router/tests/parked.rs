//! People decide about what could not go on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    Command, Commanded, ConversationId, DeliveryState, DeskChange, Distribution, Failure, MessageId, Outcome, Parked,
    ParkedDecision, ParkedEntry, ParkedId, Refusal, Role, Ruling, error::codes,
};
use ports::{
    Asked, Bus,
    apis::RouterApi as _,
    bus::{BusError, Depth, Envelope, Subscription},
    topology::{Queue, Topic},
};
use world::{Running, World, commanded, organization, permitted, user};

/// Agent 0 wrote to ana, and nobody knows whether it was sent.
async fn doubtful(world: &World, running: &Running) -> (ConversationId, MessageId, Parked) {
    let mut channel = world.outbound("ana").await;
    let conversation = running.serve(world, "ana").await;
    let message = running.send(world, conversation, "bom dia").await;
    permitted(&mut channel).await;
    let failure =
        Failure { code: codes::IN_DOUBT, provider_code: Some("504".into()), reason: Some("no answer".into()) };
    world.attempted("ana", message, Outcome::InDoubt { failure }).await;
    let parked = world
        .until("the parked message", async || world.env.parking.list(Some(organization()), 10).await.unwrap().pop())
        .await;
    (conversation, message, parked)
}

fn supervisor(world: &World, parked: ParkedId, ruling: Ruling, reason: Option<&str>) -> Commanded {
    let reason = reason.map(str::to_owned);
    let command = commanded(world, 1, Command::DecideParked { parked: vec![parked], ruling, reason });
    Commanded { role: Role::Supervisor, ..command }
}

async fn entry(world: &World, id: ParkedId) -> ParkedEntry {
    world.env.parking.show(id).await.unwrap().unwrap()
}

fn is_decided(answer: &Result<domain::Done, Refusal>) -> bool {
    answer.as_ref().is_err_and(|refusal| refusal.code == codes::ALREADY_DECIDED)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_what_is_in_doubt_says_what_it_is_about_and_waits() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let (_, message, parked) = doubtful(&world, &running).await;
    assert_eq!((parked.code, parked.reason.as_str()), (codes::IN_DOUBT, "no answer"));
    assert_eq!((parked.provider_code.as_deref(), parked.message), (Some("504"), Some(message)));
    assert_eq!(parked.channel.map(|channel| channel.to_string()).as_deref(), Some("whatsapp"));
    let events = world.env.views.events(organization(), 0, 100).await.unwrap();
    let moved = |change: &DeskChange| matches!(change, DeskChange::Parked(moved) if moved.parked == [parked.id]);
    assert_eq!(events.iter().filter(|event| moved(&event.change)).count(), 1, "the desk hears of it once");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_a_supervisor_says_that_it_arrived() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let (conversation, message, parked) = doubtful(&world, &running).await;
    let command = supervisor(&world, parked.id, Ruling::Arrived, Some("she answered"));
    running.router.command(command.clone()).await.unwrap();
    // The same click again answers the same; another one is too late.
    running.router.command(command.clone()).await.unwrap();
    assert!(is_decided(&running.router.command(supervisor(&world, parked.id, Ruling::Again, None)).await));
    world.delivery(conversation, message, DeliveryState::Sent).await;
    let decision = ParkedDecision {
        parked: parked.id,
        organization: Some(organization()),
        ruling: Ruling::Arrived,
        reason: Some("she answered".into()),
        by: Some(user(1)),
        at: command.at,
    };
    assert_eq!(world.env.parking.decisions(parked.id).await.unwrap(), [decision]);
    assert!(!entry(&world, parked.id).await.is_listed());
    world.quiet().await;
    world.delivery(conversation, message, DeliveryState::Sent).await;
    world.sound().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_of_two_who_decide_at_once_one_wins() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let (conversation, message, parked) = doubtful(&world, &running).await;
    let arrived = supervisor(&world, parked.id, Ruling::Arrived, None);
    let failed = supervisor(&world, parked.id, Ruling::Failed, Some("she got nothing"));
    let (arrived, failed) = tokio::join!(running.router.command(arrived), running.router.command(failed));
    assert_eq!(u8::from(is_decided(&arrived)) + u8::from(is_decided(&failed)), 1, "{arrived:?} {failed:?}");
    let state = if arrived.is_ok() { DeliveryState::Sent } else { DeliveryState::Failed };
    world.delivery(conversation, message, state).await;
    assert_eq!(world.env.parking.decisions(parked.id).await.unwrap().len(), 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_a_receipt_or_the_agents_own_retry_ends_what_is_parked() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let (conversation, message, parked) = doubtful(&world, &running).await;
    running.order(&world, 0, Command::Retry { conversation, message }).await;
    assert!(entry(&world, parked.id).await.closed_at.is_some(), "the agent tried again");
    world.clock.advance(Duration::from_secs(5));
    world.attempted("ana", message, Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) }).await;
    let again = world
        .until("the second one", async || world.env.parking.list(Some(organization()), 10).await.unwrap().pop())
        .await;
    assert_ne!(again.id, parked.id, "another turn, another doubt");
    world.accepted("ana", message, "gs-1").await;
    world.delivery(conversation, message, DeliveryState::Accepted).await;
    assert!(entry(&world, again.id).await.closed_at.is_some(), "the provider told what became of it");
    assert_eq!(world.env.parking.decisions(again.id).await.unwrap(), []);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_what_is_asked_at_the_command_line_is_carried_out() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let (conversation, message, parked) = doubtful(&world, &running).await;
    let asked = Asked { ruling: Ruling::Failed, reason: Some("she got nothing".into()), by: None };
    world.env.parking.request(&[parked.id], &asked, world.now()).await.unwrap();
    let failed = world.delivery(conversation, message, DeliveryState::Failed).await;
    let failure = failed.delivery.unwrap().failure.unwrap();
    assert_eq!((failure.code, failure.reason.as_deref()), (codes::DISCARDED, Some("she got nothing")));
    assert_eq!(failure.provider_code.as_deref(), Some("504"), "the provider's own code stays");
    let decided = world.env.parking.decisions(parked.id).await.unwrap();
    assert_eq!((decided.len(), decided[0].by), (1, None));
    assert_eq!(world.env.views.audit(None).await.unwrap().discarded, 1);

    // What belongs to nobody can be ended, and nothing else.
    let nobodys = Parked { id: ParkedId::derive(&["nobody"]), organization: None, message: None, ..parked };
    world.env.parking.park(std::slice::from_ref(&nobodys)).await.unwrap();
    let ask = async |ruling| {
        let asked = Asked { ruling, reason: Some("nobody's".into()), by: None };
        world.env.parking.request(&[nobodys.id], &asked, world.now()).await.unwrap();
        world
            .until("the answer", async || Some(entry(&world, nobodys.id).await).filter(|one| one.requested.is_none()))
            .await
    };
    let refused = ask(Ruling::Arrived).await;
    assert!(refused.is_listed() && refused.parked.reason.contains("organization is not known"), "{refused:?}");
    assert!(ask(Ruling::Discard).await.closed_at.is_some());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_a_call_whose_hook_cannot_be_reached_stays_listed_and_holds_nobody_up() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let (_, _, sample) = doubtful(&world, &running).await;
    let call = Parked {
        id: ParkedId::derive(&["call"]),
        code: codes::WEBHOOK_MALFORMED,
        message: None,
        route: "webhook:whatsapp:demo".into(),
        ..sample.clone()
    };
    let event = world.message("bia", "oi");
    let good = Parked {
        id: ParkedId::derive(&["good"]),
        code: codes::POISON,
        message: None,
        route: "afluente.inbound/0".into(),
        body: wire::encode(&event).to_vec(),
        ..sample
    };
    world.env.parking.park(&[call.clone(), good.clone()]).await.unwrap();
    let command = Command::DecideParked { parked: vec![call.id, good.id], ruling: Ruling::Redrive, reason: None };
    let command = Commanded { role: Role::Administrator, ..commanded(&world, 1, command) };
    running.router.command(command).await.unwrap();
    world.open("bia").await;
    let listed = world
        .until("the refusal", async || Some(entry(&world, call.id).await).filter(|one| one.requested.is_none()))
        .await;
    assert!(listed.is_listed() && listed.parked.reason.contains("no way to the channels' hooks"), "{listed:?}");
    let sent =
        world.until("the redrive", async || Some(entry(&world, good.id).await).filter(|one| !one.is_listed())).await;
    assert!(sent.parked.redriven_at.is_some());
    running.stop().await;
}

/// A broker where nothing is bound to the gate's topic.
struct WithoutGate(Arc<dyn Bus>);

#[async_trait]
impl Bus for WithoutGate {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        if batch.iter().any(|envelope| matches!(envelope.topic, Topic::Requested(_))) {
            return Err(BusError::Unroutable("nobody takes it".to_owned()));
        }
        self.0.publish(batch).await
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError> {
        self.0.subscribe(queue, prefetch).await
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
        self.0.depth(queue).await
    }

    async fn check(&self) -> Result<(), BusError> {
        self.0.check().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_a_row_that_nothing_takes_is_parked_and_the_desk_hears_of_it() {
    let world = World::new(Distribution::Manual).await;
    let bus = Arc::new(WithoutGate(Arc::clone(&world.env.bus))) as Arc<dyn Bus>;
    let running = world.start_as(runtime::Env { bus, ..world.env.clone() }, |_| ());
    let conversation = running.serve(&world, "ana").await;
    let message = running.send(&world, conversation, "bom dia").await;
    let parked = world
        .until("the parked row", async || world.env.parking.list(Some(organization()), 10).await.unwrap().pop())
        .await;
    assert_eq!((parked.place.as_str(), parked.message), ("router outbox", Some(message)));
    let events = world.env.views.events(organization(), 0, 100).await.unwrap();
    let moved = |change: &DeskChange| matches!(change, DeskChange::Parked(moved) if moved.parked == [parked.id]);
    assert_eq!(events.iter().filter(|event| moved(&event.change)).count(), 1);
    running.stop().await;
}
