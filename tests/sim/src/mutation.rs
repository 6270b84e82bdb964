//! Bugs put in on purpose, to show that the oracle finds them. Each is a decorator over a port here in the simulation:
//! nothing that runs in production can be switched to it.

mod bus;
mod stores;

use std::{fmt, str::FromStr, sync::Arc};

use bus::Changed;
use runtime::Env;

use crate::plan::Role;

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// Deliveries are acknowledged when they come, not when what they ask for is safe.
    AckBeforeConfirm,
    /// A webhook is answered before the broker or the disk has what it told.
    AnswerBeforeConfirm,
    /// The id of an event does not come from the provider's key.
    DedupOff,
    /// The ledger does not know what was sent.
    LedgerForgets,
    /// The channel takes any permit for genuine.
    PermitUnchecked,
    /// What was heard last of a message counts, not what is furthest.
    StatusOverwrites,
    /// The gate does not read that a contact has opted out.
    ConsentIgnored,
    /// The router does not pass on what bears on consent.
    ConsentUntold,
    /// What the broker brings again goes out before what lies on the account's shelf, the shelf's marker too.
    MarkerFirst,
    /// What was polled counts as taken up to one further than it is.
    CursorAhead,
    /// Pictures are said to be kept before they are.
    PictureDropped,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::AckBeforeConfirm,
        Self::AnswerBeforeConfirm,
        Self::DedupOff,
        Self::LedgerForgets,
        Self::PermitUnchecked,
        Self::StatusOverwrites,
        Self::ConsentIgnored,
        Self::ConsentUntold,
        Self::MarkerFirst,
        Self::CursorAhead,
        Self::PictureDropped,
    ];
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::AckBeforeConfirm => "ack-before-confirm",
            Self::AnswerBeforeConfirm => "answer-before-confirm",
            Self::DedupOff => "dedup-off",
            Self::LedgerForgets => "ledger-forgets",
            Self::PermitUnchecked => "permit-unchecked",
            Self::StatusOverwrites => "status-overwrites",
            Self::ConsentIgnored => "consent-ignored",
            Self::ConsentUntold => "consent-untold",
            Self::MarkerFirst => "marker-first",
            Self::CursorAhead => "cursor-ahead",
            Self::PictureDropped => "picture-dropped",
        };
        f.write_str(name)
    }
}

impl FromStr for Mutation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(|one| one.to_string()).join(", ");
        Self::ALL.into_iter().find(|one| one.to_string() == text).ok_or_else(|| format!("one of {}", names()))
    }
}

/// What a process of `role` is given under this bug.
pub(crate) fn apply(mutation: Option<Mutation>, role: Role, mut env: Env) -> Env {
    match (mutation, role) {
        (Some(Mutation::AckBeforeConfirm), _) => env.bus = Arc::new(Changed::ack_first(env.bus)),
        (Some(Mutation::AnswerBeforeConfirm), Role::Channel) => env.bus = Arc::new(Changed::answer_first(env.bus)),
        (Some(Mutation::DedupOff), Role::Channel) => {
            env.bus = Arc::new(Changed::fresh_ids(env.bus, Arc::clone(&env.clock)));
        }
        (Some(Mutation::PermitUnchecked), Role::Channel) => env.bus = Arc::new(Changed::signs(env.bus)),
        (Some(Mutation::LedgerForgets), Role::Channel) => env.ledger = Arc::new(stores::ForgetfulLedger(env.ledger)),
        (Some(Mutation::StatusOverwrites), Role::Router) => {
            env.journal = Arc::new(stores::OverwritingJournal(env.journal));
        }
        (Some(Mutation::ConsentIgnored), Role::Router | Role::Session) => {
            env.consents = Arc::new(stores::AgreeingConsents(env.consents));
        }
        (Some(Mutation::ConsentUntold), Role::Router) => env.bus = Arc::new(Changed::untold(env.bus)),
        (Some(Mutation::CursorAhead), Role::Channel) => env.cursors = Arc::new(stores::HastyCursors(env.cursors)),
        (Some(Mutation::PictureDropped), Role::Channel) => env.blobs = Arc::new(stores::DroppingBlobs(env.blobs)),
        (Some(Mutation::MarkerFirst), Role::Channel) => env.shelves = Arc::new(stores::BlindShelves(env.shelves)),
        _ => {}
    }
    env
}
