//! The channel kit: everything that a channel needs and should not write.
//!
//! A channel crate implements [`ChannelType`] and its translations ([`Webhook`], [`Poll`] or [`Link`], [`Outbound`],
//! [`FetchMedia`]); the kit does the rest. It is not a place for any provider's formats. Read [`contract`] first, then
//! [`channel_service`], which says what runs. The parts: `webhook`, `poll` and `link` are the ways in, `backlog` and
//! `share` say who is refused while much waits at the routers, `intake` and `spool` make what came in safe, `outbound`
//! sends, `media` fetches, `templates` keeps the provider's list at hand. `testing` (a feature) has the tables and the
//! battery that every channel's tests run.

mod account_http;
mod accounts;
mod backlog;
mod backoff;
mod codec;
pub mod config;
pub mod contract;
mod grpc;
pub mod http;
mod intake;
mod jobs;
mod kit;
mod link;
mod media;
mod media_links;
mod outbound;
mod poll;
mod service;
mod share;
mod signed;
mod spool;
mod stamps;
mod tally;
mod templates;
#[cfg(feature = "testing")]
pub mod testing;
mod webhook;

pub use account_http::{Transcript, Transcripts};
pub use config::KitConfig;
pub use contract::*;
pub use intake::event_id;
pub use kit::{Exchanges, hook_url};
pub use runtime::redact::Redactor;
pub use service::{channel_service, channel_service_over};
