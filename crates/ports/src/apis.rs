//! The services as their callers see them: the same trait in the same process, over gRPC, or in a test.

use async_trait::async_trait;
use domain::{Code, Commanded, Done, Parked, Refusal, SendRequest, Timestamp};

/// The router, for the desk.
#[async_trait]
pub trait RouterApi: Send + Sync + 'static {
    /// Carries out a command.
    ///
    /// # Errors
    /// [`Refusal`] with the reason.
    async fn command(&self, command: Commanded) -> Result<Done, Refusal>;
}

/// What the gate says about a message that is not yet written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may go.
    Permit {
        /// When the window closes; none when the channel has no window.
        window_closes_at: Option<Timestamp>,
    },
    /// It may not.
    Refuse {
        /// `window_closed`, `no_opt_in`, `opted_out`.
        code: Code,
        /// When the window closed, where that is the reason.
        window_closed_at: Option<Timestamp>,
    },
}

/// The session service: the gate.
#[async_trait]
pub trait GateApi: Send + Sync + 'static {
    /// Whether this would be let through now. Nothing is sent.
    ///
    /// # Errors
    /// [`Refusal`] of class `Unavailable` when it cannot tell.
    async fn check(&self, request: &SendRequest) -> Result<Verdict, Refusal>;
}

/// The webhooks of the channels, for calls that were parked and go again.
#[async_trait]
pub trait HookApi: Send + Sync + 'static {
    /// Posts the call to its account's hook, as the provider would. Answers what was said there. What still cannot be
    /// read is parked again by the channel.
    ///
    /// # Errors
    /// Why it was not taken, in one sentence.
    async fn post(&self, parked: &Parked) -> Result<String, String>;
}
