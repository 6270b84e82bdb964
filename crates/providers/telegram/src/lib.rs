//! Telegram's Bot API as a protocol: one call and what its errors mean, files by their ids, and what a message says.
//!
//! It is not a channel: which updates become conversations, and which method says what, is for `services/telegram`.
//! Read [`api`] first, then [`content`]. Source: Bot API 10.1, June 2026.

pub mod api;
pub mod content;
pub mod files;
pub mod people;
