//! What every request gets: an id, a span, metrics, and an answer when its handler panics.

use std::{any::Any, net::SocketAddr};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use domain::{Class, Refusal, error::codes};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::connection::Peer;
use crate::{
    metrics::Metrics,
    names::{label, metric},
    status, trace,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id, unless a proxy did, and echoes it. Makes the peer's address available in axum's own type.
pub(super) async fn identify(mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(Peer(address))) = request.extensions().get::<ConnectInfo<Peer>>().copied() {
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>(address));
    }
    let id = match request.headers().get(&REQUEST_ID) {
        Some(id) if id.len() <= 128 => id.clone(),
        _ => {
            let fresh = format!("{:032x}", rand::random::<u128>());
            HeaderValue::from_str(&fresh).unwrap_or_else(|_| HeaderValue::from_static("-"))
        }
    };
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The server span and the duration, by the route's template. Probes and scrapes leave no trace.
pub(super) async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    if matches!(route.as_str(), "/livez" | "/readyz" | "/metrics") {
        return next.run(request).await;
    }
    let method = request.method().clone();
    let span = trace::webhook(&route, method.as_str());
    let response = next.run(request).instrument(span.clone()).await;
    let code = response.status().as_u16();
    let status = code.to_string();
    let error = if code >= 500 { status.as_str() } else { "" };
    trace::http_status(&span, Some(code), error);
    let labels = [
        (label::METHOD, method.as_str()),
        (label::ROUTE, route.as_str()),
        (label::STATUS, status.as_str()),
        (label::ERROR, error),
    ];
    metrics.since(metric::HTTP_SERVER, &labels, started);
    response
}

/// The answer to a request whose handler panicked.
pub(super) fn panicked(panic: Box<dyn Any + Send>, metrics: &Metrics) -> Response {
    metrics.count(metric::PANICS, &[(label::PLACE, "http")], 1);
    tracing::error!(reason = words(&*panic), "a request's handler panicked");
    let refusal = Refusal::new(Class::Internal, codes::INTERNAL, "our mistake; it is in the log with the trace id");
    status::problem(&refusal, trace::trace_id().as_deref())
}

/// What a panic says.
pub(super) fn words(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "no words",
    }
}
