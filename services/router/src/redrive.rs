//! Parked messages that an operator sent on their way again: requests in the store, carried out by one replica.

use std::{collections::BTreeMap, time::Duration};

use domain::{Parked, ParkedDecision, Permitted, Ruling, SendRequest, Timestamp, UserId};
use ports::{
    Asked, StoreError,
    bus::{BusError, Envelope, headers},
    journal::Commit,
    topology::Topic,
};
use routing::{Decide, Event};
use runtime::{Drain, trace};
use tracing::Instrument as _;
use wire::Wire as _;

use crate::{
    inbound::own_span,
    parked::{KIND, MESSAGE_ID},
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
/// What the route of a webhook call begins with.
const HOOK: &str = "webhook:";
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
    if env.parking.requested(1).await?.is_empty()
        || !env.leases.claim(LEASE, &env.replica, env.clock.now(), LEASED).await?
    {
        return Ok(false);
    }
    let until = tokio::time::Instant::now() + LOOK;
    let requested = env.parking.requested(BATCH).await?;
    let mut more = requested.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
    for (parked, asked) in requested {
        if drain.has_begun() || tokio::time::Instant::now() >= until {
            break;
        }
        let span = own_span("redrive");
        if let Some(from) = parked.headers.iter().find(|(name, _)| name == trace::TRACEPARENT) {
            trace::link(&span, &from.1);
        }
        match one(shell, &parked, asked).instrument(span).await {
            Ok(Carried::OnItsWay(at)) => {
                env.parking.redriven(parked.id, at).await?;
                tracing::info!(id = %parked.id, route = parked.route, "a parked message is on its way again");
                tell(shell, &parked).await;
            }
            Ok(Carried::Decided) => tracing::info!(id = %parked.id, "a parked message was decided about"),
            Err(Hindrance::Refused(reason)) => {
                tracing::error!(id = %parked.id, reason, "what was asked of a parked message cannot be done");
                env.parking.refused(parked.id, &explained(&parked.reason, &reason)).await?;
                tell(shell, &parked).await;
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

/// Tells the desk. It is a courtesy: a page that does not hear of it sees it at its next look.
async fn tell(shell: &Shell, parked: &Parked) {
    let events = shell.moved(parked.organization, vec![parked.id]);
    if let Err(error) = shell.commit(&Commit { events, ..Commit::default() }).await {
        tracing::warn!(?error, "the desk was not told of a parked message");
    }
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

impl From<Stop> for Hindrance {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Conflict(reason) | Stop::Unavailable(reason) => Self::Later(reason),
            Stop::Refused(reason) => Self::Refused(reason),
        }
    }
}

/// What became of a request.
enum Carried {
    /// It was sent on its way after this moment.
    OnItsWay(Timestamp),
    /// The commit of the decision has moved it already.
    Decided,
}

async fn one(shell: &Shell, parked: &Parked, asked: Asked) -> Result<Carried, Hindrance> {
    match asked.ruling {
        // For one in doubt, that is the decision.
        Ruling::Redrive if parked.is_in_doubt() => {
            decide(shell, parked, Asked { ruling: Ruling::Again, ..asked }).await
        }
        Ruling::Redrive => {
            // A moment from before it is sent, not before it was parked: what is parked again later is parked after
            // it, even in the same millisecond.
            let before = Timestamp::from_millis(shell.env.clock.now().millis() - 1).max(parked.at);
            send(shell, parked).await?;
            Ok(Carried::OnItsWay(before))
        }
        _ => decide(shell, parked, asked).await,
    }
}

async fn send(shell: &Shell, parked: &Parked) -> Result<(), Hindrance> {
    if parked.route.starts_with(HOOK) {
        // A hook that does not take it is for a person to mend: it must not hold up the others.
        let said = shell.hooks.post(parked).await.map_err(Hindrance::Refused)?;
        tracing::info!(id = %parked.id, said, "a parked call went to its hook");
        return Ok(());
    }
    Ok(shell.env.bus.publish(vec![envelope(parked, shell.env.partitions)?]).await?)
}

/// By the router's own decision, in one commit with what it does to the message. When it has been settled meanwhile,
/// nothing goes out twice.
async fn decide(shell: &Shell, parked: &Parked, asked: Asked) -> Result<Carried, Hindrance> {
    let Asked { ruling, reason, by } = asked;
    let Some(organization) = parked.organization else { return nobodys(shell, parked, ruling, reason, by).await };
    let event = Event::Decide(Decide { organization, parked: parked.id, ruling, reason, by });
    let items = [Item::new(event, tracing::Span::current())];
    let mut tries = 0;
    loop {
        match shell.attempt(&items).await {
            Ok(carried) => {
                return match carried.into_iter().find_map(|one| one.refusal) {
                    Some(refusal) => Err(Hindrance::Refused(refusal.detail)),
                    None => Ok(Carried::Decided),
                };
            }
            Err(Stop::Conflict(_)) if tries < TRIES => {
                tokio::time::sleep(pause(tries, Duration::from_millis(2), Duration::from_millis(100))).await;
                tries += 1;
            }
            Err(stop) => return Err(stop.into()),
        }
    }
}

/// What belongs to no organization has no message that could be in doubt: it can only be ended.
async fn nobodys(
    shell: &Shell,
    parked: &Parked,
    ruling: Ruling,
    reason: Option<String>,
    by: Option<UserId>,
) -> Result<Carried, Hindrance> {
    let Some(entry) =
        shell.env.parking.show(parked.id).await.map_err(Stop::from)?.filter(|_| ruling == Ruling::Discard)
    else {
        return Err(Hindrance::Refused("its organization is not known".to_owned()));
    };
    let at = shell.env.clock.now().max(parked.at);
    let decision = ParkedDecision { parked: parked.id, organization: None, ruling, reason, by, at };
    shell.commit(&Commit { decided: vec![(decision, entry.version)], ..Commit::default() }).await?;
    Ok(Carried::Decided)
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
    // Parked by a release whose session service had a copy of all that came in. It is the session service's still.
    if let (Topic::Inbound(partition), "session inbound") = (&topic, parked.place.as_str()) {
        topic = Topic::Consent(*partition);
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
    fn x_2_what_the_session_service_parked_goes_to_it_again() {
        let parked = |place: &str, route: &str| Parked {
            id: domain::ParkedId::derive(&[place]),
            organization: None,
            place: place.to_owned(),
            code: domain::error::codes::POISON,
            reason: String::new(),
            account: None,
            channel: None,
            provider_code: None,
            message: None,
            route: route.to_owned(),
            headers: Vec::new(),
            body: vec![1],
            at: Timestamp::from_secs(1),
            redriven_at: None,
        };
        let topic = |place: &str, route: &str| envelope(&parked(place, route), 16).ok().map(|envelope| envelope.topic);
        let (three, inbound, consent) = (domain::Partition(3), "afluente.inbound/3", "afluente.consent/3");
        assert_eq!(topic("router inbound", inbound), Some(Topic::Inbound(three)));
        assert_eq!(topic("session inbound", consent), Some(Topic::Consent(three)));
        assert_eq!(topic("session inbound", inbound), Some(Topic::Consent(three)), "parked by a release before");
    }

    #[test]
    fn a_refusal_is_said_once() {
        let once = explained("poison", "no queue takes it");
        assert_eq!(once, "poison; not redriven: no queue takes it");
        assert_eq!(explained(&once, "forbidden"), "poison; not redriven: forbidden");
    }
}
