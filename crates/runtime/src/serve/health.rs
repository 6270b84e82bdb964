//! Liveness, readiness, metrics, and gRPC health that follows the same checks.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::future::join_all;
use serde::Serialize;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    metrics::Metrics,
    service::{Check, Drain, Service},
};

/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often gRPC health is brought up to date.
const EVERY: Duration = Duration::from_secs(5);

/// The checks of the process.
#[derive(Clone)]
pub(super) struct Health {
    inner: Arc<Inner>,
}

struct Inner {
    /// Service name, its gRPC services, its checks.
    services: Vec<(String, Vec<String>, Vec<Check>)>,
    reporter: HealthReporter,
    grpc: Router,
    drain: Drain,
}

/// A dependency that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Failing {
    service: String,
    dependency: String,
    problem: String,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    draining: bool,
    failing: Vec<Failing>,
}

impl Health {
    pub(super) fn of(services: &[Service], drain: Drain) -> Self {
        let (reporter, server) = tonic_health::server::health_reporter();
        let grpc = tonic::service::Routes::new(server).into_axum_router();
        let services = services
            .iter()
            .map(|service| (service.name.clone(), service.grpc_names.clone(), service.checks.clone()))
            .collect();
        Self { inner: Arc::new(Inner { services, reporter, grpc, drain }) }
    }

    pub(super) fn grpc(&self) -> Router {
        self.inner.grpc.clone()
    }

    /// Runs all checks at once; answers those that fail.
    async fn failing(&self) -> Vec<Failing> {
        let runs = self.inner.services.iter().flat_map(|(service, _, checks)| {
            checks.iter().map(move |check| async move {
                let problem = match tokio::time::timeout(PATIENCE, (check.run)()).await {
                    Ok(Ok(())) => return None,
                    Ok(Err(problem)) => problem,
                    Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
                };
                Some(Failing { service: service.clone(), dependency: check.name.clone(), problem })
            })
        });
        join_all(runs).await.into_iter().flatten().collect()
    }

    /// Keeps gRPC health up to date until the drain begins, then says that nothing serves.
    pub(super) async fn report(self) {
        let mut before: Option<Vec<Failing>> = None;
        while !self.inner.drain.has_begun() {
            let failing = self.failing().await;
            self.tell(|service| failing.iter().all(|one| one.service != service), failing.is_empty()).await;
            if before.as_ref() != Some(&failing) {
                for one in &failing {
                    let (service, dependency, problem) = (&one.service, &one.dependency, &one.problem);
                    // At the first look nothing has had the time to connect: that is news, not a worry.
                    match before {
                        None => tracing::info!(%service, %dependency, %problem, "not ready yet"),
                        Some(_) => tracing::warn!(%service, %dependency, %problem, "not ready"),
                    }
                }
                if failing.is_empty() && before.is_some() {
                    tracing::info!("ready again");
                }
                before = Some(failing);
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.inner.drain.begun() => {}
            }
        }
        self.tell(|_| false, false).await;
    }

    async fn tell(&self, serves: impl Fn(&str) -> bool, all: bool) {
        let mut names: BTreeMap<&str, bool> = BTreeMap::from([("", all)]);
        for (service, grpc_names, _) in &self.inner.services {
            for name in grpc_names {
                let serving = names.entry(name).or_insert(true);
                *serving = *serving && serves(service);
            }
        }
        for (name, serving) in names {
            let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
            self.inner.reporter.set_service_status(name, status).await;
        }
    }
}

/// `/livez`, `/readyz` and `/metrics`.
pub(super) fn routes(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz).with_state(health))
        .route("/metrics", get(scrape).with_state(metrics))
}

async fn readyz(State(health): State<Health>) -> Response {
    let draining = health.inner.drain.has_begun();
    let failing = if draining { Vec::new() } else { health.failing().await };
    let ready = !draining && failing.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, draining, failing })).into_response()
}

async fn scrape(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}
