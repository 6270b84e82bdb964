//! A broker that can be taken away or take back what it gave, and a ledger whose answers are lost.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use domain::{MessageId, Outcome, Timestamp};
use ports::{
    Begun, Bus, Claim, Ledger, StoreError,
    bus::{BusError, Delivery, Depth, Envelope, Settle, Settlement, Subscription},
    topology::Queue,
};

/// Any bus, with a switch.
pub struct FaultyBus {
    inner: Arc<dyn Bus>,
    away: AtomicBool,
    /// How often a subscription was asked for in vain.
    refused: AtomicUsize,
    /// What channels have in hand to send.
    hands: Arc<Mutex<Hands>>,
}

/// What was handed out over one connection.
struct Hands {
    current: Arc<AtomicBool>,
    all: Vec<Arc<Hand>>,
}

impl Default for Hands {
    fn default() -> Self {
        Self { current: Arc::new(AtomicBool::new(true)), all: Vec::new() }
    }
}

impl FaultyBus {
    /// Over a bus that works.
    pub fn new(inner: Arc<dyn Bus>) -> Arc<Self> {
        Arc::new(Self { inner, away: AtomicBool::new(false), refused: AtomicUsize::new(0), hands: Arc::default() })
    }

    /// Takes the broker away, or brings it back.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// How often somebody wanted to subscribe while it was away.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// Takes back what channels have in hand to send, as when their connection is lost: it is delivered again, and what
    /// they do with what they have is no longer heard.
    pub fn take_back(&self) {
        let hands = std::mem::take(&mut *self.hands.lock().unwrap());
        hands.current.store(false, Ordering::SeqCst);
        hands.all.iter().for_each(|hand| drop(hand.delivery.lock().unwrap().take()));
    }

    fn there(&self) -> Result<(), BusError> {
        if self.away.load(Ordering::SeqCst) { Err(BusError::Unavailable("taken away".into())) } else { Ok(()) }
    }
}

/// A delivery until it is settled or taken back.
struct Hand {
    delivery: Mutex<Option<Delivery>>,
    current: Arc<AtomicBool>,
}

impl Settle for Hand {
    fn settle(&self, _tag: u64, settlement: Settlement) {
        let Some(delivery) = self.delivery.lock().unwrap().take() else { return };
        match settlement {
            Settlement::Ack => delivery.ack(),
            Settlement::Requeue => drop(delivery),
            Settlement::Retry(pause) => delivery.retry(pause),
            Settlement::Park { code, reason } => delivery.park(code, reason),
        }
    }

    fn is_current(&self) -> bool {
        self.current.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        self.there()?;
        self.inner.publish(batch).await
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError> {
        self.there().inspect_err(|_| {
            self.refused.fetch_add(1, Ordering::SeqCst);
        })?;
        let sends = matches!(queue, Queue::ChannelOutbound(..));
        let subscription = self.inner.subscribe(queue, prefetch).await?;
        if !sends {
            return Ok(subscription);
        }
        let hands = Arc::clone(&self.hands);
        Ok(subscription.opening(Arc::new(move |delivery| {
            let (envelope, attempt) = (delivery.envelope.clone(), delivery.attempt);
            let mut hands = hands.lock().unwrap();
            let hand = Hand { delivery: Mutex::new(Some(delivery)), current: Arc::clone(&hands.current) };
            let hand = Arc::new(hand);
            hands.all.push(Arc::clone(&hand));
            vec![Delivery::new(envelope, attempt, 0, hand)]
        })))
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
        self.there()?;
        self.inner.depth(queue).await
    }

    async fn check(&self) -> Result<(), BusError> {
        self.there()
    }
}

/// A ledger that notes each attempt, and whose first answer about each is lost.
pub(super) struct MumblingLedger {
    pub(super) inner: Arc<dyn Ledger>,
    pub(super) asked: Mutex<Vec<(MessageId, u16)>>,
}

#[async_trait]
impl Ledger for MumblingLedger {
    async fn begin(&self, message: MessageId, part: u16, claim: &Claim, at: Timestamp) -> Result<Begun, StoreError> {
        let begun = self.inner.begin(message, part, claim, at).await?;
        let mut asked = self.asked.lock().unwrap();
        if asked.contains(&(message, part)) {
            return Ok(begun);
        }
        asked.push((message, part));
        Err(StoreError::Unavailable("the answer was lost".to_owned()))
    }

    async fn finish(&self, message: MessageId, part: u16, claim: &Claim, outcome: &Outcome) -> Result<(), StoreError> {
        self.inner.finish(message, part, claim, outcome).await
    }
}
