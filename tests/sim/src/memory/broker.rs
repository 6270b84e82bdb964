//! A broker in memory that behaves as RabbitMQ does, also where that hurts: a consumer whose connection breaks loses
//! what it has in hand to the next one, while it may still be at work on it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ports::{
    Bus,
    bus::{BusError, Delivery, Depth, Envelope, Settle, Settlement, Subscription, headers},
    topology::{Queue, Topic},
};
use tokio::{runtime::Handle, sync::mpsc, time::Instant};
use wire::{Bundle, Wire as _};

use crate::{air::Air, life::Life};

/// How many of a consumer's lost deliveries may still lie in its buffer.
const STALE: usize = 512;

/// What was published, and by whom.
#[derive(Debug, Clone)]
pub struct Published {
    /// The process.
    pub by: Arc<str>,
    /// The message.
    pub envelope: Envelope,
    /// When.
    pub at: Instant,
}

struct Entry {
    envelope: Envelope,
    attempts: u32,
}

struct Consumer {
    id: u64,
    owner: Arc<str>,
    deliveries: mpsc::Sender<Delivery>,
    prefetch: usize,
    life: Life,
    /// Its connection; a new one each time that it was lost.
    connection: Arc<AtomicBool>,
    in_hand: usize,
}

#[derive(Default)]
struct Line {
    ready: BTreeMap<u64, Entry>,
    unsettled: BTreeMap<u64, (Entry, u64)>,
    delayed: u64,
    /// The first that is connected is active, the others stand by.
    consumers: VecDeque<Consumer>,
}

#[derive(Default)]
struct State {
    lines: BTreeMap<String, Line>,
    last: u64,
    /// Processes without a connection.
    cut: Vec<Arc<str>>,
    down: bool,
    published: Vec<Published>,
}

/// The broker, as one process sees it. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    state: Arc<Mutex<State>>,
    owner: Arc<str>,
    air: Air,
}

impl Default for Broker {
    fn default() -> Self {
        Self { state: Arc::default(), owner: "nobody".into(), air: Air::still() }
    }
}

impl State {
    const fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn put(&mut self, broker: &Broker, envelope: &Envelope) {
        let topic = &envelope.topic;
        let names: Vec<String> = if topic.is_fanout() {
            let prefix = format!("{}.", topic.destination().replace(':', "."));
            self.lines.keys().filter(|name| name.contains('#') && name.starts_with(&prefix)).cloned().collect()
        } else {
            topic.queues().iter().map(ToString::to_string).collect()
        };
        for name in names {
            let place = self.next();
            let entry = Entry { envelope: envelope.clone(), attempts: 0 };
            self.lines.entry(name.clone()).or_default().ready.insert(place, entry);
            self.hand_out(broker, &name);
        }
    }

    fn is_cut(&self, owner: &Arc<str>) -> bool {
        self.down || self.cut.contains(owner)
    }

    /// Gives the active consumer what it may have.
    fn hand_out(&mut self, broker: &Broker, name: &str) {
        loop {
            let cut: Vec<_> = if self.down { Vec::new() } else { self.cut.clone() };
            let down = self.down;
            let Some(line) = self.lines.get_mut(name) else { return };
            let Some(active) = line.consumers.iter_mut().find(|one| !down && !cut.contains(&one.owner)) else { return };
            if active.in_hand >= active.prefetch || line.ready.is_empty() {
                return;
            }
            let id = active.id;
            match active.deliveries.clone().try_reserve_owned() {
                Ok(permit) => {
                    let Some((place, entry)) = line.ready.pop_first() else { return };
                    let connection = Arc::clone(&active.connection);
                    let (of, life) = (name.to_owned(), active.life.clone());
                    let link = Link { broker: broker.clone(), line: of, consumer: id, life, connection };
                    drop(permit.send(Delivery::new(entry.envelope.clone(), entry.attempts + 1, place, Arc::new(link))));
                    active.in_hand += 1;
                    line.unsettled.insert(place, (entry, id));
                }
                Err(mpsc::error::TrySendError::Full(_)) => return,
                Err(mpsc::error::TrySendError::Closed(_)) => self.leave(name, id),
            }
        }
    }

    /// Takes back what a consumer has in hand.
    fn take_back(&mut self, name: &str, consumer: u64) {
        let Some(line) = self.lines.get_mut(name) else { return };
        let in_hand: Vec<u64> =
            line.unsettled.iter().filter(|(_, (_, by))| *by == consumer).map(|(place, _)| *place).collect();
        for place in in_hand {
            if let Some((entry, _)) = line.unsettled.remove(&place) {
                line.ready.insert(place, Entry { attempts: entry.attempts + 1, ..entry });
            }
        }
        for one in line.consumers.iter_mut().filter(|one| one.id == consumer) {
            one.connection.store(false, Ordering::SeqCst);
            one.connection = Arc::new(AtomicBool::new(true));
            one.in_hand = 0;
        }
    }

    fn leave(&mut self, name: &str, consumer: u64) {
        self.take_back(name, consumer);
        if let Some(line) = self.lines.get_mut(name) {
            line.consumers.retain(|one| one.id != consumer);
        }
        if name.contains('#') {
            self.lines.remove(name);
        }
    }

    /// The consumers of `owner`, of everybody if none, lose what they have in hand and go to the end of their lines.
    fn disconnect(&mut self, owner: Option<&str>) {
        let names: Vec<String> = self.lines.keys().cloned().collect();
        for name in names {
            let Some(line) = self.lines.get(&name) else { continue };
            let theirs = |one: &&Consumer| owner.is_none_or(|owner| &*one.owner == owner);
            let ids: Vec<u64> = line.consumers.iter().filter(theirs).map(|one| one.id).collect();
            for id in ids {
                self.take_back(&name, id);
                let Some(line) = self.lines.get_mut(&name) else { continue };
                if let Some(at) = line.consumers.iter().position(|one| one.id == id)
                    && let Some(one) = line.consumers.remove(at)
                {
                    line.consumers.push_back(one);
                }
            }
        }
    }

    fn hand_out_all(&mut self, broker: &Broker) {
        let names: Vec<String> = self.lines.keys().cloned().collect();
        names.iter().for_each(|name| self.hand_out(broker, name));
    }

    fn settle(&mut self, link: &Link, place: u64, settlement: Settlement) {
        let Some(line) = self.lines.get_mut(&link.line) else { return };
        // Of a connection that is gone: somebody else has it, or had it.
        if !link.connection.load(Ordering::SeqCst) {
            return;
        }
        let Some((entry, _)) = line.unsettled.remove(&place) else { return };
        for one in line.consumers.iter_mut().filter(|one| one.id == link.consumer) {
            one.in_hand = one.in_hand.saturating_sub(1);
        }
        let again = Entry { attempts: entry.attempts + 1, ..entry };
        match settlement {
            Settlement::Ack => {}
            Settlement::Requeue => drop(line.ready.insert(place, again)),
            Settlement::Retry(pause) => {
                line.delayed += 1;
                link.later(again, pause);
            }
            Settlement::Park { code, reason } => {
                let mut envelope = again.envelope;
                envelope.topic = Topic::Parked;
                envelope.headers.extend([
                    (headers::PARKED_CODE.to_owned(), code),
                    (headers::PARKED_REASON.to_owned(), reason),
                    (headers::PARKED_FROM.to_owned(), link.line.clone()),
                    (headers::ATTEMPT.to_owned(), again.attempts.to_string()),
                ]);
                self.put(&link.broker, &envelope);
            }
        }
        self.hand_out(&link.broker, &link.line);
    }
}

/// The messages that travel in an envelope: itself, unless it is a bundle.
fn unpacked(envelope: &Envelope) -> Vec<Envelope> {
    match wire::decode::<Bundle>(&envelope.body) {
        Ok(Bundle(bundled)) if envelope.kind == Bundle::KIND => {
            let topic = &envelope.topic;
            let alone = |wire::Bundled { id, kind, correlation, headers, body }| Envelope {
                id,
                topic: topic.clone(),
                kind,
                correlation,
                headers,
                body,
            };
            bundled.into_iter().map(alone).collect()
        }
        _ => vec![envelope.clone()],
    }
}

/// A consumer's way to settle, over one connection.
struct Link {
    broker: Broker,
    line: String,
    consumer: u64,
    life: Life,
    connection: Arc<AtomicBool>,
}

impl Link {
    fn later(&self, entry: Entry, pause: Duration) {
        let (broker, line) = (self.broker.clone(), self.line.clone());
        // Without a runtime the world has ended, and nobody waits for it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(pause).await;
                let mut state = broker.state();
                let place = state.next();
                if let Some(line) = state.lines.get_mut(&line) {
                    line.delayed = line.delayed.saturating_sub(1);
                    line.ready.insert(place, entry);
                }
                state.hand_out(&broker, &line);
            });
        }
    }
}

impl Settle for Link {
    fn settle(&self, tag: u64, settlement: Settlement) {
        // A dead process says nothing: what it had in hand goes to others when its connection is seen to be gone.
        if !self.life.is_over() {
            self.broker.state().settle(self, tag, settlement);
        }
    }

    fn is_current(&self) -> bool {
        self.connection.load(Ordering::SeqCst)
    }
}

impl Broker {
    /// The same broker as `owner` sees it through `air`.
    #[must_use]
    pub fn through(&self, owner: &str, air: Air) -> Self {
        Self { state: Arc::clone(&self.state), owner: owner.into(), air }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that was published to inbound and outbound topics, in order.
    pub fn published(&self) -> Vec<Published> {
        self.state().published.clone()
    }

    /// How many messages wait or are in hand, in all durable queues.
    pub fn holds(&self) -> u64 {
        let state = self.state();
        let durable = state.lines.iter().filter(|(name, _)| !name.contains('#'));
        durable.map(|(_, line)| line.ready.len() as u64 + line.unsettled.len() as u64 + line.delayed).sum()
    }

    /// Breaks all connections of `owner`, of everybody if none; they are made again at once.
    pub fn blip(&self, owner: Option<&str>) {
        let mut state = self.state();
        state.disconnect(owner);
        state.hand_out_all(self);
    }

    /// Goes away, or comes back.
    pub fn set_down(&self, down: bool) {
        let mut state = self.state();
        state.down = down;
        if down {
            state.disconnect(None);
        } else {
            state.hand_out_all(self);
        }
    }

    /// `owner` can no longer reach it, or can again.
    pub fn set_cut(&self, owner: &str, cut: bool) {
        let mut state = self.state();
        let was_cut = state.cut.iter().any(|one| &**one == owner);
        state.cut.retain(|one| &**one != owner);
        if cut {
            state.cut.push(owner.into());
        }
        // Who comes back subscribes anew, behind those who came meanwhile: one of them is active, and what it has in hand
        // must not be overtaken.
        if cut || was_cut {
            state.disconnect(Some(owner));
        }
        state.hand_out_all(self);
    }
}

#[async_trait]
impl Bus for Broker {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        self.air.there().await.map_err(BusError::Unavailable)?;
        // The confirm may be lost with all of the batch published, or with a part of it.
        let whole = batch.len();
        let heard = self.air.hears().map_err(BusError::Unavailable);
        let taken = if heard.is_ok() { whole } else { self.air.up_to(whole) };
        {
            let mut state = self.state();
            if state.is_cut(&self.owner) {
                return Err(BusError::Unavailable("there is no connection".to_owned()));
            }
            for envelope in batch.iter().take(taken) {
                if let Topic::Inbound(_) | Topic::Outbound(..) = envelope.topic {
                    let (by, at) = (&self.owner, Instant::now());
                    let each = |envelope| Published { by: Arc::clone(by), envelope, at };
                    state.published.extend(unpacked(envelope).into_iter().map(each));
                }
                state.put(self, envelope);
            }
        }
        self.air.rest().await;
        heard
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError> {
        self.air.there().await.map_err(BusError::Unavailable)?;
        let prefetch = usize::from(prefetch.max(1));
        let (deliveries, receiver) = mpsc::channel(prefetch + STALE);
        let (id, name) = {
            let mut state = self.state();
            let id = state.next();
            let name = if queue.is_durable() { queue.to_string() } else { format!("{queue}#{id}") };
            let consumer = Consumer {
                id,
                owner: Arc::clone(&self.owner),
                deliveries: deliveries.clone(),
                prefetch: if queue.is_durable() { prefetch } else { STALE },
                life: self.air.life().clone(),
                connection: Arc::new(AtomicBool::new(true)),
                in_hand: 0,
            };
            state.lines.entry(name.clone()).or_default().consumers.push_back(consumer);
            state.hand_out(self, &name);
            (id, name)
        };
        let broker = self.clone();
        tokio::spawn(async move {
            deliveries.closed().await;
            let mut state = broker.state();
            state.leave(&name, id);
            state.hand_out(&broker, &name);
        });
        Ok(Subscription::new(receiver))
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
        self.air.there().await.map_err(BusError::Unavailable)?;
        let state = self.state();
        let line = state.lines.get(&queue.to_string());
        Ok(line.map_or_else(Depth::default, |line| Depth {
            ready: line.ready.len() as u64 + line.delayed,
            unsettled: line.unsettled.len() as u64,
        }))
    }

    async fn check(&self) -> Result<(), BusError> {
        self.air.there().await.map_err(BusError::Unavailable)
    }
}
