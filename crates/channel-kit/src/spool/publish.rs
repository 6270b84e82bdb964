//! What the broker refuses for itself does not hold up the rest: it is parked.

use std::time::Duration;

use domain::error::codes;
use ports::{
    Bus,
    bus::{BusError, Envelope, headers},
    topology::Topic,
};
use runtime::{
    metrics::Metrics,
    names::{label, metric},
};

/// How long the broker may take to confirm.
const CONFIRM: Duration = Duration::from_secs(30);

/// Publishes `batch` in order.
///
/// # Errors
/// [`BusError`]; some may have been published.
pub(super) async fn batch(bus: &dyn Bus, batch: Vec<Envelope>) -> Result<(), BusError> {
    match tokio::time::timeout(CONFIRM, bus.publish(batch)).await {
        Ok(published) => published,
        Err(_) => Err(BusError::Unavailable("the broker did not confirm in 30 s".into())),
    }
}

/// Publishes `envelopes` one by one and parks those that the broker refuses. When it refuses the parking too, the fault
/// is not the message's: all of them stay where they are.
///
/// # Errors
/// [`BusError`]; some may have been published.
pub(super) async fn apart(bus: &dyn Bus, envelopes: Vec<Envelope>, metrics: &Metrics) -> Result<(), BusError> {
    for envelope in envelopes {
        match batch(bus, vec![envelope.clone()]).await {
            Ok(()) => {}
            Err(error @ BusError::Unavailable(_)) => return Err(error),
            Err(refused @ (BusError::Unroutable(_) | BusError::Forbidden(_))) => {
                tracing::error!(id = envelope.id, error = %refused, "the broker refuses what was spooled; it is parked");
                batch(bus, vec![parked(envelope, &refused)]).await?;
                count(metrics);
            }
        }
    }
    Ok(())
}

/// Counts something of the spool that waits for a person.
pub(super) fn count(metrics: &Metrics) {
    metrics.count(metric::PARKED, &[(label::PLACE, "spool"), (label::CODE, codes::INTERNAL.as_str())], 1);
}

/// The envelope with why it stopped, as an adapter parks one: redriving it goes the way it was meant to go.
fn parked(mut envelope: Envelope, refused: &BusError) -> Envelope {
    let from = envelope.topic.queues().first().map(ToString::to_string).unwrap_or_default();
    envelope.topic = Topic::Parked;
    envelope.headers.extend([
        (headers::PARKED_CODE.to_owned(), codes::INTERNAL.as_str().to_owned()),
        (headers::PARKED_REASON.to_owned(), refused.to_string()),
        (headers::PARKED_FROM.to_owned(), from),
    ]);
    envelope
}
