//! Reading single fields, with the field's name in the error.

use std::str::FromStr;

use domain::{Channel, Timestamp};

use crate::DecodeError;

/// A field that must be there, converted.
pub(crate) fn required<P, D>(value: Option<P>, name: &'static str) -> Result<D, DecodeError>
where
    D: TryFrom<P, Error = DecodeError>,
{
    D::try_from(value.ok_or(DecodeError::Missing(name))?)
}

/// A field that may be there, converted.
pub(crate) fn optional<P, D>(value: Option<P>) -> Result<Option<D>, DecodeError>
where
    D: TryFrom<P, Error = DecodeError>,
{
    value.map(D::try_from).transpose()
}

/// Each of a repeated field, converted.
pub(crate) fn each<P, D>(values: Vec<P>) -> Result<Vec<D>, DecodeError>
where
    D: TryFrom<P, Error = DecodeError>,
{
    values.into_iter().map(D::try_from).collect()
}

/// An id in its printed form.
pub(crate) fn id<T: FromStr>(text: &str, name: &'static str) -> Result<T, DecodeError> {
    if text.is_empty() {
        return Err(DecodeError::Missing(name));
    }
    text.parse().map_err(|_| DecodeError::Invalid(name))
}

/// An id that may be absent.
pub(crate) fn optional_id<T: FromStr>(text: Option<&String>, name: &'static str) -> Result<Option<T>, DecodeError> {
    text.map(|text| id(text, name)).transpose()
}

/// A channel's name.
pub(crate) fn channel(text: String) -> Result<Channel, DecodeError> {
    Channel::try_from(text).map_err(|_| DecodeError::Invalid("channel"))
}

/// A time.
pub(crate) const fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A number of 16 bits.
pub(crate) fn short(value: u32, name: &'static str) -> Result<u16, DecodeError> {
    u16::try_from(value).map_err(|_| DecodeError::Invalid(name))
}
