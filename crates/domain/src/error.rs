//! Errors that somebody outside the code may see: nine classes, and a stable code for each reason.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// The nine classes. Each maps to one gRPC status and one HTTP status (`runtime::status`), and nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The request makes no sense. 400, `INVALID_ARGUMENT`.
    Invalid,
    /// Who are you? 401, `UNAUTHENTICATED`.
    Unauthenticated,
    /// Not yours to do. 403, `PERMISSION_DENIED`.
    Forbidden,
    /// No such thing (or not in your organization). 404, `NOT_FOUND`.
    NotFound,
    /// It is no longer as you saw it, or a rule stands against it. 409, `FAILED_PRECONDITION`.
    Conflict,
    /// More than the limit. 413, `OUT_OF_RANGE`.
    TooLarge,
    /// Too often. 429, `RESOURCE_EXHAUSTED`.
    Throttled,
    /// Not now: something that we need is away. 503, `UNAVAILABLE`.
    Unavailable,
    /// Our mistake. 500, `INTERNAL`.
    Internal,
}

/// A stable code, `snake_case`, that an agent or operator may see. Each has a page `docs/errors/<code>.md`, and the
/// desk has its words in three languages. All codes stand in [`codes`].
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(Cow<'static, str>);

impl Code {
    /// A code of this release.
    pub const fn new(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }

    /// A code that came over the wire or out of the store, maybe from another release.
    pub fn read(code: impl Into<String>) -> Self {
        Self(Cow::Owned(code.into()))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request that was understood and not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// Its class.
    pub class: Class,
    /// Its stable code.
    pub code: Code,
    /// One English sentence for logs and for the problem details; the desk shows its own words for the code.
    pub detail: String,
}

impl Refusal {
    /// A refusal of `class` with a stable `code`.
    pub fn new(class: Class, code: Code, detail: impl Into<String>) -> Self {
        Self { class, code, detail: detail.into() }
    }
}

/// Declares the codes and [`codes::ALL`], which a test holds against `docs/errors` and the desk's catalogues.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Every code of this release.
        pub mod codes {
            use super::Code;
            $($(#[$doc])* pub const $name: Code = Code::new($text);)*
            /// All of them, for the test that each has a page and its words.
            pub const ALL: &[&str] = &[$($text),*];
        }
    };
}

codes! {
    /// Free text more than the channel's window after the contact's last message.
    WINDOW_CLOSED = "window_closed";
    /// The contact never agreed to be written to.
    NO_OPT_IN = "no_opt_in";
    /// The contact asked not to be written to.
    OPTED_OUT = "opted_out";
    /// The template is unknown, or the provider does not let it go out now.
    TEMPLATE_UNAVAILABLE = "template_unavailable";
    /// The values do not fill the template.
    TEMPLATE_UNFILLED = "template_unfilled";
    /// The channel or the provider cannot carry this content.
    UNSUPPORTED_CONTENT = "unsupported_content";
    /// The provider refused the message for good.
    PROVIDER_REJECTED = "provider_rejected";
    /// The contact's number or account does not exist on this channel.
    UNREACHABLE = "unreachable";
    /// The provider could not be reached, and tries ran out.
    PROVIDER_UNAVAILABLE = "provider_unavailable";
    /// The provider's answer was lost: it may have been sent or not.
    IN_DOUBT = "in_doubt";
    /// The account cannot send: its credentials or balance must be mended.
    ACCOUNT_MISCONFIGURED = "account_misconfigured";
    /// The gate's permit was missing, forged or too old when the channel wanted to send.
    PERMIT_INVALID = "permit_invalid";
    /// The permit ran out while the message waited.
    PERMIT_EXPIRED = "permit_expired";
    /// No such conversation, message or account in this organization.
    NOT_FOUND = "not_found";
    /// The conversation is already in another agent's hands.
    ALREADY_TAKEN = "already_taken";
    /// The conversation is closed.
    CONVERSATION_CLOSED = "conversation_closed";
    /// Only the agent who serves the conversation, or a supervisor, may do this.
    NOT_YOURS = "not_yours";
    /// The agent already serves as many conversations as their capacity allows.
    AT_CAPACITY = "at_capacity";
    /// The target agent is not available for conversations.
    AGENT_UNAVAILABLE = "agent_unavailable";
    /// It changed meanwhile; read it again.
    CHANGED_MEANWHILE = "changed_meanwhile";
    /// The e-mail or the password is wrong.
    BAD_CREDENTIALS = "bad_credentials";
    /// Not signed in, or the session ended.
    NOT_SIGNED_IN = "not_signed_in";
    /// The role does not include this.
    NOT_PERMITTED = "not_permitted";
    /// Too many tries; wait.
    TOO_MANY_ATTEMPTS = "too_many_attempts";
    /// The request is not well formed.
    BAD_REQUEST = "bad_request";
    /// The body or file is larger than allowed.
    TOO_LARGE = "too_large";
    /// A dependency is away; try again.
    UNAVAILABLE = "unavailable";
    /// Our mistake; it is in the log with the trace id.
    INTERNAL = "internal";
    /// A webhook came with a wrong or no secret.
    WEBHOOK_UNVERIFIED = "webhook_unverified";
    /// A webhook body that is not what the provider documents; it is parked.
    WEBHOOK_MALFORMED = "webhook_malformed";
    /// A message on the broker that cannot be decoded; it is parked.
    POISON = "poison";
    /// The store could not take it, again and again; it is parked.
    STORE_REFUSED = "store_refused";
    /// A message for an account that the organization does not have; it is parked.
    ACCOUNT_UNKNOWN = "account_unknown";
    /// Somebody else has decided about the parked message.
    ALREADY_DECIDED = "already_decided";
    /// A person decided that the message ends here.
    DISCARDED = "discarded";
    /// The media could not be fetched before the provider forgot it.
    MEDIA_LOST = "media_lost";
}
