//! The simulator on a real port, called as a channel calls a provider, its webhooks caught by a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use afluente_simulator::{Config, Envelope, Pace, Provider, SimulatedAccount, service};
use axum::{Router, http::HeaderMap, routing::post};
use domain::Secret;
use http::Method;
use runtime::{
    Drain,
    http::{Http, HttpBody, HttpFile, HttpPolicy, HttpRequest, HttpResponse},
    metrics::Metrics,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the hook got, and how it answers.
#[derive(Default)]
struct Hooks {
    got: Mutex<Vec<(String, Value)>>,
    answers: Mutex<VecDeque<u16>>,
}

struct Stage {
    url: String,
    hooks: Arc<Hooks>,
    hook_url: String,
    http: Http,
    drain: Drain,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.drain.0.cancel();
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn stage(envelope: Envelope) -> Stage {
    let hooks = Arc::new(Hooks::default());
    let (hook_listener, hook_origin) = listen().await;
    let seen = hooks.clone();
    let take = move |headers: HeaderMap, body: String| async move {
        let secret = headers.get("authorization").or_else(|| headers.get("x-telegram-bot-api-secret-token"));
        let secret = secret.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        seen.got.lock().unwrap().push((secret, serde_json::from_str(&body).unwrap()));
        let status = seen.answers.lock().unwrap().pop_front().unwrap_or(200);
        axum::http::StatusCode::from_u16(status).unwrap()
    };
    let hook_app = Router::new().route("/hook", post(take));
    let (listener, url) = listen().await;
    let policy = HttpPolicy { allow: vec![url.clone(), hook_origin.clone()], ..HttpPolicy::default() };
    let http = Http::new(policy, Metrics::new()).unwrap();
    let hook_url = format!("{hook_origin}/hook");
    let gupshup = Provider::Gupshup {
        app_name: "LojaDemo".into(),
        source: "5511900000000".into(),
        api_key: Secret::new("key-1"),
        hook_url: Some(hook_url.clone()),
        webhook_secret: Secret::new("hook-1"),
        envelope,
    };
    let telegram = Provider::Telegram { token: Secret::new("1:T") };
    let account = |name: &str, provider| SimulatedAccount { name: name.into(), label: "Loja".into(), provider };
    let config = Config {
        base_url: url.clone(),
        accounts: vec![account("demo-whatsapp", gupshup), account("demo-telegram", telegram)],
        pace: Pace { enqueued_ms: 5, sent_ms: 10, delivered_ms: 15, read_ms: 20, retry_ms: 5 },
        seed: Some(7),
    };
    let service = service(config, http.clone());
    let drain = Drain::default();
    for task in service.tasks {
        tokio::spawn((task.run)(drain.clone()));
    }
    let app = service.http;
    tokio::spawn(async move { axum::serve(listener, app).await });
    tokio::spawn(async move { axum::serve(hook_listener, hook_app).await });
    Stage { url, hooks, hook_url, http, drain }
}

impl Stage {
    async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: HttpBody) -> HttpResponse {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let request = HttpRequest { headers, body, ..HttpRequest::new(method, format!("{}{path}", self.url), "/test") };
        self.http.call(request).await.unwrap()
    }

    async fn json(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let answer = self.call(method, path, &[], HttpBody::Json(body)).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    async fn gupshup(&self, message: Value) -> (u16, Value) {
        let fields = [
            ("channel", "whatsapp"),
            ("source", "5511900000000"),
            ("src.name", "LojaDemo"),
            ("destination", "5511999990000"),
            ("message", &message.to_string()),
        ];
        let form = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let path = "/sim/gupshup/wa/api/v1/msg";
        let answer = self.call(Method::POST, path, &[("apikey", "key-1")], HttpBody::Form(form)).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    async fn faults(&self, faults: Value) {
        assert_eq!(self.json(Method::PUT, "/sim/faults", faults).await.0, 200);
    }

    /// Waits until the hook got `count` calls; answers the last of their bodies.
    async fn hooked(&self, count: usize) -> Vec<Value> {
        for _ in 0..500 {
            let got: Vec<_> = self.hooks.got.lock().unwrap().iter().map(|(_, body)| body.clone()).collect();
            if got.len() >= count {
                return got;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} of {count} webhooks came", self.hooks.got.lock().unwrap().len());
    }

    /// The same, and forgets them.
    async fn next(&self, count: usize) -> Vec<Value> {
        let got = self.hooked(count).await;
        self.hooks.got.lock().unwrap().clear();
        got
    }

    async fn template(&self, id: &str, params: &Value) -> (u16, Value) {
        let fields = [
            ("channel", "whatsapp"),
            ("source", "5511900000000"),
            ("src.name", "LojaDemo"),
            ("destination", "5511999990000"),
            ("template", &json!({"id": id, "params": params}).to_string()),
        ];
        let form = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let path = "/sim/gupshup/wa/api/v1/template/msg";
        let answer = self.call(Method::POST, path, &[("apikey", "key-1")], HttpBody::Form(form)).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }
}

fn states(bodies: &[Value]) -> Vec<&str> {
    bodies.iter().map(|body| body["payload"]["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn x_12_gupshup_takes_a_message_and_sends_receipts() {
    let stage = stage(Envelope::V2).await;
    let (status, answer) = stage.gupshup(json!({"type": "text", "text": "oi"})).await;
    assert_eq!((status, &answer["status"]), (202, &json!("submitted")));
    let id = answer["messageId"].as_str().unwrap();
    let got = stage.hooked(4).await;
    assert_eq!(states(&got), ["enqueued", "sent", "delivered", "read"]);
    assert_eq!(got[0]["payload"]["id"], id);
    assert!(got[1..].iter().all(|body| body["payload"]["gsId"] == id && body["payload"]["id"] != id));
    assert!(stage.hooks.got.lock().unwrap().iter().all(|(secret, _)| secret == "Bearer hook-1"));
    let (_, log) = stage.json(Method::GET, "/sim/gupshup/log", json!({})).await;
    assert_eq!(log["calls"][0]["message_id"], id);
    let (_, all) = stage.json(Method::GET, "/sim/messages", json!({})).await;
    assert_eq!(all["messages"][0]["says"], json!({"kind": "text", "text": "oi"}));
}

#[tokio::test]
async fn x_12_gupshup_refuses_as_documented() {
    let stage = stage(Envelope::V2).await;
    let send = async |key: &str, fields: &[(&str, &str)]| {
        let form = fields.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let path = "/sim/gupshup/wa/api/v1/msg";
        let answer = stage.call(Method::POST, path, &[("apikey", key)], HttpBody::Form(form)).await;
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap()["message"].clone())
    };
    assert_eq!(send("wrong", &[]).await, (401, json!("Authentication Failed")));
    assert_eq!(send("key-1", &[("src.name", "Other")]).await, (400, json!("Invalid App Details")));
    let app = [("src.name", "LojaDemo"), ("source", "5511900000000"), ("channel", "whatsapp"), ("destination", "+x")];
    assert_eq!(send("key-1", &app).await, (400, json!("Invalid Destination")));
    assert_eq!(stage.gupshup(json!({"type": "hologram"})).await.0, 400);
    assert_eq!(stage.gupshup(json!({"type": "text", "text": "x".repeat(4097)})).await.0, 400);
}

#[tokio::test]
async fn x_12_ses_8_gupshup_lists_its_templates_and_tells_what_becomes_of_them() {
    let stage = stage(Envelope::V2).await;
    let app = afluente_simulator::app_id("LojaDemo");
    let list = async |path: &str, key: &str| {
        let answer = stage.call(Method::GET, path, &[("apikey", key)], HttpBody::Empty).await;
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap())
    };
    let path = format!("/sim/gupshup/wa/app/{app}/template");
    assert_eq!(list(&path, "wrong").await.0, 401);
    assert_eq!(list("/sim/gupshup/wa/app/other/template", "key-1").await.0, 401);
    let (status, body) = list(&path, "key-1").await;
    assert_eq!((status, &body["status"]), (200, &json!("success")));
    let all = body["templates"].as_array().unwrap().clone();
    let of = |name: &str, language: &str| {
        let fits = |one: &&Value| one["elementName"] == name && one["languageCode"] == language;
        all.iter().find(fits).cloned().unwrap_or_else(|| panic!("{name} {language}"))
    };
    let states: std::collections::BTreeSet<_> = all.iter().filter_map(|one| one["status"].as_str()).collect();
    assert_eq!(states.into_iter().collect::<Vec<_>>(), ["APPROVED", "PAUSED", "PENDING", "REJECTED"]);
    assert_eq!(of("novidades_da_semana", "pt_BR")["templateType"], "IMAGE");
    let parts: Value = serde_json::from_str(of("pedido_pronto", "pt_BR")["containerMeta"].as_str().unwrap()).unwrap();
    assert_eq!((&parts["header"], &parts["footer"]), (&json!("Seu pedido está pronto"), &json!("Loja Demo")));

    let id = of("retomar_atendimento", "es")["id"].as_str().unwrap().to_owned();
    let change = format!("/sim/gupshup/templates/{id}");
    assert_eq!(stage.json(Method::PUT, &change, json!({"status": "paused"})).await.0, 204);
    assert_eq!(stage.json(Method::PUT, "/sim/gupshup/templates/none", json!({"status": "paused"})).await.0, 404);
    let event = stage.next(1).await.remove(0);
    assert_eq!(event["type"], "template-event");
    let payload = json!({"type": "status-update", "id": id, "status": "paused",
        "elementName": "retomar_atendimento", "languageCode": "es"});
    assert_eq!(event["payload"], payload);
    let (_, body) = list(&path, "key-1").await;
    let now = body["templates"].as_array().unwrap().iter().find(|one| one["id"] == id.as_str()).unwrap();
    assert_eq!(now["status"], "PAUSED");
}

#[tokio::test]
async fn x_12_ses_1_gupshup_delivers_templates_and_fails_those_that_may_not_go_out() {
    let stage = stage(Envelope::V2).await;
    let (_, body) = stage.json(Method::GET, "/sim/gupshup/templates", Value::Null).await;
    let id = |name: &str| {
        let all = body["templates"].as_array().unwrap();
        let found = all.iter().find(|one| one["elementName"] == name && one["languageCode"] == "pt_BR");
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    for (id, params, code) in [
        ("unknown".to_owned(), json!([]), 4003),
        (id("pesquisa_de_satisfacao"), json!(["Ana"]), 4003),
        (id("lembrete_de_pagamento"), json!(["Ana", "7"]), 4005),
        (id("pedido_pronto"), json!(["Ana"]), 132_000),
    ] {
        let (status, answer) = stage.template(&id, &params).await;
        assert_eq!((status, &answer["status"]), (202, &json!("submitted")), "accepted is not delivered");
        let failed = stage.next(2).await.remove(1);
        assert_eq!(
            (&failed["payload"]["type"], &failed["payload"]["payload"]["code"]),
            (&json!("failed"), &json!(code))
        );
    }
    assert_eq!(stage.template(&id("pedido_pronto"), &json!(["Ana", "42", "18h", "42"])).await.0, 202);
    let told = stage.next(4).await;
    assert_eq!(states(&told), ["enqueued", "sent", "delivered", "read"]);
    let (_, chat) = stage.json(Method::GET, "/sim/customers/whatsapp/5511999990000", Value::Null).await;
    let bubbles = chat["bubbles"].as_array().unwrap();
    assert_eq!(bubbles.len(), 1, "{chat}");
    let says = &bubbles[0]["says"];
    assert_eq!((&says["kind"], &says["header"]), (&json!("template"), &json!("Seu pedido está pronto")));
    let text = "Oi, Ana! O pedido 42 já pode ser retirado na loja, até as 18h. Leve um documento com foto.";
    assert_eq!((&says["text"], &says["links"]), (&json!(text), &json!(["Acompanhar", "Ligar"])));

    assert_eq!(stage.template(&id("retomar_atendimento"), &json!(["Ana", "Bia"])).await.0, 202);
    stage.next(4).await;
    let (_, chat) = stage.json(Method::GET, "/sim/customers/whatsapp/5511999990000", Value::Null).await;
    let tap = json!({"type": "tap", "message": chat["bubbles"][1]["id"], "payload": "Podemos, sim"});
    assert_eq!(stage.json(Method::POST, "/sim/customers/whatsapp/5511999990000/messages", tap).await.0, 201);
    let answer = stage.next(1).await.remove(0);
    assert_eq!(answer["payload"]["payload"]["title"], "Podemos, sim");
}

#[tokio::test]
async fn x_12_gupshup_faults() {
    let stage = stage(Envelope::V2).await;
    let text = || json!({"type": "text", "text": "oi"});
    stage
        .faults(
            json!({"gupshup": {"throttle_next": 1, "error_next": 1, "reject_next": 1, "hang_next": 1, "hang_ms": 5}}),
        )
        .await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(stage.gupshup(text()).await.0);
    }
    assert_eq!(statuses, [429, 503, 504, 400, 202]);
    stage.hooked(4).await;

    stage.hooks.got.lock().unwrap().clear();
    stage.faults(json!({"gupshup": {"receipts": "reordered"}})).await;
    stage.gupshup(text()).await;
    assert_eq!(states(&stage.hooked(4).await), ["read", "delivered", "sent", "enqueued"]);

    stage.hooks.got.lock().unwrap().clear();
    stage.faults(json!({"gupshup": {"receipts": "doubled", "fail_next": 1}})).await;
    stage.gupshup(text()).await;
    let got = stage.hooked(4).await;
    assert_eq!(states(&got), ["enqueued", "enqueued", "failed", "failed"]);
    assert_eq!(got[3]["payload"]["payload"]["code"], 1002);

    stage.faults(json!({"gupshup": {"token_revoked": true}})).await;
    assert_eq!(stage.gupshup(text()).await.0, 401);
    assert_eq!(stage.json(Method::PUT, "/sim/faults", json!({"gupshup": {"no_such": 1}})).await.0, 422);
}

#[tokio::test]
async fn x_12_a_customer_writes_and_the_hook_is_tried_again() {
    let stage = stage(Envelope::V2).await;
    stage.hooks.answers.lock().unwrap().extend([503, 500]);
    let path = "/sim/customers/whatsapp/5511999990000/messages";
    let (status, bubble) = stage.json(Method::POST, path, json!({"type": "text", "text": "bom dia"})).await;
    assert_eq!((status, &bubble["tick"]), (201, &json!("sent")));
    let got = stage.hooked(3).await;
    assert!(got.iter().all(|body| *body == got[0]), "the same message again");
    assert_eq!(got[0]["payload"]["payload"]["text"], "bom dia");
    assert_eq!(got[0]["payload"]["source"], "5511999990000");
    for (path, status) in [("/sim/customers/whatsapp/12/messages", 400), ("/sim/customers/sms/5511/messages", 404)] {
        assert_eq!(stage.json(Method::POST, path, json!({"type": "text", "text": "x"})).await.0, status);
    }
}

#[tokio::test]
async fn x_12_media_goes_both_ways_and_expires() {
    let stage = stage(Envelope::V2).await;
    let file = HttpFile {
        field: "file".into(),
        name: "a.png".into(),
        mime: "image/png".into(),
        bytes: bytes::Bytes::from_static(b"picture"),
    };
    let form = HttpBody::Multipart { fields: vec![("caption".into(), "olha".into())], file };
    let answer = stage.call(Method::POST, "/sim/customers/whatsapp/5511999990000/messages", &[], form).await;
    assert_eq!(answer.status, 201);
    let got = stage.hooked(1).await;
    let inner = &got[0]["payload"]["payload"];
    assert_eq!((&inner["caption"], &inner["contentType"]), (&json!("olha"), &json!("image/png")));
    let path = inner["url"].as_str().unwrap().strip_prefix(&stage.url).unwrap().to_owned();
    assert_eq!(stage.call(Method::GET, &path, &[], HttpBody::Empty).await.body.as_ref(), b"picture");
    stage.faults(json!({"gupshup": {"media_expired": true}})).await;
    assert_eq!(stage.call(Method::GET, &path, &[], HttpBody::Empty).await.status, 410);

    stage.hooks.got.lock().unwrap().clear();
    stage.gupshup(json!({"type": "image", "originalUrl": format!("{}/nowhere", stage.url)})).await;
    let got = stage.hooked(2).await;
    assert_eq!(states(&got), ["enqueued", "failed"]);
}

#[tokio::test]
async fn x_12_version_3_is_metas_envelope() {
    let stage = stage(Envelope::V3).await;
    stage.gupshup(json!({"type": "text", "text": "oi"})).await;
    let got = stage.hooked(4).await;
    let status = &got[1]["entry"][0]["changes"][0]["value"]["statuses"][0];
    assert_eq!((&status["status"], status["gs_id"].is_string()), (&json!("sent"), true));
}

#[tokio::test]
async fn x_12_telegram_by_long_poll_and_by_webhook() {
    let stage = stage(Envelope::V2).await;
    let method = |name: &str| format!("/sim/telegram/bot1:T/{name}");
    assert_eq!(stage.json(Method::POST, "/sim/telegram/bot2:X/getMe", json!({})).await.0, 401);
    let (_, me) = stage.json(Method::POST, &method("getMe"), json!({})).await;
    assert_eq!(me["result"]["is_bot"], true);

    let say = json!({"type": "text", "text": "oi"});
    stage.json(Method::POST, "/sim/customers/telegram/7001/messages", say.clone()).await;
    let (_, polled) = stage.json(Method::POST, &method("getUpdates"), json!({"timeout": 5})).await;
    let update = polled["result"][0].clone();
    assert_eq!(update["message"]["text"], "oi");
    let next = json!({"offset": update["update_id"].as_i64().unwrap() + 1, "timeout": 0});
    let (_, polled) = stage.json(Method::POST, &method("getUpdates"), next).await;
    assert_eq!(polled["result"], json!([]));

    let set = json!({"url": stage.hook_url, "secret_token": "hook-2"});
    stage.json(Method::POST, &method("setWebhook"), set).await;
    assert_eq!(stage.json(Method::POST, &method("getUpdates"), json!({})).await.0, 409);
    stage.json(Method::POST, "/sim/customers/telegram/7001/messages", say).await;
    stage.hooked(1).await;
    assert_eq!(stage.hooks.got.lock().unwrap()[0].0, "hook-2");
}

#[tokio::test]
async fn x_12_telegram_buttons_files_blocks_and_faults() {
    let stage = stage(Envelope::V2).await;
    let method = |name: &str| format!("/sim/telegram/bot1:T/{name}");
    let keyboard = json!({"inline_keyboard": [[{"text": "Sim", "callback_data": "y"}]]});
    let ask = json!({"chat_id": "7001", "text": "Confirma?", "reply_markup": keyboard});
    let (_, sent) = stage.json(Method::POST, &method("sendMessage"), ask).await;
    let id = sent["result"]["message_id"].as_u64().unwrap();
    let tap = json!({"type": "tap", "message": id, "payload": "y"});
    stage.json(Method::POST, "/sim/customers/telegram/7001/messages", tap).await;
    let (_, polled) = stage.json(Method::POST, &method("getUpdates"), json!({"timeout": 5})).await;
    assert_eq!(polled["result"][0]["callback_query"]["data"], "y");
    assert_eq!(polled["result"][0]["callback_query"]["message"]["message_id"], id);

    let file = HttpFile {
        field: "photo".into(),
        name: "a.png".into(),
        mime: "image/png".into(),
        bytes: bytes::Bytes::from_static(b"picture"),
    };
    let form = HttpBody::Multipart { fields: vec![("chat_id".into(), "7001".into())], file };
    let answer = stage.call(Method::POST, &method("sendPhoto"), &[], form).await;
    let sent: Value = serde_json::from_slice(&answer.body).unwrap();
    let file_id = sent["result"]["photo"][0]["file_id"].clone();
    let (_, found) = stage.json(Method::POST, &method("getFile"), json!({"file_id": file_id})).await;
    let path = format!("/sim/telegram/file/bot1:T/{}", found["result"]["file_path"].as_str().unwrap());
    assert_eq!(stage.call(Method::GET, &path, &[], HttpBody::Empty).await.body.as_ref(), b"picture");

    stage.faults(json!({"telegram": {"throttle_next": 1, "retry_after": 3}})).await;
    let say = json!({"chat_id": 7001, "text": "oi"});
    let (status, answer) = stage.json(Method::POST, &method("sendMessage"), say.clone()).await;
    assert_eq!((status, &answer["parameters"]["retry_after"]), (429, &json!(3)));
    stage.json(Method::PUT, "/sim/customers/telegram/7001", json!({"blocked": true})).await;
    assert_eq!(stage.json(Method::POST, &method("sendMessage"), say).await.0, 403);
}
