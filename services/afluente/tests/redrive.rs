//! `afluente parked redrive` beside a running process, and without one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../tests/e2e/harness/mod.rs"]
mod harness;

use std::path::Path;

use domain::{Parked, ParkedId, Timestamp, error::codes};
use harness::{BINARY, Dev, eventually};
use serde_json::Value;

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Something that no reader understands, on its way to `route`.
async fn park(data: &Path, route: &str) -> ParkedId {
    let config = bootstrap::Config { data: data.to_owned(), ..bootstrap::Config::default() };
    let one = Parked {
        id: ParkedId::derive(&[route]),
        organization: None,
        place: "a test".into(),
        code: codes::POISON,
        reason: "it cannot be read".into(),
        account: None,
        channel: None,
        provider_code: None,
        message: None,
        route: route.into(),
        headers: Vec::new(),
        body: vec![0xff, 0xff],
        at: Timestamp::from_millis(1),
        redriven_at: None,
    };
    bootstrap::stores(&config, true).await.unwrap().parking.park(std::slice::from_ref(&one)).await.unwrap();
    one.id
}

#[tokio::test]
async fn x_2_a_webhook_goes_to_its_channel_again_and_is_listed_while_it_is_not_mended() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    dev.hook_raw(&hook, hook["secret"].as_str().unwrap(), "{\"app\": oops".to_owned()).await;
    let listed = || dev.cli_json(&["parked", "list", "--json"]).as_array().unwrap().first().cloned();
    let one = eventually("the parked webhook", || async { listed() }).await;
    let output = dev.cli(&["parked", "redrive", "--group", "webhook_malformed", "--channel", "whatsapp"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("it was, and is parked again"), "{}", said(&output));
    let again = eventually("the same one, parked again", || async {
        listed().filter(|now| now["at"].as_i64() > one["at"].as_i64())
    })
    .await;
    assert_eq!((&again["id"], &again["code"], &again["redriven_at"]), (&one["id"], &one["code"], &Value::Null));
}

#[tokio::test]
async fn x_2_what_belongs_to_the_broker_is_done_by_the_running_router() {
    let dev = Dev::start();
    let id = park(&dev.data, "afluente.inbound/0").await;
    let nowhere = park(&dev.data, "somewhere").await;
    let output = dev.cli(&["parked", "redrive", "--all"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(&format!("{id} on its way")), "{}", said(&output));
    assert!(said(&output).contains(&format!("{nowhere} not done: the route 'somewhere' leads nowhere")));
    // The router cannot read it, and parks it as its own.
    eventually("what the router parked", || async {
        let list = dev.cli_json(&["parked", "list", "--json"]);
        let places: Vec<&str> = list.as_array().unwrap().iter().filter_map(|one| one["place"].as_str()).collect();
        places.contains(&"router inbound").then_some(())
    })
    .await;
    let output = dev.cli(&["parked", "redrive", &id.to_string()]);
    assert!(said(&output).contains("sent on its way before"), "{}", said(&output));
}

#[tokio::test]
async fn x_2_without_a_router_it_is_requested_and_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let id = park(folder.path(), "afluente.inbound/0").await;
    let output = std::process::Command::new(BINARY)
        .args(["parked", "redrive", &id.to_string(), "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success() && said(&output).contains("requested; the router"), "{}", said(&output));
}

#[tokio::test]
async fn x_2_causes_are_counted_and_what_is_discarded_is_kept_with_its_reason() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    for body in ["{\"app\": oops", "neither"] {
        dev.hook_raw(&hook, hook["secret"].as_str().unwrap(), body.to_owned()).await;
    }
    let group = eventually("the group", || async {
        let groups = dev.cli_json(&["parked", "list", "--group", "--json", "--account", "demo-whatsapp"]);
        groups.as_array().unwrap().iter().find(|one| one["count"] == 2).cloned()
    })
    .await;
    assert_eq!((&group["code"], &group["place"]), (&"webhook_malformed".into(), &"whatsapp webhook".into()));
    assert_eq!(dev.cli_json(&["parked", "list", "--json", "--channel", "telegram"]), Value::Array(Vec::new()));
    let list = dev.cli_json(&["parked", "list", "--json", "--since", "1h"]);
    let id = list[0]["id"].as_str().unwrap();
    let output = dev.cli(&["parked", "decide", id, "arrived"]);
    assert!(output.status.code() == Some(64) && said(&output).contains("not in doubt"), "{}", said(&output));
    let output = dev.cli(&["parked", "discard", id, "--reason", "a probe"]);
    assert!(output.status.success() && said(&output).contains("ended"), "{}", said(&output));
    let shown = dev.cli_json(&["parked", "show", id]);
    assert_eq!(
        (&shown["decisions"][0]["ruling"], &shown["decisions"][0]["reason"]),
        (&"discard".into(), &"a probe".into())
    );
    assert_eq!(dev.cli_json(&["parked", "list", "--ended", "--json"])[0]["id"], id);
    assert_eq!(dev.cli_json(&["audit", "--json"])["discarded"], 1);
}
