//! Timers on the mesh as it is deployed.

use std::time::Duration;

use serde_json::json;

use crate::{
    harness::{eventually, now_millis},
    post,
    processes::{Mesh, Servers},
};

/// The queue's half hour and its two days, in seconds.
const INACTIVE: u64 = 5;
const ABANDONED: u64 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn t_10_timers_survive_kill_nine_of_every_service_and_fire_once() {
    let Some(servers) = Servers::given() else { return };
    let mut mesh = Mesh::prepare(servers).await;
    mesh.sql(&format!("UPDATE queues SET inactive_after = {INACTIVE}, abandon_after = {ABANDONED}"));
    mesh.start().await;
    // Two look at the same timers.
    mesh.add(&["router"]).await;
    let dev = mesh.desk();
    let ana = dev.sign_in().await;
    post(&reqwest::Client::new(), &mesh.hook(), "wamid.t", "5511999990002", "oi").await;
    let taken = ana.take(&ana.conversation("5511999990002", "waiting").await).await;
    let version = |conversation: &serde_json::Value| conversation["version"].as_u64().unwrap();
    let started = taken["assignment"]["at"].as_u64().unwrap();

    // The first time comes while nothing runs at all.
    let due = started + INACTIVE * 1_000;
    let left = Duration::from_millis(due.saturating_sub(now_millis()));
    assert!(!left.is_zero(), "all of it was killed before the timer was due");
    mesh.restart_all(left + Duration::from_secs(1)).await;
    let inactive = ana.conversation("5511999990002", "inactive").await;
    assert_eq!(version(&inactive), version(&taken) + 1, "it changed once: {inactive}");

    // The second comes after another crash of all, and not before its time.
    mesh.restart_all(Duration::ZERO).await;
    let path = format!("/conversations/{}", taken["id"].as_str().unwrap());
    let closed = eventually("it is abandoned", || async {
        let now = ana.get(&path).await;
        (now["state"] == "closed").then_some(now)
    })
    .await;
    assert_eq!((&closed["close_reason"], version(&closed)), (&json!("abandoned"), version(&taken) + 2), "{closed}");
    assert!(closed["closed_at"].as_u64().unwrap() >= due + ABANDONED * 1_000, "not before its time: {closed}");
    assert_eq!(mesh.sql("SELECT COUNT(*) FROM timers"), "0");
    // Each router looks every second; neither finds anything more to do.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(version(&ana.get(&path).await), version(&closed), "it does not fire again");
}
