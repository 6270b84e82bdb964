//! The disk spool: what was accepted while the broker is away waits here, in order, and survives a crash.
//!
//! Appends share one fsync (the first of a crowd writes for all). While anything waits, later arrivals append too, so
//! that nothing overtakes. A segment that was partly published before a crash is published again from its start:
//! consumers deduplicate by id.

mod record;
mod segment;

use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ports::{Bus, bus::Envelope};
use runtime::service::Drain;
use segment::Segment;
use tokio::sync::{Notify, oneshot};

/// A segment is closed at this size, so that its space is given back.
const SEGMENT: u64 = 8 << 20;
/// Records in one publish of the drainer.
const BATCH: usize = 256;

/// Why the spool did not take it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpoolError {
    /// It holds as much as it may.
    #[error("the spool is full")]
    Full,
    /// The disk does not take it.
    #[error("the spool cannot be written: {0}")]
    Unwritable(String),
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
    scanned: bool,
}

impl State {
    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum::<u64>() + self.waiting_bytes
    }

    fn records(&self) -> u64 {
        let stored: u64 = self.segments.iter().map(|segment| segment.records).sum();
        stored.saturating_sub(self.confirmed_records) + self.waiting_records
    }
}

/// The spool of one service. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Spool {
    folder: Arc<PathBuf>,
    limit: u64,
    state: Arc<Mutex<State>>,
    /// Held by whoever writes to disk.
    writer: Arc<tokio::sync::Mutex<()>>,
    more: Arc<Notify>,
}

impl Spool {
    /// The spool in `folder`, with what a former run left there.
    pub(crate) fn open(folder: PathBuf, limit: u64) -> Self {
        let spool = Self {
            folder: Arc::new(folder),
            limit,
            state: Arc::default(),
            writer: Arc::default(),
            more: Arc::default(),
        };
        spool.scan();
        spool
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the folder, unless that was done. A folder that cannot be read is tried again at each append.
    fn scan(&self) -> bool {
        let mut state = self.state();
        if state.scanned {
            return true;
        }
        match segment::scan(&self.folder) {
            Ok(found) => {
                state.next_number = found.last().map_or(1, |last| last.number + 1);
                state.segments = found.into();
                state.scanned = true;
                state.trouble = None;
            }
            Err(error) => state.trouble = Some(error.to_string()),
        }
        state.scanned
    }

    /// How many envelopes wait.
    pub(crate) fn pending(&self) -> u64 {
        self.state().records()
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> u64 {
        self.state().bytes()
    }

    /// What stands against taking more, for readiness.
    pub(crate) fn check(&self) -> Result<(), SpoolError> {
        self.scan();
        let state = self.state();
        match &state.trouble {
            Some(trouble) => Err(SpoolError::Unwritable(trouble.clone())),
            None if state.bytes() >= self.limit => Err(SpoolError::Full),
            None => Ok(()),
        }
    }

    /// Keeps `envelopes`, in order and on the disk.
    ///
    /// # Errors
    /// [`SpoolError`]; then none of them is kept.
    pub(crate) async fn append(&self, envelopes: &[Envelope]) -> Result<(), SpoolError> {
        let bytes: Vec<u8> = envelopes.iter().flat_map(record::encode).collect();
        let size = bytes.len() as u64;
        let (done, answer) = oneshot::channel();
        if !self.scan() {
            let trouble = self.state().trouble.clone().unwrap_or_default();
            return Err(SpoolError::Unwritable(trouble));
        }
        {
            let mut state = self.state();
            if state.bytes() + size > self.limit {
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
        let _turn = self.writer.lock().await;
        let this = self.clone();
        let _ = tokio::task::spawn_blocking(move || this.write()).await;
    }

    fn write(&self) {
        let (crowd, number, len) = {
            let mut state = self.state();
            let crowd = std::mem::take(&mut state.waiting);
            if crowd.is_empty() {
                return;
            }
            match state.segments.back() {
                Some(last) if last.bytes < SEGMENT => (crowd, last.number, last.bytes),
                _ => {
                    let number = state.next_number;
                    state.next_number += 1;
                    state.segments.push_back(Segment { number, bytes: 0, records: 0 });
                    (crowd, number, 0)
                }
            }
        };
        let bytes: Vec<u8> = crowd.iter().flat_map(|one| one.bytes.iter().copied()).collect();
        let records: u64 = crowd.iter().map(|one| one.records).sum();
        let result = segment::append(&self.folder, number, len, &bytes);
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
            state.trouble = result.as_ref().err().map(ToString::to_string);
        }
        let answer = result.map_err(|error| SpoolError::Unwritable(error.to_string()));
        for one in crowd {
            let _ = one.done.send(answer.clone());
        }
        self.more.notify_one();
    }

    /// Publishes what waits, oldest first, until the drain begins. What is not confirmed stays for the next run.
    pub(crate) async fn drain(&self, bus: &dyn Bus, drain: &Drain) {
        let mut pause = Duration::from_millis(100);
        while !drain.has_begun() {
            if self.pending() == 0 {
                tokio::select! {
                    () = self.more.notified() => {}
                    () = drain.begun() => break,
                }
                continue;
            }
            match self.step(bus).await {
                Ok(()) => pause = Duration::from_millis(100),
                Err(reason) => {
                    tracing::warn!(pending = self.pending(), reason, "the spool waits for the broker");
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = drain.begun() => break,
                    }
                    pause = (pause * 2).min(Duration::from_secs(3));
                }
            }
        }
    }

    /// Publishes one batch of the oldest segment; removes the segment when all of it is confirmed.
    async fn step(&self, bus: &dyn Bus) -> Result<(), String> {
        let (number, from, until) = {
            let state = self.state();
            let Some(first) = state.segments.front() else { return Ok(()) };
            (first.number, state.confirmed, first.bytes)
        };
        let folder = Arc::clone(&self.folder);
        let read = tokio::task::spawn_blocking(move || segment::read(&folder, number, from, until, BATCH)).await;
        let read = read.map_err(|error| error.to_string())?.map_err(|error: io::Error| error.to_string())?;
        let count = read.envelopes.len() as u64;
        if count > 0 {
            let publish = bus.publish(read.envelopes);
            match tokio::time::timeout(Duration::from_secs(30), publish).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => return Err("the broker did not confirm in 30 s".into()),
            }
        } else if from < until {
            tracing::error!(
                segment = number,
                "a spool segment cannot be read to its end; the rest stays in a .torn file"
            );
            let torn = segment::path(&self.folder, number).with_extension("torn");
            let _ = std::fs::copy(segment::path(&self.folder, number), torn);
        }
        self.confirm(number, read.next, count).await;
        Ok(())
    }

    async fn confirm(&self, number: u64, next: u64, count: u64) {
        // Nobody may append to a segment while it is decided whether it is done.
        let _turn = self.writer.lock().await;
        let done = {
            let mut state = self.state();
            state.confirmed = next;
            state.confirmed_records += count;
            let done = state.segments.front().is_some_and(|first| next >= first.bytes || count == 0);
            if done {
                state.segments.pop_front();
                state.confirmed = 0;
                state.confirmed_records = 0;
            }
            done
        };
        if done {
            let folder = Arc::clone(&self.folder);
            let removed = tokio::task::spawn_blocking(move || segment::remove(&folder, number)).await;
            if let Ok(Err(error)) = removed {
                tracing::error!(segment = number, %error, "a published spool segment cannot be removed; it is published again");
            }
        }
    }
}

#[cfg(test)]
mod tests;
