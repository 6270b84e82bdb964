//! Who takes part on the broker, and what each may do there: the map of [`super`] from the services' side.

use std::fmt;

use domain::{Channel, Partition};

use super::{Queue, Topic};

/// A service that speaks to the broker, with a broker user of its own where rights are kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// The router.
    Router,
    /// The session service: the only one that publishes `outbound`.
    Session,
    /// The desk.
    Desk,
    /// A channel.
    Channel(Channel),
}

impl Party {
    /// Everybody, in a mesh with these channels.
    pub fn all(channels: &[Channel]) -> Vec<Self> {
        let mut all = vec![Self::Router, Self::Session, Self::Desk];
        all.extend(channels.iter().cloned().map(Self::Channel));
        all
    }

    /// The exchanges that it publishes to ([`Topic::exchange`]). Beside these, everybody who has a durable queue
    /// publishes retries of its own.
    pub const fn publishes(&self) -> &'static [&'static str] {
        match self {
            // `inbound`, `consent`, `requested` and `media` also for what a person sends on its way again.
            Self::Router => &[
                "afluente.inbound",
                "afluente.consent",
                "afluente.requested",
                "afluente.media",
                "afluente.distribution",
                "afluente.events",
                "afluente.parked",
            ],
            Self::Session => &["afluente.inbound", "afluente.outbound", "afluente.parked"],
            Self::Desk => &[],
            Self::Channel(_) => &["afluente.inbound", "afluente.media", "afluente.links", "afluente.parked"],
        }
    }

    /// The durable queues that it consumes.
    pub fn consumes(&self, partitions: u16) -> Vec<Queue> {
        let each = |queue: fn(Partition) -> Queue| (0..partitions.max(1)).map(move |p| queue(Partition(p)));
        match self {
            Self::Router => {
                each(Queue::RouterInbound).chain(each(Queue::RouterDistribution)).chain([Queue::RouterParked]).collect()
            }
            Self::Session => each(Queue::SessionInbound).chain(each(Queue::SessionRequested)).collect(),
            Self::Desk => Vec::new(),
            Self::Channel(channel) => (0..partitions.max(1))
                .map(|p| Queue::ChannelOutbound(channel.clone(), Partition(p)))
                .chain([Queue::ChannelMedia(channel.clone())])
                .collect(),
        }
    }

    /// The fan-out topic of which each of its replicas has a queue.
    pub fn hears(&self) -> Option<Topic> {
        match self {
            Self::Router | Self::Session => None,
            Self::Desk => Some(Topic::Events),
            Self::Channel(channel) => Some(Topic::Links(channel.clone())),
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router => f.write_str("router"),
            Self::Session => f.write_str("session"),
            Self::Desk => f.write_str("desk"),
            Self::Channel(channel) => write!(f, "{channel}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_queue_is_consumed_by_the_one_who_says_so() {
        let channels: Vec<Channel> = vec!["whatsapp".parse().unwrap(), "webchat".parse().unwrap()];
        for party in Party::all(&channels) {
            assert!(party.consumes(3).iter().all(|queue| queue.party() == party), "{party}");
            let fanout = party.hears().map(|topic| Queue::Fanout { topic, replica: "r".to_owned() });
            assert!(fanout.is_none_or(|queue| queue.party() == party), "{party}");
        }
    }

    #[test]
    fn invariant_4_only_the_session_service_publishes_outbound() {
        let whatsapp: Channel = "whatsapp".parse().unwrap();
        let outbound = Topic::Outbound(whatsapp.clone(), Partition(0)).exchange();
        let may: Vec<Party> =
            Party::all(&[whatsapp]).into_iter().filter(|party| party.publishes().contains(&outbound)).collect();
        assert_eq!(may, [Party::Session]);
    }

    #[test]
    fn every_exchange_has_a_publisher_and_every_right_an_exchange() {
        let whatsapp: Channel = "whatsapp".parse().unwrap();
        let p = Partition(0);
        let mut all: Vec<&str> = [
            Topic::Inbound(p),
            Topic::Consent(p),
            Topic::Requested(p),
            Topic::Outbound(whatsapp.clone(), p),
            Topic::Media(whatsapp.clone()),
            Topic::Distribution(p),
            Topic::Events,
            Topic::Links(whatsapp.clone()),
            Topic::Parked,
        ]
        .iter()
        .map(Topic::exchange)
        .collect();
        let mut published: Vec<&str> =
            Party::all(&[whatsapp]).iter().flat_map(|party| party.publishes().iter().copied()).collect();
        all.sort_unstable();
        published.sort_unstable();
        published.dedup();
        assert_eq!(published, all);
    }
}
