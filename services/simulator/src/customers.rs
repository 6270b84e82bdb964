//! Acting as a customer: `/sim/customers/{whatsapp|telegram}/{address}`. With several accounts of a channel,
//! `?account=<name>` says which; without it, the first.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    extract::{FromRequest as _, Multipart, Path, Query, Request, State},
    http::{StatusCode, header},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post, put},
};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    config::Provider,
    gupshup, telegram,
    world::{Bubble, Chat, ChatKey, Says, Simulator, StoredFile, Tick, now},
};

/// The customers' routes.
pub(crate) fn routes() -> Router<Arc<Simulator>> {
    Router::new()
        .route("/sim/customers", get(all))
        .route("/sim/customers/{channel}/{address}", put(settings).get(one))
        .route("/sim/customers/{channel}/{address}/messages", post(write))
        .route("/sim/customers/{channel}/{address}/read", post(read))
        .route("/sim/customers/{channel}/{address}/events", get(events))
        .route("/sim/files/{id}", get(file))
}

#[derive(Debug, Default, Deserialize)]
struct Which {
    account: Option<String>,
}

type Refused = (StatusCode, String);

fn key(simulator: &Simulator, channel: &str, address: &str, which: &Which) -> Result<ChatKey, Refused> {
    let Some(account) = simulator.account_of(channel, which.account.as_deref()) else {
        return Err((StatusCode::NOT_FOUND, format!("no simulated account of '{channel}' with that name")));
    };
    let digits = address.bytes().all(|byte| byte.is_ascii_digit()) && !address.starts_with('0');
    let length = match account.provider {
        Provider::Gupshup { .. } => 8..=15,
        Provider::Telegram { .. } => 1..=18,
    };
    if !digits || !length.contains(&address.len()) {
        let words = format!("the address must be {} to {} digits", length.start(), length.end());
        return Err((StatusCode::BAD_REQUEST, words));
    }
    Ok(ChatKey { account: account.name.clone(), address: address.to_owned() })
}

fn summary(simulator: &Simulator, key: &ChatKey, chat: &Chat) -> Value {
    let channel = simulator.account(&key.account).map(|account| account.channel());
    let unread = chat.bubbles.iter().filter(|bubble| !bubble.mine && bubble.tick == Tick::Delivered).count();
    json!({"channel": channel, "account": key.account, "address": key.address, "name": chat.name,
        "reading": chat.reading, "blocked": chat.blocked, "unread": unread, "last": chat.bubbles.last()})
}

async fn all(State(simulator): State<Arc<Simulator>>) -> Json<Value> {
    let accounts: Vec<_> = simulator
        .config
        .accounts
        .iter()
        .map(|account| json!({"name": account.name, "label": account.label, "channel": account.channel()}))
        .collect();
    let world = simulator.world();
    let customers: Vec<_> = world.chats.iter().map(|(key, chat)| summary(&simulator, key, chat)).collect();
    Json(json!({"accounts": accounts, "customers": customers}))
}

async fn one(
    State(simulator): State<Arc<Simulator>>,
    Path((channel, address)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Refused> {
    let key = key(&simulator, &channel, &address, &which)?;
    Ok(Json(snapshot(&simulator, &key)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    name: Option<String>,
    reading: Option<bool>,
    blocked: Option<bool>,
}

async fn settings(
    State(simulator): State<Arc<Simulator>>,
    Path((channel, address)): Path<(String, String)>,
    Query(which): Query<Which>,
    Json(settings): Json<Settings>,
) -> Result<Json<Value>, Refused> {
    let key = key(&simulator, &channel, &address, &which)?;
    let mut world = simulator.world();
    let chat = world.chat(&key);
    chat.name = settings.name.unwrap_or_else(|| chat.name.clone());
    chat.reading = settings.reading.unwrap_or(chat.reading);
    let turned = settings.blocked.is_some_and(|blocked| blocked != chat.blocked);
    chat.blocked = settings.blocked.unwrap_or(chat.blocked);
    let (reading, blocked) = (chat.reading, chat.blocked);
    drop(world);
    if turned && channel == "telegram" {
        telegram::membership(&simulator, &key, blocked);
    }
    if reading {
        mark_read(&simulator, &key, &channel);
    }
    let shown = snapshot(&simulator, &key);
    simulator.tell(&key, "chat", shown.clone());
    Ok(Json(shown))
}

fn snapshot(simulator: &Simulator, key: &ChatKey) -> Value {
    let mut world = simulator.world();
    let chat = world.chat(key).clone();
    drop(world);
    let mut shown = summary(simulator, key, &chat);
    shown["bubbles"] = json!(chat.bubbles);
    shown
}

async fn read(
    State(simulator): State<Arc<Simulator>>,
    Path((channel, address)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<StatusCode, Refused> {
    let key = key(&simulator, &channel, &address, &which)?;
    mark_read(&simulator, &key, &channel);
    Ok(StatusCode::NO_CONTENT)
}

fn mark_read(simulator: &Simulator, key: &ChatKey, channel: &str) {
    if channel == "whatsapp" {
        gupshup::read(simulator, key);
        return;
    }
    let unread = |bubble: &&Bubble| !bubble.mine && bubble.tick == Tick::Delivered;
    let ids: Vec<_> = simulator.world().chat(key).bubbles.iter().filter(unread).map(|bubble| bubble.id).collect();
    for id in ids {
        simulator.change(key, id, |bubble| bubble.tick = Tick::Read);
    }
}

/// What the customer does, as the page and the tests say it.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Deed {
    Text {
        text: String,
        reply_to: Option<String>,
    },
    Location {
        latitude: f64,
        longitude: f64,
        name: Option<String>,
        address: Option<String>,
    },
    Contact {
        name: String,
        phone: String,
    },
    /// A tap on a button of the message `message`.
    Tap {
        message: u64,
        payload: String,
    },
    /// A kind that the mesh has no words for.
    Unknown {
        kind: String,
    },
}

async fn write(
    State(simulator): State<Arc<Simulator>>,
    Path((channel, address)): Path<(String, String)>,
    Query(which): Query<Which>,
    request: Request,
) -> Result<Response, Refused> {
    let key = key(&simulator, &channel, &address, &which)?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bad = |words: String| (StatusCode::BAD_REQUEST, words);
    if kind.starts_with("multipart/form-data") {
        let form = Multipart::from_request(request, &()).await.map_err(|error| bad(error.to_string()))?;
        let says = upload(&simulator, form).await.map_err(bad)?;
        return Ok(said(&simulator, &key, &channel, says, None, None));
    }
    let Json(deed) = Json::<Deed>::from_request(request, &()).await.map_err(|error| bad(error.body_text()))?;
    let (says, reply_to) = match deed {
        Deed::Text { text, reply_to } => (Says::Text { text }, reply_to),
        Deed::Location { latitude, longitude, name, address } => {
            (Says::Location { latitude, longitude, name, address }, None)
        }
        Deed::Contact { name, phone } => (Says::Contact { name, phone }, None),
        Deed::Unknown { kind } => (Says::Other { name: kind }, None),
        Deed::Tap { message, payload } => return tap(&simulator, &key, &channel, message, &payload),
    };
    Ok(said(&simulator, &key, &channel, says, reply_to, None))
}

fn tap(simulator: &Simulator, key: &ChatKey, channel: &str, message: u64, payload: &str) -> Result<Response, Refused> {
    let missing = || (StatusCode::NOT_FOUND, "no such button".to_owned());
    let found = simulator.world().chat(key).bubbles.iter().find(|bubble| bubble.id == message).cloned();
    let tapped = found.ok_or_else(missing)?;
    let (Says::Buttons { buttons, .. } | Says::Template { buttons, .. }) = &tapped.says else { return Err(missing()) };
    let button = buttons.iter().find(|button| button.payload == payload).ok_or_else(missing)?;
    let label = button.label.clone();
    simulator.change(key, message, |bubble| bubble.tapped = Some(label.clone()));
    let quoted = tapped.provider_id.clone();
    Ok(said(simulator, key, channel, Says::Tap { label }, Some(quoted), Some((&tapped, payload))))
}

/// Puts what the customer said into the chat, and tells the mesh in the provider's words.
fn said(
    simulator: &Simulator,
    key: &ChatKey,
    channel: &str,
    says: Says,
    reply_to: Option<String>,
    tap: Option<(&Bubble, &str)>,
) -> Response {
    let mut world = simulator.world();
    let id = world.number();
    let provider_id = if channel == "whatsapp" { world.wamid() } else { id.to_string() };
    drop(world);
    let bubble = Bubble { id, provider_id, mine: true, at: now(), says, reply_to, tick: Tick::Sent, tapped: None };
    simulator.add(key, bubble.clone());
    if channel == "whatsapp" {
        gupshup::from_customer(simulator, key, &bubble, tap.map(|(_, payload)| payload));
    } else {
        telegram::from_customer(simulator, key, &bubble, tap);
    }
    (StatusCode::CREATED, Json(bubble)).into_response()
}

/// A form with `file`, and maybe `kind` (image, audio, video, document, sticker) and `caption`.
async fn upload(simulator: &Simulator, mut form: Multipart) -> Result<Says, String> {
    let (mut file, mut kind, mut caption) = (None, None, None);
    while let Some(part) = form.next_field().await.map_err(|error| error.to_string())? {
        match part.name().unwrap_or_default() {
            "file" => {
                let name = part.file_name().map(str::to_owned);
                let mime = part.content_type().unwrap_or("application/octet-stream").to_owned();
                let bytes = part.bytes().await.map_err(|error| error.to_string())?;
                file = Some(StoredFile { mime, name, bytes });
            }
            "kind" => kind = part.text().await.ok(),
            "caption" => caption = part.text().await.ok().filter(|words| !words.is_empty()),
            _ => {}
        }
    }
    let file = file.ok_or("the form has no 'file'")?;
    let (mime, name, size) = (file.mime.clone(), file.name.clone(), file.bytes.len());
    let main = mime.split('/').next().filter(|main| ["image", "audio", "video"].contains(main));
    let guessed = main.unwrap_or("document");
    let media = kind.unwrap_or_else(|| guessed.to_owned());
    if !["image", "audio", "video", "document", "sticker"].contains(&media.as_str()) {
        return Err(format!("'{media}' is no kind of media"));
    }
    let id = simulator.keep(file);
    Ok(Says::Media { media, url: format!("/sim/files/{id}"), mime, name, size: Some(size), caption })
}

/// The chat now, then what changes: events `chat`, `message` and `changed`.
async fn events(
    State(simulator): State<Arc<Simulator>>,
    Path((channel, address)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refused> {
    let key = key(&simulator, &channel, &address, &which)?;
    // Subscribed before the snapshot: a change may come twice, and none is missed.
    let changes = simulator.changes.subscribe();
    let first = event("chat", &snapshot(&simulator, &key));
    let later = stream::unfold((simulator, key, changes), |(simulator, key, mut changes)| async move {
        loop {
            let change = tokio::select! {
                change = changes.recv() => change,
                () = simulator.stop.cancelled() => return None,
            };
            let shown = match change {
                Ok(change) if change.key == key => event(change.event, &change.data),
                Ok(_) => continue,
                // Too slow: begin again from what is.
                Err(RecvError::Lagged(_)) => event("chat", &snapshot(&simulator, &key)),
                Err(RecvError::Closed) => return None,
            };
            return Some((shown, (simulator, key, changes)));
        }
    });
    Ok(Sse::new(stream::iter([first]).chain(later)).keep_alive(KeepAlive::default()))
}

fn event(name: &str, data: &Value) -> Result<Event, Infallible> {
    Ok(Event::default().event(name).data(data.to_string()))
}

/// A file as the phones show it: faults do not touch it.
async fn file(State(simulator): State<Arc<Simulator>>, Path(id): Path<String>) -> Response {
    let file = simulator.world().files.get(&id).cloned();
    match file {
        // A customer's file is a stranger's: it must not run in our page.
        Some(file) => (
            [
                (header::CONTENT_TYPE, file.mime.clone()),
                (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; style-src 'unsafe-inline'".to_owned()),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            ],
            file.bytes.clone(),
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
