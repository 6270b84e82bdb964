//! `channel/v1/outbound.proto`.

use domain::{MediaJob, Permit, Permitted, SendRequest, Timestamp};

use crate::{
    DecodeError,
    field::{channel, id, optional_id, required, time},
    pb::channel::v1 as proto,
};

impl From<&SendRequest> for proto::SendRequest {
    fn from(request: &SendRequest) -> Self {
        Self {
            message: request.message.to_string(),
            conversation: request.conversation.to_string(),
            thread: Some((&request.thread).into()),
            channel: request.channel.to_string(),
            content: Some((&request.content).into()),
            reply_to: request.reply_to.clone(),
            author: request.author.map(|user| user.to_string()),
            at: request.at.millis(),
            last_inbound_at: request.last_inbound_at.map(Timestamp::millis),
        }
    }
}

impl TryFrom<proto::SendRequest> for SendRequest {
    type Error = DecodeError;

    fn try_from(request: proto::SendRequest) -> Result<Self, DecodeError> {
        Ok(Self {
            message: id(&request.message, "message")?,
            conversation: id(&request.conversation, "conversation")?,
            thread: required(request.thread, "thread")?,
            channel: channel(request.channel)?,
            content: required(request.content, "content")?,
            reply_to: request.reply_to,
            author: optional_id(request.author.as_ref(), "author")?,
            at: time(request.at),
            last_inbound_at: request.last_inbound_at.map(time),
        })
    }
}

impl From<&Permit> for proto::Permit {
    fn from(permit: &Permit) -> Self {
        Self {
            message: permit.message.to_string(),
            organization: permit.organization.to_string(),
            account: permit.account.to_string(),
            expires_at: permit.expires_at.millis(),
            ground: permit.ground.clone(),
            signature: permit.signature.clone(),
        }
    }
}

impl TryFrom<proto::Permit> for Permit {
    type Error = DecodeError;

    fn try_from(permit: proto::Permit) -> Result<Self, DecodeError> {
        Ok(Self {
            message: id(&permit.message, "permit.message")?,
            organization: id(&permit.organization, "permit.organization")?,
            account: id(&permit.account, "permit.account")?,
            expires_at: time(permit.expires_at),
            ground: permit.ground,
            signature: permit.signature,
        })
    }
}

impl From<&Permitted> for proto::Permitted {
    fn from(permitted: &Permitted) -> Self {
        Self { request: Some((&permitted.request).into()), permit: Some((&permitted.permit).into()) }
    }
}

impl TryFrom<proto::Permitted> for Permitted {
    type Error = DecodeError;

    fn try_from(permitted: proto::Permitted) -> Result<Self, DecodeError> {
        Ok(Self { request: required(permitted.request, "request")?, permit: required(permitted.permit, "permit")? })
    }
}

impl From<&MediaJob> for proto::MediaJob {
    fn from(job: &MediaJob) -> Self {
        Self {
            message_event: job.message_event.to_string(),
            thread: Some((&job.thread).into()),
            channel: job.channel.to_string(),
            media: Some((&job.media).into()),
        }
    }
}

impl TryFrom<proto::MediaJob> for MediaJob {
    type Error = DecodeError;

    fn try_from(job: proto::MediaJob) -> Result<Self, DecodeError> {
        Ok(Self {
            message_event: id(&job.message_event, "message_event")?,
            thread: required(job.thread, "thread")?,
            channel: channel(job.channel)?,
            media: required(job.media, "media")?,
        })
    }
}
