//! A broker that can be taken away.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use ports::{
    Bus,
    bus::{BusError, Depth, Envelope, Subscription},
    topology::Queue,
};

/// Any bus, with a switch.
pub struct FaultyBus {
    inner: Arc<dyn Bus>,
    away: AtomicBool,
}

impl FaultyBus {
    /// Over a bus that works.
    pub fn new(inner: Arc<dyn Bus>) -> Arc<Self> {
        Arc::new(Self { inner, away: AtomicBool::new(false) })
    }

    /// Takes the broker away, or brings it back.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn there(&self) -> Result<(), BusError> {
        if self.away.load(Ordering::SeqCst) { Err(BusError::Unavailable("taken away".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        self.there()?;
        self.inner.publish(batch).await
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError> {
        self.inner.subscribe(queue, prefetch).await
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
        self.there()?;
        self.inner.depth(queue).await
    }

    async fn check(&self) -> Result<(), BusError> {
        self.there()
    }
}
