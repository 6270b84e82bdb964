//! The WhatsApp envelope: `entry[].changes[].value` with messages, statuses and preferences. Gupshup passes it through
//! and adds `gs_id`; the additions are read here, since where they are missing they change nothing.

use bytes::Bytes;
use channel_kit::{Arrival, Arrived, Heard, Malformed, Stray, TemplateNews};
use domain::{
    Address, Code, ConsentChange, Content, DeliveryState, EventId, Failure, InboundMessage, Profile, Receipt, Timestamp,
};
use serde_json::{Value, json};

use crate::fields::{address, contacts, first_text, items, location, media_kind, pending, text, time};

/// Whether a body is of this shape.
pub fn is_envelope(body: &Value) -> bool {
    body.get("entry").is_some_and(Value::is_array)
}

/// What an envelope says, in its order. Fields other than messages, preferences and templates say nothing to us.
/// `code_of` names the errors: those who pass Meta's envelope on have codes of their own.
///
/// One call may carry a thousand items of many contacts, so a bad item never takes the good ones with it. A message
/// that names its sender but has no id arrives as unsupported, so that the desk sees that something was said. A message
/// without a sender belongs to no conversation, and a status without an id or a recipient to no message of ours: beside
/// good items both go astray, each in an envelope of its own.
///
/// # Errors
/// When there are bad items (no id, or nobody at the far end) and not one good one.
pub fn heard(body: &Value, code_of: fn(u64) -> Code) -> Result<Heard, Malformed> {
    let mut heard = Heard::default();
    let mut any_good = false;
    let mut problem = None;
    for change in items(body, "/entry").flat_map(|entry| items(entry, "/changes")) {
        if text(change, "/field").is_some_and(|field| TEMPLATE_FIELDS.contains(&field.as_str())) {
            any_good = true;
            heard.templates.push(TemplateNews::Changed);
            continue;
        }
        let Some(value) = change.get("value") else { continue };
        let messages = items(value, "/messages").map(|item| ("messages", item, message(value, item)));
        let statuses = items(value, "/statuses").map(|item| ("statuses", item, status(item, code_of)));
        for (list, item, read) in messages.chain(statuses) {
            match read {
                Ok(good) => {
                    any_good = true;
                    heard.arrivals.extend(good);
                }
                Err(bad) => {
                    match (list == "messages").then(|| unreadable(value, item)).flatten() {
                        Some(arrival) => heard.arrivals.push(arrival),
                        None => heard.strays.push(Stray { reason: bad.clone(), body: alone(body, value, list, item) }),
                    }
                    problem.get_or_insert(bad);
                }
            }
        }
        for good in items(value, "/user_preferences").filter_map(|item| preference(item, None)) {
            any_good = true;
            heard.arrivals.push(good);
        }
    }
    problem.filter(|_| !any_good).map_or(Ok(heard), Err)
}

/// The fields of changes that tell about templates. They name Meta's id of the template, which those who pass the
/// envelope on may not send by: the list tells.
const TEMPLATE_FIELDS: &[&str] = &[
    "message_template_status_update",
    "message_template_quality_update",
    "message_template_components_update",
    "template_category_update",
];

/// The envelope of `body` with one item of one list, and what tells whose it is.
fn alone(body: &Value, value: &Value, list: &str, item: &Value) -> Bytes {
    let mut one = serde_json::Map::new();
    for field in ["messaging_product", "metadata", "contacts"] {
        if let Some(kept) = value.get(field) {
            one.insert(field.to_owned(), kept.clone());
        }
    }
    one.insert(list.to_owned(), Value::Array(vec![item.clone()]));
    let mut envelope = json!({"entry": [{"changes": [{"field": "messages", "value": one}]}]});
    for field in ["object", "gs_app_id"] {
        if let Some(kept) = body.get(field) {
            envelope[field] = kept.clone();
        }
    }
    Bytes::from(envelope.to_string())
}

/// The contact stopped or resumed marketing messages in the app. `at` stands in for a missing time.
pub fn preference(item: &Value, at: Option<Timestamp>) -> Option<Arrival> {
    let who = first_text(item, &["/wa_id", "/user_id", "/userid"])?;
    let value = text(item, "/value")?;
    let granted = match value.as_str() {
        "stop" => false,
        "resume" | "signup" => true,
        _ => return None,
    };
    let at = time(item, "/timestamp").or(at);
    let evidence = format!("user_preferences {}: {value}", text(item, "/category").unwrap_or_default());
    Some(consent(&who, at, granted, evidence))
}

/// A change of consent that the provider reports.
pub fn consent(who: &str, at: Option<Timestamp>, granted: bool, evidence: String) -> Arrival {
    let who = address(who);
    Arrival {
        key: format!("consent:{who}:{}:{granted}", at.map_or(0, Timestamp::millis)),
        address: Address::new(who),
        at,
        what: Arrived::Consent(ConsentChange { granted, source: "provider_event".to_owned(), evidence }),
    }
}

fn message(value: &Value, item: &Value) -> Result<Vec<Arrival>, Malformed> {
    let id = text(item, "/id").ok_or_else(|| Malformed("a message without an id".to_owned()))?;
    let who = sender(item).ok_or_else(|| Malformed("a message without a sender".to_owned()))?;
    Ok(vec![arrived(value, item, id, &who, content(item))])
}

/// What stands for a message that cannot be read: who wrote, and that they did. Without an id its own words make the
/// key, so that the same call, repeated, is the same message.
fn unreadable(value: &Value, item: &Value) -> Option<Arrival> {
    let who = sender(item)?;
    let id = format!("malformed:{}", EventId::derive(&[&item.to_string()]).uuid().simple());
    Some(arrived(value, item, id, &who, Content::Unsupported { kind: "malformed".to_owned() }))
}

/// A contact with a user name may come without a telephone number: then the business-scoped id is the address.
fn sender(item: &Value) -> Option<String> {
    first_text(item, &["/from", "/from_user_id"])
}

fn arrived(value: &Value, item: &Value, id: String, who: &str, content: Content) -> Arrival {
    let known = |contact: &&Value| {
        ["/wa_id", "/user_id"].iter().any(|field| text(contact, field).is_some_and(|id| address(&id) == address(who)))
    };
    let contact = items(value, "/contacts").find(known).or_else(|| items(value, "/contacts").next());
    let digits = address(who);
    let profile = Profile {
        name: contact.and_then(|contact| text(contact, "/profile/name")),
        email: None,
        phone: digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("+{digits}")),
        username: contact.and_then(|contact| text(contact, "/profile/username")),
    };
    let reply_to = first_text(item, &["/context/gs_id", "/context/gsId", "/context/id"]);
    let key = format!("message:{id}");
    let what = Arrived::Message(InboundMessage { provider_id: id, content, profile, reply_to });
    Arrival { key, address: Address::new(digits), at: time(item, "/timestamp"), what }
}

fn content(item: &Value) -> Content {
    let kind = text(item, "/type").unwrap_or_else(|| "unknown".to_owned());
    let body = item.get(&kind).unwrap_or(&Value::Null);
    let said = match kind.as_str() {
        "text" => text(body, "/body").map(Content::text),
        "location" => location(body),
        "contacts" => contacts(item, "/contacts"),
        "button" => text(body, "/text").map(|label| Content::Choice { label, payload: text(body, "/payload") }),
        "interactive" => return interactive(body),
        _ => media_kind(&kind).and_then(|media| {
            // Where the link is not given, the id is all there is; who cannot resolve it says that it is lost.
            let reference = text(body, "/url").or_else(|| text(body, "/id").map(|id| format!("media:{id}")))?;
            Some(pending(media, body, reference))
        }),
    };
    said.unwrap_or_else(|| Content::Unsupported { kind: text(item, "/unsupported/type").unwrap_or(kind) })
}

fn interactive(body: &Value) -> Content {
    let kind = text(body, "/type").unwrap_or_else(|| "interactive".to_owned());
    let reply = body.get(&kind).unwrap_or(&Value::Null);
    match (kind.as_str(), text(reply, "/title")) {
        ("button_reply" | "list_reply", Some(label)) => {
            // Gupshup wraps its own two ids into a JSON string here.
            let wrapped = text(reply, "/id").and_then(|id| serde_json::from_str::<Value>(&id).ok());
            let payload = wrapped.and_then(|ids| text(&ids, "/postbackText")).or_else(|| text(reply, "/id"));
            Content::Choice { label, payload }
        }
        _ => Content::Unsupported { kind },
    }
}

fn status(item: &Value, code_of: fn(u64) -> Code) -> Result<Vec<Arrival>, Malformed> {
    let state = match text(item, "/status").as_deref() {
        Some("enqueued" | "accepted") => DeliveryState::Accepted,
        Some("sent") => DeliveryState::Sent,
        Some("delivered") => DeliveryState::Delivered,
        Some("read" | "played") => DeliveryState::Read,
        Some("failed") => DeliveryState::Failed,
        _ => return Ok(Vec::new()),
    };
    let ids: Vec<String> = ["/gs_id", "/id"].iter().filter_map(|field| text(item, field)).collect();
    let who = first_text(item, &["/recipient_id", "/recipient_user_id"])
        .ok_or_else(|| Malformed("a status without a recipient".to_owned()))?;
    let error = item.pointer("/errors/0").unwrap_or(&Value::Null);
    let failure = (state == DeliveryState::Failed).then(|| {
        failure(text(error, "/code"), first_text(error, &["/error_data/details", "/message", "/title"]), code_of)
    });
    receipt(ids, &who, state, time(item, "/timestamp"), failure)
}

/// A failure in the provider's words and ours.
pub fn failure(provider_code: Option<String>, reason: Option<String>, code_of: fn(u64) -> Code) -> Failure {
    let number = provider_code.as_deref().and_then(|code| code.parse().ok()).unwrap_or(0);
    Failure { code: code_of(number), provider_code, reason }
}

/// A receipt; when it says that the contact opted out, that is a change of consent besides.
///
/// # Errors
/// When there is no id to match it by.
pub fn receipt(
    ids: Vec<String>,
    who: &str,
    state: DeliveryState,
    at: Option<Timestamp>,
    failure: Option<Failure>,
) -> Result<Vec<Arrival>, Malformed> {
    let id = ids.first().ok_or_else(|| Malformed("a receipt without an id".to_owned()))?;
    let name = match state {
        DeliveryState::Accepted => "accepted",
        DeliveryState::Sent => "sent",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Read => "read",
        _ => "failed",
    };
    let opted_out = failure.as_ref().filter(|failure| failure.code == domain::error::codes::OPTED_OUT).map(|failure| {
        let code = failure.provider_code.as_deref().unwrap_or_default();
        consent(who, at, false, format!("a message to them failed with {code}"))
    });
    let key = format!("receipt:{id}:{name}");
    let at_or_zero = at.unwrap_or_default();
    let what = Arrived::Receipt(Receipt { provider_ids: ids, state, at: at_or_zero, failure });
    Ok(std::iter::once(Arrival { key, address: Address::new(address(who)), at, what }).chain(opted_out).collect())
}
