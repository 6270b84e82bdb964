//! What is logged, in a process of its own: nothing of other tests is in it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

// The kit's own tests name it as channels do.
extern crate afluente_channel_kit as channel_kit;

#[allow(dead_code, reason = "the battery uses the rest")]
mod echo;

use std::sync::Arc;

use channel_kit::testing::{FakeProvider, Logs, Reply, World, answer};
use domain::{Address, Content, Outcome};
use echo::{Echo, account};
use serde_json::json;

#[tokio::test]
async fn logs_carry_no_words_and_no_addresses() {
    let logs = Logs::listen();
    let mut world = World::open().await;
    let provider = FakeProvider::new(Reply::Answer(answer(200, &json!({ "said": "an answer of a person" }))));
    let running = world.start(Arc::new(Echo), world.config(), &[(account(), provider)]).await;
    let message = world.permitted(&account(), &Address::new("5511987654321"), Content::text("words of a person"));
    world.send(&message).await;
    assert!(matches!(world.attempted(1).await[0].outcome, Outcome::Accepted { .. }));
    let kept = running.transcripts();
    assert!(kept.contains("words of a person") && kept.contains("5511987654321"), "{kept}");
    let text = logs.text();
    assert!(text.contains("template=\"/send\" status=200"), "the exchange is there: {text}");
    for personal in ["words of a person", "5511987654321", "an answer of a person"] {
        assert!(!text.contains(personal), "'{personal}' is in: {text}");
    }
}
