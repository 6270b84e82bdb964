//! Tables: Gupshup's calls and what arrives, parts and the requests and outcomes that they make.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use afluente_whatsapp::Whatsapp;
use async_trait::async_trait;
use bytes::Bytes;
use channel_kit::{
    Arrival, Arrived, ChannelType, FetchError, Heard, Ingress, MediaHandle, OpenAccount, Part, TemplateNews,
    WebhookRequest,
    http::{AccountHttp, Exchange, NoAnswer, ProviderRequest, ProviderResponse, RequestBody},
    testing::battery,
};
use domain::{Account, AccountId, Address, Content, Media, OrganizationId, Outcome, QueueId, Secret, TemplateStatus};
use serde_json::{Value, json};

const INBOUND: &str = include_str!("../testdata/inbound.json");
const TEMPLATES: &str = include_str!("../testdata/templates.json");
const OUTBOUND: &str = include_str!("../testdata/outbound.json");

fn account() -> Account {
    let settings = [("app_name", "LojaDemo"), ("source", "+5511900000000"), ("base_url", "https://gupshup.test/")];
    let secrets = [("api_key", "key-of-the-tests"), ("webhook_secret", "hook-secret-1")];
    Account {
        id: AccountId::derive(&["a"]),
        organization: OrganizationId::derive(&["o"]),
        channel: "whatsapp".parse().unwrap(),
        name: "demo-whatsapp".into(),
        label: "Demo".into(),
        queue: QueueId::derive(&["q"]),
        settings: settings.map(|(key, value)| (key.into(), value.into())).into(),
        secrets: secrets.map(|(key, value)| (key.into(), Secret::new(value))).into(),
        active: true,
    }
}

fn open() -> OpenAccount {
    Whatsapp.open(&account()).unwrap()
}

fn call(body: impl Into<Bytes>, header: Option<&str>) -> WebhookRequest {
    let headers = header.map(|value| ("authorization".to_owned(), value.to_owned())).into_iter().collect();
    WebhookRequest { headers, query: BTreeMap::new(), body: body.into() }
}

fn shown(arrival: &Arrival) -> Value {
    let (kind, what) = match &arrival.what {
        Arrived::Message(message) => ("message", json!(message)),
        Arrived::Receipt(receipt) => ("receipt", json!(receipt)),
        Arrived::Consent(change) => ("consent", json!(change)),
    };
    json!({"key": arrival.key, "address": arrival.address.as_str(), "at": arrival.at, kind: what})
}

/// Answers every request alike and keeps them.
struct Table {
    answer: Result<ProviderResponse, NoAnswer>,
    asked: Mutex<Vec<ProviderRequest>>,
}

#[async_trait]
impl Exchange for Table {
    async fn exchange(&self, request: ProviderRequest) -> Result<ProviderResponse, NoAnswer> {
        self.asked.lock().unwrap().push(request);
        self.answer.clone()
    }
}

fn table(answer: Result<ProviderResponse, NoAnswer>) -> (Arc<Table>, AccountHttp) {
    let table = Arc::new(Table { answer, asked: Mutex::default() });
    (table.clone(), AccountHttp::new(table))
}

fn answer(status: u16, body: &str) -> ProviderResponse {
    ProviderResponse { status, retry_after: None, content_type: None, body: Bytes::from(body.to_owned()) }
}

fn part(content: Content, reply_to: Option<&str>) -> Part {
    let media = matches!(content, Content::Media(_))
        .then(|| MediaHandle { url: "https://media.test/1".into(), bytes: Bytes::from_static(b"bytes") });
    let address = Address::new("5511999990000");
    Part { key: "msg_1/0".into(), address, content, media, reply_to: reply_to.map(Into::into) }
}

#[test]
fn ch_1_ch_11_ch_12_ch_13_ch_14_ch_15_ses_5_each_call_arrives_as_the_table_says() {
    let Ingress::Webhook(hook) = open().ingress else { panic!("not a webhook") };
    for case in serde_json::from_str::<Vec<Value>>(INBOUND).unwrap() {
        let name = case["case"].as_str().unwrap();
        let arrivals = hook.translate(&call(case["body"].to_string(), None));
        match case.get("malformed") {
            Some(reason) => assert_eq!(json!(arrivals.unwrap_err().0), *reason, "{name}"),
            None => {
                let arrived: Vec<_> = arrivals.unwrap().arrivals.iter().map(shown).collect();
                assert_eq!(json!(arrived), case["arrives"], "{name}: {:#}", json!(arrived));
            }
        }
    }
}

#[test]
fn ch_1_a_call_needs_the_secret() {
    let Ingress::Webhook(hook) = open().ingress else { panic!("not a webhook") };
    assert_eq!(hook.secret_header(), "authorization");
    for good in ["Bearer hook-secret-1", "hook-secret-1"] {
        assert!(hook.verify(&call("{}", Some(good))).is_some(), "{good}");
    }
    for bad in [
        None,
        Some(""),
        Some("Bearer "),
        Some("Bearer hook-secret-2"),
        Some("hook-secret-1x"),
        Some("Basic hook-secret-1"),
    ] {
        assert!(hook.verify(&call("{}", bad)).is_none(), "{bad:?}");
    }
}

#[test]
fn ch_1_a_body_that_is_no_envelope_is_malformed() {
    let Ingress::Webhook(hook) = open().ingress else { panic!("not a webhook") };
    for body in ["", "{", "[]", "{}", "42", r#"{"type":"message"}"#] {
        assert!(hook.translate(&call(body, None)).is_err(), "{body}");
    }
}

/// A version 3 call with these messages and statuses.
fn envelope(messages: &Value, statuses: &Value) -> WebhookRequest {
    let value = json!({"messaging_product": "whatsapp", "messages": messages, "statuses": statuses,
        "contacts": [{"wa_id": "5511999990000", "profile": {"name": "Ana"}}]});
    let changes = json!([{"field": "messages", "value": value}]);
    call(json!({"gs_app_id": "app-1", "entry": [{"changes": changes}]}).to_string(), None)
}

#[test]
fn ch_1_a_bad_item_does_not_take_the_good_ones_with_it() {
    let Ingress::Webhook(hook) = open().ingress else { panic!("not a webhook") };
    let said = |id: &str| json!({"id": id, "from": "5511999990000", "type": "text", "text": {"body": id}});
    let unnamed = json!({"from": "5511999990000", "timestamp": "1718003620", "type": "text", "text": {"body": "x"}});
    let nobody = json!({"id": "nobody", "type": "text"});
    let messages = json!([said("a"), unnamed, said("b"), nobody, 42, null, said("c")]);
    let statuses = json!([
        {"status": "read", "recipient_id": "5511999990000"},
        {"status": "read", "id": "wamid.1"},
        {"status": "read", "id": "wamid.2", "recipient_id": "5511999990000", "timestamp": "1718003620"},
    ]);
    let mixed = envelope(&messages, &statuses);
    let heard = hook.translate(&mixed).unwrap();
    let arrivals = &heard.arrivals;
    let keys: Vec<_> = arrivals.iter().map(|arrival| arrival.key.as_str()).collect();
    let [a, malformed, b, c, read] = keys.as_slice() else { panic!("{keys:?}") };
    assert_eq!([*a, *b, *c, *read], ["message:a", "message:b", "message:c", "receipt:wamid.2:read"]);
    assert!(malformed.starts_with("message:malformed:"), "{malformed}");
    let shown = shown(&arrivals[1]);
    assert_eq!(shown["address"], "5511999990000");
    assert_eq!(shown["at"], 1_718_003_620_000_i64);
    assert_eq!(shown["message"]["content"], json!({"type": "unsupported", "kind": "malformed"}));
    assert_eq!(shown["message"]["profile"]["name"], "Ana");
    assert_eq!(hook.translate(&mixed).unwrap(), heard, "repeated, it is the same message");

    // What belongs to nobody is kept, each alone, in a call that says the same once more.
    let reasons: Vec<_> = heard.strays.iter().map(|stray| stray.reason.0.as_str()).collect();
    let no_sender = "a message without a sender";
    let no_id = "a message without an id";
    assert_eq!(reasons, [no_sender, no_id, no_id, "a receipt without an id", "a status without a recipient"]);
    let first: Value = serde_json::from_slice(&heard.strays[0].body).unwrap();
    assert_eq!(first["entry"][0]["changes"][0]["value"]["messages"], json!([nobody]));
    assert_eq!(first["gs_app_id"], "app-1");
    for stray in &heard.strays {
        assert_eq!(hook.translate(&call(stray.body.clone(), None)).unwrap_err(), stray.reason);
    }

    let mut other = unnamed.clone();
    other["text"]["body"] = json!("y");
    let both = hook.translate(&envelope(&json!([unnamed, said("a"), other]), &json!([]))).unwrap().arrivals;
    assert_eq!(both[0].key, *malformed);
    assert_ne!(both[0].key, both[2].key, "another item has another key");
    // A status that says nothing to us is good all the same.
    let beside = envelope(&json!([unnamed]), &json!([{"status": "deleted"}]));
    assert_eq!(hook.translate(&beside).unwrap().arrivals.len(), 1);
}

#[test]
fn ch_1_a_call_with_bad_items_only_is_malformed() {
    let Ingress::Webhook(hook) = open().ingress else { panic!("not a webhook") };
    let unnamed = json!({"from": "5511999990000", "type": "text", "text": {"body": "x"}});
    for (messages, statuses, reason) in [
        (json!([unnamed, unnamed]), json!([]), "a message without an id"),
        (json!([{"id": "a"}]), json!([{"status": "read"}]), "a message without a sender"),
        (json!([]), json!([{"status": "read", "id": "a"}]), "a status without a recipient"),
    ] {
        assert_eq!(hook.translate(&envelope(&messages, &statuses)).unwrap_err().0, reason);
    }
    assert_eq!(hook.translate(&envelope(&json!([]), &json!([]))).unwrap(), Heard::default());
}

#[test]
fn ch_1_ses_8_news_about_templates_are_heard() {
    let Ingress::Webhook(hook) = open().ingress else { panic!("not a webhook") };
    let told = |body: Value| hook.translate(&call(body.to_string(), None)).unwrap();
    let event = |payload: Value| {
        json!({"app": "LojaDemo", "timestamp": 1_718_003_620_000_i64, "version": 2,
        "type": "template-event", "payload": payload})
    };
    let status = |status| TemplateNews::Status { id: "t-1".into(), status };
    let meta = |field: &str| {
        json!({"gs_app_id": "app-1", "entry": [{"changes": [{"field": field,
        "value": {"event": "PAUSED", "message_template_id": 42, "message_template_name": "aviso"}}]}]})
    };
    for (body, news) in [
        (event(json!({"id": "t-1", "status": "paused", "elementName": "aviso"})), status(TemplateStatus::Paused)),
        (event(json!({"type": "status-update", "id": "t-1", "status": "approved"})), status(TemplateStatus::Approved)),
        (event(json!({"id": "t-1", "status": "what is this"})), status(TemplateStatus::Other)),
        (event(json!({"type": "category-update", "category": "MARKETING"})), TemplateNews::Changed),
        (meta("message_template_status_update"), TemplateNews::Changed),
        (meta("message_template_quality_update"), TemplateNews::Changed),
    ] {
        assert_eq!(told(body), Heard { templates: vec![news], ..Heard::default() });
    }
}

#[test]
fn ch_1_consent_at_the_provider_is_heard() {
    let Ingress::Webhook(hook) = open().ingress else { panic!("not a webhook") };
    for (kind, granted) in [("opted-in", Some(true)), ("opted-out", Some(false)), ("sandbox-start", None)] {
        let body = json!({"app": "LojaDemo", "timestamp": 1_718_003_620_000_i64, "version": 2, "type": "user-event",
            "payload": {"phone": "5511999990000", "type": kind}});
        let arrivals = hook.translate(&call(body.to_string(), None)).unwrap().arrivals;
        let told: Vec<_> = arrivals.iter().map(|arrival| shown(arrival)["consent"]["granted"].as_bool()).collect();
        assert_eq!(told, granted.map(Some).into_iter().collect::<Vec<_>>(), "{kind}");
    }
}

/// An account that is told its app's id.
fn listing(id: &str) -> Result<OpenAccount, channel_kit::Misconfigured> {
    let mut account = account();
    account.settings.insert("app_id".into(), id.into());
    Whatsapp.open(&account)
}

#[tokio::test]
async fn ch_1_ses_8_templates_are_listed_as_the_table_says() {
    assert!(open().templates.is_none(), "without the app's id nobody knows where to ask");
    assert_eq!(listing("../other").err().unwrap().key, "app_id");
    let list = listing("82ed52f4-30c0-4f12-81b4-e7ad07bd41de").unwrap().templates.unwrap();
    let cases: Vec<Value> = serde_json::from_str(TEMPLATES).unwrap();
    let given: Vec<_> = cases.iter().map(|case| case["given"].clone()).collect();
    let (seen, http) = table(Ok(answer(200, &json!({"status": "success", "templates": given}).to_string())));
    let templates = json!(list.list(&http).await.unwrap());
    let expected: Vec<_> = cases.iter().map(|case| case["read"].clone()).filter(|read| !read.is_null()).collect();
    for (read, expected) in templates.as_array().unwrap().iter().zip(&expected) {
        assert_eq!(read, expected, "{read:#}");
    }
    assert_eq!(templates.as_array().unwrap().len(), expected.len());
    let asked = seen.asked.lock().unwrap();
    let [request] = asked.as_slice() else { panic!("{} requests", asked.len()) };
    assert_eq!(request.method, "GET");
    assert_eq!(request.url, "https://gupshup.test/wa/app/82ed52f4-30c0-4f12-81b4-e7ad07bd41de/template");
    assert_eq!(request.headers, [("apikey", "key-of-the-tests".to_owned())]);
}

#[tokio::test]
async fn ses_8_a_list_that_cannot_be_read_says_why() {
    let list = listing("82ed52f4").unwrap().templates.unwrap();
    for (reply, code, reason) in [
        (Ok(answer(401, r#"{"status":"error","message":"Authentication Failed"}"#)), "account_misconfigured", "Auth"),
        (Ok(answer(429, r#"{"status":"error","message":"Too Many Requests"}"#)), "provider_unavailable", "Too Many"),
        (Ok(answer(200, r#"{"status":"error","message":"Invalid App Details"}"#)), "provider_unavailable", "Invalid"),
        (Ok(answer(502, "<html>")), "provider_unavailable", ""),
        (Err(NoAnswer::Unknown("late".into())), "provider_unavailable", "late"),
    ] {
        let (_, http) = table(reply);
        let failure = list.list(&http).await.unwrap_err();
        assert_eq!(failure.code.as_str(), code);
        assert!(failure.reason.unwrap_or_default().contains(reason), "{reason}");
    }
}

#[test]
fn ch_1_a_missing_setting_is_named() {
    for key in ["app_name", "source", "api_key", "webhook_secret"] {
        let mut account = account();
        account.settings.remove(key);
        account.secrets.remove(key);
        assert_eq!(Whatsapp.open(&account).err().unwrap().key, key);
    }
    let mut account = account();
    account.settings.insert("source".into(), "our number".into());
    assert_eq!(Whatsapp.open(&account).err().unwrap().key, "source");
}

#[tokio::test]
async fn ch_1_ch_13_each_part_makes_the_request_of_the_table() {
    for case in serde_json::from_str::<Vec<Value>>(OUTBOUND).unwrap() {
        let name = case["case"].as_str().unwrap();
        let (seen, http) = table(Ok(answer(202, r#"{"status":"submitted","messageId":"gs-1"}"#)));
        let part = part(serde_json::from_value(case["content"].clone()).unwrap(), case["reply_to"].as_str());
        let outcome = open().outbound.send(&part, &http).await;
        assert_eq!(outcome, Outcome::Accepted { provider_ids: vec!["gs-1".into()] }, "{name}");
        let asked = seen.asked.lock().unwrap();
        let [request] = asked.as_slice() else { panic!("{name}: {} requests", asked.len()) };
        assert_eq!(request.url, format!("https://gupshup.test{}", case["path"].as_str().unwrap()), "{name}");
        assert_eq!(request.headers, [("apikey", "key-of-the-tests".to_owned())], "{name}");
        let RequestBody::Form(form) = &request.body else { panic!("{name}: not a form") };
        let form: BTreeMap<_, _> = form.iter().cloned().collect();
        let fixed = [("channel", "whatsapp"), ("source", "5511900000000"), ("src.name", "LojaDemo")];
        for (field, value) in fixed.into_iter().chain([("destination", "5511999990000")]) {
            assert_eq!(form[field], value, "{name}");
        }
        let field = if case["path"].as_str().unwrap().contains("template") { "template" } else { "message" };
        let said: Value = serde_json::from_str(&form[field]).unwrap();
        assert_eq!(said, case["says"], "{name}: {said:#}");
    }
}

#[tokio::test]
async fn ch_12_every_answer_has_its_outcome() {
    let error = |message: &str| format!(r#"{{"status":"error","message":"{message}"}}"#);
    let cases: [(u16, String, &str); 22] = [
        (200, r#"{"status":"success","messageId":"gs-1"}"#.into(), "accepted"),
        (200, error("no"), "rejected"),
        (200, "<html>".into(), "in_doubt"),
        (400, error("Invalid Destination"), "rejected"),
        (400, error("Invalid App Details"), "misconfigured"),
        (401, error("Authentication Failed"), "misconfigured"),
        (404, String::new(), "misconfigured"),
        (408, String::new(), "in_doubt"),
        (413, String::new(), "rejected"),
        (429, error("Too Many Requests"), "throttled"),
        (500, error("Internal"), "unavailable"),
        (500, String::new(), "in_doubt"),
        (500, "<html>".into(), "in_doubt"),
        (500, r#"{"status":"error"}"#.into(), "in_doubt"),
        (500, r#"{"message":"Internal"}"#.into(), "in_doubt"),
        // The simulator's default fault.
        (503, error("Internal Server Error"), "unavailable"),
        (503, String::new(), "unavailable"),
        (502, error("upstream"), "unavailable"),
        (502, "<html>".into(), "in_doubt"),
        (502, String::new(), "in_doubt"),
        (504, String::new(), "in_doubt"),
        (301, String::new(), "rejected"),
    ];
    for (status, body, expected) in cases {
        let (_, http) = table(Ok(answer(status, &body)));
        let outcome = json!(open().outbound.send(&part(Content::text("oi"), None), &http).await);
        assert_eq!(outcome["outcome"], expected, "{status} {body}");
    }
    for (lost, expected) in [
        (NoAnswer::NotSent("refused".into()), "unavailable"),
        (NoAnswer::Unknown("late".into()), "in_doubt"),
        (NoAnswer::TooLarge(9), "in_doubt"),
    ] {
        let (_, http) = table(Err(lost));
        let outcome = json!(open().outbound.send(&part(Content::text("oi"), None), &http).await);
        assert_eq!(outcome["outcome"], expected);
    }
}

#[tokio::test]
async fn ch_1_retry_after_reaches_the_kit() {
    let after = Some(std::time::Duration::from_secs(7));
    let (_, http) = table(Ok(ProviderResponse { retry_after: after, ..answer(429, "{}") }));
    let outcome = open().outbound.send(&part(Content::text("oi"), None), &http).await;
    assert_eq!(outcome, Outcome::Throttled { after });
}

#[tokio::test]
async fn ch_13_media_is_fetched_by_its_link() {
    let pending = |reference: &str| -> Media {
        serde_json::from_value(json!({
            "kind": "image", "mime": "image/jpeg", "name": null, "caption": null, "size": null,
            "source": {"state": "pending", "reference": reference, "expires_at": null},
        }))
        .unwrap()
    };
    let fetch = open().media.unwrap();
    let (seen, http) = table(Ok(answer(200, "bytes")));
    let fetched = fetch.fetch(&pending("https://files.test/1"), &http).await.unwrap();
    assert_eq!(fetched.bytes.as_ref(), b"bytes");
    assert_eq!(seen.asked.lock().unwrap()[0].url, "https://files.test/1");
    for (status, lost) in [(404, Some("not_found")), (410, Some("expired")), (500, None)] {
        let (_, http) = table(Ok(answer(status, "")));
        match fetch.fetch(&pending("https://files.test/1"), &http).await.unwrap_err() {
            FetchError::Lost(reason) => assert_eq!(Some(reason.as_str()), lost),
            FetchError::Unavailable(_) => assert_eq!(lost, None),
        }
    }
    let (seen, http) = table(Ok(answer(200, "")));
    assert!(matches!(fetch.fetch(&pending("media:123"), &http).await, Err(FetchError::Lost(_))));
    assert!(seen.asked.lock().unwrap().is_empty());
}

fn genuine(body: &Value) -> Bytes {
    Bytes::from(body.to_string())
}

fn message(number: u32) -> Bytes {
    genuine(
        &json!({"app": "LojaDemo", "timestamp": 1_718_003_620_000_i64, "version": 2, "type": "message", "payload": {
            "id": format!("wamid.{number}"), "source": "5511999990000", "type": "text",
            "payload": {"text": format!("number {number}")}, "sender": {"phone": "5511999990000", "name": "Ana"},
        }}),
    )
}

fn receipt(state: &str) -> Bytes {
    genuine(&json!({"app": "LojaDemo", "timestamp": 1_718_003_620_000_i64, "version": 2, "type": "message-event",
        "payload": {"id": "wamid.OUT", "gsId": "gs-1", "type": state, "destination": "5511999990000", "payload": {"ts": 1_718_003_620}}}))
}

#[tokio::test]
async fn ch_1_battery_of_the_way_in() {
    battery::webhook(battery::WebhookFixture {
        kind: Arc::new(Whatsapp),
        account: account(),
        headers: vec![("authorization".into(), "Bearer hook-secret-1".into())],
        messages: (1..5).map(message).collect(),
        receipts: ["sent", "delivered", "read"].map(receipt).into(),
        malformed: Bytes::from_static(b"{\"type\":"),
    })
    .await;
}

#[tokio::test]
async fn ch_1_battery_of_the_way_out() {
    let after = Some(std::time::Duration::from_secs(1));
    battery::sends(battery::SendFixture {
        kind: Arc::new(Whatsapp),
        account: account(),
        address: Address::new("5511999990000"),
        accepted: answer(202, r#"{"status":"submitted","messageId":"gs-1"}"#),
        rejected: answer(400, r#"{"status":"error","message":"Invalid Destination"}"#),
        throttled: ProviderResponse { retry_after: after, ..answer(429, "{}") },
        revoked: answer(401, r#"{"status":"error","message":"Authentication Failed"}"#),
    })
    .await;
}
