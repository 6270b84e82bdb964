//! WhatsApp through Gupshup: translation between Gupshup's formats and the words of the mesh.
//!
//! It is not a client for Meta's Cloud API, and it keeps, retries and acknowledges nothing: the kit does. Read
//! `account.rs` for the settings, `inbound.rs` for the way in (what calls say is read by `provider-gupshup` and
//! `provider-meta`), `outbound.rs` for sending and for what each answer means, `templates.rs` for the list of templates.
//!
//! The opt-in API is not here. Gupshup retired it (deprecated on 1 September 2024, hidden from 31 March 2026, absent for
//! apps made after 1 August 2025) and no longer checks opt-in when a message is sent. The session service keeps consent;
//! this crate reports what changes it.

mod account;
mod inbound;
mod outbound;
mod templates;

pub use account::Whatsapp;
