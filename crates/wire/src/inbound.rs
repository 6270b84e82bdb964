//! `channel/v1/inbound.proto` and the consent ledger of `session/v1/gate.proto`.

use domain::{
    Attempted, ConsentChange, ConsentEntry, GateRefusal, Inbound, InboundBody, InboundMessage, MediaSettled, Profile,
};

use crate::{
    DecodeError,
    field::{channel, id, required, short, time},
    pb::{channel::v1 as proto, session::v1 as session},
};

impl From<&Inbound> for proto::Inbound {
    fn from(inbound: &Inbound) -> Self {
        use proto::inbound::Body;
        let body = match &inbound.body {
            InboundBody::Message(message) => Body::Message(message.into()),
            InboundBody::Receipt(receipt) => Body::Receipt(receipt.into()),
            InboundBody::Attempted(attempted) => Body::Attempted(proto::Attempted {
                message: attempted.message.to_string(),
                part: u32::from(attempted.part),
                planned: u32::from(attempted.planned),
                outcome: Some((&attempted.outcome).into()),
            }),
            InboundBody::Consent(change) => Body::Consent(change.into()),
            InboundBody::MediaSettled(settled) => Body::MediaSettled(proto::MediaSettled {
                message_event: settled.message_event.to_string(),
                source: Some((&settled.source).into()),
                mime: settled.mime.clone(),
                size: settled.size,
            }),
            InboundBody::Refused(refusal) => Body::Refused(proto::GateRefusal {
                message: refusal.message.to_string(),
                failure: Some((&refusal.failure).into()),
            }),
        };
        Self {
            id: inbound.id.to_string(),
            thread: Some((&inbound.thread).into()),
            channel: inbound.channel.to_string(),
            at: inbound.at.millis(),
            received_at: inbound.received_at.millis(),
            body: Some(body),
        }
    }
}

impl TryFrom<proto::Inbound> for Inbound {
    type Error = DecodeError;

    fn try_from(inbound: proto::Inbound) -> Result<Self, DecodeError> {
        use proto::inbound::Body;
        let body = match inbound.body.ok_or(DecodeError::Unknown("body"))? {
            Body::Message(message) => InboundBody::Message(message.try_into()?),
            Body::Receipt(receipt) => InboundBody::Receipt(receipt.try_into()?),
            Body::Attempted(attempted) => InboundBody::Attempted(Attempted {
                message: id(&attempted.message, "attempted.message")?,
                part: short(attempted.part, "attempted.part")?,
                planned: short(attempted.planned, "attempted.planned")?,
                outcome: required(attempted.outcome, "attempted.outcome")?,
            }),
            Body::Consent(change) => InboundBody::Consent(change.into()),
            Body::MediaSettled(settled) => InboundBody::MediaSettled(MediaSettled {
                message_event: id(&settled.message_event, "media_settled.message_event")?,
                source: required(settled.source, "media_settled.source")?,
                mime: settled.mime,
                size: settled.size,
            }),
            Body::Refused(refusal) => InboundBody::Refused(GateRefusal {
                message: id(&refusal.message, "refused.message")?,
                failure: required(refusal.failure, "refused.failure")?,
            }),
        };
        Ok(Self {
            id: id(&inbound.id, "id")?,
            thread: required(inbound.thread, "thread")?,
            channel: channel(inbound.channel)?,
            at: time(inbound.at),
            received_at: time(inbound.received_at),
            body,
        })
    }
}

impl From<&InboundMessage> for proto::InboundMessage {
    fn from(message: &InboundMessage) -> Self {
        Self {
            provider_id: message.provider_id.clone(),
            content: Some((&message.content).into()),
            profile: Some(proto::Profile {
                name: message.profile.name.clone(),
                email: message.profile.email.clone(),
                phone: message.profile.phone.clone(),
                username: message.profile.username.clone(),
            }),
            reply_to: message.reply_to.clone(),
        }
    }
}

impl TryFrom<proto::InboundMessage> for InboundMessage {
    type Error = DecodeError;

    fn try_from(message: proto::InboundMessage) -> Result<Self, DecodeError> {
        let profile = message.profile.unwrap_or_default();
        Ok(Self {
            provider_id: message.provider_id,
            content: required(message.content, "message.content")?,
            profile: Profile {
                name: profile.name,
                email: profile.email,
                phone: profile.phone,
                username: profile.username,
            },
            reply_to: message.reply_to,
        })
    }
}

impl From<&ConsentChange> for proto::ConsentChange {
    fn from(change: &ConsentChange) -> Self {
        Self { granted: change.granted, source: change.source.clone(), evidence: change.evidence.clone() }
    }
}

impl From<proto::ConsentChange> for ConsentChange {
    fn from(change: proto::ConsentChange) -> Self {
        Self { granted: change.granted, source: change.source, evidence: change.evidence }
    }
}

impl From<&ConsentEntry> for session::ConsentEntry {
    fn from(entry: &ConsentEntry) -> Self {
        Self {
            cause: entry.cause.to_string(),
            thread: Some((&entry.thread).into()),
            channel: entry.channel.to_string(),
            change: Some((&entry.change).into()),
            at: entry.at.millis(),
        }
    }
}

impl TryFrom<session::ConsentEntry> for ConsentEntry {
    type Error = DecodeError;

    fn try_from(entry: session::ConsentEntry) -> Result<Self, DecodeError> {
        Ok(Self {
            cause: id(&entry.cause, "cause")?,
            thread: required(entry.thread, "thread")?,
            channel: channel(entry.channel)?,
            change: entry.change.ok_or(DecodeError::Missing("change"))?.into(),
            at: time(entry.at),
        })
    }
}
