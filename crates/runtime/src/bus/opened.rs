//! A bundle on the consumer's side: its messages are delivered one by one, and it is settled once, when all of them are.
//!
//! Putting one back puts the bundle back, whole: what of it was carried out already is known by its ids, so coming
//! again it changes nothing. One that is parked, or tried again later, leaves the bundle and goes its way alone.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::error::codes;
use ports::{
    Bus,
    bus::{BusError, Delivery, Envelope, Opener, Settle, Settlement, headers},
    topology::{Queue, Topic},
};
use wire::{Bundle, Wire as _};

/// How long a message that could not leave its bundle waits before the bundle is put back.
const PUT_BACK_AFTER: Duration = Duration::from_secs(1);

/// Takes bundles of `queue` apart; messages that leave one are published on `bus`.
pub(super) fn opener(bus: Arc<dyn Bus>, queue: Queue) -> Opener {
    Arc::new(move |delivery| open(&bus, &queue, delivery))
}

fn open(bus: &Arc<dyn Bus>, queue: &Queue, delivery: Delivery) -> Vec<Delivery> {
    if delivery.envelope.kind != Bundle::KIND {
        return vec![delivery];
    }
    let bundled = match wire::decode::<Bundle>(&delivery.envelope.body) {
        Ok(Bundle(bundled)) => bundled,
        Err(error) => {
            tracing::error!(id = delivery.envelope.id, %error, "a bundle cannot be read; parked");
            delivery.park(codes::POISON.as_str(), error.to_string());
            return Vec::new();
        }
    };
    let (topic, attempt) = (delivery.envelope.topic.clone(), delivery.attempt);
    let envelopes: Vec<Envelope> = bundled
        .into_iter()
        .map(|one| Envelope {
            id: one.id,
            topic: topic.clone(),
            kind: one.kind,
            correlation: one.correlation,
            headers: one.headers,
            body: one.body,
        })
        .collect();
    let whole = Arc::new(Whole {
        bus: Arc::clone(bus),
        queue: queue.clone(),
        hand: Mutex::new(Some(Hand { delivery, left: envelopes.len() })),
        envelopes: envelopes.clone(),
        attempt,
    });
    envelopes
        .into_iter()
        .zip(0u64..)
        .map(|(envelope, tag)| Delivery::new(envelope, attempt, tag, Arc::new(Part(Arc::clone(&whole)))))
        .collect()
}

/// A bundle in hand.
struct Whole {
    bus: Arc<dyn Bus>,
    queue: Queue,
    /// None when it was settled.
    hand: Mutex<Option<Hand>>,
    /// Its messages, for those that leave it.
    envelopes: Vec<Envelope>,
    attempt: u32,
}

struct Hand {
    delivery: Delivery,
    /// How many of its messages are not settled.
    left: usize,
}

/// One message's way back.
struct Part(Arc<Whole>);

impl Settle for Part {
    fn settle(&self, tag: u64, settlement: Settlement) {
        match settlement {
            Settlement::Ack => self.0.done(),
            Settlement::Requeue => self.0.put_back(),
            Settlement::Retry(pause) => self.leave(tag, pause, None),
            Settlement::Park { code, reason } => self.leave(tag, Duration::ZERO, Some((code, reason))),
        }
    }

    fn is_current(&self) -> bool {
        self.0.hand().as_ref().is_some_and(|hand| hand.delivery.is_current())
    }
}

impl Part {
    /// Publishes the message again, alone: to the parked ones, or after a pause to where it came from. The bundle waits
    /// for it, so a crash meanwhile brings it back.
    fn leave(&self, tag: u64, pause: Duration, parked: Option<(String, String)>) {
        let whole = Arc::clone(&self.0);
        let Some(envelope) = usize::try_from(tag).ok().and_then(|at| whole.envelopes.get(at)) else { return };
        let envelope = whole.again(envelope.clone(), parked);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            match whole.bus.publish(vec![envelope]).await {
                Ok(()) => whole.done(),
                Err(error) => whole.stays(&error).await,
            }
        });
    }
}

impl Whole {
    fn hand(&self) -> std::sync::MutexGuard<'_, Option<Hand>> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self) {
        let mut hand = self.hand();
        let Some(open) = hand.as_mut() else { return };
        open.left = open.left.saturating_sub(1);
        if open.left == 0
            && let Some(settled) = hand.take()
        {
            settled.delivery.ack();
        }
    }

    fn put_back(&self) {
        let taken = self.hand().take();
        // Dropped outside of the lock: the adapter may ask whether its deliveries are current.
        drop(taken);
    }

    async fn stays(&self, error: &BusError) {
        tracing::warn!(queue = %self.queue, %error, "a message cannot leave its bundle; the bundle goes back");
        tokio::time::sleep(PUT_BACK_AFTER).await;
        self.put_back();
    }

    fn again(&self, mut envelope: Envelope, parked: Option<(String, String)>) -> Envelope {
        let attempt = self.attempt.saturating_add(u32::from(parked.is_none()));
        envelope.headers.insert(headers::ATTEMPT.to_owned(), attempt.to_string());
        if let Some((code, reason)) = parked {
            envelope.topic = Topic::Parked;
            envelope.headers.insert(headers::PARKED_CODE.to_owned(), code);
            envelope.headers.insert(headers::PARKED_REASON.to_owned(), reason);
            envelope.headers.insert(headers::PARKED_FROM.to_owned(), self.queue.to_string());
        }
        envelope
    }
}
