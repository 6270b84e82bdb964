//! The desk with the real router over the embedded adapters, from outside: HTTP and WebSocket.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod calls;
mod files;
mod harness;
mod live;
mod pages;
mod parked;
mod signing_in;
mod templates;
