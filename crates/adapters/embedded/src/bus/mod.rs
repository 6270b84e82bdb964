//! The embedded bus: durable queues in SQLite, with one task that writes.
//!
//! Publishers and consumers talk to the writer over a channel. The writer takes whatever is ready, applies it to its
//! picture of the queues (`queues.rs`), writes all of it in one transaction (`rows.rs`), and only then answers the
//! publishers and hands out deliveries: one disk sync serves everybody who waited. A message that is consumed right
//! away is never read from the disk.
//!
//! Fan-out queues live in the picture only: they are gone with their subscriber, as the topology says.

mod queues;
mod rows;
mod writer;

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use adapter_sql::{OpenError, SqlStore};
use async_trait::async_trait;
use ports::{
    Bus,
    bus::{BusError, Delivery, Depth, Envelope, Settle, Settlement, Subscription},
    topology::Queue,
};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use writer::Writer;

/// How long a publisher waits for its confirmation.
const CONFIRM_WITHIN: Duration = Duration::from_secs(10);
/// Messages that may wait for the writer; more publishers wait outside.
const ROOM: u32 = 8_192;

/// The bus of one process.
#[derive(Debug)]
pub struct EmbeddedBus {
    orders: mpsc::UnboundedSender<Order>,
    room: Arc<Semaphore>,
    health: Health,
    stop: CancellationToken,
    writer: Mutex<Option<JoinHandle<()>>>,
    subscribers: AtomicU64,
}

/// What is wrong with the disk, while something is.
#[derive(Debug, Clone, Default)]
struct Health(Arc<RwLock<Option<String>>>);

impl Health {
    fn set(&self, wrong: Option<String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = wrong;
    }

    fn check(&self) -> Result<(), BusError> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(wrong) => Err(BusError::Unavailable(wrong.clone())),
        }
    }
}

/// What the writer is asked.
#[derive(Debug)]
enum Order {
    Publish {
        batch: Vec<Envelope>,
        confirm: oneshot::Sender<()>,
        room: OwnedSemaphorePermit,
    },
    Subscribe {
        queue: Queue,
        prefetch: u16,
        subscriber: u64,
        deliveries: mpsc::Sender<Delivery>,
    },
    /// The subscriber dropped its end.
    Left {
        queue: String,
        subscriber: u64,
    },
    Settle {
        queue: u32,
        tag: i64,
        settlement: Settlement,
    },
    Depth {
        queue: String,
        answer: oneshot::Sender<Depth>,
    },
}

/// Settles deliveries of one queue.
struct Settler {
    queue: u32,
    orders: mpsc::UnboundedSender<Order>,
}

impl Settle for Settler {
    fn settle(&self, tag: u64, settlement: Settlement) {
        let tag = i64::try_from(tag).unwrap_or(i64::MAX);
        // When the writer has ended, the message is still in its queue.
        let _ = self.orders.send(Order::Settle { queue: self.queue, tag, settlement });
    }
}

impl EmbeddedBus {
    /// Takes up the queues where they were: what was delivered and not settled is ready again, its attempt counted.
    ///
    /// # Errors
    /// [`OpenError`] when the store refuses.
    pub async fn open(store: SqlStore) -> Result<Self, OpenError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "publishers are bounded by the room, settlements by the prefetch"
        )]
        let (orders, inbox) = mpsc::unbounded_channel();
        let health = Health::default();
        let stop = CancellationToken::new();
        let writer = Writer::open(store, orders.clone(), inbox, health.clone(), stop.clone())
            .await
            .map_err(|error| OpenError::Refused(error.to_string()))?;
        let writer = Mutex::new(Some(tokio::spawn(writer.run())));
        let room = Arc::new(Semaphore::new(ROOM as usize));
        Ok(Self { orders, room, health, stop, writer, subscribers: AtomicU64::new(0) })
    }

    /// Writes what was asked so far, ends all subscriptions, and stops.
    pub async fn close(&self) {
        self.stop.cancel();
        if let Some(writer) = self.writer.lock().await.take()
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the bus writer ended badly");
        }
    }

    fn order(&self, order: Order) -> Result<(), BusError> {
        self.orders.send(order).map_err(|_| closed())
    }
}

impl Drop for EmbeddedBus {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn closed() -> BusError {
    BusError::Unavailable("the bus is closed".to_owned())
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.health.check()?;
        let size = u32::try_from(batch.len()).unwrap_or(u32::MAX).min(ROOM);
        let (confirm, confirmed) = oneshot::channel();
        let published = async {
            let room = self.room.clone().acquire_many_owned(size).await.map_err(|_| closed())?;
            self.order(Order::Publish { batch, confirm, room })?;
            confirmed.await.map_err(|_| closed())
        };
        match tokio::time::timeout(CONFIRM_WITHIN, published).await {
            Ok(answer) => answer,
            Err(_) => Err(BusError::Unavailable("the disk did not confirm in time".to_owned())),
        }
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError> {
        if self.stop.is_cancelled() {
            return Err(closed());
        }
        let (sender, deliveries) = mpsc::channel(usize::from(prefetch.max(1)));
        let subscriber = self.subscribers.fetch_add(1, Ordering::Relaxed);
        let name = queues::name(&queue, subscriber);
        let (watched, orders) = (sender.clone(), self.orders.clone());
        self.order(Order::Subscribe { queue, prefetch, subscriber, deliveries: sender })?;
        let stop = self.stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = watched.closed() => {
                    let _ = orders.send(Order::Left { queue: name, subscriber });
                }
                () = stop.cancelled() => {}
            }
        });
        Ok(Subscription::new(deliveries))
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
        let (answer, depth) = oneshot::channel();
        self.order(Order::Depth { queue: queue.to_string(), answer })?;
        depth.await.map_err(|_| closed())
    }

    async fn check(&self) -> Result<(), BusError> {
        if self.stop.is_cancelled() {
            return Err(closed());
        }
        self.health.check()
    }
}
