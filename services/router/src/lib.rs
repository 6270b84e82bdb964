//! The router service: conversations, their queues and their agents.
//!
//! It is the shell round the pure `routing` crate: load the slice of the store that a batch of events needs, let the
//! core decide, commit state and outbox at once, relay, settle. It decides nothing itself, and it is not where messages
//! are let out: that is the session service's gate.
//!
//! Read `shell.rs` first, then `inbound.rs` (events from providers) and `commands.rs` (people's orders). `relay.rs`
//! publishes the outbox, `distribution.rs` hands out what waits and `proposals.rs` reads what that needs, `timers.rs`
//! fires what is due, `parked.rs` and `redrive.rs` keep and send again what could not go on, `consent.rs` says what the
//! session service must hear of, `doubts.rs` finds what the send ledger learnt of messages in doubt.

mod audit;
mod breaches;
mod census;
mod commands;
mod config;
mod consent;
mod distribution;
mod doubts;
mod draft;
mod gather;
mod heralds;
mod inbound;
mod lookup;
mod parked;
mod proposals;
mod redrive;
mod relay;
mod retention;
mod rules;
mod send_traces;
mod shell;
mod survey;
mod timers;

use std::sync::Arc;

use async_trait::async_trait;
use domain::Parked;
use ports::apis::{GateApi, HookApi, RouterApi};
use runtime::{BoxFuture, Check, Drain, Env, OnFailure, Service, Task};

pub use commands::RouterHandle;
pub use config::Config;
pub use parked::{KIND, MESSAGE_ID};

use crate::shell::Shell;

/// The service, not yet running, and its handle for callers in the same process. The handle works as long as the
/// service's tasks run.
///
/// Parked webhook calls cannot go again: see [`service_with_hooks`].
pub fn service(config: Config, env: Env, gate: Arc<dyn GateApi>) -> (Service, RouterHandle) {
    service_with_hooks(config, env, gate, Arc::new(NoHooks))
}

/// A router without a way to the channels' hooks.
struct NoHooks;

#[async_trait]
impl HookApi for NoHooks {
    async fn post(&self, _: &Parked) -> Result<String, String> {
        Err("this router has no way to the channels' hooks".to_owned())
    }
}

/// [`service`], with a way to the channels' hooks for calls that were parked.
pub fn service_with_hooks(
    config: Config,
    env: Env,
    gate: Arc<dyn GateApi>,
    hooks: Arc<dyn HookApi>,
) -> (Service, RouterHandle) {
    let shell = Arc::new(Shell::new(config, env, gate, hooks));
    let handle = RouterHandle { shell: Arc::clone(&shell) };
    let mut tasks = Vec::new();
    let workers = shell.config.workers.max(1);
    for worker in 0..workers {
        let share = inbound::share(shell.env.partitions, worker, workers);
        tasks.push(task(format!("router.inbound.{worker}"), &shell, move |shell, drain| {
            Box::pin(inbound::run(shell, share.clone(), drain))
        }));
    }
    let plain =
        |name: &str, run: fn(Arc<Shell>, Drain) -> BoxFuture<Result<(), String>>| task(name.to_owned(), &shell, run);
    tasks.push(plain("router.leases", |shell, drain| Box::pin(relay::leases(shell, drain))));
    tasks.push(plain("router.relay", |shell, drain| Box::pin(relay::run(shell, drain))));
    tasks.push(plain("router.timers", |shell, drain| Box::pin(timers::run(shell, drain))));
    tasks.push(plain("router.sweep", |shell, drain| Box::pin(distribution::sweep(shell, drain))));
    tasks.push(plain("router.heralds", |shell, drain| Box::pin(heralds::run(shell, drain))));
    tasks.push(plain("router.nudges", |shell, drain| Box::pin(heralds::nudges(shell, drain))));
    tasks.push(plain("router.distribution", |shell, drain| Box::pin(distribution::run(shell, drain))));
    tasks.push(plain("router.parked", |shell, drain| Box::pin(parked::run(shell, drain))));
    tasks.push(plain("router.redrive", |shell, drain| Box::pin(redrive::run(shell, drain))));
    tasks.push(plain("router.doubts", |shell, drain| Box::pin(doubts::run(shell, drain))));
    tasks.push(plain("router.audit", |shell, drain| Box::pin(audit::run(shell, drain))));
    tasks.push(plain("router.retention", |shell, drain| Box::pin(retention::run(shell, drain))));
    tasks.push(plain("router.survey", |shell, drain| Box::pin(survey::run(shell, drain))));
    let api: Arc<dyn RouterApi> = Arc::new(handle.clone());
    let service = Service {
        name: "router".to_owned(),
        http: axum::Router::new(),
        grpc: Some(runtime::grpc::router_server(api, shell.env.metrics.clone())),
        grpc_names: vec![runtime::grpc::ROUTER.to_owned()],
        tasks,
        checks: checks(&shell.env),
    };
    (service, handle)
}

fn task<R>(name: String, shell: &Arc<Shell>, run: R) -> Task
where
    R: Fn(Arc<Shell>, Drain) -> BoxFuture<Result<(), String>> + Send + Sync + 'static,
{
    let shell = Arc::clone(shell);
    Task::new(name, OnFailure::Restart, move |drain| run(Arc::clone(&shell), drain))
}

/// Broker and store.
fn checks(env: &Env) -> Vec<Check> {
    let (bus, cursors) = (Arc::clone(&env.bus), Arc::clone(&env.cursors));
    vec![
        Check {
            name: "broker".to_owned(),
            run: Arc::new(move || {
                let bus = Arc::clone(&bus);
                Box::pin(async move { bus.check().await.map_err(|error| error.to_string()) })
            }),
        },
        Check {
            name: "store".to_owned(),
            run: Arc::new(move || {
                let cursors = Arc::clone(&cursors);
                Box::pin(async move { cursors.get("readiness").await.map(drop).map_err(|error| error.to_string()) })
            }),
        },
    ]
}
