//! The generated types. Public for `runtime`, which builds the gRPC adapters on them, and for nobody else: everybody
//! else speaks in the domain's types.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]

mod generated {
    include!(concat!(env!("OUT_DIR"), "/afluente.rs"));
}

pub use generated::afluente::*;

/// The descriptors of all files, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
