//! Parked messages, their causes, and what was decided about them.

use domain::{Language, ParkedDecision, ParkedEntry};
use ports::ParkedGroup;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Content, Named, people::person};
use crate::{names::Names, words};

/// Where a parked message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ParkedState {
    /// It waits for a person.
    Waiting,
    /// The router was asked for something and has not done it yet.
    Requested,
    /// It went on its way again.
    Redriven,
    /// It was decided about, or settled by itself; nothing went out.
    Ended,
}

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ruling {
    /// It goes on its way again.
    Redrive,
    /// In doubt: it is sent to the contact again.
    Again,
    /// In doubt: it arrived.
    Arrived,
    /// In doubt: it failed.
    Failed,
    /// It ends here, for a reason.
    Discard,
}

impl From<domain::Ruling> for Ruling {
    fn from(ruling: domain::Ruling) -> Self {
        match ruling {
            domain::Ruling::Redrive => Self::Redrive,
            domain::Ruling::Again => Self::Again,
            domain::Ruling::Arrived => Self::Arrived,
            domain::Ruling::Failed => Self::Failed,
            domain::Ruling::Discard => Self::Discard,
        }
    }
}

/// The account of a parked message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ParkedAccount {
    /// Its id; none when no account of the organization is known by what the message says.
    #[schema(required = true)]
    id: Option<String>,
    /// Its name, or what the message says.
    name: String,
    /// What agents read.
    label: String,
}

impl ParkedAccount {
    fn of(said: &str, channel: Option<&domain::Channel>, names: &Names) -> Self {
        let known = names.accounts.values().find(|account| {
            account.id.to_string() == said || account.name == said && channel.is_none_or(|one| *one == account.channel)
        });
        match known {
            Some(one) => Self { id: Some(one.id.to_string()), name: one.name.clone(), label: one.label.clone() },
            None => Self { id: None, name: said.to_owned(), label: said.to_owned() },
        }
    }
}

/// A parked message, as the list shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ParkedItem {
    /// Its id.
    id: String,
    /// When it was parked.
    at: i64,
    /// Where it stopped: a service and a step.
    place: String,
    /// The stable code of the cause.
    code: String,
    /// The cause in the caller's language.
    cause: String,
    /// One English sentence with what happened, secrets removed.
    reason: String,
    /// The provider's own code.
    #[schema(required = true)]
    provider_code: Option<String>,
    /// The channel, when it is known.
    #[schema(required = true)]
    channel: Option<String>,
    /// The account, when it is known.
    #[schema(required = true)]
    account: Option<ParkedAccount>,
    /// It may have been sent: it asks for a decision of its own.
    in_doubt: bool,
    /// Where it stands.
    state: ParkedState,
    /// What was asked of the router and is not done yet.
    #[schema(required = true)]
    requested: Option<Ruling>,
    /// When it went on its way, or was ended.
    #[schema(required = true)]
    ended_at: Option<i64>,
    /// The size of its body, in bytes.
    size: u64,
    /// Apply it only when this is newer.
    version: u64,
}

impl ParkedItem {
    /// `reason` is the entry's, secrets removed.
    pub(crate) fn new(entry: &ParkedEntry, reason: String, names: &Names, language: Language) -> Self {
        let parked = &entry.parked;
        let (state, ended_at) = match (parked.redriven_at, entry.closed_at) {
            (Some(at), _) => (ParkedState::Redriven, Some(at)),
            (None, Some(at)) => (ParkedState::Ended, Some(at)),
            (None, None) if entry.requested.is_some() => (ParkedState::Requested, None),
            (None, None) => (ParkedState::Waiting, None),
        };
        let account = parked.account.as_deref();
        Self {
            id: parked.id.to_string(),
            at: parked.at.millis(),
            place: parked.place.clone(),
            code: parked.code.to_string(),
            cause: words::title(parked.code.as_str(), language).to_owned(),
            reason,
            provider_code: parked.provider_code.clone(),
            channel: parked.channel.as_ref().map(ToString::to_string),
            account: account.map(|said| ParkedAccount::of(said, parked.channel.as_ref(), names)),
            in_doubt: parked.is_in_doubt(),
            state,
            requested: entry.requested.map(Into::into),
            ended_at: ended_at.map(domain::Timestamp::millis),
            size: entry.size,
            version: entry.version,
        }
    }
}

/// Parked messages, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ParkedList {
    /// The messages.
    pub(crate) items: Vec<ParkedItem>,
    /// What to give as `before` for those that follow; none when there are no more.
    #[schema(required = true)]
    pub(crate) next: Option<String>,
}

/// Parked messages with one cause.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ParkedCause {
    /// The stable code of the cause.
    code: String,
    /// The cause in the caller's language.
    cause: String,
    /// Where they stopped.
    place: String,
    /// The channel, when it is known.
    #[schema(required = true)]
    channel: Option<String>,
    /// The account, when it is known.
    #[schema(required = true)]
    account: Option<ParkedAccount>,
    /// They may have been sent: each asks for a decision of its own.
    in_doubt: bool,
    /// How many.
    count: u64,
    /// How many of them the router was asked for and has not done yet.
    requested: u64,
    /// When the oldest was parked.
    first_at: i64,
    /// When the latest was parked.
    last_at: i64,
}

impl ParkedCause {
    pub(crate) fn new(group: &ParkedGroup, names: &Names, language: Language) -> Self {
        let account = group.account.as_deref();
        Self {
            code: group.code.to_string(),
            cause: words::title(group.code.as_str(), language).to_owned(),
            place: group.place.clone(),
            channel: group.channel.as_ref().map(ToString::to_string),
            account: account.map(|said| ParkedAccount::of(said, group.channel.as_ref(), names)),
            in_doubt: group.code == domain::error::codes::IN_DOUBT,
            count: group.count,
            requested: group.requested,
            first_at: group.first_at.millis(),
            last_at: group.last_at.millis(),
        }
    }
}

/// Parked messages by cause, the latest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ParkedCauses {
    /// The causes.
    pub(crate) items: Vec<ParkedCause>,
    /// How many messages that is in all.
    pub(crate) total: u64,
}

/// What was decided about a parked message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Decision {
    /// What.
    ruling: Ruling,
    /// Why, in the person's words.
    #[schema(required = true)]
    reason: Option<String>,
    /// Who; none at the command line.
    #[schema(required = true)]
    by: Option<Named>,
    /// When.
    at: i64,
}

impl Decision {
    pub(crate) fn new(decision: &ParkedDecision, names: &Names) -> Self {
        Self {
            ruling: decision.ruling.into(),
            reason: decision.reason.clone(),
            by: decision.by.map(|user| person(names, user)),
            at: decision.at.millis(),
        }
    }
}

/// How a body is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BodyForm {
    /// JSON, indented.
    Json,
    /// Text.
    Text,
    /// Bytes in hexadecimal, since it is no text.
    Bytes,
}

/// The body of a parked message as a person can read it, secrets removed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ParkedBody {
    /// How it is shown.
    pub(crate) form: BodyForm,
    /// The words.
    pub(crate) text: String,
    /// There is more of it than is shown.
    pub(crate) truncated: bool,
}

/// A parked message with all that is known of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ParkedDetail {
    /// As the list shows it.
    pub(crate) item: ParkedItem,
    /// Where redriving sends it.
    pub(crate) route: String,
    /// Its body.
    pub(crate) body: ParkedBody,
    /// What the contact or the agent said, when the body can be read as a message.
    #[schema(required = true)]
    pub(crate) content: Option<Content>,
    /// The conversation, when it is known.
    #[schema(required = true)]
    pub(crate) conversation: Option<String>,
    /// The contact's address, when it is known.
    #[schema(required = true)]
    pub(crate) address: Option<String>,
    /// What was decided about it, the oldest first.
    pub(crate) decisions: Vec<Decision>,
}

/// What a command about several parked messages reached.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Redriven {
    /// How many the router was asked to send on their way.
    pub(crate) count: u64,
}

/// Parked messages moved: which, as far as that is known. What it leaves is read anew.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ParkedMoved {
    /// Parked, decided about, or on their way.
    parked: Vec<String>,
    /// Messages that were in doubt and settled by themselves.
    settled: Vec<String>,
}

impl From<&domain::ParkedMoved> for ParkedMoved {
    fn from(moved: &domain::ParkedMoved) -> Self {
        Self {
            parked: moved.parked.iter().map(ToString::to_string).collect(),
            settled: moved.settled.iter().map(ToString::to_string).collect(),
        }
    }
}
