//! `common/v1/parked.proto`.

use domain::{Code, Parked, Timestamp};

use crate::{
    DecodeError,
    field::{id, optional_id, time},
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
        })
    }
}
