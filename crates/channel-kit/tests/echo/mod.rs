//! A channel as small as one can be, with every facet: the kit's own tests run on it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use channel_kit::{
    Arrival, Arrived, ChannelType, FetchError, FetchMedia, Fetched, Heard, Ingress, Malformed, Misconfigured,
    OpenAccount, Outbound, Part, Poll, PollError, Polled, Stray, TemplateNews, Templates, Verified, Webhook,
    WebhookRequest,
    http::{AccountHttp, NoAnswer, ProviderRequest, ProviderResponse, RequestBody},
};
use domain::{
    Account, AccountId, Address, Capabilities, Content, DeliveryState, Failure, InboundMessage, LengthUnit, Media,
    MediaKind, MediaLimit, MediaSource, OrganizationId, Outcome, QueueId, Receipt, ReceiptSupport, Secret, Template,
    Timestamp, error::codes,
};
use serde_json::{Value, json};

/// The channel `echo`.
pub(crate) struct Echo;

pub(crate) fn account() -> Account {
    Account {
        id: AccountId::derive(&["echo"]),
        organization: OrganizationId::derive(&["demo"]),
        channel: "echo".parse().unwrap(),
        name: "demo-echo".into(),
        label: "Echo".into(),
        queue: QueueId::derive(&["support"]),
        settings: Default::default(),
        secrets: [("hook", "hook-secret-0123456789"), ("token", "12345:token/secret+value=")]
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .into(),
        active: true,
    }
}

/// The same, polled.
pub(crate) fn polled_account() -> Account {
    Account { settings: [("mode".to_owned(), "poll".to_owned())].into(), ..account() }
}

impl ChannelType for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn capabilities(&self) -> Capabilities {
        let image =
            MediaLimit { kind: MediaKind::Image, mimes: vec!["image/*".into()], max_bytes: 1000, caption: true };
        Capabilities {
            unit: LengthUnit::Characters,
            text: 100,
            caption: 100,
            media: vec![image],
            location: false,
            contacts: false,
            choices: None,
            templates: false,
            replies: false,
            receipts: ReceiptSupport { sent: true, delivered: true, read: true },
            account_rate: 50,
            pair_interval: 0,
        }
    }

    fn open(&self, account: &Account) -> Result<OpenAccount, Misconfigured> {
        let secret = |key: &str| match account.secrets.get(key) {
            Some(value) => Ok(value.expose().to_owned()),
            None => Err(Misconfigured { key: key.to_owned(), problem: "it is missing".to_owned() }),
        };
        let provider = Arc::new(Provider { token: secret("token")? });
        let ingress = if account.settings.get("mode").is_some_and(|mode| mode == "poll") {
            Ingress::Poll(provider.clone())
        } else {
            Ingress::Webhook(Arc::new(Hook { secret: secret("hook")? }))
        };
        let listed = account.settings.get("templates").is_some_and(|listed| listed == "listed");
        let templates = listed.then(|| provider.clone() as Arc<dyn Templates>);
        Ok(OpenAccount { ingress, outbound: provider.clone(), media: Some(provider), templates, prepare: None })
    }
}

struct Hook {
    secret: String,
}

impl Webhook for Hook {
    fn secret_header(&self) -> &'static str {
        "x-echo-secret"
    }

    fn verify(&self, request: &WebhookRequest) -> Option<Verified> {
        Verified::by_secret(request.headers.get("x-echo-secret").map(String::as_str), &self.secret)
    }

    fn translate(&self, request: &WebhookRequest) -> Result<Heard, Malformed> {
        let body: Value = serde_json::from_slice(&request.body).map_err(|error| Malformed(error.to_string()))?;
        heard(&body)
    }

    fn answer(&self, request: &WebhookRequest) -> Option<Value> {
        let text = std::str::from_utf8(&request.body).unwrap_or_default();
        assert!(!text.contains("panic in the answer"));
        text.contains("answer me").then(|| json!({ "answered": true }))
    }

    fn handshake(&self, request: &WebhookRequest) -> Option<String> {
        request.query.get("challenge").cloned()
    }
}

fn heard(body: &Value) -> Result<Heard, Malformed> {
    let all = body.as_array().ok_or_else(|| Malformed("not a list".to_owned()))?;
    let mut heard = Heard::default();
    for event in all {
        if let Some(id) = event["template"].as_str() {
            let status = serde_json::from_value(event["status"].clone()).unwrap();
            heard.templates.push(TemplateNews::Status { id: id.to_owned(), status });
        } else if event["from"].is_null() {
            let reason = Malformed(format!("nobody says {}", event["text"]));
            heard.strays.push(Stray { reason, body: call(event) });
        } else {
            heard.arrivals.push(arrival(event));
        }
    }
    Ok(heard)
}

fn arrival(event: &Value) -> Arrival {
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let address = Address::new(text("from"));
    if event["state"].is_string() {
        let state: DeliveryState = serde_json::from_value(event["state"].clone()).unwrap();
        let receipt = Receipt { provider_ids: vec![text("id")], state, at: Timestamp::from_secs(9), failure: None };
        let key = format!("receipt:{}:{}", text("id"), text("state"));
        return Arrival { key, address, at: None, what: Arrived::Receipt(receipt) };
    }
    let content = match event["file"].as_str() {
        Some(file) => Content::Media(Media {
            kind: MediaKind::Image,
            mime: "image/png".into(),
            name: None,
            caption: None,
            size: None,
            source: MediaSource::Pending { reference: file.to_owned(), expires_at: None },
        }),
        None => Content::text(text("text")),
    };
    let provider_id = text("id");
    let message = InboundMessage { provider_id, content, profile: Default::default(), reply_to: None };
    Arrival { key: format!("message:{}", text("id")), address, at: None, what: Arrived::Message(message) }
}

struct Provider {
    token: String,
}

impl Provider {
    async fn ask(&self, path: &'static str, body: Value, http: &AccountHttp) -> Result<ProviderResponse, NoAnswer> {
        let request = ProviderRequest {
            method: http::Method::POST,
            url: format!("https://echo.test/{}{path}", self.token),
            template: path,
            headers: vec![("authorization", format!("Bearer {}", self.token))],
            body: RequestBody::Json(body),
            deadline: std::time::Duration::from_secs(5),
        };
        http.call(request).await
    }
}

fn failure(code: domain::Code, answer: &ProviderResponse) -> Failure {
    let reason = Some(String::from_utf8_lossy(&answer.body).into_owned());
    Failure { code, provider_code: Some(answer.status.to_string()), reason }
}

#[async_trait]
impl Outbound for Provider {
    async fn send(&self, part: &Part, http: &AccountHttp) -> Outcome {
        let body = json!({ "to": part.address.as_str(), "content": part.content, "media": part.media.as_ref().map(|media| &media.url) });
        match self.ask("/send", body, http).await {
            Ok(answer) if answer.status == 200 => Outcome::Accepted { provider_ids: vec![part.key.clone()] },
            Ok(answer) if answer.status == 401 => {
                Outcome::Misconfigured { failure: failure(codes::ACCOUNT_MISCONFIGURED, &answer) }
            }
            Ok(answer) if answer.status == 410 => {
                Outcome::Unreachable { opted_out: true, failure: failure(codes::OPTED_OUT, &answer) }
            }
            Ok(answer) if answer.status == 429 => Outcome::Throttled { after: answer.retry_after },
            Ok(answer) if answer.status >= 500 => {
                Outcome::Unavailable { failure: failure(codes::PROVIDER_UNAVAILABLE, &answer) }
            }
            Ok(answer) => Outcome::Rejected { failure: failure(codes::PROVIDER_REJECTED, &answer) },
            Err(NoAnswer::NotSent(why)) => {
                let failure = Failure { reason: Some(why), ..Failure::of(codes::PROVIDER_UNAVAILABLE) };
                Outcome::Unavailable { failure }
            }
            Err(other) => {
                let failure = Failure { reason: Some(other.to_string()), ..Failure::of(codes::IN_DOUBT) };
                Outcome::InDoubt { failure }
            }
        }
    }
}

#[async_trait]
impl FetchMedia for Provider {
    async fn fetch(&self, _media: &Media, http: &AccountHttp) -> Result<Fetched, FetchError> {
        match self.ask("/file", Value::Null, http).await {
            Ok(answer) if answer.status == 200 => Ok(Fetched { mime: answer.content_type, bytes: answer.body }),
            Ok(answer) if answer.status == 404 => Err(FetchError::Lost("not_found".into())),
            Ok(answer) => Err(FetchError::Unavailable(format!("status {}", answer.status))),
            Err(error) => Err(FetchError::Unavailable(error.to_string())),
        }
    }
}

#[async_trait]
impl Poll for Provider {
    async fn poll(&self, cursor: Option<&str>, http: &AccountHttp) -> Result<Polled, PollError> {
        let answer = self.ask("/poll", json!({ "after": cursor }), http).await;
        let answer = answer.map_err(|error| PollError::Unavailable { after: None, reason: error.to_string() })?;
        if answer.status == 401 {
            return Err(PollError::Misconfigured("401".into()));
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let heard = heard(&body["events"]).unwrap_or_default();
        Ok(Polled { heard, cursor: body["next"].as_str().map(str::to_owned) })
    }
}

#[async_trait]
impl Templates for Provider {
    async fn list(&self, http: &AccountHttp) -> Result<Vec<Template>, Failure> {
        match self.ask("/templates", Value::Null, http).await {
            Ok(answer) if answer.status == 200 => Ok(serde_json::from_slice(&answer.body).unwrap()),
            Ok(answer) => Err(failure(codes::PROVIDER_UNAVAILABLE, &answer)),
            Err(error) => Err(Failure { reason: Some(error.to_string()), ..Failure::of(codes::PROVIDER_UNAVAILABLE) }),
        }
    }
}

/// The account, with templates.
pub(crate) fn listed_account() -> Account {
    Account { settings: [("templates".to_owned(), "listed".to_owned())].into(), ..account() }
}

/// A call with one event.
pub(crate) fn call(event: &Value) -> Bytes {
    Bytes::from(json!([event]).to_string())
}
