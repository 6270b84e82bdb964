//! The bot's updates: what customers do, by webhook or by long poll.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::{answers::Refusal, params::Params};
use crate::{
    config::{Provider, SimulatedAccount},
    jobs::{Hook, Job},
    world::{Bubble, ChatKey, Says, Simulator, Tick, now},
};

/// Telegram's `User` for the bot.
pub(super) fn me(account: &SimulatedAccount) -> Value {
    let id = match &account.provider {
        Provider::Telegram { token } => token.expose().split(':').next().and_then(|id| id.parse::<i64>().ok()),
        Provider::Gupshup { .. } => None,
    };
    let username = format!("{}_bot", account.name.replace('-', "_"));
    json!({"id": id.unwrap_or(1), "is_bot": true, "first_name": account.label, "username": username})
}

/// `setWebhook`; what waits is sent there at once.
pub(super) fn set_webhook(simulator: &Simulator, account: &SimulatedAccount, params: &Params) -> Value {
    let url = params.text("url");
    let mut world = simulator.world();
    let bot = world.bots.entry(account.name.clone()).or_default();
    bot.webhook = url.map(|url| (url, params.text("secret_token")));
    let waiting: Vec<_> = bot.updates.iter().cloned().collect();
    drop(world);
    for (number, key, bubble, update) in waiting {
        push(simulator, &key, number, bubble, update);
    }
    json!(true)
}

/// `getWebhookInfo`.
pub(super) fn webhook_info(simulator: &Simulator, account: &SimulatedAccount) -> Value {
    let mut world = simulator.world();
    let bot = world.bots.entry(account.name.clone()).or_default();
    let url = bot.webhook.as_ref().map_or("", |(url, _)| url);
    json!({"url": url, "has_custom_certificate": false, "pending_update_count": bot.updates.len()})
}

/// `getUpdates`: confirms what came before the offset, and waits.
pub(super) async fn poll(
    simulator: &Arc<Simulator>,
    account: &SimulatedAccount,
    params: &Params,
) -> Result<Value, Refusal> {
    let offset: i64 = params.number("offset").unwrap_or(0);
    let limit: usize = params.number("limit").unwrap_or(100);
    let until = Instant::now() + Duration::from_secs(params.number("timeout").unwrap_or(0).min(50));
    loop {
        let news = simulator.updates.notified();
        let (updates, done) = {
            let mut world = simulator.world();
            let bot = world.bots.entry(account.name.clone()).or_default();
            if bot.webhook.is_some() {
                let words = "Conflict: can't use getUpdates method while webhook is active";
                return Err(Refusal::new(409, words));
            }
            let done: Vec<_> = bot
                .updates
                .iter()
                .filter(|(number, ..)| *number < offset)
                .map(|(_, key, bubble, _)| (key.clone(), *bubble))
                .collect();
            bot.updates.retain(|(number, ..)| *number >= offset);
            (bot.updates.iter().take(limit).map(|(.., update)| update.clone()).collect::<Vec<_>>(), done)
        };
        for (key, bubble) in done {
            simulator.change(&key, bubble, |bubble| bubble.tick = Tick::Delivered);
        }
        if !updates.is_empty() || simulator.stop.is_cancelled() {
            return Ok(json!(updates));
        }
        tokio::select! {
            waited = timeout_at(until, news) => if waited.is_err() { return Ok(json!([])) },
            () = simulator.stop.cancelled() => {}
        }
    }
}

/// `getFile`.
pub(super) fn file(simulator: &Simulator, params: &Params) -> Result<Value, Refusal> {
    let id = params.text("file_id").unwrap_or_default();
    let world = simulator.world();
    match world.files.get(&id) {
        Some(file) if file.bytes.len() > 20 << 20 => Err(Refusal::new(400, "Bad Request: file is too big")),
        Some(file) if !world.telegram.faults.media_expired => Ok(
            json!({"file_id": id, "file_unique_id": id, "file_size": file.bytes.len(), "file_path": format!("files/{id}")}),
        ),
        _ => Err(Refusal::new(400, "Bad Request: wrong file_id or the file is temporarily unavailable")),
    }
}

/// The hook took an update; its answer may carry one call, which for a tap ends the spinner.
pub(crate) fn confirmed(simulator: &Simulator, account: &str, update: i64, answer: &[u8]) {
    let mut world = simulator.world();
    if let Some(bot) = world.bots.get_mut(account) {
        bot.updates.retain(|(number, ..)| *number != update);
    }
    let call: Value = serde_json::from_slice(answer).unwrap_or(Value::Null);
    if let Some(method) = call.get("method").and_then(Value::as_str) {
        let number = world.telegram.note(&format!("/{method} (in the webhook's answer)"), call.clone());
        world.telegram.answered(number, 200, None);
    }
}

/// What the customer wrote or tapped, as an update.
pub(crate) fn from_customer(simulator: &Simulator, key: &ChatKey, bubble: &Bubble, tap: Option<(&Bubble, &str)>) {
    let name = simulator.world().chat(key).name.clone();
    let (from, chat) = people(key, &name);
    let body = match tap {
        Some((tapped, payload)) => {
            let mut message = json!({"message_id": tapped.id, "date": tapped.at / 1000, "chat": chat});
            if let Says::Buttons { text, buttons } = &tapped.says {
                let rows =
                    buttons.iter().map(|button| json!([{"text": button.label, "callback_data": button.payload}]));
                message["text"] = json!(text);
                message["reply_markup"] = json!({"inline_keyboard": rows.collect::<Vec<_>>()});
            }
            let tap = json!({"id": bubble.id.to_string(), "from": from, "data": payload, "chat_instance": key.address,
                "message": message});
            json!({"callback_query": tap})
        }
        None => {
            let mut message = json!({"message_id": bubble.id, "date": bubble.at / 1000, "chat": chat, "from": from});
            if let (Some(message), Value::Object(content)) = (message.as_object_mut(), content(&bubble.says)) {
                message.extend(content);
            }
            if let Some(quoted) = bubble.reply_to.as_deref().and_then(|id| id.parse::<i64>().ok()) {
                message["reply_to_message"] = json!({"message_id": quoted, "date": 0, "chat": chat});
            }
            json!({"message": message})
        }
    };
    add(simulator, key, bubble.id, body);
}

/// The customer blocked or unblocked the bot.
pub(crate) fn membership(simulator: &Simulator, key: &ChatKey, blocked: bool) {
    let name = simulator.world().chat(key).name.clone();
    let (from, chat) = people(key, &name);
    let (old, new) = if blocked { ("member", "kicked") } else { ("kicked", "member") };
    let change = json!({"chat": chat, "from": from, "date": now() / 1000, "old_chat_member": {"status": old},
        "new_chat_member": {"status": new}});
    add(simulator, key, 0, json!({"my_chat_member": change}));
}

fn people(key: &ChatKey, name: &str) -> (Value, Value) {
    let id: i64 = key.address.parse().unwrap_or_default();
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    let from = json!({"id": id, "is_bot": false, "first_name": first, "last_name": last, "language_code": "pt-br"});
    (from, json!({"id": id, "type": "private", "first_name": first, "last_name": last}))
}

fn add(simulator: &Simulator, key: &ChatKey, bubble: u64, mut update: Value) {
    let mut world = simulator.world();
    let number = i64::try_from(world.number()).unwrap_or(i64::MAX);
    update["update_id"] = json!(number);
    let bot = world.bots.entry(key.account.clone()).or_default();
    bot.updates.push_back((number, key.clone(), bubble, update.clone()));
    let webhook = bot.webhook.is_some();
    drop(world);
    if webhook {
        push(simulator, key, number, bubble, update);
    } else {
        simulator.updates.notify_waiters();
    }
}

fn push(simulator: &Simulator, key: &ChatKey, number: i64, bubble: u64, update: Value) {
    let mut world = simulator.world();
    let doubled = world.telegram.faults.webhooks_doubled;
    let Some((url, secret)) = world.bots.entry(key.account.clone()).or_default().webhook.clone() else { return };
    drop(world);
    let header = |secret: String| ("x-telegram-bot-api-secret-token".to_owned(), secret);
    let hook = Hook {
        key: key.clone(),
        url,
        headers: secret.map(header).into_iter().collect(),
        body: update,
        bubble: (bubble > 0).then_some(bubble),
        update: Some(number),
    };
    for _ in 0..if doubled { 2 } else { 1 } {
        simulator.later(Duration::ZERO, Job::Hook(hook.clone()));
    }
}

fn content(says: &Says) -> Value {
    match says {
        Says::Text { text } | Says::Buttons { text, .. } | Says::Template { text, .. } | Says::Tap { label: text } => {
            json!({"text": text})
        }
        Says::Media { media, url, mime, name, size, caption } => {
            let id = url.rsplit('/').next().unwrap_or_default();
            let file =
                json!({"file_id": id, "file_unique_id": id, "file_size": size, "mime_type": mime, "file_name": name});
            let mut content = match media.as_str() {
                "image" => {
                    json!({"photo": [{"file_id": id, "file_unique_id": id, "file_size": size, "width": 640, "height": 480}]})
                }
                "audio" => json!({"voice": file}),
                "video" => json!({"video": file}),
                "sticker" => json!({"sticker": file}),
                _ => json!({"document": file}),
            };
            if let Some(caption) = caption {
                content["caption"] = json!(caption);
            }
            content
        }
        Says::Location { latitude, longitude, name, address } => {
            let location = json!({"latitude": latitude, "longitude": longitude});
            match name {
                Some(name) => {
                    json!({"location": location, "venue": {"location": location, "title": name, "address": address}})
                }
                None => json!({"location": location}),
            }
        }
        Says::Contact { name, phone } => json!({"contact": {"phone_number": phone, "first_name": name}}),
        Says::Other { name } => {
            let mut content = json!({});
            content[name] = json!({"emoji": "🎲", "value": 4});
            content
        }
    }
}
