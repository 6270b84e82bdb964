//! Bad input gets a clear answer, and nothing is lost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod harness;

use std::process::Command;

use harness::{BINARY, Dev, eventually, gupshup_text, spare_port};
use serde_json::json;

#[tokio::test]
async fn a_wrong_secret_is_401_and_a_large_body_413_and_nothing_is_stored() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    let ana = dev.sign_in().await;
    let body = gupshup_text("wamid.x", "5511999990009", "oi").to_string();
    assert_eq!(dev.hook_raw(&hook, "Bearer wrong", body.clone()).await, 401);
    let missing = dev.http.post(hook["hook_url"].as_str().unwrap()).body(body).send().await.unwrap();
    assert_eq!(missing.status(), 401);
    let large = gupshup_text("wamid.y", "5511999990009", &"x".repeat(3 << 20)).to_string();
    assert_eq!(dev.hook_raw(&hook, hook["secret"].as_str().unwrap(), large).await, 413);
    let list = ana.get("/conversations?state=waiting").await;
    assert_eq!(list["items"], json!([]));
    let metrics = dev.http.get(dev.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.lines().any(|line| line.starts_with("afluente_webhook_rejected") && !line.ends_with(" 0")),
        "{metrics}"
    );
}

#[tokio::test]
async fn x_2_malformed_json_with_a_good_secret_is_parked_with_its_reason() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    let status = dev.hook_raw(&hook, hook["secret"].as_str().unwrap(), "{\"app\": oops".to_owned()).await;
    assert!((200..300).contains(&status), "{status}");
    let parked = eventually("the parked webhook", || async {
        let list = dev.cli_json(&["parked", "list", "--json"]);
        list.as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!(parked["code"], "webhook_malformed");
    let shown = dev.cli(&["parked", "show", parked["id"].as_str().unwrap()]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("oops"), "the body is kept: {text}");
}

#[tokio::test]
async fn ses_1_free_text_outside_the_window_is_refused_with_a_reason_in_the_agents_language() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    let ana = dev.sign_in().await;
    // The provider hands over, late, what the customer wrote 25 hours ago.
    let mut old = gupshup_text("wamid.old", "5511999990010", "ontem");
    old["timestamp"] = json!(harness::now_millis() - 25 * 3_600_000);
    assert_eq!(dev.hook(&hook, &old).await, 200);
    let taken = ana.take(&ana.conversation("5511999990010", "waiting").await).await;
    let path = dev.url(&format!("/api/v1/conversations/{}/messages", taken["id"].as_str().unwrap()));
    let answer = dev
        .http
        .post(path)
        .bearer_auth(ana.token())
        .header("accept-language", "es")
        .header("idempotency-key", "w")
        .json(&json!({"content": {"type": "text", "text": "tarde"}}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 409);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["type"]), (&json!("window_closed"), &json!("/errors/window_closed")));
    assert!(problem["title"].as_str().unwrap().contains("ventana"), "{problem}");
}

#[tokio::test]
async fn ses_5_an_opt_out_by_keyword_takes_effect_before_the_next_send() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    let ana = dev.sign_in().await;
    dev.hook(&hook, &gupshup_text("wamid.o1", "5511999990011", "oi")).await;
    let taken = ana.take(&ana.conversation("5511999990011", "waiting").await).await;
    let (status, _) = ana.write(&taken, "olá", "a").await;
    assert_eq!(status, 201);
    dev.hook(&hook, &gupshup_text("wamid.o2", "5511999990011", "STOP")).await;
    // Written at once: refused at the desk or, at the latest, at the gate. The provider never hears of it.
    let (status, body) = ana.write(&taken, "depois do stop", "b").await;
    if status == 201 {
        ana.delivered(&taken, &body, "failed").await;
    }
    let (status, problem) = ana.write(&taken, "ainda depois do stop", "c").await;
    assert_eq!(status, 409, "{problem}");
    let log: serde_json::Value = dev.http.get(dev.url("/sim/gupshup/log")).send().await.unwrap().json().await.unwrap();
    assert!(!log.to_string().contains("depois do stop"), "it reached the provider: {log}");
    assert_eq!(problem["code"], "opted_out");
}

#[tokio::test]
async fn a_long_text_goes_out_in_parts_and_is_never_cut() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    let ana = dev.sign_in().await;
    dev.hook(&hook, &gupshup_text("wamid.l", "5511999990012", "oi")).await;
    let taken = ana.take(&ana.conversation("5511999990012", "waiting").await).await;
    let text = "palavra ".repeat(1_200);
    let (status, message) = ana.write(&taken, text.trim_end(), "long").await;
    assert_eq!(status, 201);
    ana.delivered(&taken, &message, "delivered").await;
    let log: serde_json::Value = dev.http.get(dev.url("/sim/gupshup/log")).send().await.unwrap().json().await.unwrap();
    let words = log.to_string().matches("palavra").count();
    assert_eq!(words, 1_200, "every word, once");
}

#[test]
fn bad_configuration_is_one_line_that_names_the_key_and_exit_code_64() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("afluente.toml");
    std::fs::write(&file, "[mesh]\npartitions = \"many\"\n").unwrap();
    let output = Command::new(BINARY).args(["router", "--check", "--config"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains("partitions"), "{said}");
}

/// Processes that count partitions differently would write where nobody reads.
#[test]
fn a_process_that_counts_partitions_differently_does_not_start() {
    let mut dev = Dev::start();
    let mut child = dev.child.take().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let mut again = Command::new(BINARY);
    again.args(["dev", "--port", "0", "--data"]).arg(&dev.data).env("AFLUENTE_MESH__PARTITIONS", "4");
    let output = again.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("mesh.partitions is 4") && said.contains("this mesh has 8"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

#[tokio::test]
async fn a_taken_port_and_an_unwritable_folder_are_said_plainly() {
    let port = spare_port();
    let _held = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output =
        Command::new(BINARY).args(["dev", "--port", &port.to_string(), "--data"]).arg(folder.path()).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&port.to_string()) && said.contains("in use"), "{said}");

    let file = folder.path().join("a-file");
    std::fs::write(&file, "x").unwrap();
    let output = Command::new(BINARY).args(["dev", "--port", "0", "--data"]).arg(file.join("data")).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("a-file"));
}
