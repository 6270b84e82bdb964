//! Messages and what became of them.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Content, Named, people::person};
use crate::names::Names;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// From the contact.
    In,
    /// To the contact.
    Out,
}

/// The kinds of author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthorKind {
    /// The contact.
    Contact,
    /// A person at the desk.
    User,
    /// The mesh itself.
    System,
}

/// Who wrote a message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Author {
    /// Which kind.
    #[serde(rename = "type")]
    kind: AuthorKind,
    /// The person at the desk.
    #[schema(required = true)]
    user: Option<Named>,
}

/// How far an outgoing message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryState {
    /// On its way to the provider.
    Queued,
    /// The provider took it.
    Accepted,
    /// Handed to the network.
    Sent,
    /// On the contact's device.
    Delivered,
    /// Read.
    Read,
    /// It did not arrive.
    Failed,
    /// It waits for a person's decision.
    Parked,
}

impl From<domain::DeliveryState> for DeliveryState {
    fn from(state: domain::DeliveryState) -> Self {
        match state {
            domain::DeliveryState::Queued => Self::Queued,
            domain::DeliveryState::Accepted => Self::Accepted,
            domain::DeliveryState::Sent => Self::Sent,
            domain::DeliveryState::Delivered => Self::Delivered,
            domain::DeliveryState::Read => Self::Read,
            domain::DeliveryState::Failed => Self::Failed,
            domain::DeliveryState::Parked => Self::Parked,
        }
    }
}

/// Why a message failed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Failure {
    /// The stable code.
    code: String,
    /// The provider's own code.
    #[schema(required = true)]
    provider_code: Option<String>,
    /// The provider's own words.
    #[schema(required = true)]
    reason: Option<String>,
}

/// What became of an outgoing message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Delivery {
    /// How far it came: the ticks.
    state: DeliveryState,
    /// Why, when failed or parked.
    #[schema(required = true)]
    failure: Option<Failure>,
    /// When the state last moved.
    at: i64,
}

/// A message of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Message {
    /// Its id.
    id: String,
    /// The conversation's id.
    conversation: String,
    /// Its place in the conversation, from 1.
    sequence: u64,
    /// Which way it went.
    direction: Direction,
    /// Who wrote it.
    author: Author,
    /// What it says.
    content: Content,
    /// When it was written.
    at: i64,
    /// The id of the message that it answers.
    #[schema(required = true)]
    reply_to: Option<String>,
    /// What became of it, for an outgoing message.
    #[schema(required = true)]
    delivery: Option<Delivery>,
    /// Apply it only when this is newer.
    version: u64,
}

impl Message {
    pub(crate) fn new(message: &domain::Message, names: &Names) -> Self {
        let (direction, author) = match message.author {
            domain::Author::Contact => (Direction::In, Author { kind: AuthorKind::Contact, user: None }),
            domain::Author::User(user) => {
                (Direction::Out, Author { kind: AuthorKind::User, user: Some(person(names, user)) })
            }
            domain::Author::System => (Direction::Out, Author { kind: AuthorKind::System, user: None }),
        };
        let delivery = message.delivery.as_ref().map(|delivery| Delivery {
            state: delivery.state.into(),
            failure: delivery.failure.as_ref().map(|failure| Failure {
                code: failure.code.to_string(),
                provider_code: failure.provider_code.clone(),
                reason: failure.reason.clone(),
            }),
            at: delivery.at.millis(),
        });
        Self {
            id: message.id.to_string(),
            conversation: message.conversation.to_string(),
            sequence: message.sequence,
            direction,
            author,
            content: (&message.content).into(),
            at: message.at.millis(),
            reply_to: message.reply_to.map(|id| id.to_string()),
            delivery,
            version: message.version,
        }
    }
}

/// Messages of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MessageList {
    /// Oldest first.
    pub(crate) items: Vec<Message>,
    /// Whether there are older ones.
    pub(crate) has_more: bool,
}

/// A contact of the organization.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SavedContact {
    /// Their id.
    id: String,
    /// Their name.
    #[schema(required = true)]
    name: Option<String>,
    /// Telephone numbers.
    phones: Vec<String>,
    /// E-mail addresses.
    emails: Vec<String>,
    /// Apply it only when this is newer.
    version: u64,
}

impl From<&domain::Contact> for SavedContact {
    fn from(contact: &domain::Contact) -> Self {
        Self {
            id: contact.id.to_string(),
            name: contact.name.clone(),
            phones: contact.phone.iter().cloned().collect(),
            emails: contact.email.iter().cloned().collect(),
            version: contact.version,
        }
    }
}
