//! `POST /hooks/<channel>/<account>`: verified, translated, made safe, and only then answered 200.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use domain::error::codes;
use runtime::{
    names::{label, metric},
    trace,
};

use crate::{
    accounts::Live,
    contract::{Ingress, Webhook, WebhookRequest},
    intake::{self, Accepted},
    kit::Kit,
    templates,
};

/// The webhook routes of one channel.
pub(crate) fn routes(kit: Arc<Kit>) -> Router {
    let path = format!("/hooks/{}/{{account}}", kit.channel);
    Router::new().route(&path, get(handshake).post(receive)).with_state(kit)
}

/// Why a call was not accepted: the label of the counter and the status.
type Refused = (&'static str, StatusCode);

/// Of an account that takes more than its share while much waits at the routers.
const BACKLOG: &str = "account_backlog";

/// The account of the path, when it can take calls.
fn find(kit: &Kit, name: &str) -> Result<(Arc<Live>, Arc<dyn Webhook>), Refused> {
    let Some(live) = kit.accounts.named(name) else {
        let early = !kit.accounts.loaded();
        return Err(if early {
            ("not_ready", StatusCode::SERVICE_UNAVAILABLE)
        } else {
            ("unknown_account", StatusCode::NOT_FOUND)
        });
    };
    let found = match &live.open {
        Ok(open) => match &open.ingress {
            Ingress::Webhook(hook) => Ok(Arc::clone(hook)),
            Ingress::Poll(_) | Ingress::Link(_) => Err(("no_webhook", StatusCode::NOT_FOUND)),
        },
        // Without its settings nobody can say whether the call is genuine: the provider should come again.
        Err(_) => Err(("misconfigured", StatusCode::SERVICE_UNAVAILABLE)),
    };
    found.map(|hook| (live, hook))
}

async fn handshake(
    State(kit): State<Arc<Kit>>,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let (_, hook) = match find(&kit, &name) {
        Ok(found) => found,
        Err((reason, status)) => return refuse(&kit, reason, status),
    };
    let request = WebhookRequest { headers: plain(&headers), query, body: Bytes::new() };
    match catch_unwind(AssertUnwindSafe(|| hook.handshake(&request))) {
        Ok(Some(answer)) => answer.into_response(),
        Ok(None) => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A call. Its span and its duration are the server's, as for every request.
async fn receive(
    State(kit): State<Arc<Kit>>,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (live, hook) = match find(&kit, &name) {
        Ok(found) => found,
        Err((reason, status)) => return refuse(&kit, reason, status),
    };
    trace::note(runtime::names::attribute::CHANNEL, kit.channel.to_string());
    trace::note(runtime::names::attribute::ORGANIZATION, live.account.organization.to_string());
    // Before anything is read: a flood that is refused should cost little. Who forges calls is refused just as well, and
    // makes nobody noisy, since only what was accepted counts.
    if !kit.admits(&live) {
        return refuse(&kit, BACKLOG, StatusCode::TOO_MANY_REQUESTS);
    }
    // Its share first: one account's flood is its own, and leaves room for the others.
    let Ok(_share) = live.calls.try_acquire() else {
        return refuse(&kit, "account_flood", StatusCode::TOO_MANY_REQUESTS);
    };
    let Ok(_slot) = kit.calls.try_acquire() else {
        return refuse(&kit, "flood", StatusCode::SERVICE_UNAVAILABLE);
    };
    let body = axum::body::to_bytes(body, kit.config.body_limit);
    let body = match tokio::time::timeout(kit.config.body_deadline, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if is_too_long(&error) => return refuse(&kit, "too_large", StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => return refuse(&kit, "broken_off", StatusCode::BAD_REQUEST),
        Err(_) => return refuse(&kit, "too_slow", StatusCode::REQUEST_TIMEOUT),
    };
    let request = WebhookRequest { headers: plain(&headers), query, body };
    match catch_unwind(AssertUnwindSafe(|| hook.verify(&request))) {
        Ok(Some(_verified)) => {}
        Ok(None) => return refuse(&kit, "signature", StatusCode::UNAUTHORIZED),
        Err(_) => return refuse(&kit, "panic", StatusCode::INTERNAL_SERVER_ERROR),
    }
    accept(&kit, &live, hook.as_ref(), &request).await
}

/// A genuine call: what it says is made safe, or the call itself is kept as parked.
async fn accept(kit: &Arc<Kit>, live: &Live, hook: &dyn Webhook, request: &WebhookRequest) -> Response {
    let content_type = request.headers.get("content-type").map(String::as_str);
    let park = |code: domain::Code, reason: String| {
        tracing::warn!(account = %live.account.id, channel = %kit.channel, %code, "a webhook call is parked");
        vec![intake::parked(kit, live, code, &reason, &request.body, content_type)]
    };
    let mut news = Vec::new();
    let batch = match catch_unwind(AssertUnwindSafe(|| hook.translate(request))) {
        Ok(Ok(heard)) => {
            news = templates::news_in(&heard);
            intake::batch(kit, live, heard, content_type)
        }
        Ok(Err(malformed)) => park(codes::WEBHOOK_MALFORMED, malformed.to_string()),
        Err(_) => {
            kit.env.metrics.count(metric::PANICS, &[(label::PLACE, "webhook")], 1);
            park(codes::INTERNAL, "the translation of the call panicked".to_owned())
        }
    };
    match kit.intake.accept(live.account.id, batch, kit.now()).await {
        Ok(Accepted::Published | Accepted::Spooled) => {
            kit.count(metric::WEBHOOK_ACCEPTED, &[]);
            templates::hear(kit, live, &news).await;
            // What the provider reads in the answer is a courtesy: without it the call is accepted all the same.
            match catch_unwind(AssertUnwindSafe(|| hook.answer(request))) {
                Ok(Some(answer)) => axum::Json(answer).into_response(),
                Ok(None) | Err(_) => StatusCode::OK.into_response(),
            }
        }
        Err(error) => {
            tracing::error!(%error, channel = %kit.channel, "a webhook call is turned away");
            refuse(kit, "spool", StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

fn refuse(kit: &Kit, reason: &'static str, status: StatusCode) -> Response {
    kit.count(metric::WEBHOOK_REJECTED, &[(label::REASON, reason)]);
    // In seconds. A place in work is free in a moment; a backlog that sinks is seen at the next look but one.
    let after = if reason == BACKLOG { "5" } else { "2" };
    match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            (status, [(header::RETRY_AFTER, after)]).into_response()
        }
        _ => status.into_response(),
    }
}

/// Whether the body was longer than the limit, somewhere in the chain of causes.
pub(crate) fn is_too_long(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Headers as text, names in lower case; values that are not text are left out.
fn plain(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}
