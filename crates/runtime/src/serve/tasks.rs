//! Supervised tasks: each has a name and a policy, and none is forgotten.

use std::time::Duration;

use tokio::{
    task::{JoinError, JoinSet},
    time::Instant,
};

use super::{ServeError, edge};
use crate::{
    metrics::Metrics,
    names::{label, metric},
    service::{Drain, OnFailure, Task},
};

/// The first pause before a restart.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause before a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A task that ran for this long starts again with the first pause.
const SETTLED: Duration = Duration::from_secs(60);

/// The tasks of the process.
pub(super) struct Supervisor {
    running: JoinSet<(String, Result<(), String>)>,
    /// Tells the tasks to end; begun after the ingress has drained.
    drain: Drain,
    process: Drain,
}

impl Supervisor {
    pub(super) fn start(tasks: Vec<Task>, metrics: &Metrics, process: &Drain) -> Self {
        let drain = Drain::default();
        let mut running = JoinSet::new();
        for task in tasks {
            running.spawn(supervise(task, metrics.clone(), drain.clone(), process.clone()));
        }
        Self { running, drain, process: process.clone() }
    }

    /// Tells the tasks to end and waits for them; those that do not within `within` are cut off.
    pub(super) async fn finish(mut self, within: Duration) -> Result<(), ServeError> {
        debug_assert!(self.process.has_begun(), "tasks end after the process began to drain");
        self.drain.0.cancel();
        let deadline = Instant::now() + within;
        let mut failure = None;
        loop {
            match tokio::time::timeout_at(deadline, self.running.join_next()).await {
                Ok(None) => break,
                Ok(Some(Ok((task, Err(reason))))) => {
                    failure.get_or_insert(ServeError::Task { task, reason });
                }
                Ok(Some(_)) => {}
                Err(_) => {
                    tracing::warn!(tasks = self.running.len(), "tasks outlived the drain and are cut off");
                    self.running.shutdown().await;
                    break;
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Runs a task until it ends by itself, the drain is done, or its failure stops the process.
async fn supervise(task: Task, metrics: Metrics, drain: Drain, process: Drain) -> (String, Result<(), String>) {
    let name = task.name.clone();
    let mut pause = FIRST_PAUSE;
    loop {
        let started = Instant::now();
        // A spawn of its own, so that a panic is an error like any other; the handle's guard takes it down with us.
        let run = AbortOnDrop(tokio::spawn((task.run)(drain.clone())));
        let reason = match run.joined().await {
            Ok(Ok(())) => {
                if !drain.has_begun() {
                    tracing::info!(task = %name, "the task is done");
                }
                return (name, Ok(()));
            }
            Ok(Err(reason)) => reason,
            Err(error) => said(error),
        };
        if drain.has_begun() {
            tracing::warn!(task = %name, %reason, "the task failed while draining");
            return (name, Ok(()));
        }
        if task.on_failure == OnFailure::Stop {
            tracing::error!(task = %name, %reason, "the task failed; the process drains");
            process.0.cancel();
            return (name, Err(reason));
        }
        if started.elapsed() >= SETTLED {
            pause = FIRST_PAUSE;
        }
        let jittered = pause.mul_f64(rand::random_range(0.5..1.0));
        let millis = u64::try_from(jittered.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(task = %name, %reason, pause_ms = millis, "the task failed and is started again");
        metrics.count(metric::TASK_RESTARTS, &[(label::TASK, &name)], 1);
        tokio::select! {
            () = tokio::time::sleep(jittered) => {}
            () = drain.begun() => return (name, Ok(())),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn said(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => format!("panicked: {}", edge::words(&*panic)),
        Err(error) => error.to_string(),
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<Result<(), String>>);

impl AbortOnDrop {
    async fn joined(mut self) -> Result<Result<(), String>, JoinError> {
        (&mut self.0).await
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
