//! What people ask of the router.

use serde::{Deserialize, Serialize};

use crate::{
    ContactCard, Content, Conversation, ConversationId, EventId, Message, MessageId, OrganizationId, ParkedId,
    Presence, QueueId, Role, Ruling, Timestamp, UserId,
};

/// A command with who asked for it. Carrying out the same `id` twice changes nothing and answers the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commanded {
    /// Derived from organization, actor, the call with its body, and the client's idempotency key.
    pub id: EventId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Who asks.
    pub actor: UserId,
    /// What they may do.
    pub role: Role,
    /// When.
    pub at: Timestamp,
    /// What they ask.
    pub command: Command,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Take a waiting conversation.
    Take {
        /// Which.
        conversation: ConversationId,
    },
    /// Hand it to a colleague or a queue.
    Transfer {
        /// Which.
        conversation: ConversationId,
        /// To whom.
        to: Target,
    },
    /// Put it back into its queue; its age and history stay.
    Return {
        /// Which.
        conversation: ConversationId,
    },
    /// End it.
    Conclude {
        /// Which.
        conversation: ConversationId,
    },
    /// Write to the contact.
    Send {
        /// In which conversation.
        conversation: ConversationId,
        /// What to say.
        content: Content,
        /// The message that it answers.
        reply_to: Option<MessageId>,
    },
    /// Try a failed message again, as a new attempt of the same message.
    Retry {
        /// In which conversation.
        conversation: ConversationId,
        /// Which message.
        message: MessageId,
    },
    /// The agent has seen the contact's messages.
    MarkRead {
        /// In which conversation.
        conversation: ConversationId,
    },
    /// Save a contact card that the contact sent as a contact of the organization (CH-14).
    SaveContact {
        /// In which conversation.
        conversation: ConversationId,
        /// The card.
        card: ContactCard,
    },
    /// Decide about parked messages. One alone is refused when others have decided; of several, those are left out.
    DecideParked {
        /// Which.
        parked: Vec<ParkedId>,
        /// What.
        ruling: Ruling,
        /// Why, in the person's words.
        reason: Option<String>,
    },
    /// The agent's own availability.
    SetPresence {
        /// From now on.
        presence: Presence,
        /// The agent's capacity, from the directory.
        capacity: u16,
    },
}

/// Where a conversation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", content = "id", rename_all = "snake_case")]
pub enum Target {
    /// An agent.
    User(UserId),
    /// A queue.
    Queue(QueueId),
}

/// What a command left behind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Done {
    /// The conversation as it is now.
    pub conversation: Option<Conversation>,
    /// The message that was written or tried again.
    pub message: Option<Message>,
}
