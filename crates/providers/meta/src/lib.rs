//! Meta's messaging formats, shared by the channels that carry them: WhatsApp through Gupshup today, through Meta's own
//! Cloud API later.
//!
//! It reads bodies, names errors and fetches links. It is not a channel: it knows no account and no secret. Read
//! [`whatsapp::heard`] first; [`fields`] holds the lenient readers that keep one odd field from losing a message.

mod codes;
pub mod fields;
pub mod media;
pub mod whatsapp;

pub use codes::code_of;
