//! The simulation: the real channel kit, router and session service, two replicas of each, in one thread with a clock
//! that jumps, on a broker and a store in memory, between people and providers who are played; and everything that can
//! go wrong does, by the dice of a seed. Afterwards an oracle judges what the outside was promised against what it saw.
//!
//! It is not a test of the adapters: those have the conformance suites, which what stands in for them here passes too.
//! Read `plan.rs` first (what happens), then `world.rs` (who is there), `run.rs` (how a run goes), `oracle.rs` (what
//! must hold) and `mutation.rs` (how it is shown that the oracle sees).

pub mod air;
mod cast;
mod channel;
pub mod dice;
mod door;
mod entropy;
mod life;
pub mod memory;
pub mod mutation;
mod nemesis;
pub mod oracle;
pub mod plan;
mod process;
mod provider;
mod record;
pub mod run;
mod site;
mod telling;
mod updates;
mod visitor;
mod world;
