//! The broker's map as data: topics, queues, and which queue takes which topic. Adapters declare it, nobody else names
//! an exchange.
//!
//! | topic | who publishes | queue | who consumes |
//! |---|---|---|---|
//! | `inbound.<p>` | channels, session (refusals) | `router.inbound.<p>` | router |
//! | `consent.<p>` | router | `session.inbound.<p>` | session |
//! | `requested.<p>` | router | `session.requested.<p>` | session |
//! | `outbound.<channel>.<p>` | session only | `<channel>.outbound.<p>` | that channel |
//! | `media.<channel>` | channels | `<channel>.media` | that channel |
//! | `distribution.<p>` | router | `router.distribution.<p>` | router |
//! | `events` | router | one per desk replica | desk |
//! | `links.<channel>` | channels | one per channel replica | that channel |
//! | `parked` | everybody | `router.parked` | router |
//!
//! [`Party`] says the same from the side of each service, for its rights on the broker.

mod party;

use std::fmt;

use domain::{Channel, OrganizationId, Partition};

pub use party::Party;

/// Where a message is published.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// What happened at a provider.
    Inbound(Partition),
    /// What of it bears on a contact's consent, once the router has carried it out.
    Consent(Partition),
    /// What somebody wants sent, before the gate.
    Requested(Partition),
    /// What the gate let pass.
    Outbound(Channel, Partition),
    /// Media to fetch.
    Media(Channel),
    /// A reason to look at an organization's distribution again, or, without an organization, at the partition's outbox.
    Distribution(Partition),
    /// Changes for the desk; every subscriber gets each. Lost when nobody listens: the store has them.
    Events,
    /// Traffic for live links of a channel (webchat sockets); every replica gets each.
    Links(Channel),
    /// Messages that cannot go on.
    Parked,
}

/// Where a message is consumed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Queue {
    /// The router's share of `inbound.<p>`.
    RouterInbound(Partition),
    /// `consent.<p>`. It has the name of the time when it took all of `inbound.<p>`, so that what was in it then is read
    /// to its end.
    SessionInbound(Partition),
    /// `requested.<p>`.
    SessionRequested(Partition),
    /// `outbound.<channel>.<p>`.
    ChannelOutbound(Channel, Partition),
    /// `media.<channel>`.
    ChannelMedia(Channel),
    /// `distribution.<p>`.
    RouterDistribution(Partition),
    /// `parked`.
    RouterParked,
    /// A replica's own queue of a fan-out topic: not durable, gone with the replica.
    Fanout {
        /// [`Topic::Events`] or [`Topic::Links`].
        topic: Topic,
        /// The replica's name.
        replica: String,
    },
}

/// The partition that decides about an organization's distribution.
pub fn distribution_partition(organization: OrganizationId, count: u16) -> Partition {
    let low = organization.uuid().as_u128() % u128::from(count.max(1));
    Partition(u16::try_from(low).unwrap_or(0))
}

impl Topic {
    /// The exchange: `afluente.<family>`. One for each family, so that rights can be given by exchange.
    pub const fn exchange(&self) -> &'static str {
        match self {
            Self::Inbound(_) => "afluente.inbound",
            Self::Consent(_) => "afluente.consent",
            Self::Requested(_) => "afluente.requested",
            Self::Outbound(..) => "afluente.outbound",
            Self::Media(_) => "afluente.media",
            Self::Distribution(_) => "afluente.distribution",
            Self::Events => "afluente.events",
            Self::Links(_) => "afluente.links",
            Self::Parked => "afluente.parked",
        }
    }

    /// The routing key.
    pub fn routing_key(&self) -> String {
        match self {
            Self::Inbound(p) | Self::Consent(p) | Self::Requested(p) | Self::Distribution(p) => p.0.to_string(),
            Self::Outbound(channel, p) => format!("{channel}.{}", p.0),
            Self::Media(channel) | Self::Links(channel) => channel.to_string(),
            Self::Events => "events".to_owned(),
            Self::Parked => "parked".to_owned(),
        }
    }

    /// Low-cardinality name for spans and metric labels: the partition is left out.
    pub fn destination(&self) -> String {
        match self {
            Self::Outbound(channel, _) | Self::Media(channel) | Self::Links(channel) => {
                format!("{}:{channel}", self.exchange())
            }
            _ => self.exchange().to_owned(),
        }
    }

    /// The durable queues that take this topic. Fan-out queues come and go with their replicas.
    pub fn queues(&self) -> Vec<Queue> {
        match self {
            Self::Inbound(p) => vec![Queue::RouterInbound(*p)],
            Self::Consent(p) => vec![Queue::SessionInbound(*p)],
            Self::Requested(p) => vec![Queue::SessionRequested(*p)],
            Self::Outbound(channel, p) => vec![Queue::ChannelOutbound(channel.clone(), *p)],
            Self::Media(channel) => vec![Queue::ChannelMedia(channel.clone())],
            Self::Distribution(p) => vec![Queue::RouterDistribution(*p)],
            Self::Parked => vec![Queue::RouterParked],
            Self::Events | Self::Links(_) => Vec::new(),
        }
    }

    /// Published to whoever listens, without a durable queue and without the duty to be routed.
    pub const fn is_fanout(&self) -> bool {
        matches!(self, Self::Events | Self::Links(_))
    }

    /// Whether its messages may travel in bundles while it is busy. Only where nobody but services of the mesh reads: a
    /// channel may be written in another language, against the plain contract.
    pub const fn is_bundled(&self) -> bool {
        matches!(self, Self::Inbound(_) | Self::Consent(_) | Self::Events)
    }

    /// `<exchange>/<routing key>`, for a parked message's route.
    pub fn route(&self) -> String {
        format!("{}/{}", self.exchange(), self.routing_key())
    }

    /// Reads [`Topic::route`] back.
    pub fn from_route(route: &str) -> Option<Self> {
        let (exchange, key) = route.split_once('/')?;
        let partition = |text: &str| text.parse().ok().map(Partition);
        match exchange {
            "afluente.inbound" => partition(key).map(Self::Inbound),
            "afluente.consent" => partition(key).map(Self::Consent),
            "afluente.requested" => partition(key).map(Self::Requested),
            "afluente.distribution" => partition(key).map(Self::Distribution),
            "afluente.outbound" => {
                let (channel, p) = key.split_once('.')?;
                Some(Self::Outbound(channel.parse().ok()?, partition(p)?))
            }
            "afluente.media" => key.parse().ok().map(Self::Media),
            "afluente.links" => key.parse().ok().map(Self::Links),
            "afluente.events" => Some(Self::Events),
            "afluente.parked" => Some(Self::Parked),
            _ => None,
        }
    }
}

impl Queue {
    /// The topic that it takes.
    pub fn topic(&self) -> Topic {
        match self {
            Self::RouterInbound(p) => Topic::Inbound(*p),
            Self::SessionInbound(p) => Topic::Consent(*p),
            Self::SessionRequested(p) => Topic::Requested(*p),
            Self::ChannelOutbound(channel, p) => Topic::Outbound(channel.clone(), *p),
            Self::ChannelMedia(channel) => Topic::Media(channel.clone()),
            Self::RouterDistribution(p) => Topic::Distribution(*p),
            Self::RouterParked => Topic::Parked,
            Self::Fanout { topic, .. } => topic.clone(),
        }
    }

    /// Reads the name of a durable queue back: a parked message says so where it came from
    /// ([`crate::bus::headers::PARKED_FROM`]).
    pub fn from_name(name: &str) -> Option<Self> {
        let (head, tail) = name.split_once('.')?;
        let (family, number) = tail.split_once('.').map_or((tail, None), |(family, number)| (family, Some(number)));
        let partition = number.and_then(|text| text.parse().ok().map(Partition));
        match (head, family, number) {
            ("router", "parked", None) => Some(Self::RouterParked),
            ("router", "inbound", _) => partition.map(Self::RouterInbound),
            ("router", "distribution", _) => partition.map(Self::RouterDistribution),
            ("session", "inbound", _) => partition.map(Self::SessionInbound),
            ("session", "requested", _) => partition.map(Self::SessionRequested),
            (channel, "outbound", _) => Some(Self::ChannelOutbound(channel.parse().ok()?, partition?)),
            (channel, "media", None) => channel.parse().ok().map(Self::ChannelMedia),
            _ => None,
        }
    }

    /// Who consumes it.
    pub fn party(&self) -> Party {
        match self {
            Self::RouterInbound(_) | Self::RouterDistribution(_) | Self::RouterParked => Party::Router,
            Self::SessionInbound(_) | Self::SessionRequested(_) => Party::Session,
            Self::ChannelOutbound(channel, _) | Self::ChannelMedia(channel) => Party::Channel(channel.clone()),
            Self::Fanout { topic: Topic::Links(channel), .. } => Party::Channel(channel.clone()),
            Self::Fanout { .. } => Party::Desk,
        }
    }

    /// Whether it outlives its consumers.
    pub const fn is_durable(&self) -> bool {
        !matches!(self, Self::Fanout { .. })
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RouterInbound(p) => write!(f, "router.inbound.{}", p.0),
            Self::SessionInbound(p) => write!(f, "session.inbound.{}", p.0),
            Self::SessionRequested(p) => write!(f, "session.requested.{}", p.0),
            Self::ChannelOutbound(channel, p) => write!(f, "{channel}.outbound.{}", p.0),
            Self::ChannelMedia(channel) => write!(f, "{channel}.media"),
            Self::RouterDistribution(p) => write!(f, "router.distribution.{}", p.0),
            Self::RouterParked => f.write_str("router.parked"),
            Self::Fanout { topic, replica } => write!(f, "{}.{replica}", topic.destination().replace(':', ".")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_reads_back() {
        let Ok(channel) = "whatsapp".parse::<Channel>() else { panic!("a channel name") };
        for topic in [
            Topic::Inbound(Partition(3)),
            Topic::Consent(Partition(4)),
            Topic::Outbound(channel.clone(), Partition(15)),
            Topic::Media(channel),
            Topic::Parked,
        ] {
            assert_eq!(Topic::from_route(&topic.route()), Some(topic));
        }
        assert_eq!(Topic::from_route("afluente.inbound/x"), None);
        for queue in
            [Topic::Inbound(Partition(3)), Topic::Consent(Partition(3)), Topic::Parked].iter().flat_map(Topic::queues)
        {
            assert_eq!(Queue::from_name(&queue.to_string()), Some(queue));
        }
        assert_eq!(Queue::from_name("router.inbound.x"), None);
    }
}
