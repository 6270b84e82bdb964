//! Sends a parked message on its way again.
//!
//! On servers it is published to the broker. The embedded broker belongs to the running process: there the message is
//! posted to that process, with the account's secret where it was a webhook.

use std::collections::BTreeMap;

use domain::Parked;
use ports::{bus::Envelope, topology::Topic};

use crate::{exit::Problem, settings::Settings};

/// Does it, and notes that it was done.
pub(crate) async fn redrive(settings: &Settings, stores: &bootstrap::Stores, parked: &Parked) -> Result<(), Problem> {
    let topic = Topic::from_route(&parked.route).ok_or_else(|| {
        Problem::failed(format!("{}: the route '{}' cannot be driven again", parked.id, parked.route))
    })?;
    let headers: BTreeMap<String, String> =
        parked.headers.iter().filter(|(name, _)| !name.starts_with("afluente-parked")).cloned().collect();
    let kind = headers.get("afluente-kind").cloned().unwrap_or_default();
    let envelope = Envelope {
        id: format!("{}-redriven", parked.id),
        topic,
        kind,
        correlation: None,
        headers,
        body: parked.body.clone().into(),
    };
    bootstrap::bus(&settings.mesh).await?.publish(vec![envelope]).await?;
    stores.parking.redriven(parked.id, runtime_now()).await?;
    Ok(())
}

fn runtime_now() -> domain::Timestamp {
    use ports::Clock as _;
    runtime::clock::SystemClock.now()
}
