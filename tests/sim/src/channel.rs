//! A channel as small as one can be, by the name of one that has a window and needs consent. What it does with the
//! provider's answers is what the real ones do.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use channel_kit::{
    Arrival, Arrived, ByLink, ChannelType, FetchError, FetchMedia, Fetched, Heard, Ingress, Link, Malformed,
    Misconfigured, OpenAccount, Outbound, Part, Poll, PollError, Polled, Verified, Visitor, Webhook, WebhookRequest,
    http::{AccountHttp, NoAnswer, ProviderRequest, RequestBody},
};
use domain::{
    Account, Address, Capabilities, Content, DeliveryState, Failure, InboundMessage, LengthUnit, Media, MediaKind,
    MediaSource, Outcome, Profile, Receipt, ReceiptSupport, Timestamp, error::codes,
};
use serde_json::{Value, json};

/// Its name.
pub(crate) const NAME: &str = "whatsapp";
/// The header that says who calls.
pub(crate) const SECRET_HEADER: &str = "x-sim-secret";
/// What it says.
pub(crate) const SECRET: &str = "a-secret-of-the-provider";
/// The setting of an account whose provider is asked.
pub(crate) const POLLED: &str = "polled";
/// The setting of an account whose contacts hold connections open.
pub(crate) const LINKED: &str = "linked";
/// Where a part is sent.
pub(crate) const SEND: &str = "/send";
/// Where updates are asked for.
pub(crate) const UPDATES: &str = "/updates";
/// Where a picture is.
pub(crate) const PICTURE: &str = "/pictures/{id}";
/// The most characters of one part: most messages have several.
const TEXT: u32 = 40;

/// The kind of channel.
pub(crate) struct Phone;

impl ChannelType for Phone {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            unit: LengthUnit::Characters,
            text: TEXT,
            caption: TEXT,
            media: Vec::new(),
            location: false,
            contacts: false,
            choices: None,
            templates: false,
            replies: false,
            receipts: ReceiptSupport { sent: true, delivered: true, read: true },
            account_rate: 20,
            pair_interval: 0,
        }
    }

    fn open(&self, account: &Account) -> Result<OpenAccount, Misconfigured> {
        let is = |way: &str| account.settings.contains_key(way);
        let (ingress, outbound): (_, Arc<dyn Outbound>) = if is(LINKED) {
            (Ingress::Link(Arc::new(Chat)), Arc::new(ByLink))
        } else if is(POLLED) {
            (Ingress::Poll(Arc::new(Asking)), Arc::new(Line))
        } else {
            (Ingress::Webhook(Arc::new(Hook)), Arc::new(Line))
        };
        let media: Arc<dyn FetchMedia> = Arc::new(Pictures);
        Ok(OpenAccount { ingress, outbound, media: Some(media), templates: None, prepare: None })
    }
}

struct Hook;

impl Webhook for Hook {
    fn secret_header(&self) -> &'static str {
        SECRET_HEADER
    }

    fn verify(&self, request: &WebhookRequest) -> Option<Verified> {
        Verified::by_secret(request.headers.get(SECRET_HEADER).map(String::as_str), SECRET)
    }

    fn translate(&self, request: &WebhookRequest) -> Result<Heard, Malformed> {
        let body: Value = serde_json::from_slice(&request.body).map_err(|error| Malformed(error.to_string()))?;
        let events = body.as_array().ok_or_else(|| Malformed("not a list".to_owned()))?;
        let all = events.iter().map(|event| arrival(event).ok_or_else(|| Malformed("not an event".to_owned())));
        all.collect::<Result<Vec<_>, _>>().map(Heard::from)
    }
}

fn arrival(event: &Value) -> Option<Arrival> {
    let text = |key: &str| event.get(key)?.as_str().map(str::to_owned);
    let (id, from) = (text("id")?, text("from")?);
    let at = event.get("at")?.as_i64().map(Timestamp::from_millis)?;
    let (key, what) = if let Some(state) = event.get("state") {
        let state: DeliveryState = serde_json::from_value(state.clone()).ok()?;
        let failure = (state == DeliveryState::Failed).then(|| Failure::of(codes::PROVIDER_REJECTED));
        let receipt = Receipt { provider_ids: vec![id.clone()], state, at, failure };
        (format!("receipt:{id}:{state:?}"), Arrived::Receipt(receipt))
    } else {
        let content = content(&id, text("text")?, event.get("picture").is_some());
        let profile = Profile { name: Some(from.clone()), ..Profile::default() };
        let message = InboundMessage { provider_id: id.clone(), content, profile, reply_to: None };
        (format!("message:{id}"), Arrived::Message(message))
    };
    Some(Arrival { key, address: Address::new(from), at: Some(at), what })
}

fn content(id: &str, text: String, with_picture: bool) -> Content {
    if !with_picture {
        return Content::text(text);
    }
    Content::Media(Media {
        kind: MediaKind::Image,
        mime: "image/png".to_owned(),
        name: None,
        caption: Some(text),
        size: None,
        source: MediaSource::Pending { reference: id.to_owned(), expires_at: None },
    })
}

fn get(url: String, template: &'static str) -> ProviderRequest {
    let deadline = Duration::from_secs(12);
    ProviderRequest {
        method: http::Method::GET,
        url,
        template,
        headers: Vec::new(),
        body: RequestBody::Empty,
        deadline,
    }
}

struct Asking;

#[async_trait]
impl Poll for Asking {
    async fn poll(&self, cursor: Option<&str>, http: &AccountHttp) -> Result<Polled, PollError> {
        let url = format!("https://provider.test/updates?after={}", cursor.unwrap_or("0"));
        let away = |after, reason: String| PollError::Unavailable { after, reason };
        let answer = http.call(get(url, UPDATES)).await.map_err(|why| away(None, why.to_string()))?;
        match answer.status {
            200 => {}
            401 => return Err(PollError::Misconfigured("401".to_owned())),
            status => return Err(away(answer.retry_after, status.to_string())),
        }
        let updates: Vec<Value> =
            serde_json::from_slice(&answer.body).map_err(|error| away(None, error.to_string()))?;
        let mut polled = Polled { heard: Heard::default(), cursor: cursor.map(str::to_owned) };
        for update in &updates {
            let told = &update["told"];
            let said = arrival(told).map(|one| vec![one]).ok_or_else(|| Malformed("not an event".to_owned()));
            polled.heard.add(said, || told.to_string().into());
            polled.cursor = update["number"].as_u64().map(|number| number.to_string()).or(polled.cursor);
        }
        Ok(polled)
    }
}

struct Chat;

impl Link for Chat {
    fn receive(&self, frame: &str, visitor: &Visitor) -> Result<Vec<Arrival>, Malformed> {
        let mut told: Value = serde_json::from_str(frame).map_err(|error| Malformed(error.to_string()))?;
        told["from"] = Value::from(visitor.address.as_str());
        arrival(&told).map(|one| vec![one]).ok_or_else(|| Malformed("not a message".to_owned()))
    }
}

struct Pictures;

#[async_trait]
impl FetchMedia for Pictures {
    async fn fetch(&self, media: &Media, http: &AccountHttp) -> Result<Fetched, FetchError> {
        let MediaSource::Pending { reference, .. } = &media.source else {
            return Err(FetchError::Lost("not_found".to_owned()));
        };
        let request = get(format!("https://provider.test/pictures/{reference}"), PICTURE);
        match http.call(request).await {
            Ok(answer) if answer.status == 200 => Ok(Fetched { mime: None, bytes: answer.body }),
            Ok(answer) if matches!(answer.status, 400 | 410) => Err(FetchError::Lost("not_found".to_owned())),
            Ok(answer) => Err(FetchError::Unavailable(answer.status.to_string())),
            Err(why) => Err(FetchError::Unavailable(why.to_string())),
        }
    }
}

struct Line;

#[async_trait]
impl Outbound for Line {
    async fn send(&self, part: &Part, http: &AccountHttp) -> Outcome {
        let Content::Text { text } = &part.content else {
            return Outcome::Rejected { failure: Failure::of(codes::UNSUPPORTED_CONTENT) };
        };
        let request = ProviderRequest {
            method: http::Method::POST,
            url: "https://provider.test/send".to_owned(),
            template: SEND,
            headers: Vec::new(),
            body: RequestBody::Json(json!({ "key": part.key, "to": part.address.as_str(), "text": text })),
            deadline: Duration::from_secs(10),
        };
        outcome(http.call(request).await)
    }
}

fn outcome(answer: Result<channel_kit::http::ProviderResponse, NoAnswer>) -> Outcome {
    let failure = |code, reason: &str| Failure { reason: Some(reason.to_owned()), ..Failure::of(code) };
    match answer {
        Ok(answer) => match answer.status {
            200 => match String::from_utf8(answer.body.to_vec()) {
                Ok(id) => Outcome::Accepted { provider_ids: vec![id] },
                Err(_) => Outcome::InDoubt { failure: failure(codes::IN_DOUBT, "the answer cannot be read") },
            },
            401 => Outcome::Misconfigured { failure: failure(codes::ACCOUNT_MISCONFIGURED, "401") },
            410 => Outcome::Unreachable { opted_out: true, failure: failure(codes::OPTED_OUT, "410") },
            429 => Outcome::Throttled { after: answer.retry_after },
            // It says that it did nothing.
            503 => Outcome::Unavailable { failure: failure(codes::PROVIDER_UNAVAILABLE, "503") },
            // It broke while it was at work.
            500.. => Outcome::InDoubt { failure: failure(codes::IN_DOUBT, "500") },
            _ => Outcome::Rejected { failure: failure(codes::PROVIDER_REJECTED, "400") },
        },
        Err(NoAnswer::NotSent(why)) => Outcome::Unavailable { failure: failure(codes::PROVIDER_UNAVAILABLE, &why) },
        Err(why) => Outcome::InDoubt { failure: failure(codes::IN_DOUBT, &why.to_string()) },
    }
}
