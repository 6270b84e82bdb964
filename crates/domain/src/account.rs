//! The company's side: organizations, channel accounts, queues and the people at the desk.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{AccountId, Channel, OrganizationId, QueueId, Timestamp, UserId};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
}

/// A value that must not be seen. `Debug` and `Display` hide it; [`Secret::expose`] is easy to find in a review.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, where it is truly needed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// One number, page, bot, mailbox or widget of a channel (serviço).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The channel that it belongs to.
    pub channel: Channel,
    /// Unique name, used in the webhook's path: `/hooks/<channel>/<name>`.
    pub name: String,
    /// What agents read.
    pub label: String,
    /// Where its conversations begin.
    pub queue: QueueId,
    /// The channel's own settings, without secrets (`base_url`, `app_name`, `source`...).
    pub settings: BTreeMap<String, String>,
    /// The channel's own secrets (`api_key`, `token`, `webhook_secret`...).
    pub secrets: BTreeMap<String, Secret>,
    /// Accounts are never deleted.
    pub active: bool,
}

/// How a queue hands out its conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Agents pick.
    Manual,
    /// The agent who has waited longest since their last assignment gets the next one (Q-1, circular).
    Circular,
}

/// A queue (grupo de atendimento). Never deleted, only deactivated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its id.
    pub id: QueueId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Its name.
    pub name: String,
    /// How conversations leave it.
    pub distribution: Distribution,
    /// Seconds without a message from the contact after which a conversation is inactive (T-1; default 1,800).
    pub inactive_after: u32,
    /// Seconds of inactivity after which it is closed as abandoned (T-2; default 172,800).
    pub abandon_after: u32,
    /// Who serves it.
    pub members: Vec<UserId>,
    /// Whether it takes conversations.
    pub active: bool,
}

/// What a person may do (US-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Serves conversations.
    Agent,
    /// Serves, and supervises.
    SupervisorAgent,
    /// Supervises.
    Supervisor,
    /// Everything.
    Administrator,
}

impl Role {
    /// May act on conversations that are not their own.
    pub fn supervises(self) -> bool {
        self >= Self::SupervisorAgent
    }
}

/// The languages of the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Language {
    /// Portuguese of Brazil.
    #[default]
    #[serde(rename = "pt-BR")]
    PtBr,
    /// Spanish.
    #[serde(rename = "es")]
    Es,
    /// English.
    #[serde(rename = "en")]
    En,
}

/// A person who signs in. Never deleted, only deactivated (US-6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// The tenant.
    pub organization: OrganizationId,
    /// What they sign in with; lower case; unique in the installation.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Their language.
    pub language: Language,
    /// Argon2id hash in PHC form.
    pub password: Secret,
    /// How many conversations at a time, 0 to 80.
    pub capacity: u16,
    /// Whether they may sign in.
    pub active: bool,
}

/// Whether an agent takes conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// At the desk and available.
    Online,
    /// At the desk, not available.
    Paused,
    /// Away.
    Offline,
}

/// An agent's seat: what the router keeps about them to hand out work. One row, versioned, so that two replicas never
/// give an agent more than their capacity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// The tenant.
    pub organization: OrganizationId,
    /// The agent.
    pub user: UserId,
    /// Whether they take conversations.
    pub presence: Presence,
    /// Conversations that they serve now (active and inactive).
    pub load: u16,
    /// The most that they may serve.
    pub capacity: u16,
    /// When they were last given one; circular distribution goes by it.
    pub last_assigned_at: Timestamp,
    /// Optimistic version; 0 before the first commit.
    pub version: u64,
}

impl Seat {
    /// May be given one more conversation by distribution.
    pub fn is_free(&self) -> bool {
        self.presence == Presence::Online && self.load < self.capacity
    }
}
