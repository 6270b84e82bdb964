//! The load: customers who write by the provider's webhooks, and agents who answer and hand conversations on.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use crate::{
    ledger::{Ledger, Way},
    mesh::{PASSWORD, PEOPLE, SECRET},
};

/// Between two messages of one customer.
const RHYTHM: Duration = Duration::from_millis(900);
/// Between two answers to one customer. An account may send 20 messages a second: at more than half of that, what was
/// written while a server was away is worked off for longer than that was, and the wait is the provider's.
const ANSWERS: Duration = Duration::from_millis(1_800);
/// Between two tries of what was not answered with success.
const AGAIN: Duration = Duration::from_millis(300);

/// Where the load goes.
#[derive(Clone)]
pub(crate) struct Target {
    /// Where WhatsApp's provider calls.
    pub(crate) whatsapp: String,
    /// Where Telegram calls.
    pub(crate) telegram: String,
    pub(crate) desk: String,
    pub(crate) host: String,
    pub(crate) ledger: Arc<Ledger>,
    /// Raised when nothing new shall be written; what was begun is brought to its end.
    pub(crate) stop: Arc<AtomicBool>,
}

/// Somebody signed in.
#[derive(Clone)]
pub(crate) struct Person {
    http: reqwest::Client,
    desk: String,
    token: String,
}

impl Person {
    /// Signs in and goes online.
    pub(crate) async fn arrive(desk: &str, email: &str) -> Result<Self> {
        let http = client()?;
        let body = json!({"email": email, "password": PASSWORD});
        let answer = http.post(format!("{desk}/api/v1/sessions")).json(&body).send().await?;
        ensure!(answer.status() == 201, "{email} cannot sign in: {}", answer.text().await?);
        let token = answer.json::<Value>().await?["token"].as_str().context("a token")?.to_owned();
        let person = Self { http, desk: desk.to_owned(), token };
        let online = person.change(reqwest::Method::PUT, "/me/presence", &json!({"presence": "online"}), email).await;
        ensure!(online.0 == 200, "{email} is not online: {online:?}");
        Ok(person)
    }

    /// The status, 0 when nobody answered, and the body.
    pub(crate) async fn change(&self, method: reqwest::Method, path: &str, body: &Value, key: &str) -> (u16, Value) {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.desk)).bearer_auth(&self.token);
        match request.header("idempotency-key", key).json(body).send().await {
            Ok(answer) => (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null)),
            Err(_) => (0, Value::Null),
        }
    }

    /// Reads, again until it is answered.
    pub(crate) async fn get(&self, path: &str) -> Value {
        loop {
            let asked = self.http.get(format!("{}/api/v1{path}", self.desk)).bearer_auth(&self.token).send().await;
            if let Ok(answer) = asked
                && answer.status().is_success()
                && let Ok(body) = answer.json().await
            {
                return body;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The open conversations by the contact's address.
    pub(crate) async fn conversations(&self) -> BTreeMap<String, String> {
        let list = self.get("/conversations?limit=500").await;
        let items = list["items"].as_array().into_iter().flatten();
        items
            .filter_map(|one| Some((one["contact"]["address"].as_str()?.to_owned(), one["id"].as_str()?.to_owned())))
            .collect()
    }

    /// Every message of a conversation, oldest first.
    pub(crate) async fn messages(&self, conversation: &str) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let before = all.first().map(|first| format!("&before={}", first["sequence"])).unwrap_or_default();
            let page = self.get(&format!("/conversations/{conversation}/messages?limit=200{before}")).await;
            let mut items = page["items"].as_array().cloned().unwrap_or_default();
            items.append(&mut all);
            all = items;
            if page["has_more"] != true {
                return all;
            }
        }
    }
}

/// One connection at a time, as the balancer of a deployment sees a provider's worker.
fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(Duration::from_secs(8)).pool_max_idle_per_host(1).build()?)
}

/// Each so many customers one writes by Telegram, the others by WhatsApp.
const TELEGRAM: u32 = 4;

/// The address of customer `number`.
pub(crate) fn address(number: u32) -> String {
    if number % TELEGRAM == TELEGRAM - 1 { format!("7000{number:04}") } else { format!("551190000{number:04}") }
}

/// Whether this is the address of somebody who writes by Telegram.
pub(crate) fn is_telegram(address: &str) -> bool {
    address.starts_with('7')
}

/// Starts everybody.
pub(crate) async fn start(target: &Target, customers: u32, seed: u64) -> Result<(JoinSet<Result<()>>, Vec<Person>)> {
    let mut people = Vec::new();
    for email in PEOPLE {
        people.push(Person::arrive(&target.desk, email).await?);
    }
    let ana = people.first().context("somebody")?.clone();
    let mut running = JoinSet::new();
    running.spawn(listen(target.clone(), ana.token.clone()));
    for number in 0..customers {
        let random = StdRng::seed_from_u64(seed ^ u64::from(number));
        running.spawn(customer(target.clone(), number, random));
        running.spawn(answers(target.clone(), ana.clone(), number));
    }
    let random = StdRng::seed_from_u64(seed ^ 0xaaaa_aaaa);
    running.spawn(hand_on(target.clone(), people.clone(), customers, random));
    Ok((running, people))
}

/// A customer writes; the provider repeats a webhook until it is taken, and now and then without need.
async fn customer(target: Target, number: u32, mut random: StdRng) -> Result<()> {
    let http = client()?;
    let from = address(number);
    let mut n = 0;
    while !target.stop.load(Ordering::Acquire) {
        let words = format!("{from} i {n:06}");
        let call = webhook(&target, &from, n, &words);
        target.ledger.begin(Way::In, &words);
        let doubled = random.random_ratio(1, 10);
        let mut taken = 0;
        while taken <= u32::from(doubled) {
            let request = http.post(call.url).header(call.header, &call.secret);
            match request.header("content-type", "application/json").body(call.body.clone()).send().await {
                Ok(answer) if answer.status().is_success() => {
                    taken += 1;
                    target.ledger.accepted(Way::In, &words);
                }
                Ok(answer) => {
                    target.ledger.count(if answer.status() == 503 { "webhooks 503" } else { "webhooks refused" });
                    tokio::time::sleep(AGAIN).await;
                }
                Err(_) => {
                    target.ledger.count("webhooks unanswered");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        n += 1;
        tokio::time::sleep(RHYTHM.mul_f64(random.random_range(0.5..1.5))).await;
    }
    Ok(())
}

/// A provider's call.
struct Call<'a> {
    url: &'a str,
    /// The header with the secret.
    header: &'static str,
    secret: String,
    body: String,
}

/// The customer's message `n`.
fn webhook<'a>(target: &'a Target, from: &str, n: u32, words: &str) -> Call<'a> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = u64::try_from(now).unwrap_or(0);
    if is_telegram(from) {
        let chat: u64 = from.parse().unwrap_or_default();
        let body = json!({
            // Telegram numbers the updates of a bot; here each customer has a range.
            "update_id": chat * 1_000_000 + u64::from(n),
            "message": {
                "message_id": n + 1, "date": now / 1_000, "text": words,
                "chat": {"id": chat, "type": "private", "first_name": "Maria"},
                "from": {"id": chat, "is_bot": false, "first_name": "Maria"}
            }
        });
        let (url, header) = (target.telegram.as_str(), "x-telegram-bot-api-secret-token");
        return Call { url, header, secret: SECRET.to_owned(), body: body.to_string() };
    }
    let body = json!({
        "app": "LojaDemo", "timestamp": now, "version": 2, "type": "message",
        "payload": {
            "id": format!("wamid.{}", words.replace(' ', ".")), "source": from, "type": "text",
            "payload": {"text": words},
            "sender": {"phone": from, "name": "Maria", "country_code": "55", "dial_code": ""}
        }
    });
    let (url, header) = (target.whatsapp.as_str(), "authorization");
    Call { url, header, secret: format!("Bearer {SECRET}"), body: body.to_string() }
}

/// Answers one customer, one message after the other, each with a key of its own until the desk has taken it.
async fn answers(target: Target, ana: Person, number: u32) -> Result<()> {
    let to = address(number);
    let conversation = loop {
        if target.stop.load(Ordering::Acquire) {
            return Ok(());
        }
        if let Some(id) = ana.conversations().await.get(&to) {
            break id.clone();
        }
        tokio::time::sleep(AGAIN).await;
    };
    let path = format!("/conversations/{conversation}/messages");
    let mut n = 0;
    while !target.stop.load(Ordering::Acquire) {
        let words = format!("{to} o {n:06}");
        target.ledger.begin(Way::Out, &words);
        loop {
            let body = json!({"content": {"type": "text", "text": words}});
            let (status, answer) = ana.change(reqwest::Method::POST, &path, &body, &words).await;
            match status {
                200..=299 => {
                    target.ledger.accepted(Way::Out, &words);
                    break;
                }
                // What may have been carried out is asked for again, with the same key.
                0 | 429 | 500..=599 => {
                    target.ledger.count("replies tried again");
                    tokio::time::sleep(AGAIN).await;
                }
                _ => {
                    target.ledger.refused(Way::Out, &words);
                    anyhow::bail!("a reply was refused with {status}: {answer}");
                }
            }
        }
        n += 1;
        tokio::time::sleep(ANSWERS).await;
    }
    Ok(())
}

/// Two agents want the same conversation at the same time; then it goes back, and again.
async fn hand_on(target: Target, people: Vec<Person>, customers: u32, mut random: StdRng) -> Result<()> {
    let [_, bruno, carla] = people.as_slice() else { anyhow::bail!("three people") };
    let mut n = 0;
    while !target.stop.load(Ordering::Acquire) {
        tokio::time::sleep(RHYTHM).await;
        let whose = address(random.random_range(0..customers));
        let Some(id) = bruno.conversations().await.get(&whose).cloned() else { continue };
        n += 1;
        let (path, key) = (format!("/conversations/{id}/take"), format!("take {n}"));
        let take = |who: Person| {
            let (path, key) = (path.clone(), key.clone());
            async move { who.change(reqwest::Method::POST, &path, &json!({}), &key).await.0 }
        };
        let won = tokio::join!(take(bruno.clone()), take(carla.clone()));
        match won {
            (200, 200) => target.ledger.count("taken by two"),
            (200, _) | (_, 200) => target.ledger.count("taken"),
            _ => target.ledger.count("not taken"),
        }
        let back = format!("/conversations/{id}/return");
        for who in [bruno, carla] {
            for attempt in 0..50 {
                let (status, _) =
                    who.change(reqwest::Method::POST, &back, &json!({}), &format!("back {n} {attempt}")).await;
                if !matches!(status, 0 | 500..=599) {
                    break;
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    Ok(())
}

/// Hears the desk's events as a page does: a lost connection goes on from the last number.
async fn listen(target: Target, token: String) -> Result<()> {
    let mut cursor = None;
    loop {
        drop(hear(&target, &token, &mut cursor).await);
        target.ledger.count("event streams lost");
        tokio::time::sleep(AGAIN).await;
    }
}

async fn hear(target: &Target, token: &str, cursor: &mut Option<u64>) -> Result<()> {
    let from = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
    let mut request = format!("ws://{}/api/v1/events{from}", target.host).into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    let stream = tokio::net::TcpStream::connect(&target.host).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    // The desk pings every 20 s; a page that hears nothing for 45 s comes again.
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(Duration::from_secs(45), socket.next()).await {
        let Message::Text(text) = frame else { continue };
        let event: Value = serde_json::from_str(&text)?;
        if let Some(number) = event["sequence"].as_u64().or_else(|| event["data"]["cursor"].as_u64()) {
            *cursor = Some(number);
        }
        if event["type"] == "message" {
            note(&target.ledger, &event["data"]);
        }
    }
    Ok(())
}

/// Notes a message as the desk shows it.
pub(crate) fn note(ledger: &Ledger, message: &Value) {
    let Some(words) = message["content"]["text"].as_str() else { return };
    let way = if message["direction"] == "in" { Way::In } else { Way::Out };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let delivery = &message["delivery"];
    ledger.heard(way, words, &text(&delivery["state"]), &text(&delivery["failure"]["code"]));
}
