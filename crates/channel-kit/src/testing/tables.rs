//! Tables: a provider's fixture in and the arrivals out; a part in and the requests and the outcome out. Each case also
//! shows that no secret of the account is in any output.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use domain::{Account, Outcome};
use serde_json::{Value, json};

use super::{FakeProvider, Reply};
use crate::{
    Redactor,
    account_http::{Recorded, Transcripts},
    contract::{Arrival, Arrived, ChannelType, Ingress, Part, WebhookRequest},
    http::{AccountHttp, Exchange, ProviderRequest, RequestBody},
};

/// A call of the provider and what it says.
pub struct InboundCase {
    /// For the failure's message.
    pub name: String,
    /// The body, as the provider sends it.
    pub body: Bytes,
    /// Its headers, the secret among them.
    pub headers: BTreeMap<String, String>,
    /// [`shown`] of each arrival, in order; or the reason when the body is malformed.
    pub expected: Result<Vec<Value>, String>,
}

/// A part and what becomes of it.
pub struct OutboundCase {
    /// For the failure's message.
    pub name: String,
    /// The part.
    pub part: Part,
    /// What the provider answers, in order.
    pub replies: Vec<Reply>,
    /// [`asked`] of each request, in order.
    pub expected: Vec<Value>,
    /// The outcome.
    pub outcome: Outcome,
}

/// An arrival as JSON.
pub fn shown(arrival: &Arrival) -> Value {
    let (kind, what) = match &arrival.what {
        Arrived::Message(message) => ("message", json!(message)),
        Arrived::Receipt(receipt) => ("receipt", json!(receipt)),
        Arrived::Consent(change) => ("consent", json!(change)),
    };
    json!({ "key": arrival.key, "address": arrival.address.as_str(), "at": arrival.at, kind: what })
}

/// A request as JSON: method, URL, and the body's fields. Headers are left out: one carries the secret.
pub fn asked(request: &ProviderRequest) -> Value {
    let pairs = |fields: &[(&'static str, String)]| fields.iter().map(|(k, v)| json!([k, v])).collect::<Vec<_>>();
    let body = match &request.body {
        RequestBody::Empty => Value::Null,
        RequestBody::Json(value) => value.clone(),
        RequestBody::Form(fields) => json!(pairs(fields)),
        RequestBody::Multipart { fields, file } => json!({ "fields": pairs(fields), "file": [file.0, file.1, file.2] }),
    };
    json!({ "method": request.method.as_str(), "url": request.url, "body": body })
}

/// Runs a table of webhook calls.
pub fn inbound(kind: &dyn ChannelType, account: &Account, cases: impl IntoIterator<Item = InboundCase>) {
    let redactor = Redactor::of(account);
    let Ingress::Webhook(hook) = kind.open(account).unwrap().ingress else { panic!("{} has no webhook", kind.name()) };
    for case in cases {
        let request = WebhookRequest { headers: case.headers, query: BTreeMap::new(), body: case.body };
        assert!(hook.verify(&request).is_some(), "{}: the call is genuine", case.name);
        let bare = WebhookRequest { headers: BTreeMap::new(), ..request.clone() };
        assert!(hook.verify(&bare).is_none(), "{}: without its headers it is not", case.name);
        let arrived = hook.translate(&request).map(|heard| heard.arrivals.iter().map(shown).collect::<Vec<_>>());
        assert!(!redactor.finds(&format!("{arrived:?}")), "{}: a secret is in the arrivals", case.name);
        assert_eq!(arrived.map_err(|error| error.0), case.expected, "{}", case.name);
    }
}

/// Runs a table of parts.
pub async fn outbound(kind: &dyn ChannelType, account: &Account, cases: impl IntoIterator<Item = OutboundCase>) {
    let redactor = Redactor::of(account);
    let open = kind.open(account).unwrap();
    for case in cases {
        let provider = FakeProvider::new(Reply::Hang);
        provider.then(case.replies);
        let transcripts = Transcripts::new(16);
        let inner = Arc::clone(&provider) as Arc<dyn Exchange>;
        let http = AccountHttp::new(Arc::new(Recorded::new(inner, redactor.clone(), transcripts.clone())));
        let outcome = redactor.outcome(open.outbound.send(&case.part, &http).await);
        let requests: Vec<_> = provider.asked().iter().map(asked).collect();
        assert_eq!(json!(requests), json!(case.expected), "{}: requests", case.name);
        assert_eq!(outcome, case.outcome, "{}: outcome", case.name);
        let output = format!("{outcome:?} {:?}", transcripts.all());
        assert!(!redactor.finds(&output), "{}: a secret is in the output", case.name);
    }
}
