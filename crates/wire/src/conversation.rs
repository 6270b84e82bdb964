//! `common/v1/conversation.proto` and `router/v1/events.proto`.

use domain::{
    Assignment, Author, CloseReason, Code, Considered, Contact, Conversation, DeskChange, DeskEvent, DeskPage, Message,
    Presence, Role, Seat, Stage, Timestamp,
};

use crate::{
    DecodeError,
    field::{channel, each, id, optional, optional_id, required, short, time},
    pb::{common::v1 as proto, router::v1 as router},
};

const fn stage_out(stage: Stage) -> proto::Stage {
    match stage {
        Stage::Waiting => proto::Stage::Waiting,
        Stage::Active => proto::Stage::Active,
        Stage::Inactive => proto::Stage::Inactive,
        Stage::Closed => proto::Stage::Closed,
    }
}

/// No stage is a safe guess: each decides who may act.
const fn stage_in(stage: proto::Stage) -> Result<Stage, DecodeError> {
    Ok(match stage {
        proto::Stage::Waiting => Stage::Waiting,
        proto::Stage::Active => Stage::Active,
        proto::Stage::Inactive => Stage::Inactive,
        proto::Stage::Closed => Stage::Closed,
        proto::Stage::Unspecified => return Err(DecodeError::Unknown("stage")),
    })
}

pub(crate) const fn presence_out(presence: Presence) -> proto::Presence {
    match presence {
        Presence::Online => proto::Presence::Online,
        Presence::Paused => proto::Presence::Paused,
        Presence::Offline => proto::Presence::Offline,
    }
}

/// A presence of a newer release gets no work.
pub(crate) const fn presence_in(presence: proto::Presence) -> Presence {
    match presence {
        proto::Presence::Online => Presence::Online,
        proto::Presence::Paused => Presence::Paused,
        proto::Presence::Offline | proto::Presence::Unspecified => Presence::Offline,
    }
}

pub(crate) const fn role_out(role: Role) -> proto::Role {
    match role {
        Role::Agent => proto::Role::Agent,
        Role::SupervisorAgent => proto::Role::SupervisorAgent,
        Role::Supervisor => proto::Role::Supervisor,
        Role::Administrator => proto::Role::Administrator,
    }
}

/// A role of a newer release may do the least.
pub(crate) const fn role_in(role: proto::Role) -> Role {
    match role {
        proto::Role::Agent | proto::Role::Unspecified => Role::Agent,
        proto::Role::SupervisorAgent => Role::SupervisorAgent,
        proto::Role::Supervisor => Role::Supervisor,
        proto::Role::Administrator => Role::Administrator,
    }
}

const fn close_reason_out(reason: &CloseReason) -> proto::CloseReason {
    match reason {
        CloseReason::Concluded => proto::CloseReason::Concluded,
        CloseReason::Abandoned => proto::CloseReason::Abandoned,
    }
}

const fn close_reason_in(reason: proto::CloseReason) -> CloseReason {
    match reason {
        proto::CloseReason::Concluded | proto::CloseReason::Unspecified => CloseReason::Concluded,
        proto::CloseReason::Abandoned => CloseReason::Abandoned,
    }
}

impl From<&Assignment> for proto::Assignment {
    fn from(assignment: &Assignment) -> Self {
        let considered = |one: &Considered| proto::Considered {
            user: one.user.to_string(),
            verdict: one.verdict.as_str().to_owned(),
        };
        Self {
            user: assignment.user.to_string(),
            at: assignment.at.millis(),
            ground: assignment.ground.as_str().to_owned(),
            by: assignment.by.map(|user| user.to_string()),
            considered: assignment.considered.iter().map(considered).collect(),
        }
    }
}

impl TryFrom<proto::Considered> for Considered {
    type Error = DecodeError;

    fn try_from(considered: proto::Considered) -> Result<Self, DecodeError> {
        Ok(Self { user: id(&considered.user, "considered.user")?, verdict: Code::read(considered.verdict) })
    }
}

impl TryFrom<proto::Assignment> for Assignment {
    type Error = DecodeError;

    fn try_from(assignment: proto::Assignment) -> Result<Self, DecodeError> {
        Ok(Self {
            user: id(&assignment.user, "assignment.user")?,
            at: time(assignment.at),
            ground: Code::read(assignment.ground),
            by: optional_id(assignment.by.as_ref(), "assignment.by")?,
            considered: each(assignment.considered)?,
        })
    }
}

impl From<&Conversation> for proto::Conversation {
    fn from(conversation: &Conversation) -> Self {
        Self {
            id: conversation.id.to_string(),
            thread: Some((&conversation.thread).into()),
            channel: conversation.channel.to_string(),
            contact: conversation.contact.to_string(),
            contact_name: conversation.contact_name.clone(),
            contact_email: conversation.contact_email.clone(),
            queue: conversation.queue.to_string(),
            stage: stage_out(conversation.stage).into(),
            agent: conversation.agent.map(|user| user.to_string()),
            assignment: conversation.assignment.as_ref().map(Into::into),
            opened_at: conversation.opened_at.millis(),
            waiting_since: conversation.waiting_since.millis(),
            last_inbound_at: conversation.last_inbound_at.map(Timestamp::millis),
            last_activity_at: conversation.last_activity_at.millis(),
            closed_at: conversation.closed_at.map(Timestamp::millis),
            close_reason: conversation.close_reason.as_ref().map(|reason| close_reason_out(reason).into()),
            unread: conversation.unread,
            preview: conversation.preview.clone(),
            preview_kind: conversation.preview_kind.clone(),
            next_sequence: conversation.next_sequence,
            version: conversation.version,
        }
    }
}

impl TryFrom<proto::Conversation> for Conversation {
    type Error = DecodeError;

    fn try_from(conversation: proto::Conversation) -> Result<Self, DecodeError> {
        Ok(Self {
            id: id(&conversation.id, "conversation.id")?,
            stage: stage_in(conversation.stage())?,
            close_reason: conversation.close_reason.is_some().then(|| close_reason_in(conversation.close_reason())),
            agent: optional_id(conversation.agent.as_ref(), "conversation.agent")?,
            contact: id(&conversation.contact, "conversation.contact")?,
            queue: id(&conversation.queue, "conversation.queue")?,
            thread: required(conversation.thread, "conversation.thread")?,
            channel: channel(conversation.channel)?,
            contact_name: conversation.contact_name,
            contact_email: conversation.contact_email,
            assignment: optional(conversation.assignment)?,
            opened_at: time(conversation.opened_at),
            waiting_since: time(conversation.waiting_since),
            last_inbound_at: conversation.last_inbound_at.map(time),
            last_activity_at: time(conversation.last_activity_at),
            closed_at: conversation.closed_at.map(time),
            unread: conversation.unread,
            preview: conversation.preview,
            preview_kind: conversation.preview_kind,
            next_sequence: conversation.next_sequence,
            version: conversation.version,
        })
    }
}

impl From<&Author> for proto::Author {
    fn from(author: &Author) -> Self {
        let (kind, user) = match author {
            Author::Contact => (proto::AuthorKind::Contact, None),
            Author::User(user) => (proto::AuthorKind::User, Some(user.to_string())),
            Author::System => (proto::AuthorKind::System, None),
        };
        Self { kind: kind.into(), user }
    }
}

impl TryFrom<proto::Author> for Author {
    type Error = DecodeError;

    fn try_from(author: proto::Author) -> Result<Self, DecodeError> {
        Ok(match author.kind() {
            proto::AuthorKind::Contact => Self::Contact,
            proto::AuthorKind::User => Self::User(id(author.user.as_deref().unwrap_or_default(), "author.user")?),
            proto::AuthorKind::System | proto::AuthorKind::Unspecified => Self::System,
        })
    }
}

impl From<&Message> for proto::Message {
    fn from(message: &Message) -> Self {
        Self {
            id: message.id.to_string(),
            organization: message.organization.to_string(),
            conversation: message.conversation.to_string(),
            sequence: message.sequence,
            author: Some((&message.author).into()),
            content: Some((&message.content).into()),
            at: message.at.millis(),
            provider_id: message.provider_id.clone(),
            reply_to: message.reply_to.map(|id| id.to_string()),
            delivery: message.delivery.as_ref().map(Into::into),
            cause: message.cause.to_string(),
            version: message.version,
        }
    }
}

impl TryFrom<proto::Message> for Message {
    type Error = DecodeError;

    fn try_from(message: proto::Message) -> Result<Self, DecodeError> {
        Ok(Self {
            id: id(&message.id, "message.id")?,
            organization: id(&message.organization, "message.organization")?,
            conversation: id(&message.conversation, "message.conversation")?,
            sequence: message.sequence,
            author: required(message.author, "message.author")?,
            content: required(message.content, "message.content")?,
            at: time(message.at),
            provider_id: message.provider_id,
            reply_to: optional_id(message.reply_to.as_ref(), "message.reply_to")?,
            delivery: optional(message.delivery)?,
            cause: id(&message.cause, "message.cause")?,
            version: message.version,
        })
    }
}

impl From<&Contact> for proto::Contact {
    fn from(contact: &Contact) -> Self {
        Self {
            id: contact.id.to_string(),
            thread: Some((&contact.thread).into()),
            channel: contact.channel.to_string(),
            name: contact.name.clone(),
            email: contact.email.clone(),
            phone: contact.phone.clone(),
            created_at: contact.created_at.millis(),
            version: contact.version,
        }
    }
}

impl TryFrom<proto::Contact> for Contact {
    type Error = DecodeError;

    fn try_from(contact: proto::Contact) -> Result<Self, DecodeError> {
        Ok(Self {
            id: id(&contact.id, "contact.id")?,
            thread: required(contact.thread, "contact.thread")?,
            channel: channel(contact.channel)?,
            name: contact.name,
            email: contact.email,
            phone: contact.phone,
            created_at: time(contact.created_at),
            version: contact.version,
        })
    }
}

impl From<&Seat> for proto::Seat {
    fn from(seat: &Seat) -> Self {
        Self {
            organization: seat.organization.to_string(),
            user: seat.user.to_string(),
            presence: presence_out(seat.presence).into(),
            load: u32::from(seat.load),
            capacity: u32::from(seat.capacity),
            last_assigned_at: seat.last_assigned_at.millis(),
            version: seat.version,
        }
    }
}

impl TryFrom<proto::Seat> for Seat {
    type Error = DecodeError;

    fn try_from(seat: proto::Seat) -> Result<Self, DecodeError> {
        Ok(Self {
            organization: id(&seat.organization, "seat.organization")?,
            user: id(&seat.user, "seat.user")?,
            presence: presence_in(seat.presence()),
            load: short(seat.load, "seat.load")?,
            capacity: short(seat.capacity, "seat.capacity")?,
            last_assigned_at: time(seat.last_assigned_at),
            version: seat.version,
        })
    }
}

fn change_out(change: &DeskChange) -> router::desk_event::Change {
    use router::desk_event::Change;
    match change {
        DeskChange::Conversation(conversation) => Change::Conversation(conversation.as_ref().into()),
        DeskChange::Message(message) => Change::Message(message.as_ref().into()),
        DeskChange::Seat(seat) => Change::Seat(seat.into()),
        DeskChange::Contact(contact) => Change::Contact(contact.as_ref().into()),
        DeskChange::Parked(moved) => Change::Parked(moved.into()),
    }
}

fn change_in(change: Option<router::desk_event::Change>) -> Result<DeskChange, DecodeError> {
    use router::desk_event::Change;
    Ok(match change.ok_or(DecodeError::Unknown("change"))? {
        Change::Conversation(conversation) => DeskChange::Conversation(Box::new(conversation.try_into()?)),
        Change::Message(message) => DeskChange::Message(Box::new(message.try_into()?)),
        Change::Seat(seat) => DeskChange::Seat(seat.try_into()?),
        Change::Contact(contact) => DeskChange::Contact(Box::new(contact.try_into()?)),
        Change::Parked(moved) => DeskChange::Parked(moved.try_into()?),
    })
}

impl From<&DeskEvent> for router::DeskEvent {
    fn from(event: &DeskEvent) -> Self {
        Self {
            organization: event.organization.to_string(),
            sequence: event.sequence,
            at: event.at.millis(),
            change: Some(change_out(&event.change)),
        }
    }
}

impl TryFrom<router::DeskEvent> for DeskEvent {
    type Error = DecodeError;

    fn try_from(event: router::DeskEvent) -> Result<Self, DecodeError> {
        Ok(Self {
            organization: id(&event.organization, "organization")?,
            sequence: event.sequence,
            at: time(event.at),
            change: change_in(event.change)?,
        })
    }
}

impl From<&DeskPage> for router::DeskPage {
    fn from(page: &DeskPage) -> Self {
        let event = |(at, change): &(Timestamp, DeskChange)| router::DeskEvent {
            at: at.millis(),
            change: Some(change_out(change)),
            ..router::DeskEvent::default()
        };
        Self {
            organization: page.organization.to_string(),
            first: page.first,
            events: page.changes.iter().map(event).collect(),
        }
    }
}

impl TryFrom<router::DeskPage> for DeskPage {
    type Error = DecodeError;

    fn try_from(page: router::DeskPage) -> Result<Self, DecodeError> {
        if page.events.is_empty() {
            return Err(DecodeError::Missing("events"));
        }
        let change = |event: router::DeskEvent| Ok((time(event.at), change_in(event.change)?));
        Ok(Self {
            organization: id(&page.organization, "organization")?,
            first: page.first,
            changes: page.events.into_iter().map(change).collect::<Result<_, DecodeError>>()?,
        })
    }
}
