//! What is accepted is numbered, and the store hears how far the broker has confirmed.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

// The kit's own tests name it as channels do.
extern crate afluente_channel_kit as channel_kit;

#[allow(dead_code, reason = "the battery uses the rest")]
mod echo;

use std::sync::Arc;

use channel_kit::testing::{FakeProvider, Reply, World};
use echo::{Echo, account, call};
use ports::conservation::{IntakeCounts, Period};
use serde_json::json;

async fn counts(world: &World) -> IntakeCounts {
    world.env.views.intake(&Period::default()).await.unwrap()
}

#[tokio::test]
async fn x_1_what_was_accepted_is_counted_whether_it_went_to_the_broker_or_to_the_disk() {
    let mut world = World::open().await;
    let headers = vec![
        ("x-echo-secret".to_owned(), "hook-secret-0123456789".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let message = |id: &str, from: &str| call(&json!({ "id": id, "from": from, "text": "oi" }));
    let running = world.start(Arc::new(Echo), world.config(), &[(account(), FakeProvider::new(Reply::Hang))]).await;
    let name = account().name;
    for (id, from) in [("1", "55119"), ("2", "55118"), ("1", "55119")] {
        running.expect(200, &name, &headers, &message(id, from), "accepted").await;
    }
    world.bus.set_away(true);
    running.expect(200, &name, &headers, &message("3", "55119"), "accepted by the disk").await;
    world.bus.set_away(false);
    world.arrived(4).await;
    running.expect(401, &name, &[], &message("4", "55119"), "not accepted").await;
    running.drain().await;
    // Nobody has carried them out: they are on their way, all four, confirmed by the broker.
    let counts = counts(&world).await;
    assert_eq!((counts.accepted, counts.on_its_way, counts.unconfirmed, counts.unaccounted), (4, 4, 0, 0));
    let other = Period { account: Some(domain::AccountId::derive(&["other"])), ..Period::default() };
    assert_eq!(world.env.views.intake(&other).await.unwrap().accepted, 0);
}
