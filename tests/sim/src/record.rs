//! What the outside knows: what was accepted from it, what it was told, and what it saw. The oracle compares it with
//! the store.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::{ConversationId, EventId, MessageId, ParkedId, Timestamp};
use tokio::time::Instant;

/// A webhook call that was answered 2xx.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    /// Which house's provider called.
    pub house: usize,
    /// The event that it told.
    pub event: EventId,
    /// The provider's id of the message.
    pub id: String,
    /// Who wrote.
    pub from: String,
    /// What the contact wrote; none for a receipt.
    pub text: Option<String>,
    /// Which life of which process took it.
    pub by: String,
    /// Its turn among all that was asked and answered: when it was called.
    pub called: u64,
    /// When it was answered.
    pub answered: u64,
}

/// A message that the router told an agent is on its way.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// Whose.
    pub house: usize,
    /// Where.
    pub conversation: ConversationId,
    /// Which.
    pub message: MessageId,
    /// What it says.
    pub text: String,
}

/// What a provider took.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Which house's provider.
    pub house: usize,
    /// To whom.
    pub to: String,
    /// Which message.
    pub message: Option<MessageId>,
    /// Which part of it.
    pub part: u16,
    /// What it says.
    pub text: String,
    /// When.
    pub at: Timestamp,
    /// Whether it said so: 200 reached us as far as the provider knows.
    pub told: bool,
    /// Whether it said later that it had failed.
    pub failed_later: bool,
}

/// Everything that is known outside.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Accepted webhook calls, each event once for each acceptance.
    pub accepted: Vec<Accepted>,
    /// Contacts' texts, accepted or not, by their event.
    pub written: BTreeMap<EventId, (usize, String)>,
    /// Which lives of which processes were called with an event, whether they answered or not.
    pub called: BTreeMap<EventId, BTreeSet<String>>,
    /// Webhook bodies that make no sense and were accepted.
    pub garbage: Vec<ParkedId>,
    /// Messages that were promised to agents.
    pub sent: Vec<Sent>,
    /// How often a person decided that a message goes again.
    pub decisions: BTreeMap<MessageId, u32>,
    /// Pictures that a provider said it does not have, by house and message.
    pub withheld: BTreeSet<(usize, String)>,
    /// What the providers took, in order.
    pub seen: Vec<Seen>,
    /// What went wrong beyond the invariants: panics.
    pub problems: Vec<String>,
    turn: u64,
}

/// The record of one world, with its trace.
pub(crate) struct Record {
    known: Mutex<Known>,
    began: Instant,
    trace: Mutex<Option<Vec<String>>>,
}

impl Record {
    /// An empty one; `traced` keeps a line for everything.
    pub(crate) fn new(traced: bool) -> Self {
        Self { known: Mutex::default(), began: Instant::now(), trace: Mutex::new(traced.then(Vec::new)) }
    }

    /// What is known.
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next turn.
    pub(crate) fn turn(&self) -> u64 {
        let mut known = self.known();
        known.turn += 1;
        known.turn
    }

    /// Writes a line, if anybody reads it.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut *self.trace.lock().unwrap_or_else(PoisonError::into_inner) {
            lines.push(format!("{:>9.3} {}", self.began.elapsed().as_secs_f64(), line()));
        }
    }

    /// The lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }
}
