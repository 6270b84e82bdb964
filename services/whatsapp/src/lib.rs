//! WhatsApp through Gupshup: translation between Gupshup's formats and the words of the mesh.
//!
//! It is not a client for Meta's Cloud API, and it keeps, retries and acknowledges nothing: the kit does. Read
//! `account.rs` for the settings, `inbound.rs` for Gupshup's own envelope (version 2; version 3 is Meta's, read by
//! `provider-meta`), `outbound.rs` for sending and for what each answer means, `codes.rs` for Gupshup's error codes.

mod account;
mod codes;
mod inbound;
mod outbound;

pub use account::Whatsapp;
