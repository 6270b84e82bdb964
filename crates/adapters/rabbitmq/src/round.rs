//! One channel's time: consume, hand over, settle.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Consumer,
    options::{BasicAckOptions, BasicNackOptions},
};
use ports::{
    bus::{BusError, Delivery, Settlement, headers},
    topology::Topic,
};
use tokio::{sync::mpsc, time::Instant};

use crate::{link::refused, live::Live, notes::Notes, properties, pump::Pump, tags::Tags, vigil::Vigil};

/// How many settlements are taken at once.
const SETTLED_AT_ONCE: usize = 512;
/// How long a delivery that could be neither retried nor parked waits before it is put back.
const PUT_BACK_AFTER: Duration = Duration::from_secs(1);

/// Why a round ended.
pub(crate) enum Ended {
    /// The subscription was dropped, and everything in hand is settled.
    Closed,
    /// A delivery goes back to its place: begin again. Putting back one alone would let those that are already here, or
    /// on their way, overtake it; closing the channel puts back everything that is open, in order.
    Again,
    /// The channel or connection is gone: begin again.
    Lost(BusError),
}

/// What is needed to publish a delivery again.
struct InHand {
    properties: BasicProperties,
    body: Bytes,
    attempt: u32,
}

/// One channel's time.
pub(crate) struct Round<'a> {
    pump: &'a Pump,
    live: Arc<Live>,
    topic: Topic,
    /// By which what is in hand is counted.
    name: String,
    /// The queue's own name, which a fan-out queue has for one round.
    consumed: String,
    channel: Channel,
    consumer: Consumer,
    /// None when the subscription was dropped: nothing new is handed over, what is in hand is settled in peace.
    notes: Option<Arc<Notes>>,
    current: Arc<AtomicBool>,
    settled: mpsc::UnboundedReceiver<(u64, Settlement)>,
    tags: Tags<InHand>,
    /// Retries and parkings on their way. Whether they arrived decides between ack and putting back.
    moves: FuturesUnordered<BoxFuture<'a, (u64, Result<(), BusError>)>>,
    counted: u64,
    progress: bool,
    /// The tag of the last delivery: the broker numbers them without a gap.
    last: u64,
    vigil: Vigil,
    look: Instant,
    /// The look that waits for the queue's answer, if there is one: what is delivered meanwhile does not wait with it.
    looks: FuturesUnordered<BoxFuture<'a, Result<Option<u64>, BusError>>>,
}

impl<'a> Round<'a> {
    pub(crate) fn new(pump: &'a Pump, live: Arc<Live>, consumed: String, channel: Channel, consumer: Consumer) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the prefetch bounds it: one note for each delivery in hand")]
        let (sender, settled) = mpsc::unbounded_channel();
        let current = Arc::new(AtomicBool::new(true));
        Self {
            pump,
            live,
            topic: pump.queue.topic(),
            name: pump.names.queue(&pump.queue),
            consumed,
            channel,
            consumer,
            notes: Some(Arc::new(Notes::new(sender, current.clone(), pump.queue.is_durable()))),
            current,
            settled,
            tags: Tags::new(),
            moves: FuturesUnordered::new(),
            counted: 0,
            progress: false,
            last: 0,
            look: Instant::now() + Vigil::default().rest(),
            vigil: Vigil::default(),
            looks: FuturesUnordered::new(),
        }
    }

    /// Runs to its end, and says whether anything was settled.
    pub(crate) async fn run(mut self, sender: &mpsc::Sender<Delivery>) -> (bool, Ended) {
        let (link, live) = (&self.pump.link, self.live.clone());
        let ended = tokio::select! {
            biased;
            ended = self.turns(sender) => ended,
            () = link.over(live.number) => lost("the connection was lost"),
        };
        // From here the broker has everything back, and what still waits in the subscription's buffer is left out.
        self.current.store(false, Ordering::Release);
        if !matches!(ended, Ended::Lost(_)) {
            drop(link.during(&live, self.finish()).await);
        }
        // Fails where the channel is gone already.
        let close = async { self.channel.close(200, "round over".into()).await.map_err(|error| refused(&error)) };
        drop(link.during(&live, close).await);
        (self.progress, ended)
    }

    async fn turns(&mut self, sender: &mpsc::Sender<Delivery>) -> Ended {
        let mut notes = Vec::with_capacity(SETTLED_AT_ONCE);
        loop {
            let ended = match self.turn(sender, &mut notes).await {
                None => self.ack().await.err().map(Ended::Lost),
                ended => ended,
            };
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    async fn turn(&mut self, sender: &mpsc::Sender<Delivery>, notes: &mut Vec<(u64, Settlement)>) -> Option<Ended> {
        tokio::select! {
            taken = self.settled.recv_many(notes, SETTLED_AT_ONCE) => {
                if taken == 0 {
                    return Some(Ended::Closed);
                }
                if sender.is_closed() {
                    self.notes = None;
                }
                self.settle(notes).await
            }
            Some((tag, moved)) = self.moves.next() => self.moved(tag, moved).await,
            delivery = self.consumer.next(), if self.notes.is_some() => match delivery {
                Some(Ok(delivery)) => self.hand_over(delivery, sender).await,
                Some(Err(error)) => Some(Ended::Lost(refused(&error))),
                None => Some(lost("the broker cancelled the consumer")),
            },
            () = sender.closed(), if self.notes.is_some() => {
                // The consumer is not cancelled before what is in hand is settled: another one would become active and
                // overtake it.
                self.notes = None;
                None
            }
            () = tokio::time::sleep_until(self.look), if self.notes.is_some() && self.looks.is_empty() => {
                self.look();
                None
            }
            Some(ready) = self.looks.next(), if !self.looks.is_empty() => self.looked(ready),
        }
    }

    /// Asks the queue whether there is something that a quiet consumer should have heard.
    fn look(&mut self) {
        if self.vigil.is_quiet(self.counted == 0) {
            let (live, queue) = (self.live.clone(), self.consumed.clone());
            self.looks.push(async move { live.ready(&queue).await }.boxed());
        }
        self.look = Instant::now() + self.vigil.rest();
    }

    /// What the queue says. What was heard since it was asked may be what it tells of.
    fn looked(&mut self, ready: Result<Option<u64>, BusError>) -> Option<Ended> {
        let ready = match ready {
            Ok(ready) => ready.filter(|_| self.notes.is_some() && self.vigil.is_quiet(self.counted == 0)),
            Err(error) => return Some(Ended::Lost(error)),
        };
        let deaf = ready.filter(|ready| self.vigil.is_deaf(*ready));
        self.look = Instant::now() + self.vigil.rest();
        let ready = deaf?;
        if self.vigil.is_active() {
            tracing::warn!(queue = %self.pump.queue, ready, "a consumer heard nothing of them, made anew");
            (self.pump.revived)(&self.topic);
        }
        Some(Ended::Again)
    }

    async fn hand_over(
        &mut self,
        delivery: lapin::message::Delivery,
        sender: &mpsc::Sender<Delivery>,
    ) -> Option<Ended> {
        let notes = self.notes.clone()?;
        let tag = delivery.delivery_tag;
        if tag != self.last + 1 {
            tracing::warn!(queue = %self.pump.queue, last = self.last, tag, "deliveries are missing, taken anew");
            (self.pump.revived)(&self.topic);
            return Some(Ended::Again);
        }
        self.last = tag;
        self.vigil.heard();
        let body = Bytes::from(delivery.data);
        // Some releases of the broker count what failed and not what was only handed out; the flag tells of both.
        let attempt = properties::attempt(&delivery.properties).max(1 + u32::from(delivery.redelivered));
        let envelope = properties::read(&delivery.properties, self.topic.clone(), body.clone());
        self.tags.delivered(tag, InHand { properties: delivery.properties, body, attempt });
        self.counted += 1;
        self.pump.census.change(&self.name, |count| *count += 1);
        // When nobody listens any more the delivery is dropped, which puts it back.
        drop(sender.send(Delivery::new(envelope, attempt, tag, notes)).await);
        None
    }

    async fn settle(&mut self, notes: &mut Vec<(u64, Settlement)>) -> Option<Ended> {
        let mut ended = None;
        for (tag, settlement) in notes.drain(..) {
            match settlement {
                Settlement::Ack => self.done(tag),
                Settlement::Requeue => ended = self.put_back(tag).await.or(ended),
                Settlement::Retry(pause) => self.retry(tag, pause),
                Settlement::Park { code, reason } => self.park(tag, code, reason),
            }
        }
        ended
    }

    const fn is_closing(&self) -> bool {
        self.notes.is_none()
    }

    fn done(&mut self, tag: u64) {
        self.tags.acked(tag);
        self.progress = true;
        self.uncount();
    }

    async fn put_back(&mut self, tag: u64) -> Option<Ended> {
        if self.is_closing() {
            // Closing puts back everything that is open, in its order.
            return None;
        }
        if self.pump.queue.is_durable() {
            return Some(Ended::Again);
        }
        // A fan-out queue goes with its last consumer, so its channel must stay; it promises no order.
        if self.tags.returned(tag) {
            self.uncount();
            let options = BasicNackOptions { multiple: false, requeue: true };
            return self.channel.basic_nack(tag, options).await.err().map(|error| Ended::Lost(refused(&error)));
        }
        None
    }

    fn retry(&mut self, tag: u64, pause: Duration) {
        let Some(hand) = self.tags.get(tag) else { return };
        let attempt = hand.attempt.saturating_add(1).to_string();
        let written = properties::with_headers(&hand.properties, &[(headers::ATTEMPT, attempt)]);
        let (body, publisher) = (hand.body.clone(), self.pump.publisher.clone());
        let queue = &self.pump.queue;
        let retry = self.pump.names.retry_queue(queue, pause);
        self.moves.push(
            async move {
                let moved = match (written, retry) {
                    (Ok(properties), Some(retry)) => publisher.postpone(queue, &retry, properties, body).await,
                    (Err(error), _) => Err(error),
                    (_, None) => Err(BusError::Unroutable("a retry queue".to_owned())),
                };
                (tag, settle_down(moved).await)
            }
            .boxed(),
        );
    }

    fn park(&mut self, tag: u64, code: String, reason: String) {
        let Some(hand) = self.tags.get(tag) else { return };
        let more = [
            (headers::ATTEMPT, hand.attempt.to_string()),
            (headers::PARKED_CODE, code),
            (headers::PARKED_REASON, reason),
            (headers::PARKED_FROM, self.pump.queue.to_string()),
        ];
        let written = properties::with_headers(&hand.properties, &more);
        let (body, publisher) = (hand.body.clone(), self.pump.publisher.clone());
        let (exchange, key) = (self.pump.names.exchange(&Topic::Parked), Topic::Parked.routing_key());
        self.moves.push(
            async move {
                let moved = match written {
                    Ok(properties) => publisher.forward(exchange, key, properties, body).await,
                    Err(error) => Err(error),
                };
                (tag, settle_down(moved).await)
            }
            .boxed(),
        );
    }

    async fn moved(&mut self, tag: u64, moved: Result<(), BusError>) -> Option<Ended> {
        match moved {
            Ok(()) => {
                self.done(tag);
                None
            }
            Err(error) => {
                tracing::warn!(queue = %self.pump.queue, %error, "neither retried nor parked, put back");
                self.put_back(tag).await
            }
        }
    }

    async fn ack(&mut self) -> Result<(), BusError> {
        let acks = self.tags.acks();
        if let Some(tag) = acks.up_to {
            let options = BasicAckOptions { multiple: true };
            self.channel.basic_ack(tag, options).await.map_err(|error| refused(&error))?;
        }
        for tag in acks.single {
            self.channel.basic_ack(tag, BasicAckOptions::default()).await.map_err(|error| refused(&error))?;
        }
        Ok(())
    }

    /// The last moves and the last acks, so that what is done does not come back.
    async fn finish(&mut self) -> Result<(), BusError> {
        while let Some((tag, moved)) = self.moves.next().await {
            if moved.is_ok() {
                self.done(tag);
            }
        }
        while let Ok((tag, settlement)) = self.settled.try_recv() {
            if settlement == Settlement::Ack {
                self.done(tag);
            }
        }
        self.ack().await
    }

    fn uncount(&mut self) {
        self.counted = self.counted.saturating_sub(1);
        self.pump.census.change(&self.name, |count| *count = count.saturating_sub(1));
    }
}

/// However it ends: even when its task is given up in the middle.
impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.current.store(false, Ordering::Release);
        let counted = self.counted;
        self.pump.census.change(&self.name, |count| *count = count.saturating_sub(counted));
        // The channel goes first, and with it all that is open. lapin would cancel a consumer that is dropped before:
        // the next one would become active, and overtake what is still open here. The first poll puts it in line for
        // the socket, and takes the consumer for cancelled.
        drop(self.channel.close(200, "round over".into()).now_or_never());
    }
}

fn lost(why: &str) -> Ended {
    Ended::Lost(BusError::Unavailable(why.to_owned()))
}

/// A failure is held for a moment, so that putting back and trying again does not spin.
async fn settle_down(moved: Result<(), BusError>) -> Result<(), BusError> {
    if moved.is_err() {
        tokio::time::sleep(PUT_BACK_AFTER).await;
    }
    moved
}
