//! The one task that writes: takes what is ready, writes it in one transaction, then answers.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use adapter_sql::SqlStore;
use ports::{StoreError, bus::Settle};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Health, Order, Settler,
    queues::{HandOut, Queues},
    rows::{self, Work},
};

/// Most orders in one transaction.
const STEP: usize = 1_000;
/// Rows read at once for a queue that has fallen behind.
const READ: usize = 512;
/// Between two tries of a transaction that the disk refused.
const DISK_PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Writer {
    store: SqlStore,
    inbox: mpsc::UnboundedReceiver<Order>,
    queues: Queues,
    health: Health,
    stop: CancellationToken,
}

/// Confirmations that wait for the transaction; the room goes back with them.
type Confirms = Vec<(oneshot::Sender<()>, OwnedSemaphorePermit)>;

impl Writer {
    pub(super) async fn open(
        store: SqlStore,
        orders: mpsc::UnboundedSender<Order>,
        inbox: mpsc::UnboundedReceiver<Order>,
        health: Health,
        stop: CancellationToken,
    ) -> Result<Self, StoreError> {
        let mut queues =
            Queues::new(move |queue| Arc::new(Settler { queue, orders: orders.clone() }) as Arc<dyn Settle>);
        for count in rows::recover(&store).await? {
            queues.recovered(&count.queue, count.rows, count.last);
        }
        Ok(Self { store, inbox, queues, health, stop })
    }

    pub(super) async fn run(mut self) {
        let mut orders = Vec::with_capacity(STEP);
        loop {
            if !self.wait(&mut orders).await {
                break;
            }
            self.step(&mut orders).await;
        }
        // What was asked before the end is still written.
        while let Ok(order) = self.inbox.try_recv() {
            orders.push(order);
        }
        self.step(&mut orders).await;
    }

    /// Waits until there is something to do and takes the orders that are there. False when the bus is being closed.
    async fn wait(&mut self, orders: &mut Vec<Order>) -> bool {
        let wake = self.queues.next_wake();
        let hungry = !self.queues.hungry().is_empty();
        let pause = async {
            match wake {
                _ if hungry => {}
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            taken = self.inbox.recv_many(orders, STEP) => taken > 0,
            () = pause => true,
        }
    }

    async fn step(&mut self, orders: &mut Vec<Order>) {
        self.feed().await;
        let mut work = Work::default();
        let mut confirms = Confirms::new();
        for order in orders.drain(..) {
            self.apply(order, &mut work, &mut confirms);
        }
        self.queues.wake(Instant::now());
        // A bus that is being closed hands out nothing more: nobody could settle it.
        let out = if self.stop.is_cancelled() { Vec::new() } else { self.queues.hand_out(&mut work) };
        if !work.is_empty() && !self.write(&work).await {
            return;
        }
        for (confirm, room) in confirms {
            drop(room);
            let _ = confirm.send(());
        }
        for HandOut { to, delivery } in out {
            // There is room: the channel is as long as the prefetch. When the subscriber has left, the delivery is
            // dropped here, which puts it back.
            let _ = to.try_send(delivery);
        }
    }

    fn apply(&mut self, order: Order, work: &mut Work, confirms: &mut Confirms) {
        match order {
            Order::Publish { batch, confirm, room } => {
                for envelope in batch {
                    self.queues.publish(envelope, work);
                }
                confirms.push((confirm, room));
            }
            Order::Subscribe { queue, prefetch, subscriber, deliveries } => {
                self.queues.subscribe(&queue, prefetch, subscriber, deliveries);
            }
            Order::Left { queue, subscriber } => self.queues.left(&queue, subscriber, Instant::now()),
            Order::Settle { queue, tag, settlement } => {
                self.queues.settle(queue, tag, settlement, Instant::now(), wall_clock(), work);
            }
            Order::Depth { queue, answer } => {
                let _ = answer.send(self.queues.depth(&queue));
            }
        }
    }

    /// Reads on for queues that have fallen behind. Comes before the orders: what is read is what stands.
    async fn feed(&mut self) {
        for (id, name, after) in self.queues.hungry() {
            match rows::read(&self.store, &name, after, READ).await {
                Ok((stored, last, seen)) => {
                    self.queues.fed(id, stored, last, seen == READ, Instant::now(), wall_clock());
                }
                Err(error) => {
                    tracing::error!(queue = &*name, %error, "the bus cannot read its queue");
                    tokio::time::sleep(DISK_PAUSE).await;
                }
            }
        }
    }

    /// Writes until it is written. Publishers hear meanwhile that the bus is not available. False when the bus is
    /// closed before it could be.
    async fn write(&self, work: &Work) -> bool {
        let mut failed = false;
        loop {
            match work.write(&self.store).await {
                Ok(()) => {
                    if failed {
                        tracing::info!("the bus writes again");
                        self.health.set(None);
                    }
                    return true;
                }
                Err(error) => {
                    if !failed {
                        tracing::error!(%error, "the bus cannot write");
                    }
                    failed = true;
                    self.health.set(Some(error.to_string()));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(DISK_PAUSE) => {}
                () = self.stop.cancelled() => return false,
            }
        }
    }
}

/// Milliseconds since the epoch, for pauses that outlive the process.
#[expect(
    clippy::disallowed_methods,
    reason = "pauses in the process go by tokio's clock; this one outlives the process"
)]
fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
