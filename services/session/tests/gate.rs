//! The gate on the embedded mesh: permits, refusals, and opt-outs that are faster than the next send.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::disallowed_methods)]

mod world;

use std::{sync::Arc, time::Duration};

use adapter_redis::RedisStore;
use afluente_session::Config;
use domain::{
    ConsentChange, ConsentEntry, Content, Conversation, ConversationId, EventId, InboundBody, Permitted, SendRequest,
    Stage, TemplateCall, Thread, Timestamp, error::codes,
};
use ports::{
    Clock as _, StoreError, Windows,
    apis::{GateApi as _, Verdict},
    journal::Commit,
    topology::Queue,
};
use ring::signature::{ED25519, UnparsedPublicKey};
use world::{PARTITIONS, SEED, World, conversation, text, thread};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_11_a_permit_is_signed_and_ends_with_the_window() {
    let mut world = World::new().await;
    world.start();
    let wrote = world.says("oi").await;
    let request = world.request(text(), Some(wrote));
    world.ask(&request).await;
    let Permitted { request: sent, permit } = world.permitted().await;
    assert_eq!(sent, request);
    assert_eq!((permit.message, permit.ground.as_str()), (request.message, "window"));
    assert_eq!(permit.expires_at, world.clock.now() + Duration::from_secs(20 * 60));
    let key = UnparsedPublicKey::new(&ED25519, world.gate.public_key());
    key.verify(&wire::permit_bytes(&sent, &permit), &permit.signature).unwrap();
    let forged = SendRequest { content: Content::text("outra coisa"), ..sent };
    assert!(key.verify(&wire::permit_bytes(&forged, &permit), &permit.signature).is_err());

    // Shortly before the end of the window a permit ends with it.
    world.clock.advance(Duration::from_secs(24 * 3600 - 60));
    let request = world.request(text(), Some(wrote));
    world.ask(&request).await;
    let permit = world.permitted().await.permit;
    assert_eq!(permit.expires_at, wrote + Duration::from_secs(24 * 3600));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_1_what_may_not_go_comes_back_and_the_order_stays() {
    let mut world = World::new().await;
    let wrote = world.says("oi").await;
    world.clock.advance(Duration::from_secs(25 * 3600));
    let (id, language, preview) = ("t".to_owned(), "pt_BR".to_owned(), "Olá".to_owned());
    let template = Content::Template(TemplateCall { id, language, params: Vec::new(), preview });
    let first = world.request(template.clone(), Some(wrote));
    let second = world.request(text(), Some(wrote));
    let third = world.request(template, Some(wrote));
    for request in [&first, &second, &third] {
        world.ask(request).await;
    }
    world.start();
    let permitted = [world.permitted().await, world.permitted().await];
    assert_eq!(permitted.each_ref().map(|one| one.request.message), [first.message, third.message]);
    assert!(permitted.iter().all(|one| one.permit.ground == "template"));
    assert_eq!(world.refusal().await, (second.message, "window_closed".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_4_who_never_wrote_and_never_agreed_is_not_written_to() {
    let mut world = World::new().await;
    world.start();
    let request = world.request(text(), None);
    world.ask(&request).await;
    assert_eq!(world.refusal().await, (request.message, "no_opt_in".to_owned()));
    let change = ConsentChange { granted: true, source: "import".into(), evidence: "form 12".into() };
    let inbound = world.inbound(InboundBody::Consent(change));
    world.is_told(&inbound).await;
    // Agreed, but the window never was open: only a template may begin.
    for _ in 0..1_500 {
        if world.env.consents.last(&[thread()]).await.unwrap()[0].is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(matches!(
        world.gate.check(&request).await.unwrap(),
        Verdict::Refuse { code, window_closed_at: None } if code == codes::WINDOW_CLOSED
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_5_an_opt_out_takes_effect_before_the_next_send() {
    let mut world = World::new().await;
    // The contact wrote STOP, the router has seen it, and the agent's answer overtakes it on the way to the gate.
    world.says("oi").await;
    let stopped = world.says(" Stop! ").await;
    let request = world.request(text(), Some(stopped));
    world.ask(&request).await;
    world.start();
    assert_eq!(world.refusal().await, (request.message, "opted_out".to_owned()));
    let history = world.env.consents.history(&thread()).await.unwrap();
    let changes: Vec<_> = history.iter().map(|one| (one.change.source.as_str(), one.change.granted)).collect();
    assert_eq!(changes, [("started_chat", true), ("keyword", false)]);
    assert_eq!(history[1].change.evidence, "Stop!");

    // Other words do not undo it, START does.
    let wrote = world.says("oi?").await;
    let request = world.request(text(), Some(wrote));
    assert!(
        matches!(world.gate.check(&request).await.unwrap(), Verdict::Refuse { code, .. } if code == codes::OPTED_OUT)
    );
    let wrote = world.says("START").await;
    let request = world.request(text(), Some(wrote));
    assert!(matches!(world.gate.check(&request).await.unwrap(), Verdict::Permit { .. }));
}

/// The pump that hears what bears on consent stands still. Whatever it has not read, the gate reads for itself, also what
/// the provider says is as old as, or older than, what was read: nothing reaches the provider.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_5_a_stop_that_nobody_has_read_yet_is_heard_before_the_send() {
    for late in [0, 1, 30_000] {
        let mut world = World::new().await;
        let wrote = world.says("oi").await;
        // What the pump did with it before it stood still.
        let change = ConsentChange { granted: true, source: "started_chat".into(), evidence: "message in-1".into() };
        let (cause, channel) = (EventId::derive(&["event", "1"]), "whatsapp".parse().unwrap());
        let entry = ConsentEntry { cause, thread: thread(), channel, change, at: wrote };
        world.env.consents.append(&[entry]).await.unwrap();
        world.env.windows.note(&[(thread(), wrote)], Duration::from_secs(86_400)).await.unwrap();

        world.said("STOP", Timestamp::from_millis(wrote.millis() - late)).await;
        assert_eq!(world.unread().await, 2);
        world.start_tasks("requested");
        let requests = [world.request(text(), Some(wrote)), world.request(text(), Some(wrote))];
        for request in &requests {
            world.ask(request).await;
        }
        for request in &requests {
            assert_eq!(world.refusal().await, (request.message, "opted_out".to_owned()));
        }
        let partition = thread().partition(PARTITIONS);
        let sent = world.env.bus.depth(&Queue::ChannelOutbound("whatsapp".parse().unwrap(), partition)).await.unwrap();
        assert_eq!((sent.ready, sent.unsettled, world.unread().await), (0, 0, 2));

        // The pump comes to the same words later, and notes them once.
        world.start_tasks("inbound");
        while world.unread().await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let history = world.env.consents.history(&thread()).await.unwrap();
        let changes: Vec<_> = history.iter().map(|one| (one.change.source.as_str(), one.change.granted)).collect();
        assert_eq!(changes, [("started_chat", true), ("keyword", false)]);
    }
}

/// On Telegram a contact who writes has unblocked the bot. Nobody is told of ordinary words, and the agent answers long
/// after the window store has forgotten them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_7_a_word_after_a_block_lifts_it_however_old_both_are() {
    let mut world = World::new().await;
    let begun = world.says("oi").await;
    let change = ConsentChange { granted: false, source: "provider_event".into(), evidence: "blocked".into() };
    let (cause, channel) = (EventId::derive(&["blocked"]), "telegram".parse().unwrap());
    let entry = ConsentEntry { cause, thread: thread(), channel, change, at: begun + Duration::from_secs(60) };
    world.env.consents.append(&[entry]).await.unwrap();
    world.clock.advance(Duration::from_secs(120));
    let request = SendRequest { channel: "telegram".parse().unwrap(), ..world.request(text(), Some(begun)) };
    let refused = world.gate.check(&request).await.unwrap();
    assert!(matches!(refused, Verdict::Refuse { code, .. } if code == codes::OPTED_OUT));
    world.says("voltei").await;
    world.clock.advance(Duration::from_secs(8 * 86_400));
    assert!(matches!(world.gate.check(&request).await.unwrap(), Verdict::Permit { .. }));
}

/// In a conversation that is over, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_5_a_stop_is_heard_after_its_conversation_was_closed() {
    let mut world = World::new().await;
    world.says("stop").await;
    world.conversation.stage = Stage::Closed;
    let commit = Commit { conversations: vec![world.conversation.clone()], ..Commit::default() };
    world.env.journal.commit(&commit).await.unwrap();
    world.conversation = Conversation { id: ConversationId::derive(&["another"]), ..conversation() };
    let wrote = world.says("oi").await;
    world.start_tasks("requested");
    let request = world.request(text(), Some(wrote));
    world.ask(&request).await;
    assert_eq!(world.refusal().await, (request.message, "opted_out".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_1_an_emptied_window_store_heals_from_what_the_router_committed() {
    let mut world = World::new().await;
    heals(&mut world).await;
}

/// Redis with nothing in it, while the consent ledger and the router's store have everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_1_an_emptied_redis_heals_from_what_the_router_committed() {
    let Some(url) = ports::conformance::server("AFLUENTE_TEST_REDIS") else { return };
    let namespace = |n| format!("gate-{}-{n}:", std::process::id());
    let redis = RedisStore::connect(&url, namespace(1)).await.unwrap();
    let mut world = World::over(Some(Arc::new(redis))).await;
    heals(&mut world).await;
    // Emptied again, and the contact has said STOP meanwhile: the new one opens no window over it. What was answered is
    // acknowledged first; else it would come again, and be refused too.
    world.until_asked_is_settled().await;
    world.tasks.shutdown().await;
    let stopped = world.says("STOP").await;
    world.env.windows = Arc::new(RedisStore::connect(&url, namespace(2)).await.unwrap());
    world.start_tasks("requested");
    let request = world.request(text(), Some(stopped));
    world.ask(&request).await;
    assert_eq!(world.refusal().await, (request.message, "opted_out".to_owned()));
    assert_eq!(world.env.windows.last(&[thread()]).await.unwrap(), [Some(stopped)]);
}

/// A Redis that nobody started: what contacts write is heard, and what agents write goes out or not as it should.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_1_the_gate_decides_while_redis_is_away() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let redis = RedisStore::open(&format!("redis://{closed}"), "gate:").unwrap();
    decides_without(Arc::new(redis)).await;
}

/// One whose disk or memory is full answers, and takes nothing.
struct Full;

#[async_trait::async_trait]
impl Windows for Full {
    async fn note(&self, _wrote: &[(Thread, Timestamp)], _keep: Duration) -> Result<(), StoreError> {
        Err(StoreError::Refused("MISCONF".into()))
    }

    async fn last(&self, threads: &[Thread]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        Ok(vec![None; threads.len()])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_1_the_gate_decides_while_redis_takes_nothing() {
    decides_without(Arc::new(Full)).await;
}

async fn decides_without(windows: Arc<dyn Windows>) {
    let mut world = World::over(Some(windows)).await;
    let wrote = world.says("oi").await;
    world.start();
    let request = world.request(text(), None);
    world.ask(&request).await;
    let permit = world.permitted().await.permit;
    assert_eq!(permit.ground, "window");
    assert!(permit.expires_at <= wrote + Duration::from_secs(24 * 3_600));
    world.says("STOP").await;
    let request = world.request(text(), None);
    world.ask(&request).await;
    assert_eq!(world.refusal().await, (request.message, "opted_out".to_owned()));
    // The pump waits for no Redis either: what it alone hears, as a provider's word of an opt-out, would wait with it.
    let read = async {
        while world.unread().await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), read).await.expect("read in time");
    assert_eq!(world.env.consents.history(&thread()).await.unwrap().len(), 2);
}

async fn heals(world: &mut World) {
    let wrote = world.says("oi").await;
    world.clock.advance(Duration::from_secs(7_200));
    world.start_tasks("requested");
    let request = world.request(text(), Some(wrote));
    world.ask(&request).await;
    assert_eq!(world.permitted().await.permit.ground, "window");
    assert_eq!(world.env.windows.last(&[thread()]).await.unwrap(), [Some(wrote)]);
    // Ordinary words are told to nobody. The next send finds the window that they opened again.
    world.clock.advance(Duration::from_secs(30 * 3_600));
    let wrote = world.says("ainda aí?").await;
    let request = world.request(text(), None);
    world.ask(&request).await;
    assert_eq!(world.permitted().await.permit.ground, "window");
    assert_eq!(world.env.windows.last(&[thread()]).await.unwrap(), [Some(wrote)]);
}

#[test]
fn a_key_that_is_none_is_refused_and_not_quoted() {
    let error = afluente_session::InvalidKey.to_string();
    assert!(error.starts_with("session signing_key"), "{error}");
    assert!(!format!("{:?}", Config::new(SEED)).contains("4242"));
}
