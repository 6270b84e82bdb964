//! What is known of sends to providers.

use std::fmt;

use async_trait::async_trait;
use domain::{MessageId, Outcome, Timestamp};

use crate::StoreError;

/// Send attempts, so that no crash makes a message go out twice unasked. A decision to try a message again forgets
/// those that did not arrive, in the commit of the decision ([`crate::journal::Reopened`]).
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Notes that `part` of `message` is about to be sent under `claim`, unless another holder began it. Whose answer
    /// was lost asks again under the same claim; who could not note that a try failed goes on under the next one.
    ///
    /// # Errors
    /// [`StoreError`]; the caller must not send then.
    async fn begin(&self, message: MessageId, part: u16, claim: &Claim, at: Timestamp) -> Result<Begun, StoreError>;

    /// Notes what the try under `claim` taught. An outcome that says "surely not sent" (`Throttled`, `Unavailable`)
    /// clears the mark, so the next [`Ledger::begin`] is fresh. A try that another followed changes nothing any more: a
    /// statement that was given up may be carried out later. A doubt is noted of whoever began, and never over what
    /// is known.
    ///
    /// # Errors
    /// [`StoreError`]; the attempt stays in doubt then.
    async fn finish(&self, message: MessageId, part: u16, claim: &Claim, outcome: &Outcome) -> Result<(), StoreError>;
}

/// What [`Ledger::begin`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nobody else tried it: go on.
    Fresh,
    /// Another holder began it and never finished: nobody knows.
    InDoubt,
    /// It was finished, with this outcome.
    Done(Outcome),
}

/// One try to send a part: who holds it, and which of the holder's tries it is. Printed as it is kept: `holder#try`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    holder: String,
    turn: u32,
}

impl Claim {
    /// The first try of `holder`: a name that no other has, of any process, ever.
    pub fn new(holder: impl Into<String>) -> Self {
        Self { holder: holder.into(), turn: 0 }
    }

    /// The holder's next try.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { holder: self.holder.clone(), turn: self.turn.saturating_add(1) }
    }

    /// Whether `kept`, as printed, is this try or an earlier one of the same holder.
    pub fn continues(&self, kept: &str) -> bool {
        let earlier = kept.rsplit_once('#').filter(|(holder, _)| *holder == self.holder);
        earlier.and_then(|(_, turn)| turn.parse::<u32>().ok()).is_some_and(|turn| turn <= self.turn)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.holder, self.turn)
    }
}
