//! Conversations.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Named, people::person};
use crate::names::Names;

/// The life of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// In a queue, nobody serves it.
    Waiting,
    /// An agent serves it.
    Active,
    /// An agent has it, and the contact is silent.
    Inactive,
    /// Over.
    Closed,
}

impl From<domain::Stage> for Stage {
    fn from(stage: domain::Stage) -> Self {
        match stage {
            domain::Stage::Waiting => Self::Waiting,
            domain::Stage::Active => Self::Active,
            domain::Stage::Inactive => Self::Inactive,
            domain::Stage::Closed => Self::Closed,
        }
    }
}

/// Why a conversation is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CloseReason {
    /// The agent concluded it.
    Concluded,
    /// The contact was silent for too long.
    Abandoned,
}

/// The company's side of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct AccountRef {
    /// Its id.
    id: String,
    /// Its unique name in the channel.
    name: String,
    /// What agents read.
    label: String,
}

/// The contact's side of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ContactRef {
    /// Their id.
    id: String,
    /// Their name.
    #[schema(required = true)]
    name: Option<String>,
    /// Their e-mail.
    #[schema(required = true)]
    email: Option<String>,
    /// Their telephone number.
    #[schema(required = true)]
    phone: Option<String>,
    /// Their address on the channel.
    address: String,
}

/// An agent who was considered, and the verdict.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Considered {
    /// The agent.
    agent: Named,
    /// `chosen`, or why not.
    verdict: String,
}

/// How a conversation came to its agent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Assignment {
    /// `taken`, `circular`, `transferred`.
    ground: String,
    /// When.
    at: i64,
    /// By whom, when a person did it.
    #[schema(required = true)]
    by: Option<Named>,
    /// Who was considered, when a rule did it.
    considered: Vec<Considered>,
}

/// The kinds of window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WindowRule {
    /// The channel has no window.
    None,
    /// Free text only for a while after the contact's last message.
    Timed,
}

/// The messaging window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Window {
    /// Its kind.
    rule: WindowRule,
    /// When it closes, for a timed one; in the past, or null, means closed.
    #[schema(required = true)]
    closes_at: Option<i64>,
}

impl Window {
    /// The window of a channel after the contact's last message.
    pub(crate) fn of(channel: &domain::Channel, last_inbound_at: Option<domain::Timestamp>) -> Self {
        match sessions::policy_of(channel.as_str()).window {
            None => Self { rule: WindowRule::None, closes_at: None },
            Some(length) => {
                let closes_at = last_inbound_at.map(|at| (at + length).millis());
                Self { rule: WindowRule::Timed, closes_at }
            }
        }
    }
}

/// A conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Conversation {
    /// Its id.
    id: String,
    /// The channel.
    channel: String,
    /// The company's side.
    account: AccountRef,
    /// The contact's side.
    contact: ContactRef,
    /// The queue that it is or was last in.
    queue: Named,
    /// Where it is in its life.
    state: Stage,
    /// Who serves it.
    #[schema(required = true)]
    agent: Option<Named>,
    /// How it came to them.
    #[schema(required = true)]
    assignment: Option<Assignment>,
    /// When it was opened.
    opened_at: i64,
    /// Since when it has waited.
    waiting_since: i64,
    /// When the contact last wrote.
    #[schema(required = true)]
    last_inbound_at: Option<i64>,
    /// When anything was last said.
    last_activity_at: i64,
    /// When it was closed.
    #[schema(required = true)]
    closed_at: Option<i64>,
    /// Why.
    #[schema(required = true)]
    close_reason: Option<CloseReason>,
    /// Messages of the contact that no agent has opened.
    unread: u32,
    /// The last words.
    preview: String,
    /// The type of the last message's content.
    preview_kind: String,
    /// The messaging window.
    window: Window,
    /// Apply it only when this is newer.
    version: u64,
}

impl Conversation {
    /// `phone` is the contact's, which the conversation itself does not carry.
    pub(crate) fn new(from: &domain::Conversation, names: &Names, phone: Option<String>) -> Self {
        let account = names.accounts.get(&from.account());
        Self {
            id: from.id.to_string(),
            channel: from.channel.to_string(),
            account: AccountRef {
                id: from.account().to_string(),
                name: account.map(|account| account.name.clone()).unwrap_or_default(),
                label: account.map(|account| account.label.clone()).unwrap_or_default(),
            },
            contact: ContactRef {
                id: from.contact.to_string(),
                name: from.contact_name.clone(),
                email: from.contact_email.clone(),
                phone,
                address: from.thread.address.as_str().to_owned(),
            },
            queue: Named::new(from.queue, names.queue(from.queue)),
            state: from.stage.into(),
            agent: from.agent.map(|agent| person(names, agent)),
            assignment: from.assignment.as_ref().map(|assignment| assigned(assignment, names)),
            opened_at: from.opened_at.millis(),
            waiting_since: from.waiting_since.millis(),
            last_inbound_at: from.last_inbound_at.map(domain::Timestamp::millis),
            last_activity_at: from.last_activity_at.millis(),
            closed_at: from.closed_at.map(domain::Timestamp::millis),
            close_reason: from.close_reason.as_ref().map(|reason| match reason {
                domain::CloseReason::Concluded => CloseReason::Concluded,
                domain::CloseReason::Abandoned => CloseReason::Abandoned,
            }),
            unread: from.unread,
            preview: from.preview.clone(),
            preview_kind: from.preview_kind.clone(),
            window: Window::of(&from.channel, from.last_inbound_at),
            version: from.version,
        }
    }
}

fn assigned(from: &domain::Assignment, names: &Names) -> Assignment {
    let considered =
        |one: &domain::Considered| Considered { agent: person(names, one.user), verdict: one.verdict.to_string() };
    Assignment {
        ground: from.ground.to_string(),
        at: from.at.millis(),
        by: from.by.map(|by| person(names, by)),
        considered: from.considered.iter().map(considered).collect(),
    }
}

/// How many open conversations of a channel are in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct CountItem {
    /// The channel.
    channel: String,
    /// The stage.
    state: Stage,
    /// How many.
    count: u64,
}

impl From<ports::StageCount> for CountItem {
    fn from(count: ports::StageCount) -> Self {
        Self { channel: count.channel.to_string(), state: count.stage.into(), count: count.count }
    }
}

/// Conversations by filter.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ConversationList {
    /// In the order that was asked for.
    pub(crate) items: Vec<Conversation>,
    /// All open conversations that the caller may see.
    pub(crate) counts: Vec<CountItem>,
    /// The number of the last event before this was read.
    pub(crate) cursor: u64,
}
