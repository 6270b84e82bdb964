//! The writer's picture of the queues. No I/O: it says what to write and what to hand out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use ports::{
    bus::{Delivery, Depth, Envelope, Settle, Settlement, headers},
    topology::{Queue, Topic},
};
use tokio::{sync::mpsc, time::Instant};

use super::rows::{Insert, Move, Stored, Work};

/// How many ready messages of a queue are kept in memory; the rest is read from the disk when its turn comes.
const WINDOW: usize = 1_024;
/// The same, in bytes of body.
const WINDOW_BYTES: usize = 4 << 20;
/// With fewer ready messages than this, more are read.
const LOW: usize = WINDOW / 4;
/// Messages that a fan-out subscriber may lag behind before it loses the oldest: the store has them.
const FANOUT_LAG: usize = 65_536;
/// The same, in bytes of body.
const FANOUT_LAG_BYTES: usize = 64 << 20;
/// How long the next consumer waits for what the last one still has in hand, so that order survives the change.
const HAND_OVER: Duration = Duration::from_secs(2);

/// Names the queue in the picture. Each subscriber of a fan-out has its own.
pub(super) fn name(queue: &Queue, subscriber: u64) -> String {
    if queue.is_durable() { queue.to_string() } else { format!("{queue}#{subscriber}") }
}

#[derive(Debug)]
struct Entry {
    envelope: Arc<Envelope>,
    /// Deliveries that ended without an acknowledgement.
    attempts: u32,
}

#[derive(Debug)]
struct Consumer {
    subscriber: u64,
    deliveries: mpsc::Sender<Delivery>,
    prefetch: usize,
    in_hand: usize,
}

struct State {
    name: Arc<str>,
    /// None for a durable queue.
    fanout: Option<Topic>,
    ready: BTreeMap<i64, Entry>,
    ready_bytes: usize,
    unsettled: BTreeMap<i64, (Entry, u64)>,
    waiting: usize,
    /// Messages in all states, in memory or on the disk.
    total: u64,
    /// Every message up to this number is in memory, if it is still in the queue.
    loaded: i64,
    /// There are messages after `loaded`, on the disk only.
    spilled: bool,
    /// How far it was handed out.
    mark: i64,
    /// The first one is active, the others stand by.
    consumers: VecDeque<Consumer>,
    /// A consumer that left and what it still has in hand, until when the next one waits for it.
    leaving: Option<(u64, usize, Instant)>,
    settle: Arc<dyn Settle>,
}

impl State {
    fn make_ready(&mut self, seq: i64, entry: Entry) {
        self.ready_bytes += entry.envelope.body.len();
        self.ready.insert(seq, entry);
    }

    fn take_ready(&mut self) -> Option<(i64, Entry)> {
        let (seq, entry) = self.ready.pop_first()?;
        self.ready_bytes = self.ready_bytes.saturating_sub(entry.envelope.body.len());
        Some((seq, entry))
    }

    fn has_room(&self) -> bool {
        self.ready.len() < WINDOW && self.ready_bytes < WINDOW_BYTES
    }
}

/// A delivery to hand out once the step is written.
pub(super) struct HandOut {
    pub(super) to: mpsc::Sender<Delivery>,
    pub(super) delivery: Delivery,
}

/// All queues.
pub(super) struct Queues {
    states: BTreeMap<u32, State>,
    by_name: HashMap<String, u32>,
    next_state: u32,
    next_seq: i64,
    delayed: BTreeMap<(Instant, i64), (u32, Entry)>,
    touched: BTreeSet<u32>,
    settler: Box<dyn Fn(u32) -> Arc<dyn Settle> + Send + Sync>,
}

impl Queues {
    /// `settler` makes what settles deliveries of a queue.
    pub(super) fn new(settler: impl Fn(u32) -> Arc<dyn Settle> + Send + Sync + 'static) -> Self {
        Self {
            states: BTreeMap::new(),
            by_name: HashMap::new(),
            next_state: 0,
            next_seq: 1,
            delayed: BTreeMap::new(),
            touched: BTreeSet::new(),
            settler: Box::new(settler),
        }
    }

    /// A queue that holds rows from an earlier run.
    pub(super) fn recovered(&mut self, queue: &str, rows: u64, last: i64) {
        self.next_seq = self.next_seq.max(last + 1);
        let id = self.state_id(queue, None);
        if let Some(state) = self.states.get_mut(&id) {
            state.total = rows;
            state.spilled = rows > 0;
        }
    }

    fn state_id(&mut self, name: &str, fanout: Option<Topic>) -> u32 {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = self.next_state;
        self.next_state += 1;
        self.by_name.insert(name.to_owned(), id);
        let state = State {
            name: name.into(),
            fanout,
            ready: BTreeMap::new(),
            ready_bytes: 0,
            unsettled: BTreeMap::new(),
            waiting: 0,
            total: 0,
            loaded: 0,
            spilled: false,
            mark: 0,
            consumers: VecDeque::new(),
            leaving: None,
            settle: (self.settler)(id),
        };
        self.states.insert(id, state);
        id
    }

    fn take_seq(&mut self) -> i64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    /// A message was published.
    pub(super) fn publish(&mut self, envelope: Envelope, work: &mut Work) {
        let envelope = Arc::new(envelope);
        if envelope.topic.is_fanout() {
            let listeners: Vec<u32> = self
                .states
                .iter()
                .filter(|(_, state)| state.fanout.as_ref() == Some(&envelope.topic))
                .map(|(id, _)| *id)
                .collect();
            for id in listeners {
                let seq = self.take_seq();
                let Some(state) = self.states.get_mut(&id) else { continue };
                while (state.ready.len() >= FANOUT_LAG || state.ready_bytes >= FANOUT_LAG_BYTES)
                    && state.take_ready().is_some()
                {
                    state.total -= 1;
                    tracing::warn!(queue = &*state.name, "a fan-out subscriber lags behind and lost a message");
                }
                state.total += 1;
                state.make_ready(seq, Entry { envelope: envelope.clone(), attempts: 0 });
                self.touched.insert(id);
            }
            return;
        }
        for queue in envelope.topic.queues() {
            let id = self.state_id(&queue.to_string(), None);
            let seq = self.take_seq();
            let Some(state) = self.states.get_mut(&id) else { continue };
            work.inserts.push(Insert { seq, queue: state.name.clone(), envelope: envelope.clone() });
            state.total += 1;
            if !state.spilled && state.has_room() {
                state.loaded = seq;
                state.make_ready(seq, Entry { envelope: envelope.clone(), attempts: 0 });
            } else {
                state.spilled = true;
            }
            self.touched.insert(id);
        }
    }

    /// Somebody listens.
    pub(super) fn subscribe(&mut self, queue: &Queue, prefetch: u16, subscriber: u64, to: mpsc::Sender<Delivery>) {
        let fanout = if queue.is_durable() { None } else { Some(queue.topic()) };
        let id = self.state_id(&name(queue, subscriber), fanout);
        if let Some(state) = self.states.get_mut(&id) {
            let prefetch = usize::from(prefetch.max(1));
            state.consumers.push_back(Consumer { subscriber, deliveries: to, prefetch, in_hand: 0 });
        }
        self.touched.insert(id);
    }

    /// Somebody does not listen any more.
    pub(super) fn left(&mut self, queue: &str, subscriber: u64, now: Instant) {
        let Some(id) = self.by_name.get(queue).copied() else { return };
        let Some(state) = self.states.get_mut(&id) else { return };
        let Some(at) = state.consumers.iter().position(|consumer| consumer.subscriber == subscriber) else { return };
        let Some(consumer) = state.consumers.remove(at) else { return };
        if at == 0 && consumer.in_hand > 0 {
            state.leaving = Some((subscriber, consumer.in_hand, now + HAND_OVER));
        }
        if state.fanout.is_some() {
            self.states.remove(&id);
            self.by_name.remove(queue);
            self.delayed.retain(|_, (of, _)| *of != id);
            self.touched.remove(&id);
        } else {
            self.touched.insert(id);
        }
    }

    /// A delivery was settled.
    pub(super) fn settle(
        &mut self,
        id: u32,
        seq: i64,
        settlement: Settlement,
        now: Instant,
        wall: i64,
        work: &mut Work,
    ) {
        let fresh = self.next_seq;
        let Some(state) = self.states.get_mut(&id) else { return };
        let Some((mut entry, subscriber)) = state.unsettled.remove(&seq) else { return };
        self.touched.insert(id);
        if let Some(consumer) = state.consumers.iter_mut().find(|consumer| consumer.subscriber == subscriber) {
            consumer.in_hand = consumer.in_hand.saturating_sub(1);
        }
        if let Some((leaving, in_hand, _)) = &mut state.leaving
            && *leaving == subscriber
        {
            *in_hand = in_hand.saturating_sub(1);
        }
        let durable = state.fanout.is_none();
        match settlement {
            Settlement::Ack => {
                state.total -= 1;
                if durable {
                    work.deletes.push(seq);
                }
            }
            Settlement::Requeue => {
                entry.attempts += 1;
                state.make_ready(seq, entry);
                if durable {
                    work.requeues.push(seq);
                }
            }
            Settlement::Retry(pause) => {
                entry.attempts += 1;
                let pause = pause.min(Duration::from_secs(86_400 * 30));
                self.next_seq += 1;
                if durable {
                    let available_at = wall + i64::try_from(pause.as_millis()).unwrap_or(0);
                    work.moves.push(Move { from: seq, to: fresh, available_at });
                }
                // Behind rows that are on the disk only, it will be read with them.
                if !state.spilled {
                    state.loaded = state.loaded.max(fresh);
                    state.waiting += 1;
                    self.delayed.insert((now + pause, fresh), (id, entry));
                }
            }
            Settlement::Park { code, reason } => {
                state.total -= 1;
                if durable {
                    work.deletes.push(seq);
                }
                let parked = parked(&entry, &state.name, code, reason);
                self.publish(parked, work);
            }
        }
    }

    pub(super) fn depth(&self, queue: &str) -> Depth {
        let Some(state) = self.by_name.get(queue).and_then(|id| self.states.get(id)) else { return Depth::default() };
        let unsettled = state.unsettled.len() as u64;
        Depth { ready: state.total.saturating_sub(unsettled), unsettled }
    }

    /// When the next pause or hand-over ends.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let retry = self.delayed.keys().next().map(|(at, _)| *at);
        let hand_over = self.states.values().filter_map(|state| state.leaving.map(|(.., until)| until)).min();
        retry.into_iter().chain(hand_over).min()
    }

    /// Ends the pauses and hand-overs that are over.
    pub(super) fn wake(&mut self, now: Instant) {
        while let Some(next) = self.delayed.first_entry() {
            if next.key().0 > now {
                break;
            }
            let ((_, seq), (id, entry)) = next.remove_entry();
            if let Some(state) = self.states.get_mut(&id) {
                state.waiting -= 1;
                state.make_ready(seq, entry);
                self.touched.insert(id);
            }
        }
        for (id, state) in &mut self.states {
            if state.leaving.is_some_and(|(_, in_hand, until)| in_hand == 0 || until <= now) {
                state.leaving = None;
                self.touched.insert(*id);
            }
        }
    }

    /// Queues that should read on: the queue, its name, and after which number.
    pub(super) fn hungry(&self) -> Vec<(u32, Arc<str>, i64)> {
        self.states
            .iter()
            .filter(|(_, state)| state.spilled && state.ready.len() < LOW && !state.consumers.is_empty())
            .map(|(id, state)| (*id, state.name.clone(), state.loaded))
            .collect()
    }

    /// What was read for a hungry queue; `last` is the number of the last row, `more` whether there may be more.
    pub(super) fn fed(&mut self, id: u32, stored: Vec<Stored>, last: Option<i64>, more: bool, now: Instant, wall: i64) {
        let newest = self.next_seq - 1;
        let Some(state) = self.states.get_mut(&id) else { return };
        for message in stored {
            let entry = Entry { envelope: Arc::new(message.envelope), attempts: message.attempts };
            match u64::try_from(message.available_at - wall) {
                Ok(pause) if pause > 0 => {
                    state.waiting += 1;
                    self.delayed.insert((now + Duration::from_millis(pause), message.seq), (id, entry));
                }
                _ => state.make_ready(message.seq, entry),
            }
        }
        state.loaded = if more { last.unwrap_or(state.loaded) } else { newest };
        state.spilled = more;
        self.touched.insert(id);
    }

    /// Hands out what consumers have room for.
    pub(super) fn hand_out(&mut self, work: &mut Work) -> Vec<HandOut> {
        let mut out = Vec::new();
        for id in std::mem::take(&mut self.touched) {
            let Some(state) = self.states.get_mut(&id) else { continue };
            if state.leaving.is_some_and(|(_, in_hand, _)| in_hand == 0) {
                state.leaving = None;
            }
            if state.leaving.is_some() {
                continue;
            }
            let Some(consumer) = state.consumers.front_mut() else { continue };
            while consumer.in_hand < consumer.prefetch {
                let Some((seq, entry)) = state.ready.pop_first() else { break };
                state.ready_bytes = state.ready_bytes.saturating_sub(entry.envelope.body.len());
                consumer.in_hand += 1;
                let tag = u64::try_from(seq).unwrap_or(0);
                let envelope = (*entry.envelope).clone();
                let delivery = Delivery::new(envelope, entry.attempts + 1, tag, state.settle.clone());
                out.push(HandOut { to: consumer.deliveries.clone(), delivery });
                state.unsettled.insert(seq, (entry, consumer.subscriber));
                if state.fanout.is_none() && seq > state.mark {
                    state.mark = seq;
                    work.marks.insert(state.name.clone(), seq);
                }
            }
        }
        out
    }
}

/// The message with why it stopped, for the parked topic.
fn parked(entry: &Entry, from: &str, code: String, reason: String) -> Envelope {
    let mut envelope = (*entry.envelope).clone();
    envelope.topic = Topic::Parked;
    envelope.headers.extend([
        (headers::PARKED_CODE.to_owned(), code),
        (headers::PARKED_REASON.to_owned(), reason),
        (headers::PARKED_FROM.to_owned(), from.to_owned()),
        (headers::ATTEMPT.to_owned(), (entry.attempts + 1).to_string()),
    ]);
    envelope
}
