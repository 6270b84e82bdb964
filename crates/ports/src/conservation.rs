//! Conservation on a live system: what channels accepted, set beside what the router has heard of.
//!
//! A channel numbers what it accepts, and the number travels with the message ([`Stamp`]). The router notes the numbers
//! that it hears in the commit that carries the messages out ([`Heard`]); the channel notes now and then how far it has
//! come ([`Accepted`]). A number that the channel gave, and that nobody heard, is a message that was lost, by name.

use std::{fmt, str::FromStr, time::Duration};

use domain::{AccountId, Partition, Timestamp};
use serde::{Deserialize, Serialize};

use crate::bus::{Envelope, headers};

/// How long a slot of numbering is: streams begin anew with each, so that an old one is complete and a period can be
/// asked for.
pub const SLOT: Duration = Duration::from_secs(10 * 60);
/// Where the router notes when the queue of each partition was last seen empty: [`crate::Cursors`], JSON of
/// `{"<partition>": <milliseconds>}`.
pub const SEEN_EMPTY: &str = "audit.inbound.seen_empty";
/// How long after a sight of an empty queue the parked queue must be seen empty, and how old that must be, before the
/// first is noted there: longer than a worker has a batch in hand while the store answers.
pub const GRACE: Duration = Duration::from_secs(60);
/// How much later than a channel's note its queue must have been seen empty: the clocks of two machines differ.
pub const SKEW: Duration = Duration::from_secs(10);

/// One numbering: of what one run of one channel process accepted for one account and partition within one slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stream {
    /// When the slot begins.
    pub slot: Timestamp,
    /// The channel, and which run of which process: no two have the same.
    pub source: String,
    /// The account.
    pub account: AccountId,
    /// The partition.
    pub partition: Partition,
}

impl Stream {
    /// The slot that `at` is in.
    pub fn slot_of(at: Timestamp) -> Timestamp {
        let slot = i64::try_from(SLOT.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(at.millis().div_euclid(slot) * slot)
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.slot.millis(), self.source, self.account, self.partition.0)
    }
}

/// A text that is no stream or stamp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a stamp of acceptance")]
pub struct NoStamp;

impl FromStr for Stream {
    type Err = NoStamp;

    fn from_str(text: &str) -> Result<Self, NoStamp> {
        let mut parts = text.split('/');
        let mut next = || parts.next().ok_or(NoStamp);
        let slot = Timestamp::from_millis(next()?.parse().map_err(|_| NoStamp)?);
        let source = next()?.to_owned();
        let account = next()?.parse().map_err(|_| NoStamp)?;
        let partition = Partition(next()?.parse().map_err(|_| NoStamp)?);
        if parts.next().is_some() { Err(NoStamp) } else { Ok(Self { slot, source, account, partition }) }
    }
}

/// A message's number in its stream, from 1. Travels as the header [`headers::ACCEPTED`]; a message that is published
/// again keeps it, one that the provider sends again gets another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The stream.
    pub stream: Stream,
    /// The number.
    pub number: u64,
}

impl Stamp {
    /// The stamp of an envelope, if a channel accepted it.
    pub fn of(envelope: &Envelope) -> Option<Self> {
        envelope.headers.get(headers::ACCEPTED)?.parse().ok()
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.stream, self.number)
    }
}

impl FromStr for Stamp {
    type Err = NoStamp;

    fn from_str(text: &str) -> Result<Self, NoStamp> {
        let (stream, number) = text.rsplit_once('/').ok_or(NoStamp)?;
        Ok(Self { stream: stream.parse()?, number: number.parse().map_err(|_| NoStamp)? })
    }
}

/// Numbers, the first and the last of them included.
pub type Range = (u64, u64);

/// Ranges in order, overlapping and adjoining ones as one.
pub fn merged(ranges: impl IntoIterator<Item = Range>) -> Vec<Range> {
    let mut sorted: Vec<Range> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
    sorted.sort_unstable();
    let mut merged: Vec<Range> = Vec::new();
    for (first, last) in sorted {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// What is in `of` (merged) and not in `without` (merged).
pub fn difference(of: &[Range], without: &[Range]) -> Vec<Range> {
    let mut left = Vec::new();
    let mut rest = without.iter().peekable();
    for &(first, last) in of {
        let mut from = first;
        while let Some(&&(start, end)) = rest.peek() {
            if end < from {
                rest.next();
                continue;
            }
            if start > last {
                break;
            }
            if start > from {
                left.push((from, start - 1));
            }
            from = end.saturating_add(1);
            if end > last {
                break;
            }
            rest.next();
        }
        if from <= last {
            left.push((from, last));
        }
    }
    left
}

/// How many numbers there are.
pub fn size(ranges: &[Range]) -> u64 {
    ranges.iter().map(|(first, last)| last - first + 1).sum()
}

/// How far a channel has come with a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The stream.
    pub stream: Stream,
    /// The broker has confirmed everything up to this number.
    pub upto: u64,
    /// Numbers among them that were given and then not accepted: neither broker nor disk took them, and the provider
    /// was told so.
    pub void: Vec<Range>,
    /// When it was noted.
    pub at: Timestamp,
}

/// What became of a message that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It was carried out.
    Carried,
    /// It had been carried out before: the provider sent it twice, or the broker delivered it again.
    Duplicate,
    /// It is kept as parked.
    Parked,
}

impl Fate {
    /// The name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Carried => "carried",
            Self::Duplicate => "duplicate",
            Self::Parked => "parked",
        }
    }
}

impl FromStr for Fate {
    type Err = NoStamp;

    fn from_str(text: &str) -> Result<Self, NoStamp> {
        [Self::Carried, Self::Duplicate, Self::Parked].into_iter().find(|fate| fate.as_str() == text).ok_or(NoStamp)
    }
}

/// Numbers of a stream that were heard, with the same fate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    /// The stream.
    pub stream: Stream,
    /// What became of them.
    pub fate: Fate,
    /// Which.
    pub range: Range,
}

impl Heard {
    /// What these stamps and fates say, in as few ranges as it takes.
    pub fn of(heard: impl IntoIterator<Item = (Stamp, Fate)>) -> Vec<Self> {
        let mut streams: std::collections::BTreeMap<(Stream, Fate), Vec<Range>> = std::collections::BTreeMap::new();
        for (stamp, fate) in heard {
            streams.entry((stamp.stream, fate)).or_default().push((stamp.number, stamp.number));
        }
        let ranges = |((stream, fate), ranges): ((Stream, Fate), Vec<Range>)| {
            merged(ranges).into_iter().map(move |range| Self { stream: stream.clone(), fate, range })
        };
        streams.into_iter().flat_map(ranges).collect()
    }
}

/// What an audit is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Period {
    /// One account, or all.
    pub account: Option<AccountId>,
    /// Accepted or written from then on; to the slot that it is in, for what was accepted.
    pub since: Option<Timestamp>,
    /// Accepted or written before then.
    pub until: Option<Timestamp>,
}

/// Messages that a channel accepted and that nobody will ever hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Accepted by whom, when, for whom.
    pub stream: Stream,
    /// Their numbers in it.
    pub range: Range,
}

/// What was accepted, and what became of it: `accepted` is the sum of `carried_out`, `duplicates`, `parked`, `on_its_way`
/// and `unaccounted`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakeCounts {
    /// What channels answered with "accepted".
    pub accepted: u64,
    /// Carried out.
    pub carried_out: u64,
    /// Changed nothing: they had been carried out before.
    pub duplicates: u64,
    /// Kept for a person.
    pub parked: u64,
    /// Confirmed by the broker and not heard of yet, and its queue was not seen empty since.
    pub on_its_way: u64,
    /// Lost: must be 0.
    pub unaccounted: u64,
    /// Beside those: numbers that were given and that no broker has confirmed. On a channel's disk, or cut off with a
    /// process that was killed before it told the provider "accepted".
    pub unconfirmed: u64,
    /// Those, the oldest first, at most [`IntakeCounts::NAMED`] ranges.
    pub missing: Vec<Missing>,
}

impl IntakeCounts {
    /// The most ranges that are named.
    pub const NAMED: usize = 20;

    /// Adds one stream: what its channel noted, what was heard of it by fate, and whether its queue was seen empty since.
    pub fn add(
        &mut self,
        stream: &Stream,
        noted: Option<&Accepted>,
        heard: &[(Fate, Range)],
        empty: Option<Timestamp>,
    ) {
        let of = |fate| merged(heard.iter().filter(|(known, _)| *known == fate).map(|(_, range)| *range));
        let carried = of(Fate::Carried);
        let duplicates = difference(&of(Fate::Duplicate), &carried);
        let known = merged(carried.iter().chain(&duplicates).copied());
        let parked = difference(&of(Fate::Parked), &known);
        let known = merged(known.into_iter().chain(parked.iter().copied()));
        let upto = noted.map_or(0, |noted| noted.upto);
        let highest = known.last().map_or(0, |(_, last)| *last).max(upto);
        let void = noted.map(|noted| merged(noted.void.iter().copied())).unwrap_or_default();
        let missing = |range| difference(&difference(&[range], &known), &void);
        let waiting = if upto > 0 { missing((1, upto)) } else { Vec::new() };
        let unconfirmed = if highest > upto { missing((upto + 1, highest)) } else { Vec::new() };
        let proven = noted.is_some_and(|noted| empty.is_some_and(|empty| noted.at + SKEW <= empty));
        let lost = if proven { waiting.clone() } else { Vec::new() };
        self.accepted += size(&known) + size(&waiting);
        self.carried_out += size(&carried);
        self.duplicates += size(&duplicates);
        self.parked += size(&parked);
        self.unaccounted += size(&lost);
        self.on_its_way += size(&waiting) - size(&lost);
        self.unconfirmed += size(&unconfirmed);
        let room = Self::NAMED.saturating_sub(self.missing.len());
        self.missing.extend(lost.into_iter().take(room).map(|range| Missing { stream: stream.clone(), range }));
    }
}

/// What people and the mesh sent, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendCounts {
    /// Messages that were submitted.
    pub submitted: u64,
    /// By the state of their delivery; they add up to `submitted`.
    pub states: Vec<(String, u64)>,
    /// The failed ones by code.
    pub failed: Vec<(String, u64)>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn stream() -> Stream {
        Stream {
            slot: Stream::slot_of(Timestamp::from_secs(1_800_000_123)),
            source: "whatsapp-0a1b".to_owned(),
            account: AccountId::derive(&["a"]),
            partition: Partition(7),
        }
    }

    #[test]
    fn a_stamp_reads_back() {
        let stamp = Stamp { stream: stream(), number: 42 };
        assert_eq!(stamp.to_string().parse(), Ok(stamp));
        for wrong in ["", "1/2/3/4", "x/s/y/1/2", "1//"] {
            assert_eq!(wrong.parse::<Stamp>(), Err(NoStamp), "{wrong}");
        }
        assert_eq!(Stream::slot_of(Timestamp::from_secs(1_800_000_123)), Timestamp::from_secs(1_800_000_000));
    }

    #[test]
    fn ranges_merge_and_leave_gaps() {
        assert_eq!(merged([(5, 7), (1, 2), (3, 3), (6, 9), (20, 19)]), [(1, 3), (5, 9)]);
        assert_eq!(difference(&[(1, 10), (20, 30)], &[(1, 2), (5, 6), (9, 22), (30, 40)]), [(3, 4), (7, 8), (23, 29)]);
        assert_eq!(difference(&[(1, 3)], &[]), [(1, 3)]);
        assert_eq!(difference(&[(1, 3), (5, 6)], &[(1, 9)]), []);
        assert_eq!(size(&[(1, 3), (5, 5)]), 4);
    }

    #[test]
    fn x_1_a_number_that_nobody_heard_is_lost_once_its_queue_was_empty() {
        let at = Timestamp::from_secs(1_800_000_300);
        let noted = Accepted { stream: stream(), upto: 10, void: vec![(6, 6)], at };
        let heard = [
            (Fate::Carried, (1, 2)),
            (Fate::Duplicate, (2, 3)),
            (Fate::Parked, (3, 4)),
            (Fate::Carried, (8, 9)),
            // Published after the note.
            (Fate::Carried, (12, 12)),
        ];
        let count = |noted: Option<&Accepted>, empty| {
            let mut counts = IntakeCounts::default();
            counts.add(&stream(), noted, &heard, empty);
            counts
        };
        let early = count(Some(&noted), Some(at));
        assert_eq!((early.accepted, early.carried_out, early.duplicates, early.parked), (10, 5, 1, 1));
        assert_eq!((early.on_its_way, early.unaccounted, early.unconfirmed), (3, 0, 1), "5, 7 and 10; 11");
        let proven = count(Some(&noted), Some(at + SKEW));
        assert_eq!((proven.on_its_way, proven.unaccounted, proven.unconfirmed), (0, 3, 1));
        let named: Vec<Range> = proven.missing.iter().map(|one| one.range).collect();
        assert_eq!(named, [(5, 5), (7, 7), (10, 10)]);
        assert_eq!((count(None, Some(at + SKEW)).unaccounted, count(Some(&noted), None).unaccounted), (0, 0));
    }

    #[test]
    fn stamps_become_few_ranges() {
        let stamp = |number| Stamp { stream: stream(), number };
        let heard = Heard::of([
            (stamp(3), Fate::Carried),
            (stamp(1), Fate::Carried),
            (stamp(2), Fate::Duplicate),
            (stamp(4), Fate::Carried),
        ]);
        let ranges: Vec<_> = heard.iter().map(|one| (one.fate, one.range)).collect();
        assert_eq!(ranges, [(Fate::Carried, (1, 1)), (Fate::Carried, (3, 4)), (Fate::Duplicate, (2, 2))]);
    }
}
