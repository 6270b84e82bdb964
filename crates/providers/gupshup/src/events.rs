//! Gupshup's own envelope, version 2: `type` with `payload`, one thing in each call.

use channel_kit::{Arrival, Arrived, Heard, Malformed, TemplateNews};
use domain::{Address, Content, DeliveryState, InboundMessage, Profile, Timestamp};
use provider_meta::{
    fields::{address, contacts, first_text, items, location, media_kind, pending, text, time},
    whatsapp::{consent, failure, preference, receipt},
};
use serde_json::Value;

use crate::{code_of, status_of};

/// What a call says.
///
/// # Errors
/// When it is not of this shape, or a message or an event without the ids that it needs.
pub fn heard(body: &Value) -> Result<Heard, Malformed> {
    let kind = text(body, "/type").ok_or_else(|| Malformed("neither 'entry' nor 'type'".to_owned()))?;
    let payload = body.get("payload").unwrap_or(&Value::Null);
    let at = time(body, "/timestamp");
    match kind.as_str() {
        "message" => message(payload, at).map(|arrival| vec![arrival].into()),
        "message-event" => event(payload, at).map(Heard::from),
        "template-event" => Ok(Heard { templates: vec![template_event(payload)], ..Heard::default() }),
        "user-event" => Ok(user_event(payload, at).into_iter().collect::<Vec<_>>().into()),
        "preference-event" => {
            let all = items(payload, "/payload/user_preferences").chain(items(payload, "/user_preferences"));
            Ok(all.filter_map(|item| preference(item, at)).collect::<Vec<_>>().into())
        }
        // The account, bills: nothing for a conversation.
        _ => Ok(Heard::default()),
    }
}

fn message(payload: &Value, at: Option<Timestamp>) -> Result<Arrival, Malformed> {
    let id = text(payload, "/id").ok_or_else(|| Malformed("a message without an id".to_owned()))?;
    let who = first_text(payload, &["/source", "/sender/phone"])
        .ok_or_else(|| Malformed("a message without a sender".to_owned()))?;
    let who = address(&who);
    let profile = Profile { name: text(payload, "/sender/name"), phone: Some(format!("+{who}")), ..Profile::default() };
    // Gupshup's own id is what we know our message by; it is missing for messages older than a week.
    let reply_to = first_text(payload, &["/context/gsId", "/context/gs_id", "/context/id"]);
    let what = InboundMessage { provider_id: id.clone(), content: content(payload), profile, reply_to };
    Ok(Arrival { key: format!("message:{id}"), address: Address::new(who), at, what: Arrived::Message(what) })
}

fn content(payload: &Value) -> Content {
    let kind = text(payload, "/type").unwrap_or_else(|| "unknown".to_owned());
    let body = payload.get("payload").unwrap_or(&Value::Null);
    // A tap on a template's button comes as `quick_reply`, or as text that says so within.
    let tapped = matches!(kind.as_str(), "quick_reply" | "button_reply" | "list_reply")
        || text(body, "/type").as_deref() == Some("button");
    let said = if tapped {
        first_text(body, &["/text", "/title"])
            .map(|label| Content::Choice { label, payload: first_text(body, &["/postbackText", "/id"]) })
    } else {
        match kind.as_str() {
            "text" => text(body, "/text").map(Content::text),
            "location" => location(body),
            "contact" | "contacts" => contacts(body, "/contacts"),
            _ => media_kind(&kind).and_then(|media| Some(pending(media, body, text(body, "/url")?))),
        }
    };
    said.unwrap_or(Content::Unsupported { kind })
}

fn event(payload: &Value, at: Option<Timestamp>) -> Result<Vec<Arrival>, Malformed> {
    let state = match text(payload, "/type").as_deref() {
        Some("enqueued") => DeliveryState::Accepted,
        Some("sent") => DeliveryState::Sent,
        Some("delivered") => DeliveryState::Delivered,
        Some("read") => DeliveryState::Read,
        Some("failed") => DeliveryState::Failed,
        // `deleted` is about the contact's own message; `mismatch` tells another form of a number. Both change no tick.
        _ => return Ok(Vec::new()),
    };
    // The answer to our request gave Gupshup's id, which later events carry as `gsId`, or not at all after a week.
    let fields: &[&str] = match state {
        DeliveryState::Accepted => &["/gsId", "/id", "/payload/whatsappMessageId"],
        _ => &["/gsId", "/id"],
    };
    let ids = fields.iter().filter_map(|field| text(payload, field)).collect();
    let who = text(payload, "/destination").ok_or_else(|| Malformed("an event without 'destination'".to_owned()))?;
    let failure = (state == DeliveryState::Failed)
        .then(|| failure(text(payload, "/payload/code"), text(payload, "/payload/reason"), code_of));
    receipt(ids, &who, state, time(payload, "/payload/ts").or(at), failure)
}

/// Gupshup's id of the template and its state; anything else about it (its category, its quality) is in the list.
fn template_event(payload: &Value) -> TemplateNews {
    let told = text(payload, "/id").zip(text(payload, "/status"));
    told.map_or(TemplateNews::Changed, |(id, status)| TemplateNews::Status { id, status: status_of(&status) })
}

fn user_event(payload: &Value, at: Option<Timestamp>) -> Option<Arrival> {
    let granted = match text(payload, "/type")?.as_str() {
        "opted-in" => true,
        "opted-out" => false,
        // `sandbox-start` only tries the URL.
        _ => return None,
    };
    let evidence = format!("user-event {}", if granted { "opted-in" } else { "opted-out" });
    Some(consent(&text(payload, "/phone")?, at, granted, evidence))
}
