//! WhatsApp through Gupshup: translation between Gupshup's formats and the words of the mesh.
//!
//! It is not a client for Meta's Cloud API, and it keeps, retries and acknowledges nothing: the kit does. Read
//! `account.rs` for the settings, `inbound.rs` for Gupshup's own envelope (version 2; version 3 is Meta's, read by
//! `provider-meta`), `outbound.rs` for sending and for what each answer means, `codes.rs` for Gupshup's error codes.
//!
//! Two things are not here:
//! * The opt-in API. Gupshup retired it (deprecated on 1 September 2024, hidden from 31 March 2026) and no longer checks
//!   opt-in when a message is sent. The session service keeps consent; this crate reports what changes it.
//! * The list of templates. It is out of scope for now: nothing reads a template's name, text or state from Gupshup.
//!   A template is sent by Gupshup's own id, with its parameters in order, and who sends it has to know both.

mod account;
mod codes;
mod inbound;
mod outbound;

pub use account::Whatsapp;
