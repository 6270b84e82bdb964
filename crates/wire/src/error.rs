//! Why bytes are not a value.

/// The bytes do not say a value of the kind that was asked for. The texts name fields and never quote what they hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not protobuf of this kind at all.
    #[error("not a message of this kind: {0}")]
    Malformed(String),
    /// A field that must be there is not.
    #[error("'{0}' is missing")]
    Missing(&'static str),
    /// A field is there and makes no sense: a bad id, a number out of range.
    #[error("'{0}' is not valid")]
    Invalid(&'static str),
    /// A value of a newer release that has no safe meaning here.
    #[error("'{0}' has a value that this release does not know")]
    Unknown(&'static str),
}
