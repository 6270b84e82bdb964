//! Messages that could not go on: from the parked queue into the store, where people find them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::{
    Channel, Code, DeskEvent, Inbound, MediaJob, MessageId, OrganizationId, Parked, ParkedId, Partition, Permitted,
    SendRequest, Thread, error::codes,
};
use ports::{
    bus::{Delivery, Envelope, headers},
    journal::Commit,
    topology::{Queue, Topic},
};
use runtime::{
    Drain,
    bus::taken_apart,
    names::{label, metric},
};
use wire::{Bundle, Wire as _};

use crate::{
    inbound::subscribe,
    shell::{Shell, Stop, pause},
};

/// Header of a parked message: the `kind` of its envelope, for redriving.
pub const KIND: &str = headers::KIND;
/// Header of a parked message: the id of its envelope, so that parked again it is the same parked message.
pub const MESSAGE_ID: &str = "afluente-message-id";

/// Takes from the parked queue until the drain begins.
pub(crate) async fn run(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    let mut subscription = subscribe(&shell, vec![Queue::RouterParked], 64).await?;
    loop {
        let batch = tokio::select! {
            batch = subscription.next_batch(64) => batch,
            () = drain.begun() => return Ok(()),
        };
        if batch.is_empty() {
            return if drain.has_begun() { Ok(()) } else { Err("the subscription ended".to_owned()) };
        }
        for delivery in batch {
            keep(&shell, delivery, &drain).await;
        }
    }
}

async fn keep(shell: &Shell, delivery: Delivery, drain: &Drain) {
    let parked = read(shell, &delivery.envelope);
    let events = told(shell, &parked);
    let commit = Commit { parked, events, ..Commit::default() };
    let mut tries = 0;
    loop {
        match shell.commit(&commit).await {
            Ok(()) => {
                commit.parked.iter().for_each(|one| count(shell, one));
                return delivery.ack();
            }
            Err(Stop::Unavailable(reason) | Stop::Conflict(reason)) => {
                tracing::warn!(reason, "a parked message waits for the store");
            }
            Err(Stop::Refused(reason)) => {
                // It stays on the broker, behind the others.
                tracing::error!(reason, id = delivery.envelope.id, "the store refuses a parked message");
                return delivery.retry(Duration::from_secs(60));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause(tries, Duration::from_millis(100), Duration::from_secs(5))) => tries += 1,
            () = drain.begun() => return,
        }
    }
}

/// What the desks of their organizations are told.
pub(crate) fn told(shell: &Shell, parked: &[Parked]) -> Vec<DeskEvent> {
    let mut moved: BTreeMap<OrganizationId, Vec<ParkedId>> = BTreeMap::new();
    for one in parked {
        if let Some(organization) = one.organization {
            moved.entry(organization).or_default().push(one.id);
        }
    }
    moved.into_iter().flat_map(|(organization, ids)| shell.moved(Some(organization), ids)).collect()
}

fn count(shell: &Shell, parked: &Parked) {
    let labels = [(label::PLACE, parked.place.as_str()), (label::CODE, parked.code.as_str())];
    shell.env.metrics.count(metric::PARKED, &labels, 1);
    if parked.organization.is_none() {
        let Parked { id, place, code, .. } = parked;
        tracing::error!(%id, place, %code, "a parked message says not whose it is: only `afluente parked` shows it");
        shell.env.metrics.count(metric::PARKED_NOBODYS, &labels, 1);
    }
}

/// The parked messages in an envelope. A bundle that was parked whole, by a service that could not read bundles, is as
/// many as travelled in it, each with its own organization and number of acceptance.
fn read(shell: &Shell, envelope: &Envelope) -> Vec<Parked> {
    let apart = (envelope.kind == Bundle::KIND).then(|| taken_apart(envelope).ok()).flatten();
    let Some(apart) = apart else { return vec![read_one(shell, envelope)] };
    let why = [headers::PARKED_CODE, headers::PARKED_REASON, headers::PARKED_FROM, headers::ATTEMPT];
    let why = why.into_iter().filter_map(|name| envelope.headers.get_key_value(name));
    let why: Vec<_> = why.map(clone_pair).collect();
    let with_cause = |mut one: Envelope| {
        one.headers.extend(why.iter().cloned());
        read_one(shell, &one)
    };
    apart.into_iter().map(with_cause).collect()
}

/// What was parked by a service as such, or any message that the bus parked with a reason in its headers.
fn read_one(shell: &Shell, envelope: &Envelope) -> Parked {
    let header = |name: &str| envelope.headers.get(name).cloned();
    if envelope.kind == Parked::KIND
        && header(headers::PARKED_CODE).is_none()
        && let Ok(parked) = wire::decode::<Parked>(&envelope.body)
    {
        return parked;
    }
    let from = header(headers::PARKED_FROM).unwrap_or_default();
    let own = [headers::PARKED_CODE, headers::PARKED_REASON, headers::PARKED_FROM, headers::ATTEMPT];
    let mut kept: Vec<(String, String)> =
        envelope.headers.iter().filter(|(name, _)| !own.contains(&name.as_str())).map(clone_pair).collect();
    // While the binding of a release before stands, the session service reads what a channel accepted, too. Only what
    // the router could not read was not heard by it.
    if !matches!(Queue::from_name(&from), Some(Queue::RouterInbound(_))) {
        kept.retain(|(name, _)| name != headers::ACCEPTED);
    }
    kept.push((KIND.to_owned(), envelope.kind.clone()));
    kept.push((MESSAGE_ID.to_owned(), envelope.id.clone()));
    let About { channel, account, message } = about(&from, envelope);
    Parked {
        id: ParkedId::derive(&["bus", &from, &envelope.id]),
        organization: header(headers::ORGANIZATION).and_then(|id| id.parse().ok()),
        place: place(&from),
        code: header(headers::PARKED_CODE).map_or(codes::POISON, Code::read),
        reason: header(headers::PARKED_REASON).unwrap_or_else(|| "no reason was given".to_owned()),
        account,
        channel,
        provider_code: None,
        message,
        route: topic_of(&from).unwrap_or_else(|| envelope.topic.clone()).route(),
        headers: kept,
        body: envelope.body.to_vec(),
        at: shell.env.clock.now(),
        redriven_at: None,
    }
}

/// What a message that cannot go on is about, as far as its body or its queue tells.
#[derive(Default)]
pub(crate) struct About {
    pub(crate) channel: Option<Channel>,
    pub(crate) account: Option<String>,
    /// The outgoing message that waits for it.
    pub(crate) message: Option<MessageId>,
}

impl About {
    fn thread(channel: Channel, thread: &Thread, message: Option<MessageId>) -> Self {
        Self { channel: Some(channel), account: Some(thread.account.to_string()), message }
    }
}

pub(crate) fn about(from: &str, envelope: &Envelope) -> About {
    let body = &envelope.body;
    let asked = |one: SendRequest| About::thread(one.channel, &one.thread, Some(one.message));
    let found = match envelope.kind.as_str() {
        Inbound::KIND => wire::decode::<Inbound>(body).map(|one| About::thread(one.channel, &one.thread, None)).ok(),
        SendRequest::KIND => wire::decode::<SendRequest>(body).map(asked).ok(),
        Permitted::KIND => wire::decode::<Permitted>(body).map(|one| asked(one.request)).ok(),
        MediaJob::KIND => wire::decode::<MediaJob>(body).map(|one| About::thread(one.channel, &one.thread, None)).ok(),
        _ => None,
    };
    found.unwrap_or_else(|| match topic_of(from) {
        Some(Topic::Outbound(channel, _) | Topic::Media(channel)) => {
            About { channel: Some(channel), ..About::default() }
        }
        _ => About::default(),
    })
}

fn clone_pair((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// `router.inbound.3` becomes `router inbound`: the partition says nothing to a person.
fn place(queue: &str) -> String {
    let family = queue.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('.');
    if family.is_empty() { "bus".to_owned() } else { family.replace('.', " ") }
}

/// The topic that feeds the queue of this name, so that redriving goes the same way.
fn topic_of(queue: &str) -> Option<Topic> {
    let mut parts = queue.split('.');
    let (service, step, partition) = (parts.next()?, parts.next()?, parts.next());
    let partition = partition.and_then(|text| text.parse().ok()).map(Partition);
    match (service, step) {
        ("router", "inbound") => partition.map(Topic::Inbound),
        ("session", "inbound") => partition.map(Topic::Consent),
        ("session", "requested") => partition.map(Topic::Requested),
        ("router", "distribution") => partition.map(Topic::Distribution),
        (channel, "outbound") => Some(Topic::Outbound(channel.parse().ok()?, partition?)),
        (channel, "media") => channel.parse().ok().map(Topic::Media),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_2_a_parked_message_goes_back_the_way_it_came() {
        for queue in [
            Queue::RouterInbound(Partition(3)),
            Queue::SessionInbound(Partition(5)),
            Queue::SessionRequested(Partition(12)),
        ] {
            assert_eq!(topic_of(&queue.to_string()), Some(queue.topic()));
        }
        let Ok(channel) = "whatsapp".parse::<domain::Channel>() else { panic!("a channel") };
        for queue in [Queue::ChannelOutbound(channel.clone(), Partition(1)), Queue::ChannelMedia(channel)] {
            assert_eq!(topic_of(&queue.to_string()), Some(queue.topic()));
        }
        assert_eq!(topic_of("strange"), None);
        assert_eq!((place("router.inbound.3").as_str(), place("")), ("router inbound", "bus".to_owned()));
    }
}
