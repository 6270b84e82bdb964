//! The domain's values as bytes on the broker and over gRPC: generated protobuf types and their conversions.
//!
//! It is the only crate that knows prost. It is not a place for decisions: bytes in, values out, or a [`DecodeError`]
//! that parks the message. Conversions are `TryFrom` in and `From` out, one module for each proto file. What a newer
//! release writes is read leniently where a safe meaning exists (unknown content is shown as unsupported, an unknown
//! outcome is in doubt) and refused where none does (an unknown stage or command).
//!
//! Read [`Wire`] first, then `proto/`, then [`permit_bytes`].

mod bundle;
mod channel;
mod command;
mod content;
mod conversation;
mod delivery;
mod error;
mod field;
mod inbound;
mod outbound;
mod parked;
pub mod pb;
mod permit;
mod problem;

use bytes::{Buf, Bytes};
use prost::Message as _;

pub use bundle::{Bundle, Bundled};
pub use error::DecodeError;
pub use permit::permit_bytes;

/// A value that travels. `KIND` is the full name of its proto message and goes into the envelope.
pub trait Wire: Sized {
    /// The full name of the proto message, e.g. `afluente.channel.v1.Inbound`.
    const KIND: &'static str;

    /// The bytes; see [`encode`].
    fn to_bytes(&self) -> Bytes;

    /// Reads the bytes; see [`decode`].
    ///
    /// # Errors
    /// [`DecodeError`] when they are not such a value.
    fn from_buf(bytes: impl Buf) -> Result<Self, DecodeError>;
}

/// The bytes of a value, as they travel on the broker.
pub fn encode<T: Wire>(value: &T) -> Bytes {
    value.to_bytes()
}

/// The value that the bytes say.
///
/// # Errors
/// [`DecodeError`]: the message is poison and is parked with the error's text, which never quotes the content.
pub fn decode<T: Wire>(bytes: &[u8]) -> Result<T, DecodeError> {
    T::from_buf(bytes)
}

/// As [`decode`], for a value that keeps slices of the bytes instead of copies ([`Bundle`]).
///
/// # Errors
/// As [`decode`].
pub fn decode_shared<T: Wire>(bytes: Bytes) -> Result<T, DecodeError> {
    T::from_buf(bytes)
}

macro_rules! wire {
    ($($domain:ty => $proto:ty, $kind:literal;)*) => {
        $(impl Wire for $domain {
            const KIND: &'static str = $kind;

            fn to_bytes(&self) -> Bytes {
                Bytes::from(<$proto>::from(self).encode_to_vec())
            }

            fn from_buf(bytes: impl Buf) -> Result<Self, DecodeError> {
                let message = <$proto>::decode(bytes).map_err(|error| DecodeError::Malformed(error.to_string()))?;
                Self::try_from(message)
            }
        })*

        #[cfg(test)]
        pub(crate) const KINDS: &[&str] = &[$($kind),*];
    };
}

wire! {
    domain::Inbound => pb::channel::v1::Inbound, "afluente.channel.v1.Inbound";
    domain::SendRequest => pb::channel::v1::SendRequest, "afluente.channel.v1.SendRequest";
    domain::Permitted => pb::channel::v1::Permitted, "afluente.channel.v1.Permitted";
    domain::MediaJob => pb::channel::v1::MediaJob, "afluente.channel.v1.MediaJob";
    domain::Capabilities => pb::channel::v1::Capabilities, "afluente.channel.v1.Capabilities";
    domain::DeskEvent => pb::router::v1::DeskEvent, "afluente.router.v1.DeskEvent";
    domain::DeskPage => pb::router::v1::DeskPage, "afluente.router.v1.DeskPage";
    domain::Commanded => pb::router::v1::Commanded, "afluente.router.v1.Commanded";
    domain::Done => pb::router::v1::Done, "afluente.router.v1.Done";
    domain::ConsentEntry => pb::session::v1::ConsentEntry, "afluente.session.v1.ConsentEntry";
    domain::Parked => pb::common::v1::Parked, "afluente.common.v1.Parked";
    Bundle => pb::common::v1::Bundle, "afluente.common.v1.Bundle";
    domain::Content => pb::common::v1::Content, "afluente.common.v1.Content";
    domain::Conversation => pb::common::v1::Conversation, "afluente.common.v1.Conversation";
    domain::Message => pb::common::v1::Message, "afluente.common.v1.Message";
    domain::Contact => pb::common::v1::Contact, "afluente.common.v1.Contact";
    domain::Seat => pb::common::v1::Seat, "afluente.common.v1.Seat";
    domain::Refusal => pb::common::v1::Refusal, "afluente.common.v1.Refusal";
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod samples;
