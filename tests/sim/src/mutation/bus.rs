//! Buses with a bug.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use domain::{EventId, Inbound, InboundBody, Permitted};
use ports::{
    Bus, Clock,
    bus::{BusError, Delivery, Depth, Envelope, Settle, Settlement, Subscription, Way},
    topology::{Queue, Topic},
};
use tokio::sync::mpsc;

use crate::site::key;

/// Every delivery of `inner` as `change` makes it.
fn each(mut inner: Subscription, change: impl Fn(Delivery) -> Delivery + Send + 'static) -> Subscription {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let delivery = tokio::select! {
                delivery = inner.next() => delivery,
                () = sender.closed() => None,
            };
            let Some(delivery) = delivery else { return };
            if sender.send(change(delivery)).await.is_err() {
                return;
            }
        }
    });
    Subscription::new(receiver)
}

/// A bus that does something to what passes.
pub(super) struct Changed {
    inner: Arc<dyn Bus>,
    outgoing: Box<dyn Fn(&mut Envelope) + Send + Sync>,
    incoming: fn(Delivery) -> Delivery,
    /// What goes out at all.
    passes: fn(&Envelope) -> bool,
    /// Whether it waits for the broker's confirm.
    waits: bool,
}

impl Changed {
    fn over(inner: Arc<dyn Bus>) -> Self {
        Self { inner, outgoing: Box::new(|_| ()), incoming: |delivery| delivery, passes: |_| true, waits: true }
    }

    /// Acknowledges what comes at once.
    pub(super) fn ack_first(inner: Arc<dyn Bus>) -> Self {
        Self { incoming: acknowledged, ..Self::over(inner) }
    }

    /// Says that it has published before it has.
    pub(super) fn answer_first(inner: Arc<dyn Bus>) -> Self {
        Self { waits: false, ..Self::over(inner) }
    }

    /// Gives every message of a contact an id of its own.
    pub(super) fn fresh_ids(inner: Arc<dyn Bus>, clock: Arc<dyn Clock>) -> Self {
        let count = AtomicU64::new(0);
        let outgoing = move |envelope: &mut Envelope| {
            rename(envelope, &format!("{} {}", clock.now().millis(), count.fetch_add(1, Ordering::SeqCst)));
        };
        Self { outgoing: Box::new(outgoing), ..Self::over(inner) }
    }

    /// Keeps back what bears on consent, and says that it was published.
    pub(super) fn untold(inner: Arc<dyn Bus>) -> Self {
        Self { passes: |envelope| !matches!(envelope.topic, Topic::Consent(_)), ..Self::over(inner) }
    }

    /// Puts a genuine signature on whatever comes: to the channel behind it, every permit is one.
    pub(super) fn signs(inner: Arc<dyn Bus>) -> Self {
        Self { incoming: signed, ..Self::over(inner) }
    }
}

#[async_trait]
impl Bus for Changed {
    async fn publish(&self, mut batch: Vec<Envelope>) -> Result<(), BusError> {
        batch.retain(self.passes);
        batch.iter_mut().for_each(|envelope| (self.outgoing)(envelope));
        if self.waits {
            return self.inner.publish(batch).await;
        }
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move { inner.publish(batch).await });
        Ok(())
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError> {
        Ok(each(self.inner.subscribe(queue, prefetch).await?, self.incoming))
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
        self.inner.depth(queue).await
    }

    async fn check(&self) -> Result<(), BusError> {
        self.inner.check().await
    }
}

/// Settles nothing.
struct Nothing;

impl Settle for Nothing {
    fn settle(&self, _tag: u64, _settlement: Settlement) {}
}

fn acknowledged(delivery: Delivery) -> Delivery {
    let free = Delivery::new(delivery.envelope.clone(), delivery.attempt, 0, Arc::new(Nothing));
    delivery.ack();
    free
}

fn rename(envelope: &mut Envelope, salt: &str) {
    if let Topic::Inbound(_) = envelope.topic
        && let Ok(mut inbound) = wire::decode::<Inbound>(&envelope.body)
        && let InboundBody::Message(_) = inbound.body
    {
        inbound.id = EventId::derive(&[&inbound.id.to_string(), salt]);
        envelope.id = inbound.id.to_string();
        envelope.body = wire::encode(&inbound);
    }
}

/// The delivery that a changed one stands for.
struct Instead {
    delivery: Mutex<Option<Delivery>>,
    way: Way,
}

impl Settle for Instead {
    fn settle(&self, _tag: u64, settlement: Settlement) {
        let Some(delivery) = self.delivery.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        match settlement {
            Settlement::Ack => delivery.ack(),
            Settlement::Requeue => drop(delivery),
            Settlement::Retry(pause) => delivery.retry(pause),
            Settlement::Park { code, reason } => delivery.park(code, reason),
        }
    }

    fn is_current(&self) -> bool {
        self.way.is_current()
    }
}

fn signed(delivery: Delivery) -> Delivery {
    let Ok(mut permitted) = wire::decode::<Permitted>(&delivery.envelope.body) else { return delivery };
    let (request, permit) = (&permitted.request, &mut permitted.permit);
    (permit.message, permit.organization) = (request.message, request.thread.organization);
    permit.account = request.thread.account;
    permit.signature = key().sign(&wire::permit_bytes(request, permit)).as_ref().to_vec();
    let envelope = Envelope { body: wire::encode(&permitted), ..delivery.envelope.clone() };
    let (attempt, way) = (delivery.attempt, delivery.way());
    Delivery::new(envelope, attempt, 0, Arc::new(Instead { delivery: Mutex::new(Some(delivery)), way }))
}
