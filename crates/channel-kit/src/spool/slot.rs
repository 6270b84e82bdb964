//! One slot: segments on the disk, appended to by its holder and published oldest first.
//!
//! Appends share one fsync (the first of a crowd writes for all). While anything waits, later arrivals append too, so
//! that nothing overtakes. A segment that was partly published before a crash is published again from its start.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use ports::{
    Bus,
    bus::{BusError, Envelope},
};
use runtime::metrics::Metrics;
use tokio::sync::{Notify, oneshot};

use super::{
    SpoolError,
    claim::{self, Claim},
    publish, record,
    segment::{self, Segment},
};

/// A segment is closed at this size, so that its space is given back.
const SEGMENT: u64 = 8 << 20;
/// Records in one publish of the drainer.
const BATCH: usize = 256;
/// How often the broker may refuse a batch before the refused messages are parked: it may still be declaring queues.
const REFUSALS: u32 = 3;
/// The most bytes that a probe of the disk writes.
const PROBE: u64 = 1 << 20;

/// Why a step got nowhere.
#[derive(Debug)]
pub(super) enum Blocked {
    /// The broker does not take it.
    Broker(String),
    /// The disk does not give it.
    Disk(String),
}

impl Blocked {
    pub(super) fn reason(self) -> String {
        match self {
            Self::Broker(reason) | Self::Disk(reason) => reason,
        }
    }
}

struct Waiting {
    bytes: Vec<u8>,
    records: u64,
    done: oneshot::Sender<Result<(), SpoolError>>,
}

#[derive(Default)]
struct State {
    segments: VecDeque<Segment>,
    /// How far the first segment was published and confirmed.
    confirmed: u64,
    confirmed_records: u64,
    waiting: Vec<Waiting>,
    waiting_records: u64,
    waiting_bytes: u64,
    next_number: u64,
    /// What the disk last said, until it works again.
    trouble: Option<String>,
    /// The size of the last append that was turned away, until one is taken.
    refused: u64,
    /// How often in a row the broker refused the oldest batch.
    refusals: u32,
    scanned: bool,
}

impl State {
    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum::<u64>() + self.waiting_bytes
    }

    fn records(&self) -> u64 {
        self.written() + self.waiting_records
    }

    /// Those that are on the disk.
    fn written(&self) -> u64 {
        let stored: u64 = self.segments.iter().map(|segment| segment.records).sum();
        stored.saturating_sub(self.confirmed_records)
    }
}

/// What the clones of a slot share.
struct Shared {
    root: Arc<PathBuf>,
    claim: OnceLock<Claim>,
    limit: u64,
    state: Mutex<State>,
    /// Held by whoever writes to disk.
    writer: tokio::sync::Mutex<()>,
    more: Notify,
    metrics: Metrics,
}

/// A slot. Cheap to clone; free again when the last clone is gone.
#[derive(Clone)]
pub(super) struct Slot(Arc<Shared>);

impl Slot {
    /// The first free slot below `root`, or a new one.
    pub(super) fn first_free(root: Arc<PathBuf>, limit: u64, metrics: Metrics) -> Self {
        Self::new(root, OnceLock::new(), limit, metrics)
    }

    /// A slot that is already ours, to be emptied.
    pub(super) fn adopt(claim: Claim, metrics: Metrics) -> Self {
        Self::new(Arc::default(), OnceLock::from(claim), 0, metrics)
    }

    fn new(root: Arc<PathBuf>, claim: OnceLock<Claim>, limit: u64, metrics: Metrics) -> Self {
        let (state, writer, more) = Default::default();
        let slot = Self(Arc::new(Shared { root, claim, limit, state, writer, more, metrics }));
        slot.scan();
        slot
    }

    /// Whether both are the same slot.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// See [`super::Spool::holders`].
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Resolves after an append.
    pub(super) async fn more(&self) {
        self.0.more.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its folder, once it is ours.
    fn folder(&self) -> PathBuf {
        self.0.claim.get().map(|claim| claim.folder.clone()).unwrap_or_default()
    }

    /// Claims the slot and reads it, unless that was done. A folder that cannot be read is tried again at each append.
    fn scan(&self) -> bool {
        let mut state = self.state();
        if state.scanned {
            return true;
        }
        let claimed = match self.0.claim.get() {
            Some(_) => Ok(()),
            None => claim::first_free(&self.0.root).map(|claim| drop(self.0.claim.set(claim))),
        };
        match claimed.and_then(|()| segment::scan(&self.folder())) {
            Ok(found) => {
                state.next_number = found.last().map_or(1, |last| last.number + 1);
                for torn in found.iter().filter(|segment| segment.torn) {
                    self.report_torn(torn);
                }
                // What has nothing to publish is put away at once: it would be found again and again.
                let folder = self.folder();
                let (kept, unreadable): (VecDeque<_>, VecDeque<_>) = found.into_iter().partition(|one| one.records > 0);
                put_away(&folder, unreadable);
                state.segments = kept;
                state.scanned = true;
                state.trouble = None;
            }
            Err(error) => state.trouble = Some(error.to_string()),
        }
        state.scanned
    }

    fn report_torn(&self, segment: &Segment) {
        let (folder, number) = (self.folder(), segment.number);
        tracing::error!(
            folder = %folder.display(),
            segment = number,
            readable = segment.records,
            "a spool segment cannot be read to its end; it is kept as a .torn file"
        );
        publish::count(&self.0.metrics);
    }

    /// How many envelopes wait.
    pub(super) fn pending(&self) -> u64 {
        self.state().records()
    }

    /// Whether there is something to publish. What is being written is not: it becomes so with [`Slot::more`].
    pub(super) fn is_ready(&self) -> bool {
        let state = self.state();
        state.written() > 0 || state.segments.front().is_some_and(|first| first.bytes > state.confirmed)
    }

    /// How many bytes they take.
    pub(super) fn bytes(&self) -> u64 {
        self.state().bytes()
    }

    /// See [`super::Spool::check`].
    pub(super) async fn check(&self) -> Result<(), SpoolError> {
        let this = self.clone();
        let checked = runtime::blocking::run(move || this.check_now()).await;
        checked.unwrap_or_else(|error| Err(SpoolError::Unwritable(error.to_string())))
    }

    fn check_now(&self) -> Result<(), SpoolError> {
        if !self.scan() {
            return Err(SpoolError::Unwritable(self.state().trouble.clone().unwrap_or_default()));
        }
        let (troubled, wanted, bytes) = {
            let state = self.state();
            (state.trouble.is_some(), state.refused.max(1), state.bytes())
        };
        if troubled {
            segment::probe(&self.folder(), wanted.min(PROBE))
                .map_err(|error| SpoolError::Unwritable(error.to_string()))?;
            self.state().trouble = None;
        }
        if bytes + wanted > self.0.limit { Err(SpoolError::Full) } else { Ok(()) }
    }

    /// See [`super::Spool::append`].
    pub(super) async fn append(&self, envelopes: &[Envelope]) -> Result<(), SpoolError> {
        let bytes: Vec<u8> = envelopes.iter().flat_map(record::encode).collect();
        let size = bytes.len() as u64;
        let (done, answer) = oneshot::channel();
        if !self.scan() {
            let trouble = self.state().trouble.clone().unwrap_or_default();
            return Err(SpoolError::Unwritable(trouble));
        }
        {
            let mut state = self.state();
            if state.bytes() + size > self.0.limit {
                // What could never fit says nothing about the room that is left.
                state.refused = size.min(self.0.limit);
                return Err(SpoolError::Full);
            }
            state.waiting_bytes += size;
            state.waiting_records += envelopes.len() as u64;
            state.waiting.push(Waiting { bytes, records: envelopes.len() as u64, done });
        }
        // The write goes on even when the caller is dropped: what waits is written by whoever comes to the lock.
        let this = self.clone();
        tokio::spawn(async move { this.flush().await });
        answer.await.unwrap_or_else(|_| Err(SpoolError::Unwritable("the writer ended".into())))
    }

    /// Writes all that waits with one fsync.
    async fn flush(&self) {
        let _turn = self.0.writer.lock().await;
        let this = self.clone();
        let _ = runtime::blocking::run(move || this.write()).await;
    }

    fn write(&self) {
        let (crowd, number, len) = {
            let mut state = self.state();
            let crowd = std::mem::take(&mut state.waiting);
            if crowd.is_empty() {
                return;
            }
            match state.segments.back() {
                Some(last) if last.bytes < SEGMENT && !last.torn => (crowd, last.number, last.bytes),
                _ => {
                    let number = state.next_number;
                    state.next_number += 1;
                    state.segments.push_back(Segment { number, bytes: 0, records: 0, torn: false });
                    (crowd, number, 0)
                }
            }
        };
        let bytes: Vec<u8> = crowd.iter().flat_map(|one| one.bytes.iter().copied()).collect();
        let records: u64 = crowd.iter().map(|one| one.records).sum();
        let result = segment::append(&self.folder(), number, len, &bytes);
        {
            let mut state = self.state();
            state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes.len() as u64);
            state.waiting_records = state.waiting_records.saturating_sub(records);
            if result.is_ok()
                && let Some(last) = state.segments.back_mut()
            {
                last.bytes += bytes.len() as u64;
                last.records += records;
            }
            state.refused = if result.is_ok() { 0 } else { bytes.len() as u64 };
            state.trouble = result.as_ref().err().map(ToString::to_string);
        }
        let answer = result.map_err(|error| SpoolError::Unwritable(error.to_string()));
        for one in crowd {
            let _ = one.done.send(answer.clone());
        }
        self.0.more.notify_one();
    }

    /// Publishes one batch of the oldest segment; removes the segment when all of it is confirmed.
    pub(super) async fn step(&self, bus: &dyn Bus) -> Result<(), Blocked> {
        let (number, from, until, refusals) = {
            let state = self.state();
            // A segment is there before what it is for has been written: nothing to read yet is not nothing left.
            let Some(first) = state.segments.front().filter(|first| first.bytes > state.confirmed) else {
                return Ok(());
            };
            (first.number, state.confirmed, first.bytes, state.refusals)
        };
        let folder = self.folder();
        let read = runtime::blocking::run(move || segment::read(&folder, number, from, until, BATCH)).await;
        let read = read.map_err(|error| Blocked::Disk(error.to_string()))?;
        let read = read.map_err(|error| Blocked::Disk(error.to_string()))?;
        let count = read.envelopes.len() as u64;
        if count > 0 {
            let published = if refusals < REFUSALS {
                publish::batch(bus, read.envelopes).await
            } else {
                publish::apart(bus, read.envelopes, &self.0.metrics).await
            };
            match published {
                Ok(()) => self.state().refusals = 0,
                Err(error) => {
                    if matches!(error, BusError::Unroutable(_) | BusError::Forbidden(_)) {
                        self.state().refusals += 1;
                    }
                    return Err(Blocked::Broker(error.to_string()));
                }
            }
        } else if from < until {
            let mut state = self.state();
            if let Some(first) = state.segments.front_mut() {
                first.torn = true;
                self.report_torn(first);
            }
        }
        self.confirm(number, read.next, count).await;
        Ok(())
    }

    async fn confirm(&self, number: u64, next: u64, count: u64) {
        // Nobody may append to a segment while it is decided whether it is done.
        let _turn = self.0.writer.lock().await;
        let done = {
            let mut state = self.state();
            state.confirmed = next;
            state.confirmed_records += count;
            // A torn one has whole records before the tear: it is done when nothing of it can be read any more.
            let done = state.segments.front().is_some_and(|first| next >= first.bytes || (first.torn && count == 0));
            if done {
                state.confirmed = 0;
                state.confirmed_records = 0;
                state.segments.pop_front()
            } else {
                None
            }
        };
        if let Some(done) = done {
            let folder = self.folder();
            let removed = runtime::blocking::run(move || segment::finish(&folder, &done, next)).await;
            if let Ok(Err(error)) = removed {
                tracing::error!(segment = number, %error, "a published spool segment cannot be removed; it is published again");
            }
        }
    }
}

/// Puts segments away in which nothing can be read. One that cannot be stays where it is, for a person: what was accepted
/// after it goes out all the same.
fn put_away(folder: &Path, unreadable: VecDeque<Segment>) {
    for segment in unreadable {
        if let Err(error) = segment::finish(folder, &segment, 0) {
            tracing::error!(segment = segment.number, %error, "a spool segment without a readable record cannot be put away");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_segment_that_is_being_written_is_neither_published_nor_put_away() {
        let folder = tempfile::tempdir().unwrap();
        let slot = Slot::first_free(Arc::new(folder.path().to_owned()), 1 << 20, Metrics::new());
        slot.state().segments.push_back(Segment { number: 1, bytes: 0, records: 0, torn: false });
        slot.state().waiting_records = 1;
        assert_eq!((slot.pending(), slot.is_ready()), (1, false), "the drainer waits for it");
        let nobody = crate::spool::tests::Broker::default();
        slot.step(&nobody).await.unwrap();
        assert_eq!(slot.state().segments.len(), 1);
    }
}
