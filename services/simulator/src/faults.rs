//! What goes wrong, when somebody wishes it. A count is used up by the calls that send a message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The faults of one provider. All zero and off by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// How many sends are refused for good (400).
    pub reject_next: u32,
    /// The provider's words then.
    pub reject_reason: String,
    /// How many sends are answered with 429.
    pub throttle_next: u32,
    /// `Retry-After` then, in seconds.
    pub retry_after: u64,
    /// How many sends are answered with `error_status`, without effect.
    pub error_next: u32,
    /// 500 to 599.
    pub error_status: u16,
    /// How many sends get no answer for `hang_ms`, and then 504, without effect.
    pub hang_next: u32,
    /// Milliseconds.
    pub hang_ms: u64,
    /// How many sends take effect at once and are answered after `late_ms`.
    pub late_next: u32,
    /// Milliseconds.
    pub late_ms: u64,
    /// How many sends are accepted and fail later, with a receipt. Gupshup only.
    pub fail_next: u32,
    /// The provider's code then.
    pub fail_code: u32,
    /// The provider's words then.
    pub fail_reason: String,
    /// What happens to receipts. Gupshup only.
    pub receipts: Receipts,
    /// How much later late receipts come, in milliseconds.
    pub receipts_late_ms: u64,
    /// Every webhook comes twice.
    pub webhooks_doubled: bool,
    /// Media of customers cannot be fetched any more.
    pub media_expired: bool,
    /// The key or token is no longer good.
    pub token_revoked: bool,
}

/// What happens to receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipts {
    /// They come once, in order.
    #[default]
    Normal,
    /// Each comes twice.
    Doubled,
    /// They come `receipts_late_ms` later.
    Late,
    /// The last comes first.
    Reordered,
    /// They do not come.
    Missing,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            reject_next: 0,
            reject_reason: "Invalid Destination".to_owned(),
            throttle_next: 0,
            retry_after: 2,
            error_next: 0,
            error_status: 503,
            hang_next: 0,
            hang_ms: 20_000,
            late_next: 0,
            late_ms: 20_000,
            fail_next: 0,
            fail_code: 1002,
            fail_reason: "Number Does Not Exists On WhatsApp".to_owned(),
            receipts: Receipts::Normal,
            receipts_late_ms: 8_000,
            webhooks_doubled: false,
            media_expired: false,
            token_revoked: false,
        }
    }
}

/// The fault of one send, before it takes effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Before {
    /// 400 with these words.
    Reject(String),
    /// 429 with these seconds.
    Throttle(u64),
    /// This status.
    Error(u16),
    /// No answer for this long.
    Hang(Duration),
}

impl Faults {
    /// The fault of the next send, used up.
    pub(crate) fn before(&mut self) -> Option<Before> {
        if used(&mut self.throttle_next) {
            return Some(Before::Throttle(self.retry_after));
        }
        if used(&mut self.error_next) {
            return Some(Before::Error(self.error_status));
        }
        if used(&mut self.hang_next) {
            return Some(Before::Hang(Duration::from_millis(self.hang_ms)));
        }
        used(&mut self.reject_next).then(|| Before::Reject(self.reject_reason.clone()))
    }

    /// How much later than its effect the next send is answered.
    pub(crate) fn late(&mut self) -> Option<Duration> {
        used(&mut self.late_next).then(|| Duration::from_millis(self.late_ms))
    }

    /// The code and the words with which the next send fails later.
    pub(crate) fn fail(&mut self) -> Option<(u32, String)> {
        used(&mut self.fail_next).then(|| (self.fail_code, self.fail_reason.clone()))
    }
}

fn used(count: &mut u32) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}
