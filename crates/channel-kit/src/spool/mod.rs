//! The disk spool: what was accepted while the broker is away waits here, in order, and survives a crash.
//!
//! Each process appends to a slot of its own (`<number>/` below the channel's folder), held by a file lock for as long
//! as it lives. A process that starts takes the first free slot with its backlog, and each running process drains the
//! slots whose holder is gone before its own. Consumers deduplicate by id, so publishing again does no harm.

mod claim;
mod publish;
mod record;
mod segment;
mod slot;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ports::{Bus, bus::Envelope};
use runtime::{metrics::Metrics, service::Drain};
use slot::{Blocked, Slot};

use crate::backoff::Backoff;

/// How often a running process looks for slots whose holder is gone.
const SWEEP: Duration = Duration::from_secs(10);

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

/// The spool of one service in one process. Cheap to clone; its slot is free again when the last clone is gone.
#[derive(Clone)]
pub(crate) struct Spool {
    root: Arc<PathBuf>,
    metrics: Metrics,
    own: Slot,
    /// Slots of processes that are gone, while they are drained.
    adopted: Arc<Mutex<Vec<Slot>>>,
}

impl Spool {
    /// The spool below `root`, with what a former run left there; `limit` is for what this process appends, in bytes.
    pub(crate) fn open(root: PathBuf, limit: u64, metrics: Metrics) -> Self {
        let root = Arc::new(root);
        let own = Slot::first_free(Arc::clone(&root), limit, metrics.clone());
        let spool = Self { root, metrics, own, adopted: Arc::default() };
        spool.sweep();
        spool
    }

    fn adopted(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over the slots whose holder is gone. Blocking.
    fn sweep(&self) {
        match claim::orphans(&self.root) {
            Ok(orphans) => {
                for orphan in orphans {
                    tracing::info!(folder = %orphan.folder.display(), "the spool of a process that is gone is drained");
                    self.adopted().push(Slot::adopt(orphan, self.metrics.clone()));
                }
            }
            // The own slot reports a folder that cannot be read.
            Err(error) => tracing::debug!(%error, "the slots of the spool cannot be read"),
        }
    }

    /// How many hold the slot: clones, and writes that go on.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn holders(&self) -> usize {
        self.own.holders()
    }

    /// How many envelopes wait, those of adopted slots included.
    pub(crate) fn pending(&self) -> u64 {
        self.own.pending() + self.adopted().iter().map(Slot::pending).sum::<u64>()
    }

    /// Whether there is something to publish.
    fn is_ready(&self) -> bool {
        self.own.is_ready() || self.adopted().iter().any(Slot::is_ready)
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> u64 {
        self.own.bytes() + self.adopted().iter().map(Slot::bytes).sum::<u64>()
    }

    /// What stands against taking more, for readiness. After a refused append it fails until such an append fits again;
    /// a disk that failed is tried with a probe, since no append may come to a service that is not ready.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub(crate) async fn check(&self) -> Result<(), SpoolError> {
        self.own.check().await
    }

    /// Keeps `envelopes`, in order and on the disk.
    ///
    /// # Errors
    /// [`SpoolError`]; then none of them is kept.
    pub(crate) async fn append(&self, envelopes: &[Envelope]) -> Result<(), SpoolError> {
        self.own.append(envelopes).await
    }

    /// Publishes what waits, oldest first, until the drain begins. What is not confirmed stays for the next run.
    pub(crate) async fn drain(&self, bus: &dyn Bus, drain: &Drain) {
        let mut backoff = Backoff::while_away();
        let mut swept = tokio::time::Instant::now();
        while !drain.has_begun() {
            if swept.elapsed() >= SWEEP {
                let this = self.clone();
                let _ = runtime::blocking::run(move || this.sweep()).await;
                swept = tokio::time::Instant::now();
            }
            if !self.is_ready() {
                self.adopted().clear();
                tokio::select! {
                    () = self.own.more() => {}
                    () = tokio::time::sleep_until(swept + SWEEP) => {}
                    () = drain.begun() => break,
                }
                continue;
            }
            match self.step(bus).await {
                Ok(()) => backoff.reset(),
                Err(reason) => {
                    tracing::warn!(pending = self.pending(), reason, "the spool waits");
                    tokio::select! {
                        () = tokio::time::sleep(backoff.pause()) => {}
                        () = drain.begun() => break,
                    }
                }
            }
        }
    }

    /// Publishes one batch: of an adopted slot while there is one, since what it holds is older.
    async fn step(&self, bus: &dyn Bus) -> Result<(), String> {
        let older = self.adopted().first().cloned();
        let Some(slot) = older else { return self.own.step(bus).await.map_err(Blocked::reason) };
        let stepped = if slot.is_ready() { slot.step(bus).await } else { Ok(()) };
        match stepped {
            Ok(()) if slot.is_ready() => Ok(()),
            Err(Blocked::Broker(reason)) => Err(reason),
            // Empty, or a disk that cannot be read: the slot is let go, and the next sweep finds what is left.
            result => {
                self.adopted().retain(|one| !one.is(&slot));
                result.map_err(Blocked::reason)
            }
        }
    }
}

#[cfg(test)]
mod tests;
