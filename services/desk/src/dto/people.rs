//! People, queues and accounts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Named;
use crate::{config::ChannelTraits, names::Names};

/// The languages of the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum Language {
    /// Portuguese of Brazil.
    #[serde(rename = "pt-BR")]
    PtBr,
    /// Spanish.
    #[serde(rename = "es")]
    Es,
    /// English.
    #[serde(rename = "en")]
    En,
}

impl From<domain::Language> for Language {
    fn from(language: domain::Language) -> Self {
        match language {
            domain::Language::PtBr => Self::PtBr,
            domain::Language::Es => Self::Es,
            domain::Language::En => Self::En,
        }
    }
}

impl From<Language> for domain::Language {
    fn from(language: Language) -> Self {
        match language {
            Language::PtBr => Self::PtBr,
            Language::Es => Self::Es,
            Language::En => Self::En,
        }
    }
}

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Serves conversations.
    Agent,
    /// Serves, and supervises.
    SupervisorAgent,
    /// Supervises.
    Supervisor,
    /// Everything.
    Administrator,
}

impl From<domain::Role> for Role {
    fn from(role: domain::Role) -> Self {
        match role {
            domain::Role::Agent => Self::Agent,
            domain::Role::SupervisorAgent => Self::SupervisorAgent,
            domain::Role::Supervisor => Self::Supervisor,
            domain::Role::Administrator => Self::Administrator,
        }
    }
}

/// Whether an agent takes conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Presence {
    /// At the desk and available.
    Online,
    /// At the desk, not available.
    Paused,
    /// Away.
    Offline,
}

impl From<domain::Presence> for Presence {
    fn from(presence: domain::Presence) -> Self {
        match presence {
            domain::Presence::Online => Self::Online,
            domain::Presence::Paused => Self::Paused,
            domain::Presence::Offline => Self::Offline,
        }
    }
}

impl From<Presence> for domain::Presence {
    fn from(presence: Presence) -> Self {
        match presence {
            Presence::Online => Self::Online,
            Presence::Paused => Self::Paused,
            Presence::Offline => Self::Offline,
        }
    }
}

/// A person who signs in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct User {
    /// Their id.
    id: String,
    /// Their name.
    name: String,
    /// What they sign in with.
    email: String,
    /// Their role.
    role: Role,
    /// Their language.
    language: Language,
    /// How many conversations at a time.
    capacity: u16,
}

impl From<&domain::User> for User {
    fn from(user: &domain::User) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            email: user.email.clone(),
            role: user.role.into(),
            language: user.language.into(),
            capacity: user.capacity,
        }
    }
}

/// Somebody who may be given a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Agent {
    /// Their id.
    id: String,
    /// Their name.
    name: String,
    /// Whether they take conversations.
    presence: Presence,
    /// Conversations that they serve now.
    load: u16,
    /// The most that they may serve.
    capacity: u16,
}

impl Agent {
    /// A person and their seat; offline without load when they never sat down.
    pub(crate) fn new(user: &domain::User, seat: Option<&domain::Seat>) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            presence: seat.map_or(Presence::Offline, |seat| seat.presence.into()),
            load: seat.map_or(0, |seat| seat.load),
            capacity: user.capacity,
        }
    }
}

/// Everybody who may be given a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct AgentList {
    /// By name.
    pub(crate) items: Vec<Agent>,
}

/// An agent's seat.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Seat {
    /// The agent's id.
    user: String,
    /// Whether they take conversations.
    presence: Presence,
    /// Conversations that they serve now.
    load: u16,
    /// The most that they may serve.
    capacity: u16,
    /// Apply a seat only when this is newer; 0 for an agent who never sat down.
    version: u64,
}

impl Seat {
    /// The seat of somebody who never sat down.
    pub(crate) fn empty(user: &domain::User) -> Self {
        let (user, capacity) = (user.id.to_string(), user.capacity);
        Self { user, presence: Presence::Offline, load: 0, capacity, version: 0 }
    }
}

impl From<&domain::Seat> for Seat {
    fn from(seat: &domain::Seat) -> Self {
        Self {
            user: seat.user.to_string(),
            presence: seat.presence.into(),
            load: seat.load,
            capacity: seat.capacity,
            version: seat.version,
        }
    }
}

/// How a queue hands out its conversations.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Distribution {
    /// Agents pick.
    Manual,
    /// The agent who has waited longest gets the next one.
    Circular,
}

/// A queue.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Queue {
    /// Its id.
    id: String,
    /// Its name.
    pub(crate) name: String,
    /// How conversations leave it.
    distribution: Distribution,
    /// Whether the caller serves it.
    member: bool,
}

impl Queue {
    pub(crate) fn new(queue: &domain::Queue, caller: domain::UserId) -> Self {
        Self {
            id: queue.id.to_string(),
            name: queue.name.clone(),
            distribution: match queue.distribution {
                domain::Distribution::Manual => Distribution::Manual,
                domain::Distribution::Circular => Distribution::Circular,
            },
            member: queue.members.contains(&caller),
        }
    }
}

/// The receipts that a channel gives: only these ticks can come.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Receipts {
    /// Handed to the network.
    sent: bool,
    /// On the contact's device.
    delivered: bool,
    /// Read by the contact.
    read: bool,
}

/// One number, bot or widget of a channel.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Account {
    /// Its id.
    id: String,
    /// The channel.
    channel: String,
    /// Its unique name in the channel.
    name: String,
    /// What agents read.
    pub(crate) label: String,
    /// The id of the queue where its conversations begin.
    queue: String,
    /// The ticks that can come.
    receipts: Receipts,
    /// Whether files can be sent.
    media: bool,
    /// Whether its provider has registered templates.
    templates: bool,
}

impl Account {
    pub(crate) fn new(account: &domain::Account, traits: ChannelTraits) -> Self {
        Self {
            id: account.id.to_string(),
            channel: account.channel.to_string(),
            name: account.name.clone(),
            label: account.label.clone(),
            queue: account.queue.to_string(),
            receipts: Receipts { sent: traits.sent, delivered: traits.delivered, read: traits.read },
            media: traits.media,
            templates: traits.templates,
        }
    }
}

/// Everything that a page needs to start.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Me {
    /// Who the caller is.
    pub(crate) user: User,
    /// Where they work.
    pub(crate) organization: Named,
    /// The organization's queues.
    pub(crate) queues: Vec<Queue>,
    /// The organization's accounts.
    pub(crate) accounts: Vec<Account>,
    /// The caller's seat.
    pub(crate) seat: Seat,
    /// The number of the last event before this was read.
    pub(crate) cursor: u64,
}

/// The name of somebody, by id.
pub(crate) fn person(names: &Names, id: domain::UserId) -> Named {
    Named::new(id, names.user(id))
}
