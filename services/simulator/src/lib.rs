//! Providers to try the mesh against: Gupshup and Telegram as their documents describe them, with their faults, and a
//! page with two phones to act as a customer.
//!
//! It speaks the real wire formats, so a channel cannot tell it from the provider but by the address. It keeps all in
//! memory, knows nothing of the mesh beyond its webhooks, and is no provider for production. Read [`Config`] first, then
//! `world.rs` (what it remembers), `gupshup/` and `telegram/` (the two providers), `jobs.rs` (how webhooks go out).

mod config;
mod customers;
mod faults;
mod gupshup;
mod inspect;
mod jobs;
mod page;
mod telegram;
mod world;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use runtime::{Drain, OnFailure, Service, Task, http::Http};

pub use config::{Config, Envelope, Pace, Provider, SimulatedAccount, app_id};
pub use faults::{Faults, Receipts};

use world::Simulator;

/// The largest upload, in bytes: the largest file that any of the providers takes.
const LARGEST: usize = 100 << 20;

/// The simulator as a service. `http` must be allowed to call the hooks, wherever they are.
pub fn service(config: Config, http: Http) -> Service {
    let (simulator, jobs) = Simulator::new(config, http);
    let simulator = Arc::new(simulator);
    let routes = axum::Router::new()
        .merge(gupshup::routes())
        .merge(telegram::routes())
        .merge(customers::routes())
        .merge(inspect::routes())
        .merge(page::routes())
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(simulator.clone());
    let jobs = Arc::new(tokio::sync::Mutex::new(jobs));
    let calls = simulator.clone();
    let deliver = Task::new("simulator webhooks", OnFailure::Restart, move |drain: Drain| {
        jobs::run(calls.clone(), jobs.clone(), drain)
    });
    // Long polls and event streams would hold up the drain for as long as their callers like.
    let streams = Task::new("simulator streams", OnFailure::Restart, move |drain: Drain| {
        let simulator = simulator.clone();
        async move {
            drain.begun().await;
            simulator.stop.cancel();
            Ok(())
        }
    });
    Service {
        name: "simulator".to_owned(),
        http: routes,
        grpc: None,
        grpc_names: Vec::new(),
        tasks: vec![deliver, streams],
        checks: Vec::new(),
    }
}
