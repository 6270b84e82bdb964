//! What the router decides about.

use domain::{Commanded, Considered, ConversationId, Inbound, OrganizationId, ParkedId, Ruling, Timestamp, UserId};

/// An event with the time at which it is decided: the core never asks for the hour.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped<T> {
    /// Now, by the shell's clock.
    pub at: Timestamp,
    /// What is decided about.
    pub event: T,
}

/// The reasons for a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Something happened at a provider, at the gate or in the kit.
    Inbound(Inbound),
    /// Somebody asks for something.
    Command(Commanded),
    /// A timer's time has come.
    Due(Due),
    /// Distribution proposes an agent for a waiting conversation.
    Assign(Proposal),
    /// An operator decided about a parked message.
    Decide(Decide),
    /// The send ledger knows more of a message in doubt than when it was parked.
    Recall(Recall),
}

/// A message in doubt that the send ledger knows more of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recall {
    /// The tenant.
    pub organization: OrganizationId,
    /// The parked message.
    pub parked: ParkedId,
}

/// A decision about a parked message that was asked for at the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decide {
    /// The tenant.
    pub organization: OrganizationId,
    /// Which.
    pub parked: ParkedId,
    /// What.
    pub ruling: Ruling,
    /// Why.
    pub reason: Option<String>,
    /// Who, when it is known.
    pub by: Option<UserId>,
}

/// The timers of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The contact has been silent for the queue's time (T-1).
    Inactive,
    /// Inactive for too long (T-2).
    Abandon,
}

/// A timer whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose timer.
    pub conversation: ConversationId,
    /// Which.
    pub timer: Timer,
}

/// An agent for a waiting conversation, with the reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The tenant.
    pub organization: OrganizationId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The agent.
    pub user: UserId,
    /// Who was considered: the chosen one first.
    pub considered: Vec<Considered>,
}
