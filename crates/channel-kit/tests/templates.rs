//! Templates at hand, and what goes astray beside good items, on the smallest channel.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

// The kit's own tests name it as channels do.
extern crate afluente_channel_kit as channel_kit;

// Other tests use the rest of it.
#[allow(dead_code)]
mod echo;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use channel_kit::testing::{FakeProvider, Reply, World, answer};
use domain::{InboundBody, error::codes};
use echo::{Echo, account, call, listed_account};
use ports::TemplateList;
use serde_json::{Value, json};

fn headers() -> Vec<(String, String)> {
    vec![("x-echo-secret".to_owned(), "hook-secret-0123456789".to_owned())]
}

fn template(id: &str, status: &str) -> Value {
    json!({ "id": id, "name": id, "language": "pt_BR", "category": "utility", "status": status, "header": null,
        "body": "Olá {{1}}", "footer": null, "buttons": [] })
}

fn listed(templates: &[Value]) -> Reply {
    Reply::Answer(answer(200, &json!(templates)))
}

async fn known(world: &World) -> TemplateList {
    world.env.templates.list(account().organization, account().id).await.unwrap()
}

/// Waits until the store says so; there is nothing to be woken by.
async fn until(world: &World, what: &str, holds: impl Fn(&TemplateList) -> bool) -> TemplateList {
    let looking = async {
        loop {
            let list = known(world).await;
            if holds(&list) {
                return list;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looking).await.unwrap_or_else(|_| panic!("in vain: {what}"))
}

fn states(list: &TemplateList) -> Vec<(&str, Value)> {
    list.templates.iter().map(|one| (one.id.as_str(), json!(one.status))).collect()
}

#[tokio::test]
async fn ses_8_the_list_is_read_at_the_start_and_again_when_the_provider_says_that_it_changed() {
    let world = World::open().await;
    let provider = FakeProvider::new(listed(&[template("a", "paused"), template("b", "approved")]));
    provider.then([listed(&[template("a", "approved")])]);
    let running = world.start(Arc::new(Echo), world.config(), &[(listed_account(), provider.clone())]).await;
    let first = until(&world, "the first reading", |list| list.read_at.is_some()).await;
    assert_eq!(states(&first), [("a", json!("approved"))]);
    let news = call(&json!({ "template": "a", "status": "paused" }));
    running.expect(200, "demo-echo", &headers(), &news, "news about a template").await;
    let heard = known(&world).await;
    assert_eq!(heard.templates[0].status, domain::TemplateStatus::Paused, "at once, before any reading");
    let second = until(&world, "the second reading", |list| list.read_at > first.read_at).await;
    assert_eq!(states(&second), [("a", json!("paused")), ("b", json!("approved"))]);
    running.drain().await;
    assert_eq!(provider.asked().len(), 2, "and no more than that");
}

#[tokio::test]
async fn ses_8_a_failed_reading_leaves_the_list_says_why_without_secrets_and_is_tried_again() {
    let world = World::open().await;
    let provider = FakeProvider::new(listed(&[template("b", "approved")]));
    provider.then([listed(&[template("a", "approved")])]);
    let running = world.start(Arc::new(Echo), world.config(), &[(listed_account(), provider.clone())]).await;
    until(&world, "the first reading", |list| list.read_at.is_some()).await;
    running.drain().await;
    // The store's list is a day old to the next process, whose provider is in trouble at first.
    let words = json!({ "error": "no luck with 12345:token/secret+value=" });
    provider.then([Reply::Answer(answer(503, &words)), Reply::Hang]);
    let config =
        channel_kit::KitConfig { templates: Duration::ZERO, first_pause: Duration::from_millis(1), ..world.config() };
    let running = world.start(Arc::new(Echo), config, &[(listed_account(), provider.clone())]).await;
    let failed = until(&world, "the failure", |list| list.failed.is_some()).await;
    let (_, failure) = failed.failed.clone().unwrap();
    assert_eq!(failure.code, codes::PROVIDER_UNAVAILABLE);
    let reason = failure.reason.unwrap();
    assert!(reason.contains("no luck with [secret]"), "{reason}");
    assert_eq!(states(&failed), [("a", json!("approved"))], "the former list stays");
    until(&world, "another try, which hangs", |_| provider.asked().len() == 3).await;
    running.crash().await;
    let again = world.start(Arc::new(Echo), world.config(), &[(listed_account(), provider)]).await;
    let news = call(&json!({ "template": "x", "status": "approved" }));
    again.expect(200, "demo-echo", &headers(), &news, "news about a template").await;
    let mended = until(&world, "a reading that works", |list| list.failed.is_none()).await;
    assert_eq!(states(&mended), [("b", json!("approved"))]);
    again.drain().await;
}

#[tokio::test]
async fn ses_8_replicas_do_not_repeat_each_other() {
    let world = World::open().await;
    let provider = FakeProvider::new(listed(&[template("a", "approved")]));
    let accounts = [(listed_account(), provider.clone())];
    let one = world.start(Arc::new(Echo), world.config(), &accounts).await;
    until(&world, "the first reading", |list| list.read_at.is_some()).await;
    let two = world.start(Arc::new(Echo), world.config(), &accounts).await;
    let body = call(&json!({ "id": "1", "from": "55119", "text": "oi" }));
    two.expect(200, "demo-echo", &headers(), &body, "a message to the second").await;
    two.drain().await;
    one.drain().await;
    assert_eq!(provider.asked().len(), 1, "the list was fresh");
}

#[tokio::test]
async fn ch_1_x_2_what_cannot_be_read_is_parked_beside_what_can() {
    let mut world = World::open().await;
    let provider = FakeProvider::new(Reply::Hang);
    let running = world.start(Arc::new(Echo), world.config(), &[(account(), provider)]).await;
    let stray = json!({ "text": "hook-secret-0123456789" });
    let body =
        json!([{ "id": "1", "from": "55119", "text": "oi" }, stray, { "id": "2", "from": "55119", "text": "tchau" }]);
    for _ in 0..2 {
        let body = Bytes::from(body.to_string());
        running.expect(200, "demo-echo", &headers(), &body, "a mixed call").await;
    }
    let texts: Vec<_> = world.arrived(2).await.into_iter().map(|event| event.body).collect();
    assert!(texts.iter().all(|body| matches!(body, InboundBody::Message(_))), "{texts:#?}");
    let (first, second) = (world.parked().await, world.parked().await);
    assert_eq!(first.code, codes::WEBHOOK_MALFORMED);
    assert_eq!(first.reason, "nobody says \"[secret]\"");
    assert_eq!((first.route.as_str(), first.account.as_deref()), ("webhook:echo:demo-echo", Some("demo-echo")));
    assert_eq!(first.organization, Some(account().organization));
    assert_eq!(first.body, call(&stray), "alone, in the form of a call");
    assert_eq!(first.id, second.id, "a duplicate is the same parked message");
    running.drain().await;
}
