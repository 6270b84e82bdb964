//! What the tests of channels stand on: a scripted provider, tables, and the reliability battery.
//!
//! A channel's `tests/cases.rs` has its tables and one call of [`battery::webhook`], [`battery::sends`] or
//! [`battery::link`]. Everything runs on the real kit over the embedded adapters; only the provider is a script.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

pub mod battery;
mod faulty;
mod provider;
pub mod tables;
mod unruly;
mod world;

pub use faulty::FaultyBus;
pub use provider::{FakeProvider, Reply, answer};
pub use world::{Hold, Logs, Running, World, until};
