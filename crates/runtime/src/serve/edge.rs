//! What every request gets: an id, a span, metrics, and an answer when its handler panics.

use std::{any::Any, net::SocketAddr, panic::AssertUnwindSafe};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use domain::{Class, Refusal, error::codes};
use futures_util::FutureExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    connection::Peer,
    grpc_routes::{self, GrpcRoutes},
};
use crate::{
    metrics::Metrics,
    names::{label, metric},
    status, trace,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What every request passes.
#[derive(Clone)]
pub(super) struct Edge {
    pub(super) grpc: GrpcRoutes,
    pub(super) metrics: Metrics,
}

/// Gives the request an id, unless a proxy did, and echoes it. Makes the peer's address available in axum's own type.
/// gRPC calls go to their services, which have spans of their own.
pub(super) async fn pass(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(Peer(address))) = request.extensions().get::<ConnectInfo<Peer>>().copied() {
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>(address));
    }
    let id = match request.headers().get(&REQUEST_ID) {
        Some(id) if id.len() <= 128 => id.clone(),
        _ => {
            let fresh = fresh_id();
            request.headers_mut().insert(REQUEST_ID, fresh.clone());
            fresh
        }
    };
    let mut response = if grpc_routes::is_grpc(&request) {
        grpc_routes::call(&edge.grpc, request).await
    } else {
        observed(&edge.metrics, request, next).await
    };
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn fresh_id() -> HeaderValue {
    let fresh = format!("{:032x}", rand::random::<u128>());
    HeaderValue::from_str(&fresh).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// The server span and the duration, by the route's template. Probes and scrapes leave no trace.
async fn observed(metrics: &Metrics, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("", MatchedPath::as_str);
    if matches!(route, "/livez" | "/readyz" | "/metrics") {
        return unharmed(metrics, next.run(request)).await;
    }
    let method = request.method().clone();
    let span = trace::webhook(route, method.as_str());
    let response = unharmed(metrics, next.run(request)).instrument(span.clone()).await;
    let status = response.status();
    let error = if status.is_server_error() { status.as_str() } else { "" };
    trace::http_status(&span, Some(status.as_u16()), error);
    let labels = [
        (label::METHOD, method.as_str()),
        (label::ROUTE, route),
        (label::STATUS, status.as_str()),
        (label::ERROR, error),
    ];
    metrics.since(metric::HTTP_SERVER, &labels, started);
    response
}

/// The handler's answer, also when it panics.
async fn unharmed(metrics: &Metrics, handler: impl Future<Output = Response>) -> Response {
    match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => panicked(&*panic, metrics),
    }
}

/// The answer to a request whose handler panicked.
fn panicked(panic: &(dyn Any + Send), metrics: &Metrics) -> Response {
    metrics.count(metric::PANICS, &[(label::PLACE, "http")], 1);
    tracing::error!(reason = words(panic), "a request's handler panicked");
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
