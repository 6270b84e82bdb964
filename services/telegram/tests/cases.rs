//! Tables: updates and what arrives, parts and the methods and outcomes that they make.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use afluente_telegram::Telegram;
use async_trait::async_trait;
use bytes::Bytes;
use channel_kit::{
    Arrival, Arrived, ChannelType, FetchError, Ingress, MediaHandle, OpenAccount, Part, PollError, WebhookRequest,
    http::{AccountHttp, Exchange, NoAnswer, ProviderRequest, ProviderResponse, RequestBody},
    testing::battery,
};
use domain::{Account, AccountId, Address, Content, Media, OrganizationId, Outcome, QueueId, Secret};
use serde_json::{Value, json};

const INBOUND: &str = include_str!("../testdata/inbound.json");
const OUTBOUND: &str = include_str!("../testdata/outbound.json");

fn account(settings: &[(&str, &str)]) -> Account {
    let base = [("base_url", "https://bots.test/")];
    Account {
        id: AccountId::derive(&["a"]),
        organization: OrganizationId::derive(&["o"]),
        channel: "telegram".parse().unwrap(),
        name: "demo-telegram".into(),
        label: "Demo".into(),
        queue: QueueId::derive(&["q"]),
        settings: base.iter().chain(settings).map(|&(key, value)| (key.into(), value.into())).collect(),
        secrets: [("token", "123456:token-of-the-tests"), ("webhook_secret", "hook-secret-1")]
            .map(|(key, value)| (key.into(), Secret::new(value)))
            .into(),
        active: true,
    }
}

fn open(settings: &[(&str, &str)]) -> OpenAccount {
    Telegram.open(&account(settings)).unwrap()
}

fn call(body: impl Into<Bytes>, secret: Option<&str>) -> WebhookRequest {
    let header = |value: &str| ("x-telegram-bot-api-secret-token".to_owned(), value.to_owned());
    WebhookRequest { headers: secret.map(header).into_iter().collect(), query: BTreeMap::new(), body: body.into() }
}

fn shown(arrival: &Arrival) -> Value {
    let (kind, what) = match &arrival.what {
        Arrived::Message(message) => ("message", json!(message)),
        Arrived::Receipt(receipt) => ("receipt", json!(receipt)),
        Arrived::Consent(change) => ("consent", json!(change)),
    };
    json!({"key": arrival.key, "address": arrival.address.as_str(), "at": arrival.at, kind: what})
}

/// Gives its answers in turn, the last one again and again, and keeps the requests.
struct Table {
    answers: Mutex<Vec<Result<ProviderResponse, NoAnswer>>>,
    asked: Mutex<Vec<ProviderRequest>>,
}

#[async_trait]
impl Exchange for Table {
    async fn exchange(&self, request: ProviderRequest) -> Result<ProviderResponse, NoAnswer> {
        self.asked.lock().unwrap().push(request);
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
    }
}

fn table(answers: Vec<Result<ProviderResponse, NoAnswer>>) -> (Arc<Table>, AccountHttp) {
    let table = Arc::new(Table { answers: Mutex::new(answers), asked: Mutex::default() });
    (table.clone(), AccountHttp::new(table))
}

fn answer(status: u16, body: Value) -> Result<ProviderResponse, NoAnswer> {
    Ok(ProviderResponse { status, retry_after: None, content_type: None, body: Bytes::from(body.to_string()) })
}

fn good(result: Value) -> Result<ProviderResponse, NoAnswer> {
    answer(200, json!({"ok": true, "result": result}))
}

fn bad(status: u16, words: &str) -> Result<ProviderResponse, NoAnswer> {
    answer(status, json!({"ok": false, "error_code": status, "description": words}))
}

fn part(content: Content, reply_to: Option<&str>) -> Part {
    let media = matches!(content, Content::Media(_))
        .then(|| MediaHandle { url: "https://media.test/1".into(), bytes: Bytes::from_static(b"bytes") });
    Part { key: "msg_1/0".into(), address: Address::new("7001"), content, media, reply_to: reply_to.map(Into::into) }
}

#[test]
fn ch_5_ch_13_ch_14_ch_15_ses_5_each_update_arrives_as_the_table_says() {
    let Ingress::Webhook(hook) = open(&[]).ingress else { panic!("not a webhook") };
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
fn ch_5_a_call_needs_the_secret_token() {
    let Ingress::Webhook(hook) = open(&[]).ingress else { panic!("not a webhook") };
    assert!(hook.verify(&call("{}", Some("hook-secret-1"))).is_some());
    for bad in [None, Some(""), Some("hook-secret-2"), Some("hook-secret-11")] {
        assert!(hook.verify(&call("{}", bad)).is_none(), "{bad:?}");
    }
    for body in ["", "{", "[]", "{}", "42"] {
        assert!(hook.translate(&call(body, None)).is_err(), "{body}");
    }
}

#[test]
fn ch_5_a_tap_is_answered_in_the_webhooks_answer() {
    let Ingress::Webhook(hook) = open(&[]).ingress else { panic!("not a webhook") };
    let tap = json!({"update_id": 1, "callback_query": {"id": "cb1", "data": "y"}});
    let expected = json!({"method": "answerCallbackQuery", "callback_query_id": "cb1"});
    assert_eq!(hook.answer(&call(tap.to_string(), None)), Some(expected));
    assert_eq!(hook.answer(&call(r#"{"update_id": 1, "message": {}}"#, None)), None);
}

#[test]
fn ch_5_settings_choose_the_way_in() {
    assert!(matches!(open(&[]).ingress, Ingress::Webhook(_)));
    assert!(matches!(open(&[("mode", "webhook")]).ingress, Ingress::Webhook(_)));
    assert!(matches!(open(&[("mode", "poll")]).ingress, Ingress::Poll(_)));
    let mut bare = account(&[]);
    bare.secrets.remove("webhook_secret");
    assert!(matches!(Telegram.open(&bare).unwrap().ingress, Ingress::Poll(_)));
    bare.settings.insert("mode".into(), "webhook".into());
    assert_eq!(Telegram.open(&bare).err().unwrap().key, "webhook_secret");
    bare.settings.insert("mode".into(), "both".into());
    assert_eq!(Telegram.open(&bare).err().unwrap().key, "mode");
    bare.settings.remove("mode");
    bare.secrets.remove("token");
    assert_eq!(Telegram.open(&bare).err().unwrap().key, "token");
    bare.settings.insert("mode".into(), "webhook".into());
    bare.secrets.insert("webhook_secret".into(), Secret::new("has spaces"));
    assert_eq!(Telegram.open(&bare).err().unwrap().key, "webhook_secret");
}

#[tokio::test]
async fn ch_5_the_token_alone_is_enough_to_poll() {
    let mut alone = account(&[]);
    alone.settings.clear();
    alone.secrets.retain(|key, _| key == "token");
    for mode in [None, Some(""), Some("poll")] {
        alone.settings.extend(mode.map(|mode| ("mode".into(), mode.into())));
        let open = Telegram.open(&alone).unwrap();
        let Ingress::Poll(poll) = open.ingress else { panic!("{mode:?}: not a poll") };
        // No URL of ours is asked for, and a webhook of earlier days is gone before the first poll.
        let (seen, http) = table(vec![good(json!(true)), good(json!(true)), good(json!([]))]);
        open.prepare.unwrap().prepare(None, &http).await.unwrap();
        poll.poll(None, &http).await.unwrap();
        let asked: Vec<_> = seen.asked.lock().unwrap().iter().map(|request| request.url.clone()).collect();
        let bot = "https://api.telegram.org/bot123456:token-of-the-tests";
        assert_eq!(asked, ["getMe", "deleteWebhook", "getUpdates"].map(|method| format!("{bot}/{method}")));
    }
}

#[tokio::test]
async fn ch_5_a_bad_update_does_not_stop_the_page() {
    let Ingress::Poll(poll) = open(&[("mode", "poll")]).ingress else { panic!("not a poll") };
    let chat = json!({"id": 7001, "type": "private"});
    let said = |id: u32| json!({"update_id": id, "message": {"message_id": id, "date": 1, "chat": chat, "text": "um"}});
    let (_, http) = table(vec![good(json!([
        said(5), {"message": {"chat": chat, "text": "x"}}, 42, null, {"update_id": 6, "message": "x"}, said(7), {},
    ]))]);
    let polled = poll.poll(None, &http).await.unwrap();
    let keys: Vec<_> = polled.heard.arrivals.iter().map(|arrival| arrival.key.as_str()).collect();
    assert_eq!((keys, polled.cursor.as_deref()), (vec!["update:5", "update:7"], Some("8")));
    let strays: Vec<_> = polled.heard.strays.iter().map(|stray| stray.body.clone()).collect();
    let bodies = [json!({"message": {"chat": chat, "text": "x"}}), json!(42), Value::Null, json!({})];
    assert_eq!(strays, bodies.map(|body| body.to_string()), "kept, each alone");
    // What can never be confirmed is asked for again later, not at once.
    for page in [json!([{}]), json!({"x": 1})] {
        let (_, http) = table(vec![good(page)]);
        assert!(matches!(poll.poll(None, &http).await, Err(PollError::Unavailable { .. })));
    }
}

#[tokio::test]
async fn ch_5_prepare_sets_or_deletes_the_webhook() {
    let methods = |seen: &Table| -> Vec<String> {
        let asked = seen.asked.lock().unwrap();
        asked.iter().map(|request| request.url.rsplit('/').next().unwrap().to_owned()).collect()
    };
    let (seen, http) = table(vec![good(json!(true))]);
    open(&[]).prepare.unwrap().prepare(Some("https://us.test/hooks/telegram/demo"), &http).await.unwrap();
    assert_eq!(methods(&seen), ["getMe", "setWebhook"]);
    let RequestBody::Json(body) = seen.asked.lock().unwrap()[1].body.clone() else { panic!("not JSON") };
    assert_eq!(body["secret_token"], "hook-secret-1");
    assert_eq!(body["url"], "https://us.test/hooks/telegram/demo");
    assert!(open(&[]).prepare.unwrap().prepare(None, &http).await.is_err());

    let (seen, http) = table(vec![good(json!(true))]);
    open(&[("mode", "poll")]).prepare.unwrap().prepare(None, &http).await.unwrap();
    assert_eq!(methods(&seen), ["getMe", "deleteWebhook"]);

    let (_, http) = table(vec![bad(401, "Unauthorized")]);
    let failure = open(&[]).prepare.unwrap().prepare(None, &http).await.unwrap_err();
    assert_eq!((failure.code.as_str(), failure.provider_code.as_deref()), ("account_misconfigured", Some("401")));
}

#[tokio::test]
async fn ch_5_a_poll_confirms_only_what_the_kit_has_kept() {
    let Ingress::Poll(poll) = open(&[("mode", "poll")]).ingress else { panic!("not a poll") };
    let chat = json!({"id": 7001, "type": "private"});
    let updates = json!([
        {"update_id": 5, "message": {"message_id": 1, "date": 1, "chat": chat, "text": "um"}},
        {"update_id": 6, "channel_post": {}},
        {"update_id": 7, "callback_query": {"id": "cb1", "data": "y", "message": {"message_id": 1, "chat": chat}}},
    ]);
    let (seen, http) = table(vec![good(updates), good(json!(true))]);
    let polled = poll.poll(None, &http).await.unwrap();
    assert_eq!(polled.cursor.as_deref(), Some("8"));
    assert_eq!(
        polled.heard.arrivals.iter().map(|arrival| arrival.key.as_str()).collect::<Vec<_>>(),
        ["update:5", "update:7"]
    );
    assert!(seen.asked.lock().unwrap()[1].url.ends_with("/answerCallbackQuery"));

    let (seen, http) = table(vec![good(json!([]))]);
    let polled = poll.poll(Some("8"), &http).await.unwrap();
    assert_eq!((polled.heard.arrivals.len(), polled.cursor.as_deref()), (0, Some("8")));
    let RequestBody::Json(body) = seen.asked.lock().unwrap()[0].body.clone() else { panic!("not JSON") };
    assert_eq!(body["offset"], 8);

    for (answer, lasting) in [(bad(401, "Unauthorized"), true), (bad(409, "Conflict"), false), (bad(502, "x"), false)] {
        let (_, http) = table(vec![answer]);
        let error = poll.poll(None, &http).await.unwrap_err();
        assert_eq!(matches!(error, PollError::Misconfigured(_)), lasting, "{error}");
    }
}

#[tokio::test]
async fn ch_5_ch_13_each_part_makes_the_request_of_the_table() {
    for case in serde_json::from_str::<Vec<Value>>(OUTBOUND).unwrap() {
        let name = case["case"].as_str().unwrap();
        let (seen, http) = table(vec![good(json!({"message_id": 31, "chat": {"id": 7001}}))]);
        let part = part(serde_json::from_value(case["content"].clone()).unwrap(), case["reply_to"].as_str());
        let outcome = open(&[]).outbound.send(&part, &http).await;
        assert_eq!(outcome, Outcome::Accepted { provider_ids: vec!["7001:31".into()] }, "{name}");
        let asked = seen.asked.lock().unwrap();
        let [request] = asked.as_slice() else { panic!("{name}: {} requests", asked.len()) };
        let method = case["method"].as_str().unwrap();
        assert_eq!(request.url, format!("https://bots.test/bot123456:token-of-the-tests/{method}"), "{name}");
        assert_eq!(request.template, format!("/bot{{token}}/{method}"), "{name}: the token stays out of spans");
        match &request.body {
            RequestBody::Json(body) => assert_eq!(*body, case["json"], "{name}"),
            RequestBody::Multipart { fields, file: (field, file, mime, bytes) } => {
                assert_eq!(json!([field, file, mime]), case["file"], "{name}");
                assert_eq!(bytes.as_ref(), b"bytes");
                assert_eq!(json!(fields.iter().cloned().collect::<BTreeMap<_, _>>()), case["fields"], "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn ch_12_every_answer_has_its_outcome() {
    let cases = [
        (bad(400, "Bad Request: message is too long"), "rejected"),
        (bad(400, "Bad Request: chat not found"), "unreachable"),
        (bad(401, "Unauthorized"), "misconfigured"),
        (bad(404, "Not Found"), "misconfigured"),
        (bad(403, "Forbidden: bot was blocked by the user"), "unreachable"),
        (bad(403, "Forbidden: user is deactivated"), "unreachable"),
        (bad(413, "Request Entity Too Large"), "rejected"),
        (bad(429, "Too Many Requests"), "throttled"),
        (bad(500, "Internal Server Error"), "unavailable"),
        // The simulator's default fault.
        (bad(503, "Internal Server Error"), "unavailable"),
        (bad(502, "Bad Gateway"), "in_doubt"),
        (bad(504, "Gateway Timeout"), "in_doubt"),
        (answer(500, json!("<html>")), "in_doubt"),
        (answer(500, json!({"error": "x"})), "in_doubt"),
        (answer(503, json!(null)), "in_doubt"),
        (answer(502, json!("<html>")), "in_doubt"),
        (answer(200, json!("<html>")), "in_doubt"),
        (Err(NoAnswer::NotSent("refused".into())), "unavailable"),
        (Err(NoAnswer::Unknown("late".into())), "in_doubt"),
    ];
    for (answer, expected) in cases {
        let shown = format!("{answer:?}");
        let (_, http) = table(vec![answer]);
        let outcome = open(&[]).outbound.send(&part(Content::text("oi"), None), &http).await;
        assert_eq!(json!(outcome)["outcome"], expected, "{shown}");
        let blocked = shown.contains("blocked");
        assert_eq!(matches!(outcome, Outcome::Unreachable { opted_out: true, .. }), blocked, "{shown}");
    }
    let limited = json!({"ok": false, "error_code": 429, "description": "x", "parameters": {"retry_after": 35}});
    let (_, http) = table(vec![answer(429, limited)]);
    let outcome = open(&[]).outbound.send(&part(Content::text("oi"), None), &http).await;
    assert_eq!(outcome, Outcome::Throttled { after: Some(Duration::from_secs(35)) });
}

#[tokio::test]
async fn ch_5_what_telegram_cannot_carry_is_refused_before_it_is_asked() {
    let long = json!({"type": "choices", "text": "?", "options": [{"label": "a", "payload": "x".repeat(65)}]});
    for content in [long, json!({"type": "unsupported", "kind": "x"})] {
        let (seen, http) = table(vec![good(json!({}))]);
        let part = part(serde_json::from_value(content).unwrap(), None);
        assert_eq!(json!(open(&[]).outbound.send(&part, &http).await)["outcome"], "rejected");
        assert!(seen.asked.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn ch_13_a_file_is_asked_for_and_fetched() {
    let media: Media = serde_json::from_value(json!({
        "kind": "image", "mime": "image/jpeg", "name": null, "caption": null, "size": null,
        "source": {"state": "pending", "reference": "F1", "expires_at": null},
    }))
    .unwrap();
    let fetch = open(&[]).media.unwrap();
    let bytes = ProviderResponse { status: 200, retry_after: None, content_type: None, body: Bytes::from("bytes") };
    let (seen, http) = table(vec![good(json!({"file_id": "F1", "file_path": "photos/1.jpg"})), Ok(bytes)]);
    assert_eq!(fetch.fetch(&media, &http).await.unwrap().bytes.as_ref(), b"bytes");
    let url = seen.asked.lock().unwrap()[1].url.clone();
    assert_eq!(url, "https://bots.test/file/bot123456:token-of-the-tests/photos/1.jpg");
    for (answer, lost) in [
        (bad(400, "Bad Request: file is too big"), Some("too_large")),
        (bad(400, "Bad Request: invalid file_id"), Some("not_found")),
        (bad(500, "x"), None),
    ] {
        let (_, http) = table(vec![answer]);
        match fetch.fetch(&media, &http).await.unwrap_err() {
            FetchError::Lost(reason) => assert_eq!(Some(reason.as_str()), lost),
            FetchError::Unavailable(_) => assert_eq!(lost, None),
        }
    }
}

fn message(number: u32) -> Bytes {
    let chat = json!({"id": 7001, "type": "private", "first_name": "Ana"});
    let text = format!("number {number}");
    let message = json!({"message_id": number, "date": 1_718_003_620, "chat": chat, "from": chat, "text": text});
    Bytes::from(json!({"update_id": number, "message": message}).to_string())
}

#[tokio::test]
async fn ch_5_battery_of_the_way_in() {
    battery::webhook(battery::WebhookFixture {
        kind: Arc::new(Telegram),
        account: account(&[]),
        headers: vec![("x-telegram-bot-api-secret-token".into(), "hook-secret-1".into())],
        messages: (1..5).map(message).collect(),
        receipts: Vec::new(),
        malformed: Bytes::from_static(b"{\"update_id\":"),
    })
    .await;
}

#[tokio::test]
async fn ch_5_battery_of_the_way_out() {
    let limited = json!({"ok": false, "error_code": 429, "description": "x", "parameters": {"retry_after": 1}});
    battery::sends(battery::SendFixture {
        kind: Arc::new(Telegram),
        account: account(&[]),
        address: Address::new("7001"),
        accepted: good(json!({"message_id": 31, "chat": {"id": 7001}})).unwrap(),
        rejected: bad(400, "Bad Request: message is too long").unwrap(),
        throttled: answer(429, limited).unwrap(),
        revoked: bad(401, "Unauthorized").unwrap(),
    })
    .await;
}
