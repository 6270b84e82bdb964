//! Tells the mesh what became of a part, and does not stop before the broker confirmed it.

use domain::{Attempted, ConsentChange, EventId, Inbound, InboundBody, Outcome, Permitted};
use runtime::{
    names::{attribute, label, metric},
    trace,
};

use super::{Reported, Shared};
use crate::{backoff::Backoff, kit::Kit};

/// Publishes the outcome of part `part`. None when the drain came before the broker's confirm; the ledger keeps the
/// outcome, and the redelivered message reports it again under the same id.
pub(super) async fn report(
    shared: &Shared,
    permitted: &Permitted,
    part: u16,
    planned: u16,
    outcome: Outcome,
) -> Option<Reported> {
    let kit = &shared.kit;
    let name = outcome_name(&outcome);
    kit.count(metric::DELIVERY_OUTCOMES, &[(label::OUTCOME, name)]);
    trace::note(attribute::OUTCOME, name);
    let waited = kit.now().since(permitted.request.at);
    let labels = [(label::CHANNEL, kit.channel.as_str()), (label::DIRECTION, "outbound"), (label::OUTCOME, name)];
    kit.env.metrics.took(metric::END_TO_END, &labels, waited);
    let batch: Vec<_> =
        events(kit, permitted, part, planned, outcome).iter().map(|event| kit.envelope(event)).collect();
    let mut backoff = Backoff::while_away();
    loop {
        match kit.env.bus.publish(batch.clone()).await {
            Ok(()) => return Some(Reported),
            Err(error) => {
                tracing::warn!(%error, about = %permitted.request.message, "an outcome waits for the broker")
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.pause()) => {}
            () = shared.drain.begun() => return None,
        }
    }
}

fn events(kit: &Kit, permitted: &Permitted, part: u16, planned: u16, outcome: Outcome) -> Vec<Inbound> {
    let request = &permitted.request;
    let now = kit.now();
    // The permit's end tells a person's second try of the message from a replay of the first.
    let turn = permitted.permit.expires_at.millis().to_string();
    let id = |kind: &str| {
        EventId::derive(&[
            &request.message.to_string(),
            &part.to_string(),
            kind,
            &request.at.millis().to_string(),
            &turn,
        ])
    };
    let event = |id, body| Inbound {
        id,
        thread: request.thread.clone(),
        channel: kit.channel.clone(),
        at: now,
        received_at: now,
        body,
    };
    let opted_out = match &outcome {
        Outcome::Unreachable { opted_out: true, failure } => Some(ConsentChange {
            granted: false,
            source: "provider_event".to_owned(),
            evidence: [failure.provider_code.as_deref(), failure.reason.as_deref(), Some(failure.code.as_str())]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" "),
        }),
        _ => None,
    };
    let name = outcome_name(&outcome);
    let attempted = Attempted { message: request.message, part, planned, outcome };
    let mut events = vec![event(id(name), InboundBody::Attempted(attempted))];
    events.extend(opted_out.map(|change| event(id("consent"), InboundBody::Consent(change))));
    events
}

/// Low-cardinality name of an outcome.
pub(super) const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Unreachable { .. } => "unreachable",
        Outcome::Throttled { .. } => "throttled",
        Outcome::Unavailable { .. } => "unavailable",
        Outcome::InDoubt { .. } => "in_doubt",
        Outcome::WindowClosed { .. } => "window_closed",
        Outcome::Misconfigured { .. } => "misconfigured",
    }
}
