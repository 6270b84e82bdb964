//! Gupshup's codes in failed messages. Source: Gupshup's partner documentation, page "error codes".

use domain::{Code, error::codes};

/// Our code for one of theirs. From 130,000 on they are Meta's; the match is on numbers, since the words vary.
pub fn code_of(code: u64) -> Code {
    match code {
        470 | 1004 | 1005 => codes::WINDOW_CLOSED,
        1006..=1008 => codes::NO_OPT_IN,
        1012 => codes::OPTED_OUT,
        1002 => codes::UNREACHABLE,
        1010 => codes::UNSUPPORTED_CONTENT,
        1011 => codes::TOO_LARGE,
        4003 | 4005 => codes::TEMPLATE_UNAVAILABLE,
        1001 | 1003 => codes::ACCOUNT_MISCONFIGURED,
        500 | 4001 | 4002 => codes::PROVIDER_UNAVAILABLE,
        0..130_000 => codes::PROVIDER_REJECTED,
        _ => provider_meta::code_of(code),
    }
}
