//! The session service: the gate. Nothing reaches a provider without its signed permit (SES-11).
//!
//! It listens to what bears on consent (`consent.<p>`) to keep the ledger, and to what the mesh wants to send
//! (`requested.<p>`) to let it pass with a permit on `outbound.<channel>.<p>`, or to send it back as refused.
//! [`SessionGate`] answers the same question before a message is written, in process or over gRPC.
//!
//! It is not where the rules are: those are the table in the `sessions` crate. Read `gate.rs` first, then `words.rs`
//! and the pumps, `inbound.rs` and `requested.rs`.

mod config;
mod gate;
mod inbound;
mod pump;
mod requested;
mod windows;
mod words;

use std::sync::Arc;

use domain::Partition;
use ports::topology::Queue;
use runtime::{Env, OnFailure, Service, Task};

pub use config::Config;
pub use gate::{InvalidKey, SessionGate};

/// The service, not yet running.
///
/// # Errors
/// [`InvalidKey`] when `config.signing_key` is not an Ed25519 key.
pub fn service(config: Config, env: Env) -> Result<Service, InvalidKey> {
    let gate = Arc::new(SessionGate::new(&config, env.clone())?);
    let mut tasks = Vec::new();
    for worker in 0..config.workers.max(1) {
        let share = pump::share(env.partitions, worker, config.workers.max(1));
        tasks.push(inbound_task(worker, share.clone(), &config, &env));
        tasks.push(requested_task(worker, share, &config, &env, &gate));
    }
    let api: Arc<dyn ports::apis::GateApi> = gate;
    Ok(Service {
        name: "session".to_owned(),
        http: axum::Router::new(),
        grpc: Some(runtime::grpc::gate_server(api, env.metrics.clone())),
        grpc_names: vec![runtime::grpc::GATE.to_owned()],
        tasks,
        checks: pump::checks(&env),
    })
}

fn inbound_task(worker: usize, share: Vec<Partition>, config: &Config, env: &Env) -> Task {
    let (config, env) = (config.clone(), env.clone());
    Task::new(format!("session.inbound.{worker}"), OnFailure::Restart, move |drain| {
        let queues = share.iter().copied().map(Queue::SessionInbound).collect();
        let (config, env) = (config.clone(), env.clone());
        async move { pump::run(&config, &env, queues, &drain, &inbound::Pump { env: env.clone() }).await }
    })
}

fn requested_task(worker: usize, share: Vec<Partition>, config: &Config, env: &Env, gate: &Arc<SessionGate>) -> Task {
    let (config, env, gate) = (config.clone(), env.clone(), Arc::clone(gate));
    Task::new(format!("session.requested.{worker}"), OnFailure::Restart, move |drain| {
        let queues = share.iter().copied().map(Queue::SessionRequested).collect();
        let (config, env, gate) = (config.clone(), env.clone(), Arc::clone(&gate));
        async move { pump::run(&config, &env, queues, &drain, &requested::Pump { env: env.clone(), gate }).await }
    })
}
