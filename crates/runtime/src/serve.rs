//! Runs services: one listener for HTTP, WebSocket and gRPC, health, metrics, supervised tasks, and the drain.
//!
//! The order of a drain: readiness fails, the listener stops, requests in flight finish, WebSockets are closed, then
//! the tasks are told, finish what they hold, and are awaited. Each half has half of the deadline; what is still there
//! then is cut off, and whatever the broker had not settled it gives to somebody else.

mod connection;
mod edge;
mod grpc_routes;
mod health;
mod tasks;

use std::time::Duration;

use axum::{Extension, Router, extract::DefaultBodyLimit};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{
    metrics::Metrics,
    service::{Drain, Service},
};

/// The largest body that a route takes unless it sets its own `DefaultBodyLimit`, in bytes.
pub const BODY_LIMIT: usize = 2 * 1024 * 1024;
/// How long the listener stays open after readiness began to fail, at most, so that load balancers see it.
const READINESS_LAG: Duration = Duration::from_millis(500);

/// Why serving ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A task whose failure stops the process.
    #[error("task '{task}' failed: {reason}")]
    Task {
        /// Its name.
        task: String,
        /// What it said.
        reason: String,
    },
    /// The listener.
    #[error("the listener failed: {0}")]
    Listener(#[from] std::io::Error),
    /// The descriptors for gRPC reflection.
    #[error("gRPC reflection cannot be set up: {0}")]
    Reflection(String),
}

/// Serves until the drain has begun and is done.
///
/// All HTTP routers are merged (two of them with the same route, or with a fallback each, panic here, at the start). gRPC
/// calls are found by their service's name; where several services of one process serve the same (the channels in the
/// all-in-one), the header `afluente-service` picks one by [`Service::name`], and without it the first answers.
/// Every route finds `Extension<Drain>` and `ConnectInfo<SocketAddr>`; one that holds a WebSocket ends it when the drain
/// begins. Every request has a server span and its metrics; [`crate::trace::webhook`] joins it.
///
/// # Errors
/// [`ServeError`] after an orderly drain, when a task failed that the process cannot go on without.
pub async fn serve(
    services: Vec<Service>,
    listener: TcpListener,
    metrics: Metrics,
    drain: Drain,
    drain_deadline: Duration,
) -> Result<(), ServeError> {
    let health = health::Health::of(&services, drain.clone());
    let reporter = health.clone();
    let grpc = grpc_routes::GrpcRoutes::of(&services, &health)?;
    let mut http = health::routes(health, metrics.clone());
    let mut all_tasks = Vec::new();
    for service in services {
        http = http.merge(service.http);
        all_tasks.extend(service.tasks);
    }
    let app = layered(http, grpc, &metrics, &drain);

    let reporting = tokio::spawn(reporter.report());
    let tasks = tasks::Supervisor::start(all_tasks, &metrics, &drain);
    let half = drain_deadline / 2;
    let served = serve_connections(listener, app, &drain, half).await;
    // A listener that failed ends the process like a drain does.
    drain.0.cancel();
    let failed = tasks.finish(half).await;
    let _ = reporting.await;
    served?;
    failed
}

/// One layer of ours around all routes: each one more is a box and several copies of request and answer.
fn layered(http: Router, grpc: grpc_routes::GrpcRoutes, metrics: &Metrics, drain: &Drain) -> Router {
    let edge = edge::Edge { grpc, metrics: metrics.clone() };
    http.layer(
        tower::ServiceBuilder::new()
            .layer(axum::middleware::from_fn_with_state(edge, edge::pass))
            .layer(Extension(drain.clone()))
            .layer(DefaultBodyLimit::max(BODY_LIMIT)),
    )
}

async fn serve_connections(
    listener: TcpListener,
    app: Router,
    drain: &Drain,
    within: Duration,
) -> Result<(), ServeError> {
    let open = TaskTracker::new();
    let cut = CancellationToken::new();
    let door = connection::Door::new(listener, open.clone(), cut.clone());
    let stop = drain.clone();
    let lag = READINESS_LAG.min(within / 10);
    let signal = async move {
        stop.begun().await;
        tokio::time::sleep(lag).await;
    };
    let app = app.into_make_service_with_connect_info::<connection::Peer>();
    let server = tokio::spawn(axum::serve(door, app).with_graceful_shutdown(signal).into_future());
    tokio::pin!(server);
    let ended_early = tokio::select! {
        ended = &mut server => Some(ended),
        () = drain.begun() => None,
    };
    let joined = if let Some(ended) = ended_early {
        ended
    } else {
        // The server stops to wait for a connection once it has become a WebSocket; the tracker does not.
        open.close();
        if tokio::time::timeout(within, open.wait()).await.is_err() {
            tracing::warn!(connections = open.len(), "connections outlived the drain and are cut off");
        }
        cut.cancel();
        server.await
    };
    match joined {
        Ok(result) => Ok(result?),
        Err(error) => Err(ServeError::Listener(std::io::Error::other(error))),
    }
}

/// The drain that the process's signals begin: the first SIGTERM or SIGINT drains, the second exits at once with status
/// 130. Call it inside the tokio runtime.
///
/// # Errors
/// When the signals cannot be listened to.
#[expect(clippy::disallowed_methods, reason = "the second signal is the operator's wish not to wait for a drain")]
pub fn drain_on_signals() -> Result<Drain, std::io::Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let drain = Drain::default();
    let begun = drain.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("draining; a second signal exits at once");
        begun.0.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("a second signal: exiting without finishing");
        std::process::exit(130);
    });
    Ok(drain)
}

#[cfg(test)]
mod tests;
