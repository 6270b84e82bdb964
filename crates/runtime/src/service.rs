//! A service as a value: what it serves, what it runs, and when it is ready.

use std::{future::Future, pin::Pin, sync::Arc};

use tokio_util::sync::CancellationToken;

/// A boxed future, so that services compile without the chassis' generics.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The wish to stop. Cloned into every task; cancelled by the first SIGTERM.
#[derive(Clone, Debug, Default)]
pub struct Drain(pub CancellationToken);

impl Drain {
    /// Resolves when draining has begun.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }

    /// Whether draining has begun.
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// What happens when a task ends with an error or panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It is started again, with back-off.
    Restart,
    /// The process drains and exits with an error.
    Stop,
}

/// A named background task: no spawn is anonymous.
pub struct Task {
    /// For logs and metrics.
    pub name: String,
    /// What a failure means.
    pub on_failure: OnFailure,
    /// Starts it. Called again for each restart. It returns soon after the drain has begun, in-flight work done.
    pub run: Arc<dyn Fn(Drain) -> BoxFuture<Result<(), String>> + Send + Sync>,
}

impl Task {
    /// A task from a closure that makes its future.
    pub fn new<F, R>(name: impl Into<String>, on_failure: OnFailure, run: F) -> Self
    where
        F: Fn(Drain) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name: name.into(), on_failure, run: Arc::new(move |drain| Box::pin(run(drain))) }
    }
}

/// A readiness check: the name of a dependency and whether it is there.
#[derive(Clone)]
pub struct Check {
    /// `broker`, `store`, `spool`...
    pub name: String,
    /// Ok, or what is wrong in one sentence.
    pub run: Arc<dyn Fn() -> BoxFuture<Result<(), String>> + Send + Sync>,
}

/// One service of the mesh, not yet running.
pub struct Service {
    /// `router`, `desk`, `whatsapp`...
    pub name: String,
    /// Its HTTP routes, merged with those of the other services of the process.
    pub http: axum::Router,
    /// Its gRPC services, as an axum router (`tonic::service::Routes::into_axum_router`).
    pub grpc: Option<axum::Router>,
    /// The full names of its gRPC services, for health.
    pub grpc_names: Vec<String>,
    /// Its background tasks.
    pub tasks: Vec<Task>,
    /// What it needs to be ready.
    pub checks: Vec<Check>,
}
