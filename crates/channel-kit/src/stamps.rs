//! Numbers for what is accepted: each envelope for the router gets the next one of its stream, and now and then
//! the store is told how far the broker has confirmed. What neither broker nor disk took is void: its number is told,
//! so that nobody looks for it.
//!
//! A number costs a map entry and a header; the note is one row for each stream that moved since the last one.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use domain::{AccountId, Channel, Timestamp};
use ports::{
    Bus,
    bus::{BusError, Depth, Envelope, Subscription, headers},
    conservation::{Accepted, Range, Stamp, Stream, merged},
    topology::{Queue, Topic},
};

#[derive(Default)]
struct Progress {
    last: u64,
    /// Given and not confirmed: on its way to the broker, or on the disk.
    open: BTreeSet<u64>,
    void: Vec<Range>,
    /// Something moved since the store was told.
    moved: bool,
}

impl Progress {
    fn upto(&self) -> u64 {
        self.open.first().map_or(self.last, |first| first - 1)
    }
}

/// The streams of one channel in one process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stamps {
    source: Arc<str>,
    streams: Arc<Mutex<BTreeMap<Stream, Progress>>>,
}

impl Stamps {
    /// A source that nobody had before.
    pub(crate) fn new(channel: &Channel) -> Self {
        let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
        Self { source: format!("{channel}-{random:016x}").into(), streams: Arc::default() }
    }

    /// This run of this process: a name that nobody had before.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<Stream, Progress>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers what goes to the router. Dropped before it is [`Numbered::safe`], the numbers are void.
    pub(crate) fn number(&self, account: AccountId, batch: &mut [Envelope], now: Timestamp) -> Numbered {
        let slot = Stream::slot_of(now);
        let mut given = Vec::with_capacity(batch.len());
        let mut streams = self.streams();
        for envelope in batch {
            let Topic::Inbound(partition) = envelope.topic else { continue };
            let stream = Stream { slot, source: self.source.to_string(), account, partition };
            let progress = streams.entry(stream.clone()).or_default();
            progress.last += 1;
            progress.open.insert(progress.last);
            progress.moved = true;
            let stamp = Stamp { stream, number: progress.last };
            envelope.headers.insert(headers::ACCEPTED.to_owned(), stamp.to_string());
            given.push(stamp);
        }
        drop(streams);
        Numbered { stamps: self.clone(), given }
    }

    /// The broker has confirmed these.
    fn confirmed<'a>(&self, stamps: impl IntoIterator<Item = &'a Stamp>) {
        let mut streams = self.streams();
        for stamp in stamps {
            if let Some(progress) = streams.get_mut(&stamp.stream) {
                progress.moved |= progress.open.remove(&stamp.number);
            }
        }
    }

    /// How far the streams have come that moved since the last time. What is not told to the store after all is given
    /// back with [`Stamps::again`].
    pub(crate) fn news(&self, now: Timestamp) -> Vec<Accepted> {
        let slot = Stream::slot_of(now);
        let mut streams = self.streams();
        let mut news = Vec::new();
        for (stream, progress) in streams.iter_mut().filter(|(_, progress)| progress.moved) {
            progress.moved = false;
            let upto = progress.upto();
            let void = progress.void.iter().copied().filter(|(first, _)| *first <= upto).collect();
            news.push(Accepted { stream: stream.clone(), upto, void, at: now });
        }
        // An old slot gets no new numbers.
        streams.retain(|stream, progress| stream.slot >= slot || progress.moved || !progress.open.is_empty());
        news
    }

    /// These could not be told: they are news again.
    pub(crate) fn again(&self, news: Vec<Accepted>) {
        let mut streams = self.streams();
        for one in news {
            let progress = streams.entry(one.stream).or_insert(Progress {
                last: one.upto,
                open: BTreeSet::new(),
                void: one.void,
                moved: true,
            });
            progress.moved = true;
        }
    }
}

/// Numbers of a batch that is not safe yet.
pub(crate) struct Numbered {
    stamps: Stamps,
    given: Vec<Stamp>,
}

impl Numbered {
    /// The broker has confirmed the batch.
    pub(crate) fn published(mut self) {
        let given = std::mem::take(&mut self.given);
        self.stamps.confirmed(&given);
    }

    /// The disk has it; [`Confirming`] hears when the broker does.
    pub(crate) fn spooled(mut self) {
        self.given.clear();
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        if self.given.is_empty() {
            return;
        }
        let mut streams = self.stamps.streams();
        for stamp in &self.given {
            if let Some(progress) = streams.get_mut(&stamp.stream) {
                progress.open.remove(&stamp.number);
                progress.void = merged(progress.void.iter().copied().chain([(stamp.number, stamp.number)]));
                progress.moved = true;
            }
        }
    }
}

/// The bus for the spool's drainer: what it confirms is noted.
pub(crate) struct Confirming {
    pub(crate) inner: Arc<dyn Bus>,
    pub(crate) stamps: Stamps,
}

#[async_trait]
impl Bus for Confirming {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        let stamps: Vec<Stamp> = batch.iter().filter_map(Stamp::of).collect();
        self.inner.publish(batch).await?;
        self.stamps.confirmed(&stamps);
        Ok(())
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError> {
        self.inner.subscribe(queue, prefetch).await
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
        self.inner.depth(queue).await
    }

    async fn check(&self) -> Result<(), BusError> {
        self.inner.check().await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::Partition;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn batch(partitions: &[u16]) -> Vec<Envelope> {
        let envelope = |p: &u16| Envelope {
            id: "e".to_owned(),
            topic: Topic::Inbound(Partition(*p)),
            kind: "k".to_owned(),
            correlation: None,
            headers: BTreeMap::new(),
            body: bytes::Bytes::new(),
        };
        partitions.iter().map(envelope).collect()
    }

    fn told(stamps: &Stamps, now: Timestamp) -> Vec<(u16, u64, Vec<Range>)> {
        let news = stamps.news(now);
        news.iter().map(|one| (one.stream.partition.0, one.upto, one.void.clone())).collect()
    }

    #[test]
    fn x_1_only_what_is_confirmed_is_told_and_what_was_not_accepted_is_void() {
        let stamps = Stamps::new(&"whatsapp".parse().unwrap());
        let account = AccountId::derive(&["a"]);
        let mut first = batch(&[0, 1, 0]);
        let published = stamps.number(account, &mut first, NOW);
        let numbers: Vec<_> = first.iter().map(|one| Stamp::of(one).unwrap().number).collect();
        assert_eq!(numbers, [1, 1, 2]);
        let mut second = batch(&[0]);
        let spooled = stamps.number(account, &mut second, NOW);
        let refused = stamps.number(account, &mut batch(&[0, 0]), NOW);
        assert_eq!(told(&stamps, NOW), [(0, 0, vec![]), (1, 0, vec![])], "nothing is confirmed");
        published.published();
        spooled.spooled();
        drop(refused);
        assert_eq!(told(&stamps, NOW), [(0, 2, vec![]), (1, 1, vec![])], "3 is on the disk");
        assert_eq!(told(&stamps, NOW), []);
        stamps.confirmed(second.iter().filter_map(Stamp::of).collect::<Vec<_>>().iter());
        let news = stamps.news(NOW);
        assert_eq!((news[0].upto, &news[0].void[..]), (5, &[(4, 5)][..]));
        // The store was away; a slot later it is told, and forgotten.
        stamps.again(news);
        let later = NOW + ports::conservation::SLOT;
        assert_eq!(told(&stamps, later), [(0, 5, vec![(4, 5)])]);
        assert!(stamps.streams().is_empty());
    }
}
