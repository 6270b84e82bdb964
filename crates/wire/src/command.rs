//! `router/v1/router.proto`.

use domain::{Command, Commanded, Done, Target};

use crate::{
    DecodeError,
    conversation::{presence_in, presence_out, role_in, role_out},
    field::{id, optional, optional_id, required, short, time},
    parked::{ruling_in, ruling_out},
    pb::router::v1 as proto,
};

impl From<&Commanded> for proto::Commanded {
    fn from(commanded: &Commanded) -> Self {
        Self {
            id: commanded.id.to_string(),
            organization: commanded.organization.to_string(),
            actor: commanded.actor.to_string(),
            role: role_out(commanded.role).into(),
            at: commanded.at.millis(),
            command: Some((&commanded.command).into()),
        }
    }
}

impl TryFrom<proto::Commanded> for Commanded {
    type Error = DecodeError;

    fn try_from(commanded: proto::Commanded) -> Result<Self, DecodeError> {
        Ok(Self {
            id: id(&commanded.id, "id")?,
            organization: id(&commanded.organization, "organization")?,
            actor: id(&commanded.actor, "actor")?,
            role: role_in(commanded.role()),
            at: time(commanded.at),
            command: commanded.command.ok_or(DecodeError::Unknown("command"))?.try_into()?,
        })
    }
}

impl From<&Command> for proto::commanded::Command {
    fn from(command: &Command) -> Self {
        match command {
            Command::Take { conversation } => Self::Take(proto::Take { conversation: conversation.to_string() }),
            Command::Transfer { conversation, to } => {
                let to = match to {
                    Target::User(user) => proto::transfer::To::User(user.to_string()),
                    Target::Queue(queue) => proto::transfer::To::Queue(queue.to_string()),
                };
                Self::Transfer(proto::Transfer { conversation: conversation.to_string(), to: Some(to) })
            }
            Command::Return { conversation } => Self::Return(proto::Return { conversation: conversation.to_string() }),
            Command::Conclude { conversation } => {
                Self::Conclude(proto::Conclude { conversation: conversation.to_string() })
            }
            Command::Send { conversation, content, reply_to } => Self::Send(proto::Send {
                conversation: conversation.to_string(),
                content: Some(content.into()),
                reply_to: reply_to.map(|id| id.to_string()),
            }),
            Command::Retry { conversation, message } => {
                Self::Retry(proto::Retry { conversation: conversation.to_string(), message: message.to_string() })
            }
            Command::MarkRead { conversation } => {
                Self::MarkRead(proto::MarkRead { conversation: conversation.to_string() })
            }
            Command::SaveContact { conversation, card } => Self::SaveContact(proto::SaveContact {
                conversation: conversation.to_string(),
                card: Some(card.into()),
            }),
            Command::DecideParked { parked, ruling, reason } => Self::DecideParked(proto::DecideParked {
                parked: parked.iter().map(ToString::to_string).collect(),
                ruling: ruling_out(*ruling).into(),
                reason: reason.clone(),
            }),
            Command::SetPresence { presence, capacity } => Self::SetPresence(proto::SetPresence {
                presence: presence_out(*presence).into(),
                capacity: u32::from(*capacity),
            }),
        }
    }
}

impl TryFrom<proto::commanded::Command> for Command {
    type Error = DecodeError;

    fn try_from(command: proto::commanded::Command) -> Result<Self, DecodeError> {
        use proto::commanded::Command as In;
        const CONVERSATION: &str = "conversation";
        Ok(match command {
            In::Take(take) => Self::Take { conversation: id(&take.conversation, CONVERSATION)? },
            In::Transfer(transfer) => Self::Transfer {
                conversation: id(&transfer.conversation, CONVERSATION)?,
                to: match transfer.to.ok_or(DecodeError::Unknown("to"))? {
                    proto::transfer::To::User(user) => Target::User(id(&user, "user")?),
                    proto::transfer::To::Queue(queue) => Target::Queue(id(&queue, "queue")?),
                },
            },
            In::Return(back) => Self::Return { conversation: id(&back.conversation, CONVERSATION)? },
            In::Conclude(end) => Self::Conclude { conversation: id(&end.conversation, CONVERSATION)? },
            In::Send(send) => Self::Send {
                conversation: id(&send.conversation, CONVERSATION)?,
                content: required(send.content, "content")?,
                reply_to: optional_id(send.reply_to.as_ref(), "reply_to")?,
            },
            In::Retry(retry) => Self::Retry {
                conversation: id(&retry.conversation, CONVERSATION)?,
                message: id(&retry.message, "message")?,
            },
            In::MarkRead(read) => Self::MarkRead { conversation: id(&read.conversation, CONVERSATION)? },
            In::SaveContact(save) => Self::SaveContact {
                conversation: id(&save.conversation, CONVERSATION)?,
                card: save.card.ok_or(DecodeError::Missing("card"))?.into(),
            },
            In::DecideParked(decide) => Self::DecideParked {
                parked: decide.parked.iter().map(|text| id(text, "parked")).collect::<Result<_, _>>()?,
                ruling: ruling_in(decide.ruling())?,
                reason: decide.reason,
            },
            In::SetPresence(set) => {
                Self::SetPresence { presence: presence_in(set.presence()), capacity: short(set.capacity, "capacity")? }
            }
        })
    }
}

impl From<&Done> for proto::Done {
    fn from(done: &Done) -> Self {
        Self {
            conversation: done.conversation.as_ref().map(Into::into),
            message: done.message.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<proto::Done> for Done {
    type Error = DecodeError;

    fn try_from(done: proto::Done) -> Result<Self, DecodeError> {
        Ok(Self { conversation: optional(done.conversation)?, message: optional(done.message)? })
    }
}
