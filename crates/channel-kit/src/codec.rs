//! Envelopes: the domain's values as they travel, with the headers that every consumer expects.

use std::collections::BTreeMap;

use domain::{Inbound, InboundBody, MediaJob, OrganizationId, Parked, Permitted, Thread};
use ports::{
    bus::{Envelope, headers},
    topology::Topic,
};
use sha2::{Digest as _, Sha256};
use wire::Wire;

fn envelope<T: Wire>(
    id: String,
    topic: Topic,
    correlation: Option<String>,
    organization: Option<OrganizationId>,
    value: &T,
) -> Envelope {
    let headers: BTreeMap<_, _> =
        organization.map(|id| (headers::ORGANIZATION.to_owned(), id.to_string())).into_iter().collect();
    Envelope { id, topic, kind: T::KIND.to_owned(), correlation, headers, body: wire::encode(value) }
}

/// Joins what belongs to one thread in traces, without showing the address.
fn thread_id(thread: &Thread) -> String {
    let mut hash = Sha256::new();
    hash.update(thread.account.uuid().as_bytes());
    hash.update(thread.address.as_str().as_bytes());
    let digest = hex::encode(hash.finalize());
    format!("thread_{}", digest.get(..16).unwrap_or(&digest))
}

/// An inbound event, for the partition of its thread.
pub(crate) fn inbound(inbound: &Inbound, partitions: u16) -> Envelope {
    let topic = Topic::Inbound(inbound.thread.partition(partitions));
    let correlation = match &inbound.body {
        InboundBody::Attempted(attempted) => attempted.message.to_string(),
        _ => thread_id(&inbound.thread),
    };
    envelope(inbound.id.to_string(), topic, Some(correlation), Some(inbound.thread.organization), inbound)
}

/// A media job, for whichever replica of the channel is free.
pub(crate) fn media_job(job: &MediaJob) -> Envelope {
    let id = format!("{}-media", job.message_event);
    let correlation = Some(thread_id(&job.thread));
    envelope(id, Topic::Media(job.channel.clone()), correlation, Some(job.thread.organization), job)
}

/// Something that waits for a person.
pub(crate) fn parked(parked: &Parked) -> Envelope {
    envelope(parked.id.to_string(), Topic::Parked, None, parked.organization, parked)
}

/// The permitted message in an envelope.
///
/// # Errors
/// Why it cannot be read; never quotes the content.
pub(crate) fn read_permitted(envelope: &Envelope) -> Result<Permitted, String> {
    read(envelope)
}

/// The media job in an envelope.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn read_media_job(envelope: &Envelope) -> Result<MediaJob, String> {
    read(envelope)
}

fn read<T: Wire>(envelope: &Envelope) -> Result<T, String> {
    if envelope.kind != T::KIND {
        return Err(format!("'{}' stands where '{}' should", envelope.kind, T::KIND));
    }
    wire::decode(&envelope.body).map_err(|error| error.to_string())
}

/// The bytes that the gate signed.
pub(crate) fn permit_bytes(permitted: &Permitted) -> Vec<u8> {
    wire::permit_bytes(&permitted.request, &permitted.permit)
}
