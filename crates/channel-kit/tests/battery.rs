//! The battery and the kit's own promises, on the smallest channel.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

// The kit's own tests name it as channels do.
extern crate afluente_channel_kit as channel_kit;

// Its templates are another file's.
#[allow(dead_code)]
mod echo;

use std::{sync::Arc, time::Duration};

use channel_kit::{
    http::ProviderResponse,
    testing::{FakeProvider, Reply, World, answer, battery, until},
};
use domain::{Address, Content, InboundBody, Media, MediaKind, MediaSource, Outcome, Timestamp};
use echo::{Echo, account, call, polled_account};
use serde_json::json;

fn headers() -> Vec<(String, String)> {
    vec![
        ("x-echo-secret".to_owned(), "hook-secret-0123456789".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ]
}

fn fine() -> ProviderResponse {
    answer(200, &json!({ "ok": true }))
}

#[tokio::test]
async fn the_way_in() {
    let message = |id: &str| call(&json!({ "id": id, "from": "55119", "text": "oi" }));
    let receipt = |state: &str| call(&json!({ "id": "m1", "from": "55119", "state": state }));
    battery::webhook(battery::WebhookFixture {
        kind: Arc::new(Echo),
        account: account(),
        headers: headers(),
        messages: ["1", "2", "3", "4"].map(message).to_vec(),
        receipts: ["sent", "delivered", "read"].map(receipt).to_vec(),
        malformed: "{\"not\": \"a list\"".into(),
    })
    .await;
}

#[tokio::test]
async fn the_way_out() {
    battery::sends(battery::SendFixture {
        kind: Arc::new(Echo),
        account: account(),
        address: Address::new("55119"),
        accepted: fine(),
        rejected: answer(400, &json!({ "error": "bad number for 12345:token/secret+value=" })),
        throttled: ProviderResponse { retry_after: Some(Duration::from_millis(50)), ..answer(429, &json!({})) },
        revoked: answer(401, &json!({ "error": "unknown token 12345:token/secret+value=" })),
    })
    .await;
}

#[tokio::test]
async fn ch_13_media_is_fetched_kept_and_told_and_gone_media_is_lost() {
    let mut world = World::open().await;
    let provider = FakeProvider::new(Reply::Answer(ProviderResponse {
        content_type: Some("image/png".to_owned()),
        body: "png".into(),
        ..fine()
    }));
    let running = world.start(Arc::new(Echo), world.config(), &[(account(), provider.clone())]).await;
    let body = call(&json!({ "id": "1", "from": "55119", "file": "f1" }));
    running.expect(200, "demo-echo", &headers(), &body, "a picture").await;
    let events = world.arrived(2).await;
    let InboundBody::MediaSettled(settled) = &events[1].body else { panic!("{events:#?}") };
    assert_eq!(settled.message_event, events[0].id);
    let MediaSource::Stored { key, .. } = &settled.source else { panic!("{settled:?}") };
    assert_eq!(world.env.blobs.get(key).await.unwrap(), Some(("image/png".to_owned(), "png".into())));

    provider.then([Reply::Answer(answer(404, &json!({})))]);
    let body = call(&json!({ "id": "2", "from": "55119", "file": "f2" }));
    running.expect(200, "demo-echo", &headers(), &body, "a picture that is gone").await;
    let events = world.arrived(2).await;
    let InboundBody::MediaSettled(settled) = &events[1].body else { panic!("{events:#?}") };
    assert_eq!(settled.source, MediaSource::Lost { reason: "not_found".into() });
    running.drain().await;
}

#[tokio::test]
async fn ch_13_media_goes_out_with_a_signed_link_that_serves_it() {
    let mut world = World::open().await;
    let provider = FakeProvider::new(Reply::Answer(fine()));
    let running = world.start(Arc::new(Echo), world.config(), &[(account(), provider.clone())]).await;
    world.env.blobs.put("o/1", "image/png", "png".into()).await.unwrap();
    let media = |key: &str| {
        let source = MediaSource::Stored { key: key.to_owned(), sha256: String::new() };
        let mime = "image/png".to_owned();
        Content::Media(Media { kind: MediaKind::Image, mime, name: None, caption: None, size: Some(3), source })
    };
    let picture = world.permitted(&account(), &Address::new("55119"), media("o/1"));
    world.send(&picture).await;
    assert!(matches!(world.attempted(1).await[0].outcome, Outcome::Accepted { .. }));
    let asked = channel_kit::testing::tables::asked(&provider.asked()[0]);
    let url = asked["body"]["media"].as_str().unwrap().to_owned();
    let path = url.strip_prefix("http://127.0.0.1:1").unwrap().to_owned();
    assert!(path.starts_with("/media/echo/"), "{path}");
    assert_eq!(running.get(&path).await, (200, "png".into()));
    assert_eq!(running.get(&path.replace("/echo/", "/echo/x")).await.0, 404);

    let gone = world.permitted(&account(), &Address::new("55119"), media("o/2"));
    world.send(&gone).await;
    let outcome = world.attempted(1).await.remove(0).outcome;
    assert!(matches!(&outcome, Outcome::Rejected { failure } if failure.code.as_str() == "media_lost"), "{outcome:?}");
}

#[tokio::test]
async fn ses_5_a_provider_that_says_opted_out_becomes_consent() {
    let mut world = World::open().await;
    let provider = FakeProvider::new(Reply::Answer(answer(410, &json!({ "why": "blocked" }))));
    let _running = world.start(Arc::new(Echo), world.config(), &[(account(), provider)]).await;
    let message = world.permitted(&account(), &Address::new("55119"), Content::text("oi"));
    world.send(&message).await;
    let events = world.arrived(2).await;
    assert!(
        matches!(&events[0].body, InboundBody::Attempted(one) if matches!(one.outcome, Outcome::Unreachable { .. }))
    );
    let InboundBody::Consent(change) = &events[1].body else { panic!("{events:#?}") };
    assert!(!change.granted && change.source == "provider_event" && change.evidence.contains("blocked"), "{change:?}");
}

#[tokio::test]
async fn a_poll_moves_its_cursor_only_after_the_arrivals_are_safe() {
    let mut world = World::open().await;
    let provider = FakeProvider::new(Reply::Hang);
    let page = |id: &str, next: &str| {
        let events = json!([{ "id": id, "from": "55119", "text": "oi" }]);
        Reply::Answer(answer(200, &json!({ "events": events, "next": next })))
    };
    // The broker does not take the first page: it is asked for again from the same place. The disk would take it, but
    // then another replica could take the second page past it.
    world.bus.set_away(true);
    provider.then([page("1", "10"), page("1", "10"), page("2", "20")]);
    let lease = Duration::from_millis(400);
    let config = channel_kit::KitConfig { poll_lease: lease, ..world.config() };
    let running = world.start(Arc::new(Echo), config, &[(polled_account(), provider.clone())]).await;
    // Perhaps the broker is away for this replica alone: another one gets its turn.
    until("it is polled", async || provider.asked().len() == 1).await;
    let key = format!("poll:{}", polled_account().id);
    let claim = async |lasts| world.env.leases.claim(&key, "other", world.env.clock.now(), lasts).await.unwrap();
    until("another may poll", async || claim(Duration::ZERO).await).await;
    let asked_twice = async {
        while provider.asked().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked_twice).await.unwrap();
    world.bus.set_away(false);
    let first = world.arrived(1).await;
    let asked: Vec<_> = provider.asked().iter().map(channel_kit::testing::tables::asked).collect();
    assert_eq!(asked[0]["body"]["after"], json!(null));
    assert_eq!(asked[1]["body"]["after"], json!(null), "the cursor stood still");
    assert!(matches!(first[0].body, InboundBody::Message(_)));
    running.drain().await;
}

#[tokio::test]
async fn a_poll_keeps_its_lease_however_long_it_takes_and_ends_with_it() {
    let world = World::open().await;
    let provider = FakeProvider::new(Reply::Hang);
    let lease = Duration::from_millis(200);
    let config = channel_kit::KitConfig { poll_lease: lease, ..world.config() };
    assert!(
        channel_kit::KitConfig::new([0; 32], "").poll_lease < Duration::from_secs(10),
        "a killed one is waited for"
    );
    let running = world.start(Arc::new(Echo), config, &[(polled_account(), provider.clone())]).await;
    until("it is polled", async || provider.asked().len() == 1).await;
    let key = format!("poll:{}", polled_account().id);
    let claim = async |at: Timestamp, lasts| world.env.leases.claim(&key, "other", at, lasts).await.unwrap();
    for _ in 0..10 {
        assert!(!claim(world.env.clock.now(), Duration::ZERO).await, "two would poll at once");
        tokio::time::sleep(lease / 2).await;
    }
    // One whose clock is ahead takes it for a moment.
    assert!(claim(world.env.clock.now() + lease * 2, lease).await);
    until("the hanging one is given up, and later there is another", async || provider.asked().len() == 2).await;
    running.drain().await;
}

/// What is wrong with an account, or when it may be asked again, the provider says to all replicas.
#[tokio::test]
async fn a_polled_account_that_rests_is_asked_by_no_other_replica() {
    let world = World::open().await;
    let provider = FakeProvider::new(Reply::Answer(answer(401, &json!({}))));
    let lease = Duration::from_millis(600);
    let config = channel_kit::KitConfig { poll_lease: lease, quarantine: Duration::from_secs(3_600), ..world.config() };
    let running = world.start(Arc::new(Echo), config, &[(polled_account(), provider.clone())]).await;
    until("it is polled", async || provider.asked().len() == 1).await;
    let key = format!("poll:{}", polled_account().id);
    for _ in 0..6 {
        tokio::time::sleep(lease / 2).await;
        let claimed = world.env.leases.claim(&key, "other", world.env.clock.now(), Duration::ZERO).await;
        assert_eq!(claimed, Ok(false), "another replica would ask");
    }
    assert_eq!(provider.asked().len(), 1);
    running.drain().await;
}

#[tokio::test]
async fn the_handshake_and_a_new_account_need_no_restart() {
    let world = World::open().await;
    let provider = FakeProvider::new(Reply::Answer(fine()));
    let running = world.start(Arc::new(Echo), world.config(), &[(account(), provider)]).await;
    assert_eq!(running.get("/hooks/echo/demo-echo?challenge=42").await, (200, "42".into()));
    assert_eq!(running.get("/hooks/echo/demo-echo").await.0, 405);

    let mut broken = account();
    broken.id = domain::AccountId::derive(&["broken"]);
    broken.name = "broken".into();
    broken.secrets.remove("token");
    world.env.directory.save_account(&broken).await.unwrap();
    let seen = async {
        while running.post("broken", &headers(), "[]").await.status() != 503 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.unwrap();
    running.expect(200, "demo-echo", &headers(), b"[]", "the others are not touched").await;
}

#[tokio::test]
async fn a_provider_that_stays_away_fails_the_message_at_the_end_of_the_hold() {
    let mut world = World::open().await;
    let provider = FakeProvider::new(Reply::Answer(answer(503, &json!({ "why": "maintenance" }))));
    let config = channel_kit::KitConfig { hold: Duration::from_millis(150), ..world.config() };
    let _running = world.start(Arc::new(Echo), config, &[(account(), provider.clone())]).await;
    let message = world.permitted(&account(), &Address::new("55119"), Content::text("oi"));
    world.send(&message).await;
    let outcome = world.attempted(1).await.remove(0).outcome;
    let Outcome::Rejected { failure } = &outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.code.as_str(), "provider_unavailable");
    assert!(failure.reason.as_deref().is_some_and(|reason| reason.contains("maintenance")), "{failure:?}");
    assert!(provider.asked().len() > 1, "it was tried more than once");
}

#[tokio::test]
async fn a_drain_puts_held_messages_back_and_the_next_replica_sends_them_in_order() {
    let mut world = World::open().await;
    let provider = FakeProvider::new(Reply::Answer(answer(503, &json!({}))));
    let running = world.start(Arc::new(Echo), world.config(), &[(account(), provider.clone())]).await;
    let messages: Vec<_> = (0..3)
        .map(|n| world.permitted(&account(), &Address::new("55119"), Content::text(format!("number {n}"))))
        .collect();
    for message in &messages {
        world.send(message).await;
    }
    let tried = async {
        while provider.asked().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), tried).await.unwrap();
    running.drain().await;
    let well = FakeProvider::new(Reply::Answer(fine()));
    let _next = world.start(Arc::new(Echo), world.config(), &[(account(), well.clone())]).await;
    let outcomes = world.attempted(3).await;
    let sent: Vec<_> = outcomes.iter().map(|one| one.message).collect();
    assert_eq!(sent, messages.iter().map(|one| one.request.message).collect::<Vec<_>>());
    assert!(outcomes.iter().all(|one| matches!(one.outcome, Outcome::Accepted { .. })));
    assert_eq!(well.asked().len(), 3);
}

#[tokio::test]
async fn a_flood_of_calls_is_turned_away_with_a_time_to_come_again() {
    let world = World::open().await;
    let config = channel_kit::KitConfig { webhooks_in_flight: 0, ..world.config() };
    let provider = FakeProvider::new(Reply::Answer(fine()));
    let running = world.start(Arc::new(Echo), config, &[(account(), provider)]).await;
    running.expect(503, "demo-echo", &headers(), b"[]", "one call too many").await;
    world.quiet().await;
}

#[tokio::test]
async fn a_call_may_be_answered_in_its_own_answer_once_it_is_safe() {
    let mut world = World::open().await;
    let provider = FakeProvider::new(Reply::Answer(fine()));
    let running = world.start(Arc::new(Echo), world.config(), &[(account(), provider)]).await;
    for (text, expected) in [("answer me", "{\"answered\":true}"), ("oi", ""), ("panic in the answer", "")] {
        let body = call(&json!({ "id": text, "from": "55119", "text": text }));
        let answer = running.post("demo-echo", &headers(), body).await;
        assert_eq!(answer.status(), 200, "{text}");
        let body = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
        assert_eq!(body, expected, "{text}");
    }
    assert_eq!(world.arrived(3).await.len(), 3);
}

#[tokio::test]
async fn two_replicas_on_one_folder_lose_nothing_that_they_accepted() {
    let mut world = World::open().await;
    let accounts = [(account(), FakeProvider::new(Reply::Hang))];
    let one = world.start(Arc::new(Echo), world.config(), &accounts).await;
    let two = world.start(Arc::new(Echo), world.config(), &accounts).await;
    world.bus.set_away(true);
    for n in 0..10 {
        let body = |who: &str| call(&json!({ "id": format!("{who}{n}"), "from": "55119", "text": "oi" }));
        one.expect(200, "demo-echo", &headers(), &body("a"), "the first replica").await;
        two.expect(200, "demo-echo", &headers(), &body("b"), "the second replica").await;
    }
    two.crash().await;
    let three = world.start(Arc::new(Echo), world.config(), &accounts).await;
    world.bus.set_away(false);
    let ids: std::collections::BTreeSet<_> = world.arrived(20).await.into_iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 20, "all of both");
    three.drain().await;
    one.drain().await;
}
