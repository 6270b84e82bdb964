//! A channel as small as one can be, by the name of one that has a window and needs consent. What it does with the
//! provider's answers is what the real ones do.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use channel_kit::{
    Arrival, Arrived, ChannelType, Heard, Ingress, Malformed, Misconfigured, OpenAccount, Outbound, Part, Verified,
    Webhook, WebhookRequest,
    http::{AccountHttp, NoAnswer, ProviderRequest, RequestBody},
};
use domain::{
    Account, Address, Capabilities, Content, DeliveryState, Failure, InboundMessage, LengthUnit, Outcome, Profile,
    Receipt, ReceiptSupport, Timestamp, error::codes,
};
use serde_json::{Value, json};

/// Its name.
pub(crate) const NAME: &str = "whatsapp";
/// The header that says who calls.
pub(crate) const SECRET_HEADER: &str = "x-sim-secret";
/// What it says.
pub(crate) const SECRET: &str = "a-secret-of-the-provider";
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

    fn open(&self, _account: &Account) -> Result<OpenAccount, Misconfigured> {
        let ingress = Ingress::Webhook(Arc::new(Hook));
        Ok(OpenAccount { ingress, outbound: Arc::new(Line), media: None, templates: None, prepare: None })
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
        let content = Content::text(text("text")?);
        let profile = Profile { name: Some(from.clone()), ..Profile::default() };
        let message = InboundMessage { provider_id: id.clone(), content, profile, reply_to: None };
        (format!("message:{id}"), Arrived::Message(message))
    };
    Some(Arrival { key, address: Address::new(from), at: Some(at), what })
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
            template: "/send",
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
