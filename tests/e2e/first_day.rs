//! A newcomer's first day: three customers, each through their own channel, served at the desk.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod harness;

use harness::{Dev, eventually, gupshup, gupshup_text};
use serde_json::{Value, json};

#[tokio::test]
async fn ch_1_a_whatsapp_customer_is_served_and_the_ticks_move() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    let ana = dev.sign_in().await;
    assert_eq!(dev.hook(&hook, &gupshup_text("wamid.1", "5511999990001", "oi, meu pedido não chegou")).await, 200);

    let waiting = ana.conversation("5511999990001", "waiting").await;
    assert_eq!(waiting["contact"]["name"], "Maria Silva");
    assert_eq!(waiting["preview"], "oi, meu pedido não chegou");
    let taken = ana.take(&waiting).await;
    assert_eq!((&taken["state"], &taken["assignment"]["ground"]), (&json!("active"), &json!("taken")));

    let (status, message) = ana.write(&taken, "Olá Maria, já vou ver.", "k1").await;
    assert_eq!(status, 201, "{message}");
    let (_, again) = ana.write(&taken, "Olá Maria, já vou ver.", "k1").await;
    assert_eq!(again["id"], message["id"], "a retried click is the same message");

    // The simulator answers and reports like the provider: accepted, sent, delivered.
    ana.delivered(&taken, &message, "delivered").await;
    let sent: Value = dev.http.get(dev.url("/sim/gupshup/log")).send().await.unwrap().json().await.unwrap();
    let sends = sent.to_string().matches("já vou ver").count();
    assert_eq!(sends, 1, "the provider heard it once: {sent}");
}

#[tokio::test]
async fn ch_5_a_telegram_customer_is_served() {
    let dev = Dev::start();
    let hook = dev.account("demo-telegram");
    let ana = dev.sign_in().await;
    let update = json!({"update_id": 71, "message": {
        "message_id": 5, "date": harness::now_millis() / 1000, "text": "hola",
        "chat": {"id": 777_000_111, "type": "private", "first_name": "Luz"},
        "from": {"id": 777_000_111, "is_bot": false, "first_name": "Luz", "language_code": "es"}}});
    assert_eq!(dev.hook(&hook, &update).await, 200);
    assert_eq!(dev.hook(&hook, &update).await, 200, "Telegram repeats what it doubts");
    let taken = ana.take(&ana.conversation("777000111", "waiting").await).await;
    let (status, message) = ana.write(&taken, "¡Hola Luz!", "k").await;
    assert_eq!(status, 201, "{message}");
    ana.delivered(&taken, &message, "accepted").await;
    let inbound = ana.messages(&taken).await.into_iter().filter(|one| one["direction"] == "in").count();
    assert_eq!(inbound, 1, "the doubled update is one message");
}

#[tokio::test]
async fn ch_14_and_ch_15_a_contact_card_a_location_and_an_unknown_kind_are_shown() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    let ana = dev.sign_in().await;
    let from = "5511999990002";
    let card = json!({"contacts": [{"name": {"formatted_name": "João Pereira", "first_name": "João"},
        "phones": [{"phone": "+55 11 98888-7777", "type": "CELL"}]}]});
    for (id, kind, payload) in [
        ("wamid.c1", "contact", card),
        ("wamid.c2", "location", json!({"latitude": "-23.5505", "longitude": "-46.6333"})),
        ("wamid.c3", "request_welcome", json!({})),
        ("wamid.c4", "button_reply", json!({"title": "Sim", "id": "m1", "reply": "Sim 1", "postbackText": "yes"})),
    ] {
        assert_eq!(dev.hook(&hook, &gupshup(id, from, kind, payload)).await, 200);
    }
    let taken = ana.take(&ana.conversation(from, "waiting").await).await;
    let messages = eventually("four messages", || async {
        let all = ana.messages(&taken).await;
        (all.len() == 4).then_some(all)
    })
    .await;
    let content: Vec<&Value> = messages.iter().map(|message| &message["content"]).collect();
    assert_eq!(content[0]["cards"][0]["name"], "João Pereira");
    assert_eq!(content[1]["latitude"], -23.5505);
    assert_eq!((&content[2]["type"], &content[2]["kind"]), (&json!("unsupported"), &json!("request_welcome")));
    assert_eq!((&content[3]["label"], &content[3]["payload"]), (&json!("Sim"), &json!("yes")));

    let path = format!("/conversations/{}/contacts", taken["id"].as_str().unwrap());
    let (status, saved) = ana.post(&path, json!({"card": content[0]["cards"][0]}), "save").await;
    assert_eq!((status, &saved["name"]), (201, &json!("João Pereira")));
}

#[tokio::test]
async fn ch_12_a_refused_message_says_why_and_ch_11_states_never_go_back() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    let ana = dev.sign_in().await;
    dev.hook(&hook, &gupshup_text("wamid.r", "5511999990003", "oi")).await;
    let taken = ana.take(&ana.conversation("5511999990003", "waiting").await).await;
    dev.faults(json!({"gupshup": {"reject_next": 1}})).await;
    let (_, message) = ana.write(&taken, "isto vai falhar", "k").await;
    let failed = ana.delivered(&taken, &message, "failed").await;
    assert!(failed["delivery"]["failure"]["code"].is_string(), "{failed}");
    assert!(failed["delivery"]["failure"]["reason"].is_string(), "the provider's words: {failed}");
    let path =
        format!("/conversations/{}/messages/{}/retry", taken["id"].as_str().unwrap(), message["id"].as_str().unwrap());
    let (status, _) = ana.post(&path, json!({}), "retry").await;
    assert_eq!(status, 200);
    ana.delivered(&taken, &message, "delivered").await;

    dev.faults(json!({"gupshup": {"receipts": "reordered", "webhooks_doubled": true}})).await;
    let (_, message) = ana.write(&taken, "recibos fora de ordem", "k2").await;
    ana.delivered(&taken, &message, "read").await;
    // The late and doubled receipts are carried out too, and change nothing: wait until the mesh has been told all.
    let quiet = eventually("every receipt is carried out", || async {
        let before = dev.cli_json(&["audit", "--json"])["processed"].clone();
        tokio::time::sleep(std::time::Duration::from_millis(800)).await;
        (dev.cli_json(&["audit", "--json"])["processed"] == before).then_some(())
    });
    quiet.await;
    ana.delivered(&taken, &message, "read").await;
}

#[tokio::test]
async fn a_conversation_is_transferred_returned_and_concluded() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    let ana = dev.sign_in().await;
    let bruno = dev.sign_in_as("bruno@demo.example", &dev.password).await;
    dev.hook(&hook, &gupshup_text("wamid.t", "5511999990004", "oi")).await;
    let waiting = ana.conversation("5511999990004", "waiting").await;
    let taken = ana.take(&waiting).await;
    let id = taken["id"].as_str().unwrap().to_owned();

    let (status, problem) = bruno.post(&format!("/conversations/{id}/take"), json!({}), "b").await;
    assert_eq!((status, &problem["code"]), (409, &json!("already_taken")));

    let agents = ana.get("/agents").await;
    let to = agents["items"].as_array().unwrap().iter().find(|one| one["name"] == "Bruno Lima").unwrap()["id"].clone();
    let (status, moved) =
        ana.post(&format!("/conversations/{id}/transfer"), json!({"to": {"type": "agent", "id": to}}), "t").await;
    assert_eq!((status, &moved["agent"]["name"]), (200, &json!("Bruno Lima")));
    let (status, _) = bruno.post(&format!("/conversations/{id}/return"), json!({}), "r").await;
    assert_eq!(status, 200);
    let back = ana.conversation("5511999990004", "waiting").await;
    assert_eq!(back["waiting_since"], waiting["waiting_since"], "Q-10: it keeps its age");
    ana.post(&format!("/conversations/{id}/take"), json!({}), "again").await;
    let (status, closed) = ana.post(&format!("/conversations/{id}/conclude"), json!({}), "c").await;
    assert_eq!((status, &closed["state"]), (200, &json!("closed")));
    let (status, problem) = ana.write(&closed, "tarde demais", "late").await;
    assert_eq!((status, &problem["code"]), (409, &json!("conversation_closed")));

    dev.hook(&hook, &gupshup_text("wamid.t2", "5511999990004", "voltei")).await;
    let new = ana.conversation("5511999990004", "waiting").await;
    assert_ne!(new["id"], closed["id"], "the next message opens a new one");
}
