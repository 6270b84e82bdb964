//! `common/v1/parked.proto`.

use domain::{Code, Parked, ParkedMoved, Ruling, Timestamp};

use crate::{
    DecodeError,
    field::{channel, id, optional_id, time},
    pb::common::v1 as proto,
};

impl From<&Parked> for proto::Parked {
    fn from(parked: &Parked) -> Self {
        let header = |(name, value): &(String, String)| proto::Header { name: name.clone(), value: value.clone() };
        Self {
            id: parked.id.to_string(),
            organization: parked.organization.map(|id| id.to_string()),
            place: parked.place.clone(),
            code: parked.code.as_str().to_owned(),
            reason: parked.reason.clone(),
            account: parked.account.clone(),
            route: parked.route.clone(),
            headers: parked.headers.iter().map(header).collect(),
            body: parked.body.clone(),
            at: parked.at.millis(),
            redriven_at: parked.redriven_at.map(Timestamp::millis),
            channel: parked.channel.as_ref().map(ToString::to_string),
            provider_code: parked.provider_code.clone(),
            message: parked.message.map(|id| id.to_string()),
        }
    }
}

impl TryFrom<proto::Parked> for Parked {
    type Error = DecodeError;

    fn try_from(parked: proto::Parked) -> Result<Self, DecodeError> {
        Ok(Self {
            id: id(&parked.id, "id")?,
            organization: optional_id(parked.organization.as_ref(), "organization")?,
            place: parked.place,
            code: Code::read(parked.code),
            reason: parked.reason,
            account: parked.account,
            route: parked.route,
            headers: parked.headers.into_iter().map(|header| (header.name, header.value)).collect(),
            body: parked.body,
            at: time(parked.at),
            redriven_at: parked.redriven_at.map(time),
            channel: parked.channel.map(channel).transpose()?,
            provider_code: parked.provider_code,
            message: optional_id(parked.message.as_ref(), "message")?,
        })
    }
}

impl From<&ParkedMoved> for proto::ParkedMoved {
    fn from(moved: &ParkedMoved) -> Self {
        Self {
            parked: moved.parked.iter().map(ToString::to_string).collect(),
            settled: moved.settled.iter().map(ToString::to_string).collect(),
        }
    }
}

impl TryFrom<proto::ParkedMoved> for ParkedMoved {
    type Error = DecodeError;

    fn try_from(moved: proto::ParkedMoved) -> Result<Self, DecodeError> {
        Ok(Self {
            parked: moved.parked.iter().map(|text| id(text, "parked")).collect::<Result<_, _>>()?,
            settled: moved.settled.iter().map(|text| id(text, "settled")).collect::<Result<_, _>>()?,
        })
    }
}

pub(crate) const fn ruling_out(ruling: Ruling) -> proto::Ruling {
    match ruling {
        Ruling::Redrive => proto::Ruling::Redrive,
        Ruling::Again => proto::Ruling::Again,
        Ruling::Arrived => proto::Ruling::Arrived,
        Ruling::Failed => proto::Ruling::Failed,
        Ruling::Discard => proto::Ruling::Discard,
    }
}

/// A ruling of a newer release is not guessed at.
pub(crate) fn ruling_in(ruling: proto::Ruling) -> Result<Ruling, DecodeError> {
    match ruling {
        proto::Ruling::Redrive => Ok(Ruling::Redrive),
        proto::Ruling::Again => Ok(Ruling::Again),
        proto::Ruling::Arrived => Ok(Ruling::Arrived),
        proto::Ruling::Failed => Ok(Ruling::Failed),
        proto::Ruling::Discard => Ok(Ruling::Discard),
        proto::Ruling::Unspecified => Err(DecodeError::Unknown("ruling")),
    }
}
