//! The router on the embedded mesh, from the bus to the desk's views.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::time::Duration;

use domain::{
    Command, ConsentChange, Content, DeliveryState, DeskChange, Distribution, Failure, InboundBody, Media, MediaKind,
    MediaSettled, MediaSource, Outcome, Presence, Stage, Target, error::codes,
};
use ports::topology::{Queue, Topic};
use world::{World, commanded, organization, permitted, thread, user};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_becomes_a_conversation_an_event_and_an_answer() {
    let world = World::new(Distribution::Manual).await;
    let events = Queue::Fanout { topic: Topic::Events, replica: "desk-1".into() };
    let mut events = world.env.bus.subscribe(events, 100).await.unwrap();
    let mut channel = world.outbound("ana").await;
    let running = world.start();
    let conversation = running.serve(&world, "ana").await;

    let heard = tokio::time::timeout(Duration::from_secs(30), events.next()).await.unwrap().unwrap();
    let page: domain::DeskPage = wire::decode(&heard.envelope.body).unwrap();
    assert_eq!((page.organization, page.first), (organization(), 1));
    let changes: Vec<_> = page.changes.into_iter().map(|(_, change)| change).collect();
    let [DeskChange::Conversation(opened), DeskChange::Message(_), ..] = &changes[..] else {
        panic!("one page: the conversation, then its message")
    };
    assert_eq!((opened.id, opened.stage, opened.version), (conversation, Stage::Waiting, 1));
    heard.ack();

    let message = running.send(&world, conversation, "bom dia").await;
    let sent = permitted(&mut channel).await;
    assert_eq!((sent.request.message, sent.permit.message), (message, message));
    assert_eq!((sent.request.content, sent.permit.ground.as_str()), (Content::text("bom dia"), "window"));
    world.accepted("ana", message, "gs-1").await;
    world.delivery(conversation, message, DeliveryState::Accepted).await;
    world.receipt("ana", "gs-1", DeliveryState::Read).await;
    let read = world.delivery(conversation, message, DeliveryState::Read).await;
    assert_eq!(read.sequence, 2);
    world.quiet().await;
    world.sound().await;
    running.stop().await;
}

/// The router has to find the message in the store by the event that brought it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_10_media_that_come_later_find_their_message() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let pending = MediaSource::Pending { reference: "https://provider/1".into(), expires_at: None };
    let (kind, mime) = (MediaKind::Image, "image/jpeg".to_owned());
    let picture = Media { kind, mime, name: None, caption: None, size: None, source: pending };
    let mut shown = world.message("ana", "");
    let InboundBody::Message(said) = &mut shown.body else { panic!("a message") };
    said.content = Content::Media(picture);
    world.publish(std::slice::from_ref(&shown)).await;
    let conversation = world.open("ana").await.id;
    let source = MediaSource::Stored { key: "k".into(), sha256: "0".into() };
    let settled = MediaSettled { message_event: shown.id, source: source.clone(), mime: None, size: Some(7) };
    world.publish(&[world.event("ana", InboundBody::MediaSettled(settled))]).await;
    world
        .until("the picture", async || {
            let messages = world.messages(conversation).await;
            messages.into_iter().find(|one| matches!(&one.content, Content::Media(media) if media.source == source))
        })
        .await;
    world.sound().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_change_nothing() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let inbound = world.message("ana", "oi");
    for _ in 0..3 {
        world.publish(&[inbound.clone(), inbound.clone()]).await;
    }
    let conversation = world.open("ana").await;
    world.quiet().await;
    assert_eq!(world.messages(conversation.id).await.len(), 1);
    assert_eq!(world.open("ana").await.version, conversation.version);

    running.online(&world, 0, 5).await;
    let take = commanded(&world, 0, Command::Take { conversation: conversation.id });
    let first = ports::apis::RouterApi::command(&running.router, take.clone()).await.unwrap();
    let again = ports::apis::RouterApi::command(&running.router, take).await.unwrap();
    assert_eq!(first, again, "X-8: the same command answers the same");
    let text = Command::Send { conversation: conversation.id, content: Content::text("a"), reply_to: None };
    let send = commanded(&world, 0, text);
    let first = ports::apis::RouterApi::command(&running.router, send.clone()).await.unwrap();
    let again = ports::apis::RouterApi::command(&running.router, send).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(world.messages(conversation.id).await.len(), 2);
    world.sound().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_take_at_once_exactly_one_wins() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    for agent in 0..5 {
        running.online(&world, agent, 5).await;
    }
    for round in 0..5 {
        let name = format!("contact-{round}");
        world.says(&name, "oi").await;
        let conversation = world.open(&name).await.id;
        let takes = (0..5).map(|agent| running.try_order(&world, agent, Command::Take { conversation }));
        let results = futures_util::future::join_all(takes).await;
        let won: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
        assert_eq!(won.len(), 1);
        for refusal in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(refusal.code, codes::ALREADY_TAKEN);
        }
        assert_eq!(world.open(&name).await.agent, won[0].conversation.as_ref().unwrap().agent);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q_3_capacity_holds_however_fast_an_agent_clicks() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    running.online(&world, 0, 2).await;
    let mut conversations = Vec::new();
    for n in 0..6 {
        let name = format!("contact-{n}");
        world.says(&name, "oi").await;
        conversations.push(world.open(&name).await.id);
    }
    let takes = conversations.iter().map(|id| running.try_order(&world, 0, Command::Take { conversation: *id }));
    let results = futures_util::future::join_all(takes).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2);
    let refused = results.iter().filter_map(|result| result.as_ref().err());
    assert!(refused.into_iter().all(|refusal| refusal.code == codes::AT_CAPACITY));
    let seat = world.env.views.seats(organization()).await.unwrap().remove(0);
    assert_eq!((seat.load, seat.capacity), (2, 2));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q_1_x_6_circular_distribution_assigns_with_its_reasons() {
    let world = World::new(Distribution::Circular).await;
    let running = world.start();
    running.online(&world, 0, 1).await;
    running.online(&world, 1, 5).await;
    running.order(&world, 2, Command::SetPresence { presence: Presence::Paused, capacity: 5 }).await;
    for n in 0..4 {
        world.says(&format!("contact-{n}"), "oi").await;
    }
    let given = world
        .until("assignments", async || {
            let all = world.conversations(&[Stage::Active]).await;
            (all.len() == 4).then_some(all)
        })
        .await;
    let of = |agent| given.iter().filter(|one| one.agent == Some(user(agent))).count();
    assert_eq!((of(0), of(1), of(2)), (1, 3, 0));
    for conversation in &given {
        let assignment = conversation.assignment.as_ref().unwrap();
        assert_eq!(assignment.ground.as_str(), "circular");
        let verdict = |agent| {
            let found = assignment.considered.iter().find(|one| one.user == user(agent));
            found.map(|one| one.verdict.to_string()).unwrap()
        };
        assert_eq!(assignment.considered[0].user, assignment.user);
        assert_eq!((verdict(2).as_str(), verdict(3).as_str()), ("paused", "offline"));
    }
    // A freed seat is filled at once; nobody idles while somebody waits.
    for n in 4..8 {
        world.says(&format!("contact-{n}"), "oi").await;
    }
    world.until("a full house", async || (world.conversations(&[Stage::Active]).await.len() == 6).then_some(())).await;
    world
        .until("two in the queue", async || (world.conversations(&[Stage::Waiting]).await.len() == 2).then_some(()))
        .await;
    let one = given.iter().find(|one| one.agent == Some(user(0))).unwrap().id;
    running.order(&world, 0, Command::Conclude { conversation: one }).await;
    world.until("the next", async || (world.conversations(&[Stage::Waiting]).await.len() == 1).then_some(())).await;
    world.sound().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_before_the_acceptance_are_held_and_applied() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let conversation = running.serve(&world, "ana").await;
    let message = running.send(&world, conversation, "bom dia").await;
    world.receipt("ana", "gs-1", DeliveryState::Delivered).await;
    world
        .until("a held receipt", async || (world.env.views.audit(None).await.unwrap().held_receipts == 1).then_some(()))
        .await;
    world.accepted("ana", message, "gs-1").await;
    world.delivery(conversation, message, DeliveryState::Delivered).await;
    assert_eq!(world.env.views.audit(None).await.unwrap().held_receipts, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_1_t_2_silence_makes_it_inactive_and_then_abandoned() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let conversation = running.serve(&world, "ana").await;
    let stage = |stage| {
        let world = &world;
        world.until("the stage", async move || {
            let all = world.conversations(&[stage]).await;
            all.into_iter().find(|one| one.id == conversation)
        })
    };
    world.clock.advance(Duration::from_secs(1_800));
    let inactive = stage(Stage::Inactive).await;
    assert_eq!(inactive.agent, Some(user(0)));
    world.says("ana", "voltei").await;
    stage(Stage::Active).await;
    world.clock.advance(Duration::from_secs(1_801));
    stage(Stage::Inactive).await;
    world.clock.advance(Duration::from_secs(172_800));
    let closed = stage(Stage::Closed).await;
    assert_eq!(closed.close_reason, Some(domain::CloseReason::Abandoned));
    assert_eq!(world.env.views.seats(organization()).await.unwrap()[0].load, 0);
    world.says("ana", "oi de novo").await;
    assert_ne!(world.open("ana").await.id, conversation);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_1_ses_5_the_agent_hears_the_gates_no_at_once() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let conversation = running.serve(&world, "ana").await;
    let text = || Command::Send { conversation, content: Content::text("a"), reply_to: None };
    world.says("ana", "STOP").await;
    world.quiet().await;
    let refusal = running.try_order(&world, 0, text()).await.unwrap_err();
    assert_eq!((refusal.code, refusal.class), (codes::OPTED_OUT, domain::Class::Conflict));
    world.says("ana", "START").await;
    world.quiet().await;
    running.order(&world, 0, text()).await;
    world.clock.advance(Duration::from_secs(24 * 3600));
    let refusal = running.try_order(&world, 0, text()).await.unwrap_err();
    assert_eq!(refusal.code, codes::WINDOW_CLOSED);
    assert_eq!(world.messages(conversation).await.len(), 4, "what is refused is not written");
    running.stop().await;
}

/// What only the router hears reaches the consent ledger: that the contact began, a provider's word, words of theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_5_what_bears_on_consent_reaches_the_ledger_through_the_router() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    world.says("ana", "oi").await;
    world.says("ana", "tudo bem?").await;
    let change = |granted| ConsentChange { granted, source: "provider_event".into(), evidence: "a form".into() };
    world.publish(&[world.event("ana", InboundBody::Consent(change(false)))]).await;
    world.quiet().await;
    world.clock.advance(Duration::from_secs(1));
    world.says("ana", "START").await;
    world.publish(&[world.event("bia", InboundBody::Consent(change(true)))]).await;
    world.quiet().await;
    let told = async |name| {
        let history = world.env.consents.history(&thread(name)).await.unwrap();
        history.iter().map(|one| (one.change.source.clone(), one.change.granted)).collect::<Vec<_>>()
    };
    let entry = |source: &str, granted| (source.to_owned(), granted);
    assert_eq!(
        told("ana").await,
        [entry("started_chat", true), entry("provider_event", false), entry("keyword", true)]
    );
    assert_eq!(told("bia").await, [entry("provider_event", true)], "who has no conversation, too");
    running.stop().await;
}

/// A replica lost its broker while it was at a message, another one told of a doubt, and the first noted that the provider
/// took it and ended before it could tell. Nobody is asked any more, and a receipt that came meanwhile counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_a_doubt_that_the_ledger_settles_later_ends_by_itself() {
    let world = World::new(Distribution::Manual).await;
    let mut channel = world.outbound("ana").await;
    let running = world.start();
    let (conversation, message) = running.answered(&world, &mut channel, "ana").await;
    let claim = world.claim();
    world.env.ledger.begin(message, 0, &claim, world.now()).await.unwrap();
    world.attempted("ana", message, Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) }).await;
    world.delivery(conversation, message, DeliveryState::Parked).await;
    assert_eq!(world.env.parking.list(Some(organization()), 10).await.unwrap().len(), 1);
    world.receipt("ana", "gs-1", DeliveryState::Delivered).await;
    world.quiet().await;
    let took = Outcome::Accepted { provider_ids: vec!["gs-1".to_owned()] };
    world.env.ledger.finish(message, 0, &claim, &took).await.unwrap();
    world.delivery(conversation, message, DeliveryState::Delivered).await;
    assert_eq!(world.env.parking.list(Some(organization()), 10).await.unwrap(), []);
    running.stop().await;
    world.sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_2_a_doubtful_send_is_parked_and_a_retry_reopens_the_ledger() {
    let world = World::new(Distribution::Manual).await;
    let mut channel = world.outbound("ana").await;
    let running = world.start();
    let (conversation, message) = running.answered(&world, &mut channel, "ana").await;
    let claim = world.claim();
    world.env.ledger.begin(message, 0, &claim, world.now()).await.unwrap();
    let doubt = Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) };
    world.env.ledger.finish(message, 0, &claim, &doubt).await.unwrap();
    world.attempted("ana", message, doubt).await;
    world.delivery(conversation, message, DeliveryState::Parked).await;
    let parked = world.env.parking.list(Some(organization()), 10).await.unwrap();
    assert_eq!((parked.len(), parked[0].code.clone()), (1, codes::IN_DOUBT));
    let again: domain::SendRequest = wire::decode(&parked[0].body).unwrap();
    assert_eq!(again.message, message);

    world.clock.advance(Duration::from_secs(1));
    running.order(&world, 0, Command::Retry { conversation, message }).await;
    let second = permitted(&mut channel).await;
    assert_eq!(second.request.message, message);
    let claim = world.claim();
    assert_eq!(world.env.ledger.begin(message, 0, &claim, world.now()).await.unwrap(), ports::Begun::Fresh);
    let accepted = Outcome::Accepted { provider_ids: vec!["gs-2".into()] };
    world.env.ledger.finish(message, 0, &claim, &accepted).await.unwrap();
    world.attempted("ana", message, accepted).await;
    world.delivery(conversation, message, DeliveryState::Accepted).await;

    // The provider accepted it, then could not deliver it: a retry must not be taken for done.
    world.receipt("ana", "gs-2", DeliveryState::Failed).await;
    world.delivery(conversation, message, DeliveryState::Failed).await;
    running.order(&world, 0, Command::Retry { conversation, message }).await;
    permitted(&mut channel).await;
    assert_eq!(world.env.ledger.begin(message, 0, &world.claim(), world.now()).await.unwrap(), ports::Begun::Fresh);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_and_unknown_accounts_are_parked_alone() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let mut envelope = ports::bus::Envelope {
        id: "poison-1".into(),
        topic: Topic::Inbound(thread("ana").partition(world::PARTITIONS)),
        kind: "afluente.channel.v1.Inbound".into(),
        correlation: None,
        headers: std::collections::BTreeMap::new(),
        body: bytes::Bytes::from_static(b"\xff\xffnot an event"),
    };
    world.env.bus.publish(vec![envelope.clone()]).await.unwrap();
    let mut stranger = world.message("ana", "oi");
    stranger.thread.account = domain::AccountId::derive(&["nobody"]);
    envelope.id = "stranger".into();
    envelope.body = wire::encode(&stranger);
    world.env.bus.publish(vec![envelope]).await.unwrap();
    world.says("ana", "oi").await;
    world.open("ana").await;
    let parked = world
        .until("parked messages", async || {
            let parked = world.env.parking.list(None, 10).await.unwrap();
            (parked.len() == 2).then_some(parked)
        })
        .await;
    let mut found: Vec<_> = parked.iter().map(|one| (one.place.as_str(), one.code.as_str())).collect();
    found.sort_unstable();
    assert_eq!(found, [("router inbound", "account_unknown"), ("router inbound", "poison")]);
    assert!(parked.iter().all(|one| Topic::from_route(&one.route).is_some()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q_10_transfer_and_return_keep_history_and_age() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    let conversation = running.serve(&world, "ana").await;
    let since = world.open("ana").await.waiting_since;
    let to_user = Command::Transfer { conversation, to: Target::User(user(1)) };
    let refusal = running.try_order(&world, 0, to_user.clone()).await.unwrap_err();
    assert_eq!(refusal.code, codes::AGENT_UNAVAILABLE);
    running.online(&world, 1, 1).await;
    running.order(&world, 0, to_user).await;
    world.clock.advance(Duration::from_secs(60));
    let done = running.order(&world, 1, Command::Return { conversation }).await.conversation.unwrap();
    assert_eq!((done.stage, done.waiting_since), (Stage::Waiting, since));
    let stored = world.open("ana").await;
    assert_eq!(stored, done, "the answer is what the store has");
    let loads: Vec<u16> = world.env.views.seats(organization()).await.unwrap().iter().map(|seat| seat.load).collect();
    assert_eq!(loads, [0, 0]);
    running.stop().await;
}
