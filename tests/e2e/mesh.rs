//! The real deployment shape: every service its own process, on RabbitMQ, PostgreSQL and Redis.
//!
//! Needs `AFLUENTE_TEST_AMQP`, `AFLUENTE_TEST_POSTGRES` and `AFLUENTE_TEST_REDIS` (`make test` starts private servers
//! and sets them); says so and ends without them.
// A scenario reads top to bottom, so it may be long.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::too_many_lines
)]

mod harness;
#[path = "harness/processes.rs"]
mod processes;
#[path = "mesh/replicas.rs"]
mod replicas;
#[path = "mesh/timers.rs"]
mod timers;
#[path = "mesh/traffic.rs"]
mod traffic;

use harness::{desk::Desk, eventually, gupshup_text};
use processes::{Mesh, Servers, broker};
use serde_json::{Value, json};

/// What the customer wrote, as the desk shows it; none while the desk is away.
async fn inbound(ana: &Desk<'_>, conversation: &Value) -> Option<Vec<String>> {
    let path = format!("/conversations/{}/messages?limit=200", conversation["id"].as_str().unwrap());
    let (status, list) = ana.try_get(&path).await;
    let items = (status == 200).then(|| list["items"].as_array().cloned()).flatten()?;
    let words = items.iter().filter(|one| one["direction"] == "in").map(|one| one["content"]["text"].as_str().unwrap());
    Some(words.map(str::to_owned).collect())
}

/// A message of a customer, again and again until it is accepted, as the provider does it.
async fn post(http: &reqwest::Client, hook: &str, id: &str, from: &str, text: &str) {
    eventually("the hook accepts", || async {
        let body = gupshup_text(id, from, text).to_string();
        let sent = http.post(hook).header("authorization", "Bearer mesh-secret").body(body).send().await;
        sent.is_ok_and(|answer| answer.status().is_success()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn op_1_op_4_every_service_a_process_of_its_own_on_real_servers_and_none_is_missed_when_it_is_killed() {
    let Some(servers) = Servers::given() else { return };
    let mut mesh = Mesh::started(servers).await;
    let http = reqwest::Client::new();
    let (dev, hook) = (mesh.desk(), mesh.hook());
    let ana = dev.sign_in().await;
    let post = async |id: &str, text: &str| post(&http, &hook, id, "5511999990001", text).await;
    post("wamid.0", "0").await;
    let taken = ana.take(&ana.conversation("5511999990001", "waiting").await).await;
    let (status, message) = ana.write(&taken, "olá da malha", "k").await;
    assert_eq!(status, 201, "{message}");
    ana.delivered(&taken, &message, "delivered").await;

    // Each service is killed while the customer goes on writing; the provider repeats what was not accepted.
    for (round, service) in ["router", "session", "whatsapp", "desk"].into_iter().enumerate() {
        let first = round * 20 + 1;
        for number in first..first + 10 {
            post(&format!("wamid.{number}"), &number.to_string()).await;
        }
        mesh.restart(service);
        for number in first + 10..first + 20 {
            post(&format!("wamid.{number}"), &number.to_string()).await;
        }
    }
    mesh.all_ready("desk").await;
    let numbers: Vec<String> = eventually("81 messages", || async {
        let heard = inbound(&ana, &taken).await?;
        (heard.len() >= 81).then_some(heard)
    })
    .await;
    let expected: Vec<String> = (0..81).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected, "once each, in order");

    // The broker is killed: webhooks are spooled to disk and answered 2xx, and arrive in order when it is back.
    broker("kill");
    for number in 81..101 {
        post(&format!("wamid.{number}"), &number.to_string()).await;
    }
    broker("start");
    let expected: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    eventually("what was spooled", || async { (inbound(&ana, &taken).await? == expected).then_some(()) }).await;

    let (_, message) = ana.write(&taken, "depois de tudo", "k2").await;
    ana.delivered(&taken, &message, "delivered").await;
    let log = mesh.provider("/sim/gupshup/log").await.to_string();
    for words in ["olá da malha", "depois de tudo"] {
        assert_eq!(log.matches(words).count(), 1, "{words}");
    }
    let audit = mesh.audit().await;
    assert_eq!((&audit["unaccounted_in"], &audit["out_of_order"]), (&json!(0), &json!(0)), "{audit}");
    assert_eq!(audit["intake"]["unaccounted"], json!(0), "{audit}");
    assert!(audit["intake"]["carried_out"].as_u64() >= Some(101), "{audit}");
}
