//! Gupshup's own formats: what its calls say, what its templates are, what its error codes mean.
//!
//! It is not a channel: it knows no account and no secret, and sends nothing. Read [`heard`] first, then [`templates`].
//! Where Gupshup passes Meta's envelope on, `provider-meta` reads it.

mod codes;
mod events;
mod templates;

pub use codes::code_of;
pub use events::heard;
pub use templates::{status_of, templates};
