//! `common/v1/bundle.proto`.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{DecodeError, pb::common::v1 as proto};

/// A message as it would have travelled alone; its route is that of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundled {
    /// Its own id.
    pub id: String,
    /// What its body is: a [`crate::Wire::KIND`].
    pub kind: String,
    /// What joins it to others in traces.
    pub correlation: Option<String>,
    /// Its own headers.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Bytes,
}

/// Messages of one route that travel together, in the order in which they were published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle(pub Vec<Bundled>);

impl From<&Bundle> for proto::Bundle {
    fn from(bundle: &Bundle) -> Self {
        Self { messages: bundle.0.iter().map(out).collect() }
    }
}

fn out(one: &Bundled) -> proto::Bundled {
    let header = |(name, value): (&String, &String)| proto::Header { name: name.clone(), value: value.clone() };
    proto::Bundled {
        id: one.id.clone(),
        kind: one.kind.clone(),
        correlation: one.correlation.clone(),
        headers: one.headers.iter().map(header).collect(),
        body: one.body.clone(),
    }
}

impl TryFrom<proto::Bundle> for Bundle {
    type Error = DecodeError;

    fn try_from(bundle: proto::Bundle) -> Result<Self, DecodeError> {
        if bundle.messages.is_empty() {
            return Err(DecodeError::Missing("messages"));
        }
        Ok(Self(bundle.messages.into_iter().map(read).collect()))
    }
}

fn read(one: proto::Bundled) -> Bundled {
    Bundled {
        id: one.id,
        kind: one.kind,
        correlation: one.correlation,
        headers: one.headers.into_iter().map(|header| (header.name, header.value)).collect(),
        body: one.body,
    }
}
