//! Telegram's Bot API: translation between updates and methods, and the words of the mesh.
//!
//! It is not a bot framework: only private chats become conversations, and the kit keeps, retries and acknowledges.
//! Read `account.rs` for the settings and the two ways in, `prepare.rs` for what happens before traffic, `inbound.rs`
//! for updates, `outbound.rs` for sending; `provider-telegram` has the calls, their errors and the messages' contents.

mod account;
mod inbound;
mod outbound;
mod prepare;

pub use account::Telegram;
