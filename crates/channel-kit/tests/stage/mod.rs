//! Shelves that stop at a step, as if the process died there, or are away.

use std::{
    any::Any,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use channel_kit::testing::Hold;
use domain::{Channel, Partition};
use ports::{Laden, Put, Shelf, ShelfError, Shelved, Shelves, StoreError, Turn, bus::Envelope};

/// Where a call does not come back from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    BeforePut,
    AfterPut,
    AfterPage,
    BeforeRemove,
    AfterRemove,
}

/// Shelves over others, with a stage of their own.
pub(crate) struct Stage {
    inner: Arc<dyn Shelves>,
    /// After how many more passes of the step it is the last.
    stop: Mutex<Option<(Step, usize)>>,
    reached: AtomicBool,
    away: AtomicBool,
    /// What is held where a call stops.
    hold: Mutex<Option<Hold>>,
}

impl Stage {
    pub(crate) fn new(inner: Arc<dyn Shelves>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            stop: Mutex::default(),
            reached: AtomicBool::default(),
            away: AtomicBool::default(),
            hold: Mutex::default(),
        })
    }

    /// Stops at the step, when it has been passed so often.
    pub(crate) fn stop_at(&self, step: Step, passes: usize) {
        *self.stop.lock().unwrap() = Some((step, passes));
    }

    /// Holds this where a call stops.
    pub(crate) fn hold(&self, hold: Hold) {
        *self.hold.lock().unwrap() = Some(hold);
    }

    /// Stops no more.
    pub(crate) fn go_on(&self) {
        *self.stop.lock().unwrap() = None;
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    async fn pass(&self, step: Step) {
        let stops = match &mut *self.stop.lock().unwrap() {
            Some((wanted, passes)) if *wanted == step => {
                let stops = *passes == 0;
                *passes = passes.saturating_sub(1);
                stops
            }
            _ => false,
        };
        if stops {
            let hold = self.hold.lock().unwrap().take();
            let _held: Option<Box<dyn Any + Send>> = match hold {
                Some(hold) => Some(hold.await),
                None => None,
            };
            self.reached.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Shelves for Stage {
    async fn take_over(&self, channel: &Channel, partition: Partition) -> Result<(Turn, Vec<Laden>), StoreError> {
        self.inner.take_over(channel, partition).await
    }

    async fn holds(&self, shelf: &Shelf, id: &str) -> Result<bool, StoreError> {
        self.inner.holds(shelf, id).await
    }

    async fn put(&self, turn: Turn, shelf: &Shelf, envelopes: &[Envelope]) -> Result<Put, ShelfError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("taken away".to_owned()).into());
        }
        self.pass(Step::BeforePut).await;
        let put = self.inner.put(turn, shelf, envelopes).await;
        self.pass(Step::AfterPut).await;
        put
    }

    async fn page(&self, turn: Turn, shelf: &Shelf, after: i64, limit: u32) -> Result<Vec<Shelved>, ShelfError> {
        let page = self.inner.page(turn, shelf, after, limit).await;
        self.pass(Step::AfterPage).await;
        page
    }

    async fn remove(&self, shelf: &Shelf, positions: &[i64]) -> Result<(), StoreError> {
        self.pass(Step::BeforeRemove).await;
        let removed = self.inner.remove(shelf, positions).await;
        self.pass(Step::AfterRemove).await;
        removed
    }
}
