//! A bundle on the consumer's side: its messages are delivered one by one, and it is settled once, when all of them are.
//!
//! Putting one back puts the bundle back, whole, and so does trying one later: what of it was carried out already is
//! known by its ids, so coming again it changes nothing. Only the adapter leads a message back into this one queue;
//! published again, it would reach all queues of its topic. One that is parked leaves the bundle and goes alone.

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
use wire::{Bundle, Bundled, Wire as _};

/// How long a message that could not leave its bundle waits before the bundle is put back.
const PUT_BACK_AFTER: Duration = Duration::from_secs(1);
/// How many bundles may lie in each other. We pack none into another; a release before this one did, when a parked
/// bundle was redriven among others.
const DEPTH: usize = 4;

/// Takes bundles of `queue` apart; messages that leave one are published on `bus`.
pub(super) fn opener(bus: Arc<dyn Bus>, queue: Queue) -> Opener {
    Arc::new(move |delivery| open(&bus, &queue, delivery))
}

fn open(bus: &Arc<dyn Bus>, queue: &Queue, delivery: Delivery) -> Vec<Delivery> {
    if delivery.envelope.kind != Bundle::KIND {
        return vec![delivery];
    }
    let envelopes = match taken_apart(&delivery.envelope) {
        Ok(envelopes) => envelopes,
        Err(error) => {
            tracing::error!(id = delivery.envelope.id, %queue, %error, "a bundle cannot be read; parked");
            delivery.park(codes::POISON.as_str(), error.to_string());
            return Vec::new();
        }
    };
    let attempt = delivery.attempt;
    let whole = Arc::new(Whole {
        bus: Arc::clone(bus),
        queue: queue.clone(),
        hand: Mutex::new(Some(Hand { delivery, left: envelopes.len(), later: None })),
        attempt,
    });
    envelopes
        .into_iter()
        .zip(0u64..)
        .map(|(envelope, tag)| Delivery::new(envelope, attempt, tag, Arc::new(Part(Arc::clone(&whole)))))
        .collect()
}

/// The messages that travel in a bundle, in their order. What lies in it and claims to be a bundle, but is none that can
/// be read, stays among them as it is: its consumer parks it alone.
///
/// # Errors
/// [`wire::DecodeError`] when the bundle itself cannot be read.
pub fn taken_apart(bundle: &Envelope) -> Result<Vec<Envelope>, wire::DecodeError> {
    apart(bundle, DEPTH)
}

fn apart(bundle: &Envelope, depth: usize) -> Result<Vec<Envelope>, wire::DecodeError> {
    let Bundle(bundled) = wire::decode_shared(bundle.body.clone())?;
    let mut found = Vec::with_capacity(bundled.len());
    for Bundled { id, kind, correlation, headers, body } in bundled {
        let one = Envelope { id, topic: bundle.topic.clone(), kind, correlation, headers, body };
        match apart_if(&one, depth - 1) {
            Some(inner) => found.extend(inner),
            None => found.push(one),
        }
    }
    Ok(found)
}

fn apart_if(one: &Envelope, depth: usize) -> Option<Vec<Envelope>> {
    (depth > 0 && one.kind == Bundle::KIND).then(|| apart(one, depth).ok()).flatten()
}

/// A bundle in hand.
struct Whole {
    bus: Arc<dyn Bus>,
    queue: Queue,
    /// None when it was settled.
    hand: Mutex<Option<Hand>>,
    attempt: u32,
}

struct Hand {
    delivery: Delivery,
    /// How many of its messages are not settled.
    left: usize,
    /// The longest pause after which one of them is to be tried again.
    later: Option<Duration>,
}

/// One message's way back.
struct Part(Arc<Whole>);

impl Settle for Part {
    fn settle(&self, tag: u64, settlement: Settlement) {
        match settlement {
            Settlement::Ack => self.0.done(None),
            Settlement::Requeue => self.0.put_back(),
            Settlement::Retry(pause) => self.0.done(Some(pause)),
            Settlement::Park { code, reason } => self.park(tag, code, reason),
        }
    }

    fn is_current(&self) -> bool {
        self.0.hand().as_ref().is_some_and(|hand| hand.delivery.is_current())
    }
}

impl Part {
    /// Publishes the message to the parked ones, alone. The bundle waits for it, so a crash meanwhile brings it back.
    fn park(&self, tag: u64, code: String, reason: String) {
        let whole = Arc::clone(&self.0);
        let Some(envelope) = whole.part(tag) else { return };
        let envelope = whole.parked(envelope, code, reason);
        tokio::spawn(async move {
            match whole.bus.publish(vec![envelope]).await {
                Ok(()) => whole.done(None),
                Err(error) => whole.stays(&error).await,
            }
        });
    }
}

impl Whole {
    fn hand(&self) -> std::sync::MutexGuard<'_, Option<Hand>> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of its messages, read again: few ever leave their bundle. None when the bundle was settled.
    fn part(&self, tag: u64) -> Option<Envelope> {
        let bundle = self.hand().as_ref().map(|hand| hand.delivery.envelope.clone())?;
        taken_apart(&bundle).ok()?.into_iter().nth(usize::try_from(tag).ok()?)
    }

    /// One of its messages is settled, or is to be tried again `later`. The last one settles the bundle.
    fn done(&self, later: Option<Duration>) {
        let settled = {
            let mut hand = self.hand();
            let Some(open) = hand.as_mut() else { return };
            open.left = open.left.saturating_sub(1);
            open.later = open.later.max(later);
            if open.left > 0 {
                return;
            }
            hand.take()
        };
        // Outside of the lock, as in `put_back`.
        let Some(Hand { delivery, later, .. }) = settled else { return };
        match later {
            Some(pause) => delivery.retry(pause),
            None => delivery.ack(),
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

    fn parked(&self, mut envelope: Envelope, code: String, reason: String) -> Envelope {
        envelope.topic = Topic::Parked;
        envelope.headers.extend([
            (headers::ATTEMPT.to_owned(), self.attempt.to_string()),
            (headers::PARKED_CODE.to_owned(), code),
            (headers::PARKED_REASON.to_owned(), reason),
            (headers::PARKED_FROM.to_owned(), self.queue.to_string()),
        ]);
        envelope
    }
}
