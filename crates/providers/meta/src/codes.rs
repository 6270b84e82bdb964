//! Meta's error codes in our words. Source: Meta's WhatsApp error page, as quoted by its public clients.

use domain::{Code, error::codes};

/// Our code for one of Meta's, in a failed status or an error answer. What is not in the table is a plain refusal.
pub fn code_of(code: u64) -> Code {
    match code {
        // More than 24 hours since the contact's last message.
        131_047 => codes::WINDOW_CLOSED,
        // The contact stopped messages of this business.
        131_050 => codes::OPTED_OUT,
        // No such account, or one too old to get it; the recipient is the sender.
        131_021 | 131_026 | 131_030 => codes::UNREACHABLE,
        // A template that is missing in this language, paused or disabled; values that do not fit it.
        132_001 | 132_015 | 132_016 => codes::TEMPLATE_UNAVAILABLE,
        132_000 | 132_005 | 132_008 | 132_012 => codes::TEMPLATE_UNFILLED,
        // Media that cannot be fetched or carried; a kind that is not supported.
        131_051..=131_053 => codes::UNSUPPORTED_CONTENT,
        // Token, permission, lock, payment, registration: an administrator must mend it.
        3
        | 10
        | 190
        | 200..=299
        | 368
        | 130_497
        | 131_005
        | 131_031
        | 131_042
        | 131_044
        | 131_045
        | 133_000..=133_003
        | 133_005..=133_010
        | 133_015 => codes::ACCOUNT_MISCONFIGURED,
        // Temporary and too fast: the provider gave up for us.
        1 | 2 | 4 | 80_007 | 130_429 | 131_000 | 131_016 | 131_048 | 131_056 | 133_004 | 133_016 => {
            codes::PROVIDER_UNAVAILABLE
        }
        _ => codes::PROVIDER_REJECTED,
    }
}
