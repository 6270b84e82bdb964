//! From parts to Gupshup's requests, and from its answers to outcomes. There is no idempotency key at Gupshup: an
//! answer that is lost leaves the message in doubt.

use std::time::Duration;

use async_trait::async_trait;
use channel_kit::{
    FetchError, FetchMedia, Fetched, Outbound, Part,
    http::{AccountHttp, NoAnswer, ProviderRequest, ProviderResponse, RequestBody},
};
use domain::{Code, ContactCard, Content, Failure, Media, MediaKind, Outcome, Secret, error::codes};
use provider_meta::fields::text;
use serde_json::{Value, json};

/// One Gupshup app and its number.
pub(crate) struct Gupshup {
    pub(crate) base_url: String,
    pub(crate) app_name: String,
    pub(crate) source: String,
    pub(crate) api_key: Secret,
}

#[async_trait]
impl Outbound for Gupshup {
    async fn send(&self, part: &Part, http: &AccountHttp) -> Outcome {
        let (path, field, says) = match &part.content {
            Content::Template(call) => {
                let says = json!({"id": call.id, "params": call.params});
                ("/wa/api/v1/template/msg", "template", says)
            }
            _ => match message(part) {
                Some(says) => ("/wa/api/v1/msg", "message", says),
                None => {
                    let reason = Some(format!("no form for {}", part.content.kind()));
                    let failure = Failure { code: codes::UNSUPPORTED_CONTENT, provider_code: None, reason };
                    return Outcome::Rejected { failure };
                }
            },
        };
        let form = vec![
            ("channel", "whatsapp".to_owned()),
            ("source", self.source.clone()),
            ("src.name", self.app_name.clone()),
            ("destination", part.address.as_str().to_owned()),
            (field, says.to_string()),
        ];
        let request = ProviderRequest {
            method: http::Method::POST,
            url: format!("{}{path}", self.base_url),
            template: path,
            headers: vec![("apikey", self.api_key.expose().to_owned())],
            body: RequestBody::Form(form),
            deadline: Duration::from_secs(15),
        };
        match http.call(request).await {
            Ok(answer) => outcome(&answer),
            Err(NoAnswer::NotSent(reason)) => {
                Outcome::Unavailable { failure: failed(codes::PROVIDER_UNAVAILABLE, None, Some(reason)) }
            }
            Err(lost) => Outcome::InDoubt { failure: failed(codes::IN_DOUBT, None, Some(lost.to_string())) },
        }
    }
}

/// The `message` field. None for what the plan never makes for this channel.
fn message(part: &Part) -> Option<Value> {
    let mut says = match &part.content {
        Content::Text { text } => json!({"type": "text", "text": text}),
        Content::Media(media) => media_message(media, &part.media.as_ref()?.url),
        Content::Location(place) => json!({
            "type": "location", "longitude": place.longitude, "latitude": place.latitude,
            "name": place.name.as_deref().unwrap_or_default(), "address": place.address.as_deref().unwrap_or_default(),
        }),
        Content::Contacts { cards } => json!({"type": "contact", "contact": contact(cards.first()?)}),
        Content::Choices { text, options } => json!({
            "type": "quick_reply", "msgid": part.key, "content": {"type": "text", "text": text},
            "options": options.iter()
                .map(|option| json!({"type": "text", "title": option.label, "postbackText": option.payload}))
                .collect::<Vec<_>>(),
        }),
        _ => return None,
    };
    if let (Some(quoted), Some(fields)) = (&part.reply_to, says.as_object_mut()) {
        fields.insert("context".to_owned(), json!({"msgId": quoted}));
    }
    Some(says)
}

fn media_message(media: &Media, url: &str) -> Value {
    let mut says = match media.kind {
        MediaKind::Image => json!({"type": "image", "originalUrl": url, "previewUrl": url}),
        MediaKind::Audio => json!({"type": "audio", "url": url}),
        MediaKind::Video => json!({"type": "video", "url": url}),
        MediaKind::Sticker => json!({"type": "sticker", "url": url}),
        MediaKind::Document => {
            json!({"type": "file", "url": url, "filename": media.name.as_deref().unwrap_or("file")})
        }
    };
    if let (Some(caption), Some(fields)) = (&media.caption, says.as_object_mut()) {
        fields.insert("caption".to_owned(), json!(caption));
    }
    says
}

fn contact(card: &ContactCard) -> Value {
    json!({
        "name": {"firstName": card.name, "formattedName": card.name},
        "phones": card.phones.iter().map(|phone| json!({"phone": phone, "type": "CELL"})).collect::<Vec<_>>(),
        "emails": card.emails.iter().map(|email| json!({"email": email, "type": "WORK"})).collect::<Vec<_>>(),
        "org": {"company": card.organization.as_deref().unwrap_or_default()},
    })
}

/// What an answer means. Accepted is any 2xx with a `messageId`, whatever its `status` or content type say.
///
/// Unavailable means surely not sent, since the kit sends again by itself and Gupshup has no idempotency key. So it
/// needs Gupshup's own refusal, `{"status":"error","message":..}`, or a 503, which says that nobody took the request.
/// Any other 5xx may be a proxy that passed the request on and lost the answer, or a server that broke after it sent:
/// those are in doubt.
fn outcome(answer: &ProviderResponse) -> Outcome {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let status = Some(answer.status.to_string());
    let refused = text(&body, "/status").as_deref() == Some("error");
    let reason = text(&body, "/message");
    let fail = |code| failed(code, status.clone(), reason.clone());
    match answer.status {
        200..=299 => match text(&body, "/messageId") {
            Some(id) => Outcome::Accepted { provider_ids: vec![id] },
            None if refused => Outcome::Rejected { failure: fail(codes::PROVIDER_REJECTED) },
            None => Outcome::InDoubt { failure: fail(codes::IN_DOUBT) },
        },
        401..=404 => Outcome::Misconfigured { failure: fail(codes::ACCOUNT_MISCONFIGURED) },
        400 if reason.as_deref() == Some("Invalid App Details") => {
            Outcome::Misconfigured { failure: fail(codes::ACCOUNT_MISCONFIGURED) }
        }
        413 => Outcome::Rejected { failure: fail(codes::TOO_LARGE) },
        429 => Outcome::Throttled { after: answer.retry_after },
        503 => Outcome::Unavailable { failure: fail(codes::PROVIDER_UNAVAILABLE) },
        500.. if refused && reason.is_some() => Outcome::Unavailable { failure: fail(codes::PROVIDER_UNAVAILABLE) },
        408 | 500.. => Outcome::InDoubt { failure: fail(codes::IN_DOUBT) },
        _ => Outcome::Rejected { failure: fail(codes::PROVIDER_REJECTED) },
    }
}

fn failed(code: Code, provider_code: Option<String>, reason: Option<String>) -> Failure {
    Failure { code, provider_code, reason }
}

#[async_trait]
impl FetchMedia for Gupshup {
    async fn fetch(&self, media: &Media, http: &AccountHttp) -> Result<Fetched, FetchError> {
        provider_meta::media::fetch_link(media, http).await
    }
}
