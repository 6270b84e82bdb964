//! What Gupshup tells the mesh: receipts of its messages, and what customers write. Version 2 or 3, by the account.

use std::time::Duration;

use serde_json::{Value, json};

use super::Taken;
use crate::{
    config::{Envelope, Provider},
    faults::Receipts,
    jobs::{Hook, Job},
    world::{Bubble, ChatKey, Says, Simulator, Tick, now, wamid},
};

/// Plans the receipts of a message, with the provider's faults.
pub(super) fn receipts(simulator: &Simulator, taken: &Taken) {
    let pace = simulator.config.pace;
    let mut plan = vec![("enqueued", pace.enqueued_ms)];
    let mut world = simulator.world();
    let reading = world.chat(&taken.key).reading;
    let (kind, late) = (world.gupshup.faults.receipts, world.gupshup.faults.receipts_late_ms);
    drop(world);
    if taken.fail.is_some() {
        plan.push(("failed", pace.sent_ms));
    } else {
        plan.extend([("sent", pace.sent_ms), ("delivered", pace.delivered_ms)]);
        if reading {
            plan.push(("read", pace.read_ms));
        }
    }
    let bodies: Vec<_> = plan.iter().map(|(state, _)| body(simulator, taken, state)).collect();
    let mut times: Vec<_> = plan.iter().map(|(_, after)| *after).collect();
    match kind {
        Receipts::Missing => return,
        Receipts::Reordered => times.reverse(),
        Receipts::Late => times.iter_mut().for_each(|after| *after += late),
        Receipts::Normal | Receipts::Doubled => {}
    }
    for ((body, after), (state, _)) in bodies.into_iter().zip(times).zip(plan) {
        let after = Duration::from_millis(after);
        if state == "read" {
            simulator.change(&taken.key, taken.bubble, |bubble| bubble.tick = Tick::Read);
        }
        for _ in 0..if kind == Receipts::Doubled { 2 } else { 1 } {
            call(simulator, &taken.key, body.clone(), None, after);
        }
    }
}

/// The customer opened the chat: receipts for what they had not read.
pub(crate) fn read(simulator: &Simulator, key: &ChatKey) {
    let mut world = simulator.world();
    let missing = world.gupshup.faults.receipts == Receipts::Missing;
    let unread: Vec<_> = world
        .chat(key)
        .bubbles
        .iter()
        .filter(|bubble| !bubble.mine && bubble.tick == Tick::Delivered)
        .map(|bubble| (bubble.id, bubble.provider_id.clone()))
        .collect();
    drop(world);
    for (bubble, gupshup_id) in unread {
        let whatsapp_id = wamid(&gupshup_id);
        simulator.change(key, bubble, |bubble| bubble.tick = Tick::Read);
        let taken =
            Taken { key: key.clone(), bubble, gupshup_id, whatsapp_id, media: None, fail: None, template: false };
        if !missing {
            call(simulator, key, body(simulator, &taken, "read"), None, Duration::ZERO);
        }
    }
}

/// Sends `body` to the account's hook, twice when the fault says so.
pub(super) fn call(simulator: &Simulator, key: &ChatKey, body: Value, bubble: Option<u64>, after: Duration) {
    let Some(account) = simulator.account(&key.account) else { return };
    let Provider::Gupshup { hook_url: Some(url), webhook_secret, .. } = &account.provider else { return };
    let hook = Hook {
        key: key.clone(),
        url: url.clone(),
        headers: vec![("authorization".to_owned(), format!("Bearer {}", webhook_secret.expose()))],
        body,
        bubble,
        update: None,
    };
    let doubled = simulator.world().gupshup.faults.webhooks_doubled;
    for _ in 0..if doubled { 2 } else { 1 } {
        simulator.later(after, Job::Hook(hook.clone()));
    }
}

/// A receipt's body.
fn body(simulator: &Simulator, taken: &Taken, state: &str) -> Value {
    let (app, envelope) = app(simulator, &taken.key);
    let (at, seconds) = (now(), now() / 1000);
    if envelope == Envelope::V3 {
        let mut status = json!({"gs_id": taken.gupshup_id, "id": taken.whatsapp_id, "recipient_id": taken.key.address,
            "status": state, "timestamp": seconds.to_string()});
        if let (Some((code, words)), "failed") = (&taken.fail, state) {
            status["errors"] =
                json!([{"code": code, "title": words, "message": words, "error_data": {"details": words}}]);
        }
        return meta(&app, json!({"statuses": [status]}));
    }
    let kind = if taken.template { "template" } else { "session" };
    let mut payload = json!({"type": state, "destination": taken.key.address});
    match (state, &taken.fail) {
        ("enqueued", _) => {
            payload["id"] = json!(taken.gupshup_id);
            payload["payload"] = json!({"whatsappMessageId": taken.whatsapp_id, "type": kind});
        }
        ("failed", Some((code, reason))) => {
            payload["id"] = json!(taken.whatsapp_id);
            payload["gsId"] = json!(taken.gupshup_id);
            payload["payload"] = json!({"code": code, "reason": reason});
        }
        _ => {
            payload["id"] = json!(taken.whatsapp_id);
            payload["gsId"] = json!(taken.gupshup_id);
            payload["payload"] = json!({"ts": seconds});
        }
    }
    json!({"app": app, "timestamp": at, "version": 2, "type": "message-event", "payload": payload})
}

/// What the customer wrote, on its way to the mesh.
pub(crate) fn from_customer(simulator: &Simulator, key: &ChatKey, bubble: &Bubble, payload: Option<&str>) {
    let (app, envelope) = app(simulator, key);
    let name = simulator.world().chat(key).name.clone();
    let link = |url: &str| {
        let id = url.rsplit('/').next().unwrap_or_default();
        format!("{}/sim/gupshup/files/{id}", simulator.config.base_url)
    };
    let body = match envelope {
        Envelope::V2 => {
            let (kind, inner) = inner_v2(&bubble.says, payload, &link);
            let mut said = json!({"id": bubble.provider_id, "source": key.address, "type": kind, "payload": inner,
                "sender": {"phone": key.address, "name": name, "country_code": key.address.get(..2),
                    "dial_code": key.address.get(2..)}});
            if let Some(quoted) = &bubble.reply_to {
                said["context"] =
                    json!({"gsId": quoted, "id": quoted, "forwarded": false, "frequently_forwarded": false});
            }
            json!({"app": app, "timestamp": bubble.at, "version": 2, "type": "message", "payload": said})
        }
        Envelope::V3 => {
            let (kind, inner) = inner_v3(&bubble.says, payload, &link);
            let mut said = json!({"from": key.address, "id": bubble.provider_id, "type": kind,
                "timestamp": (bubble.at / 1000).to_string()});
            said[kind] = inner;
            if let Some(quoted) = &bubble.reply_to {
                said["context"] = json!({"gs_id": quoted, "id": quoted});
            }
            let contact = json!({"profile": {"name": name}, "wa_id": key.address});
            meta(&app, json!({"contacts": [contact], "messages": [said]}))
        }
    };
    call(simulator, key, body, Some(bubble.id), Duration::ZERO);
}

fn inner_v2(says: &Says, payload: Option<&str>, link: &dyn Fn(&str) -> String) -> (String, Value) {
    let (kind, inner) = match says {
        Says::Text { text } | Says::Buttons { text, .. } | Says::Template { text, .. } => {
            ("text", json!({"text": text}))
        }
        Says::Media { media, url, mime, name, caption, .. } => {
            let kind = if media == "document" { "file" } else { media };
            let expiry = now() + 7 * 24 * 3_600_000;
            let mut inner = json!({"url": link(url), "contentType": mime, "urlExpiry": expiry});
            if let Some(name) = name {
                inner["name"] = json!(name);
            }
            if let Some(caption) = caption {
                inner["caption"] = json!(caption);
            }
            (kind, inner)
        }
        Says::Location { latitude, longitude, name, address } => (
            "location",
            json!({"longitude": longitude.to_string(), "latitude": latitude.to_string(), "name": name, "address": address}),
        ),
        Says::Contact { name, phone } => {
            let card = json!({"name": {"first_name": name, "formatted_name": name}, "phones": [{"phone": phone, "type": "CELL"}]});
            ("contact", json!({"contacts": [card]}))
        }
        Says::Tap { label } => {
            ("button_reply", json!({"title": label, "id": "m", "reply": format!("{label} 1"), "postbackText": payload}))
        }
        Says::Other { name } => (name.as_str(), json!({})),
    };
    (kind.to_owned(), inner)
}

fn inner_v3<'a>(says: &'a Says, payload: Option<&str>, link: &dyn Fn(&str) -> String) -> (&'a str, Value) {
    match says {
        Says::Text { text } | Says::Buttons { text, .. } | Says::Template { text, .. } => {
            ("text", json!({"body": text}))
        }
        Says::Media { media, url, mime, name, caption, .. } => {
            (media, json!({"id": "1", "mime_type": mime, "filename": name, "caption": caption, "url": link(url)}))
        }
        Says::Location { latitude, longitude, name, address } => {
            ("location", json!({"latitude": latitude, "longitude": longitude, "name": name, "address": address}))
        }
        Says::Contact { name, phone } => {
            ("contacts", json!([{"name": {"formatted_name": name}, "phones": [{"phone": phone, "type": "CELL"}]}]))
        }
        Says::Tap { label } => {
            let ids = json!({"msgid": "m", "postbackText": payload}).to_string();
            ("interactive", json!({"type": "button_reply", "button_reply": {"id": ids, "title": label}}))
        }
        Says::Other { name } => (name, json!({})),
    }
}

fn meta(app: &str, value: Value) -> Value {
    let mut value = value;
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({"display_phone_number": app, "phone_number_id": "1"});
    json!({"gs_app_id": app, "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]})
}

fn app(simulator: &Simulator, key: &ChatKey) -> (String, Envelope) {
    match simulator.account(&key.account).map(|account| &account.provider) {
        Some(Provider::Gupshup { app_name, envelope, .. }) => (app_name.clone(), *envelope),
        _ => (String::new(), Envelope::V2),
    }
}
