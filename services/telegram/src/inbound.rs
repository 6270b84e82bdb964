//! From updates to arrivals, by webhook and by poll.

use std::time::Duration;

use async_trait::async_trait;
use channel_kit::{
    Arrival, Arrived, Heard, Malformed, Poll, PollError, Polled, Verified, Webhook, WebhookRequest,
    http::{AccountHttp, RequestBody},
};
use domain::{Address, ConsentChange, Content, InboundMessage, Timestamp};
use provider_telegram::{
    api::Refused,
    content::{content, integer, text},
    people::{label, message_id, private_chat, profile},
};
use serde_json::{Value, json};

use crate::account::{Bot, UPDATES};

impl Webhook for Bot {
    fn secret_header(&self) -> &'static str {
        "x-telegram-bot-api-secret-token"
    }

    fn verify(&self, request: &WebhookRequest) -> Option<Verified> {
        let given = request.headers.get(self.secret_header()).map(String::as_str);
        Verified::by_secret(given, self.webhook_secret.as_ref()?.expose())
    }

    fn translate(&self, request: &WebhookRequest) -> Result<Heard, Malformed> {
        let update = serde_json::from_slice(&request.body).map_err(|error| Malformed(format!("not JSON: {error}")))?;
        arrivals(&update).map(Heard::from)
    }

    /// A tapped button shows a spinner until it is answered; the webhook's answer may carry that one call.
    fn answer(&self, request: &WebhookRequest) -> Option<Value> {
        let update: Value = serde_json::from_slice(&request.body).ok()?;
        let id = text(&update, "/callback_query/id")?;
        Some(json!({"method": "answerCallbackQuery", "callback_query_id": id}))
    }
}

#[async_trait]
impl Poll for Bot {
    async fn poll(&self, cursor: Option<&str>, http: &AccountHttp) -> Result<Polled, PollError> {
        let mut ask = json!({"timeout": 25, "limit": 100, "allowed_updates": UPDATES});
        // The offset confirms what came before it: the kit has stored that by now.
        if let (Some(offset), Some(fields)) = (cursor.and_then(|at| at.parse::<i64>().ok()), ask.as_object_mut()) {
            fields.insert("offset".to_owned(), json!(offset));
        }
        let body = RequestBody::Json(ask);
        let updates = self.api.call("/bot{token}/getUpdates", body, Duration::from_secs(40), http).await;
        let updates = updates.map_err(Refused::for_poll)?;
        let mut polled = Polled { heard: Heard::default(), cursor: cursor.map(str::to_owned) };
        let strange = |reason: &str| PollError::Unavailable { after: None, reason: reason.to_owned() };
        let updates = updates.as_array().ok_or_else(|| strange("the updates are not a list"))?;
        // Nothing on such a page can be confirmed, so it comes again at once: that must not become a tight loop.
        if !updates.is_empty() && updates.iter().all(|update| integer(update, "/update_id").is_none()) {
            return Err(strange("no update has a number"));
        }
        for update in updates {
            // Only an update without a number makes no sense. It goes astray, and the offset of the others passes it.
            polled.heard.add(arrivals(update), || update.to_string().into());
            if let Some(id) = text(update, "/callback_query/id") {
                // Ends the spinner on the button. Nothing hangs on it: when it fails, Telegram ends it after a while.
                let body = RequestBody::Json(json!({"callback_query_id": id}));
                drop(self.api.call("/bot{token}/answerCallbackQuery", body, Duration::from_secs(5), http).await);
            }
            if let Some(id) = integer(update, "/update_id") {
                polled.cursor = Some((id + 1).to_string());
            }
        }
        Ok(polled)
    }
}

/// What one update says: nothing, one thing, or a message with the consent that it stands for.
fn arrivals(update: &Value) -> Result<Vec<Arrival>, Malformed> {
    let id = integer(update, "/update_id").ok_or_else(|| Malformed("an update without 'update_id'".to_owned()))?;
    let arrival = |suffix: &str, chat: &Value, date: Option<i64>, what| Arrival {
        key: format!("update:{id}{suffix}"),
        address: Address::new(integer(chat, "/id").unwrap_or_default().to_string()),
        at: date.map(Timestamp::from_secs),
        what,
    };
    let consent = |granted, source: &str, evidence: String| {
        Arrived::Consent(ConsentChange { granted, source: source.to_owned(), evidence })
    };
    if let Some(message) = update.get("message")
        && let Some(chat) = private_chat(message)
        && let Some(said) = content(message)
    {
        let mut all = Vec::with_capacity(2);
        let date = integer(message, "/date");
        if let Content::Text { text: words } = &said
            && (words == "/start" || words.starts_with("/start "))
        {
            all.push(arrival(":consent", chat, date, consent(true, "started_chat", words.clone())));
        }
        all.push(arrival("", chat, date, Arrived::Message(inbound(message, said))));
        return Ok(all);
    }
    if let Some(message) = update.get("edited_message")
        && let Some(chat) = private_chat(message)
        // A live location is edited every few seconds; its first point has been told.
        && message.get("location").is_none()
    {
        let said = Content::Unsupported { kind: "edited_message".to_owned() };
        let mut inbound = inbound(message, said);
        inbound.provider_id = format!("{}:edit:{id}", inbound.provider_id);
        return Ok(vec![arrival("", chat, integer(message, "/edit_date"), Arrived::Message(inbound))]);
    }
    if let Some(tap) = update.get("callback_query")
        && let Some(message) = tap.get("message")
        && let Some(chat) = private_chat(message)
    {
        return Ok(vec![arrival("", chat, None, Arrived::Message(tapped(tap, message)))]);
    }
    if let Some(change) = update.get("my_chat_member")
        && let Some(chat) = private_chat(change)
        && let Some(status) = text(change, "/new_chat_member/status")
        && matches!(status.as_str(), "kicked" | "member")
    {
        let what = consent(status == "member", "provider_event", format!("my_chat_member {status}"));
        return Ok(vec![arrival("", chat, integer(change, "/date"), what)]);
    }
    Ok(Vec::new())
}

fn inbound(message: &Value, content: Content) -> InboundMessage {
    let mut profile = profile(message.get("from").unwrap_or(&Value::Null));
    // A contact who shares their own card tells their number.
    if integer(message, "/contact/user_id").is_some_and(|id| Some(id) == integer(message, "/from/id")) {
        profile.phone =
            text(message, "/contact/phone_number").map(|phone| format!("+{}", phone.trim_start_matches('+')));
    }
    let reply_to = message.get("reply_to_message").map(message_id);
    InboundMessage { provider_id: message_id(message), content, profile, reply_to }
}

fn tapped(tap: &Value, message: &Value) -> InboundMessage {
    let payload = text(tap, "/data");
    let label = payload.as_deref().map_or_else(String::new, |data| label(message, data));
    InboundMessage {
        provider_id: format!("callback:{}", text(tap, "/id").unwrap_or_default()),
        content: Content::Choice { label, payload },
        profile: profile(tap.get("from").unwrap_or(&Value::Null)),
        reply_to: Some(message_id(message)),
    }
}
