//! Parked messages that an operator sent on their way again: requests in the store, carried out by one replica.

use std::{collections::BTreeMap, time::Duration};

use domain::{Parked, Permitted, SendRequest, Timestamp};
use ports::{
    StoreError,
    bus::{BusError, Envelope, headers},
    topology::Topic,
};
use routing::{Event, Redrive};
use runtime::{Drain, trace};
use tracing::Instrument as _;
use wire::Wire as _;

use crate::{
    inbound::own_span,
    parked::{KIND, MESSAGE_ID, REOPEN},
    shell::{Item, Shell, Stop, pause},
};

/// How often requests are looked for.
const REST: Duration = Duration::from_secs(1);
/// The most in one look.
const BATCH: u32 = 64;
/// The lease of the replica that carries requests out, and how long one look may take: less, so that it never meets
/// the next holder.
const LEASE: &str = "router.redrive";
const LEASED: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(20);
/// How often a decision that others overtook is taken again in one look.
const TRIES: u32 = 5;

/// Looks for requests until the drain begins; what is in hand is finished.
pub(crate) async fn run(shell: std::sync::Arc<Shell>, drain: Drain) -> Result<(), String> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            () = drain.begun() => break,
        }
        loop {
            match look(&shell, &drain).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "parked messages wait to be redriven");
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Carries out what is requested. Answers whether there may be more.
async fn look(shell: &Shell, drain: &Drain) -> Result<bool, StoreError> {
    let env = &shell.env;
    // The lease is written only when there is something to do.
    if env.parking.redrive_requested(1).await?.is_empty()
        || !env.leases.claim(LEASE, &env.replica, env.clock.now(), LEASED).await?
    {
        return Ok(false);
    }
    let until = tokio::time::Instant::now() + LOOK;
    let requested = env.parking.redrive_requested(BATCH).await?;
    let mut more = requested.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
    for parked in requested {
        if drain.has_begun() || tokio::time::Instant::now() >= until {
            break;
        }
        let span = own_span("redrive");
        if let Some(from) = parked.headers.iter().find(|(name, _)| name == trace::TRACEPARENT) {
            trace::link(&span, &from.1);
        }
        match one(shell, &parked).instrument(span).await {
            Ok(at) => {
                env.parking.redriven(parked.id, at).await?;
                tracing::info!(id = %parked.id, route = parked.route, "a parked message is on its way again");
            }
            Err(Hindrance::Refused(reason)) => {
                tracing::error!(id = %parked.id, reason, "a parked message cannot be redriven");
                env.parking.redrive_refused(parked.id, &explained(&parked.reason, &reason)).await?;
            }
            Err(Hindrance::Later(reason)) => {
                tracing::warn!(id = %parked.id, reason, "a parked message waits to be redriven");
                more = false;
                break;
            }
        }
    }
    // Another replica may go on at once.
    env.leases.claim(LEASE, &env.replica, env.clock.now(), Duration::ZERO).await?;
    Ok(more && !drain.has_begun())
}

/// Why one is not on its way.
enum Hindrance {
    /// It never will be like this.
    Refused(String),
    /// Broker or store are away.
    Later(String),
}

impl From<BusError> for Hindrance {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Unavailable(_) => Self::Later(error.to_string()),
            BusError::Unroutable(_) | BusError::Forbidden(_) => Self::Refused(error.to_string()),
        }
    }
}

/// Sends one on its way. Answers a moment from before that, not before it was parked: what is parked again later is
/// parked after it, even in the same millisecond.
async fn one(shell: &Shell, parked: &Parked) -> Result<Timestamp, Hindrance> {
    let before = Timestamp::from_millis(shell.env.clock.now().millis() - 1).max(parked.at);
    if let Some((_, message)) = parked.headers.iter().find(|(name, _)| name == REOPEN) {
        reopen(shell, parked, message).await?;
    } else {
        shell.env.bus.publish(vec![envelope(parked, shell.env.partitions)?]).await?;
    }
    Ok(before)
}

/// A message in doubt goes again by the router's own decision: queued, its attempts forgotten, a new request at the
/// gate, in one commit. When it has been settled or tried again meanwhile, nothing goes out twice.
async fn reopen(shell: &Shell, parked: &Parked, message: &str) -> Result<(), Hindrance> {
    let refused = |reason: &str| Hindrance::Refused(reason.to_owned());
    let message = message.parse().map_err(|_| refused("its message id cannot be read"))?;
    let organization = parked.organization.ok_or_else(|| refused("its organization is not known"))?;
    let event = Event::Redrive(Redrive { organization, message });
    let items = [Item::new(event, tracing::Span::current())];
    let mut tries = 0;
    loop {
        match shell.attempt(&items).await {
            Ok(carried) => {
                return match carried.into_iter().find_map(|one| one.refusal) {
                    Some(refusal) => Err(Hindrance::Refused(refusal.detail)),
                    None => Ok(()),
                };
            }
            Err(Stop::Conflict(_)) if tries < TRIES => {
                tokio::time::sleep(pause(tries, Duration::from_millis(2), Duration::from_millis(100))).await;
                tries += 1;
            }
            Err(Stop::Conflict(reason) | Stop::Unavailable(reason)) => return Err(Hindrance::Later(reason)),
            Err(Stop::Refused(reason)) => return Err(Hindrance::Refused(reason)),
        }
    }
}

/// What is published: the message as it was, under its own id where it is known, so that parked again it is the same
/// parked message.
fn envelope(parked: &Parked, partitions: u16) -> Result<Envelope, Hindrance> {
    let route = &parked.route;
    let mut topic = Topic::from_route(route)
        .ok_or_else(|| Hindrance::Refused(format!("the route '{route}' is not the broker's")))?;
    let mut kept: BTreeMap<String, String> = parked.headers.iter().cloned().collect();
    let mut kind = kept.remove(KIND).unwrap_or_default();
    let mut body = parked.body.clone().into();
    if let Topic::Outbound(..) = topic {
        // Only the gate lets anything out, and the old permit has run out: it asks anew.
        let permitted: Permitted = wire::decode(&parked.body)
            .map_err(|error| Hindrance::Refused(format!("what it asks to send cannot be read: {error}")))?;
        topic = Topic::Requested(permitted.request.thread.partition(partitions));
        SendRequest::KIND.clone_into(&mut kind);
        body = wire::encode(&permitted.request);
    }
    let id = kept.remove(MESSAGE_ID).unwrap_or_else(|| format!("{}-redriven", parked.id));
    for own in [headers::PARKED_CODE, headers::PARKED_REASON, headers::PARKED_FROM, headers::ATTEMPT] {
        kept.remove(own);
    }
    Ok(Envelope { id, topic, kind, correlation: None, headers: kept, body })
}

/// The first reason with the latest refusal behind it.
fn explained(reason: &str, refusal: &str) -> String {
    const SAID: &str = "; not redriven: ";
    let first = reason.split(SAID).next().unwrap_or(reason);
    format!("{first}{SAID}{refusal}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_once() {
        let once = explained("poison", "no queue takes it");
        assert_eq!(once, "poison; not redriven: no queue takes it");
        assert_eq!(explained(&once, "forbidden"), "poison; not redriven: forbidden");
    }
}
