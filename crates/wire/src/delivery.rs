//! `common/v1/delivery.proto`.

use std::time::Duration;

use domain::{Code, Delivery, DeliveryState, Failure, Outcome, PartDelivery, Receipt, error::codes};

use crate::{
    DecodeError,
    field::{each, optional, required, short, time},
    pb::common::v1 as proto,
};

const fn state_out(state: DeliveryState) -> proto::DeliveryState {
    match state {
        DeliveryState::Queued => proto::DeliveryState::Queued,
        DeliveryState::Accepted => proto::DeliveryState::Accepted,
        DeliveryState::Sent => proto::DeliveryState::Sent,
        DeliveryState::Delivered => proto::DeliveryState::Delivered,
        DeliveryState::Read => proto::DeliveryState::Read,
        DeliveryState::Failed => proto::DeliveryState::Failed,
        DeliveryState::Parked => proto::DeliveryState::Parked,
    }
}

/// A state of a newer release is the lowest: states only move forward, so it moves nothing.
const fn state_in(state: proto::DeliveryState) -> DeliveryState {
    match state {
        proto::DeliveryState::Queued | proto::DeliveryState::Unspecified => DeliveryState::Queued,
        proto::DeliveryState::Accepted => DeliveryState::Accepted,
        proto::DeliveryState::Sent => DeliveryState::Sent,
        proto::DeliveryState::Delivered => DeliveryState::Delivered,
        proto::DeliveryState::Read => DeliveryState::Read,
        proto::DeliveryState::Failed => DeliveryState::Failed,
        proto::DeliveryState::Parked => DeliveryState::Parked,
    }
}

impl From<&Failure> for proto::Failure {
    fn from(failure: &Failure) -> Self {
        Self {
            code: failure.code.as_str().to_owned(),
            provider_code: failure.provider_code.clone(),
            reason: failure.reason.clone(),
        }
    }
}

impl TryFrom<proto::Failure> for Failure {
    type Error = DecodeError;

    fn try_from(failure: proto::Failure) -> Result<Self, DecodeError> {
        if failure.code.is_empty() {
            return Err(DecodeError::Missing("failure.code"));
        }
        Ok(Self { code: Code::read(failure.code), provider_code: failure.provider_code, reason: failure.reason })
    }
}

impl From<&Outcome> for proto::Outcome {
    fn from(outcome: &Outcome) -> Self {
        use proto::outcome::Outcome as Out;
        let outcome = match outcome {
            Outcome::Accepted { provider_ids } => Out::Accepted(proto::Accepted { provider_ids: provider_ids.clone() }),
            Outcome::Rejected { failure } => Out::Rejected(proto::Rejected { failure: Some(failure.into()) }),
            Outcome::Unreachable { opted_out, failure } => {
                Out::Unreachable(proto::Unreachable { opted_out: *opted_out, failure: Some(failure.into()) })
            }
            Outcome::Throttled { after } => Out::Throttled(proto::Throttled {
                after_millis: after.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)),
            }),
            Outcome::Unavailable { failure } => Out::Unavailable(proto::Unavailable { failure: Some(failure.into()) }),
            Outcome::InDoubt { failure } => Out::InDoubt(proto::InDoubt { failure: Some(failure.into()) }),
            Outcome::WindowClosed { failure } => {
                Out::WindowClosed(proto::WindowClosed { failure: Some(failure.into()) })
            }
            Outcome::Misconfigured { failure } => {
                Out::Misconfigured(proto::Misconfigured { failure: Some(failure.into()) })
            }
        };
        Self { outcome: Some(outcome) }
    }
}

impl TryFrom<proto::Outcome> for Outcome {
    type Error = DecodeError;

    fn try_from(outcome: proto::Outcome) -> Result<Self, DecodeError> {
        use proto::outcome::Outcome as In;
        const FAILURE: &str = "outcome.failure";
        let Some(outcome) = outcome.outcome else {
            // An outcome of a newer release: whether it was sent is not known here, and a person decides.
            return Ok(Self::InDoubt { failure: Failure::of(codes::IN_DOUBT) });
        };
        Ok(match outcome {
            In::Accepted(accepted) => Self::Accepted { provider_ids: accepted.provider_ids },
            In::Rejected(rejected) => Self::Rejected { failure: required(rejected.failure, FAILURE)? },
            In::Unreachable(gone) => {
                Self::Unreachable { opted_out: gone.opted_out, failure: required(gone.failure, FAILURE)? }
            }
            In::Throttled(slow) => Self::Throttled { after: slow.after_millis.map(Duration::from_millis) },
            In::Unavailable(away) => Self::Unavailable { failure: required(away.failure, FAILURE)? },
            In::InDoubt(doubt) => Self::InDoubt { failure: required(doubt.failure, FAILURE)? },
            In::WindowClosed(closed) => Self::WindowClosed { failure: required(closed.failure, FAILURE)? },
            In::Misconfigured(wrong) => Self::Misconfigured { failure: required(wrong.failure, FAILURE)? },
        })
    }
}

impl From<&Receipt> for proto::Receipt {
    fn from(receipt: &Receipt) -> Self {
        Self {
            provider_ids: receipt.provider_ids.clone(),
            state: state_out(receipt.state).into(),
            at: receipt.at.millis(),
            failure: receipt.failure.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<proto::Receipt> for Receipt {
    type Error = DecodeError;

    fn try_from(receipt: proto::Receipt) -> Result<Self, DecodeError> {
        Ok(Self {
            state: state_in(receipt.state()),
            provider_ids: receipt.provider_ids,
            at: time(receipt.at),
            failure: optional(receipt.failure)?,
        })
    }
}

impl From<&PartDelivery> for proto::PartDelivery {
    fn from(part: &PartDelivery) -> Self {
        Self { state: state_out(part.state).into(), provider_ids: part.provider_ids.clone() }
    }
}

impl TryFrom<proto::PartDelivery> for PartDelivery {
    type Error = DecodeError;

    fn try_from(part: proto::PartDelivery) -> Result<Self, DecodeError> {
        Ok(Self { state: state_in(part.state()), provider_ids: part.provider_ids })
    }
}

impl From<&Delivery> for proto::Delivery {
    fn from(delivery: &Delivery) -> Self {
        Self {
            state: state_out(delivery.state).into(),
            parts: delivery.parts.iter().map(Into::into).collect(),
            planned: u32::from(delivery.planned),
            failure: delivery.failure.as_ref().map(Into::into),
            at: delivery.at.millis(),
        }
    }
}

impl TryFrom<proto::Delivery> for Delivery {
    type Error = DecodeError;

    fn try_from(delivery: proto::Delivery) -> Result<Self, DecodeError> {
        Ok(Self {
            state: state_in(delivery.state()),
            parts: each(delivery.parts)?,
            planned: short(delivery.planned, "delivery.planned")?,
            failure: optional(delivery.failure)?,
            at: time(delivery.at),
        })
    }
}
