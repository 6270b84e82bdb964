//! The chassis: configuration, telemetry, the guarded HTTP client, gRPC adapters, health, tasks and drain.
//!
//! What is heavy in generics (axum, tonic, reqwest, OpenTelemetry) is instantiated here once, behind boxed or concrete
//! signatures, so that a service compiles in seconds. It is not a place for decisions about messages, and it knows no
//! adapter: `bootstrap` builds the [`Env`] that a service is given.
//!
//! Read [`service`] first (what a service is), then [`serve`] (how it runs), then [`http`] (the one door out).

pub mod blocking;
pub mod bus;
pub mod clock;
pub mod config;
pub mod env;
pub mod grpc;
pub mod http;
pub mod metrics;
pub mod names;
pub mod redact;
pub mod serve;
pub mod service;
pub mod status;
pub mod telemetry;
pub mod trace;

pub use env::Env;
pub use service::{BoxFuture, Check, Drain, OnFailure, Service, Task};
