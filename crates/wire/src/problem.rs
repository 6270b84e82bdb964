//! `common/v1/problem.proto`: refusals over gRPC.

use domain::{Class, Code, Refusal, error::codes};

use crate::{DecodeError, pb::common::v1 as proto};

impl From<&Refusal> for proto::Refusal {
    fn from(refusal: &Refusal) -> Self {
        let class = match refusal.class {
            Class::Invalid => proto::Class::Invalid,
            Class::Unauthenticated => proto::Class::Unauthenticated,
            Class::Forbidden => proto::Class::Forbidden,
            Class::NotFound => proto::Class::NotFound,
            Class::Conflict => proto::Class::Conflict,
            Class::TooLarge => proto::Class::TooLarge,
            Class::Throttled => proto::Class::Throttled,
            Class::Unavailable => proto::Class::Unavailable,
            Class::Internal => proto::Class::Internal,
        };
        Self { class: class.into(), code: refusal.code.as_str().to_owned(), detail: refusal.detail.clone() }
    }
}

impl TryFrom<proto::Refusal> for Refusal {
    type Error = DecodeError;

    fn try_from(refusal: proto::Refusal) -> Result<Self, DecodeError> {
        let class = match refusal.class() {
            proto::Class::Invalid => Class::Invalid,
            proto::Class::Unauthenticated => Class::Unauthenticated,
            proto::Class::Forbidden => Class::Forbidden,
            proto::Class::NotFound => Class::NotFound,
            proto::Class::Conflict => Class::Conflict,
            proto::Class::TooLarge => Class::TooLarge,
            proto::Class::Throttled => Class::Throttled,
            proto::Class::Unavailable => Class::Unavailable,
            proto::Class::Internal | proto::Class::Unspecified => Class::Internal,
        };
        let code = if refusal.code.is_empty() { codes::INTERNAL } else { Code::read(refusal.code) };
        Ok(Self { class, code, detail: refusal.detail })
    }
}
