//! How much waits at the routers: looked at now and then, while an account is loud enough to be refused for it.
//!
//! What was seen is used until it is old. While it is not known, because the broker is away or does not say, everything
//! is accepted: what cannot be published waits in the spool, which has a limit of its own.
//!
//! A look costs the broker a question for each partition, so nobody looks while all is quiet, and no call waits for one.
//! What the routers are to try again later is not counted: it holds nobody up. A queue counts bundles, and the limit is in messages: a bundle is
//! what waited together for its route ([`Packing`]).

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{AccountId, Partition};
use futures_util::future::try_join_all;
use ports::{
    Bus,
    bus::{BusError, Envelope},
    topology::{Queue, Topic},
};
use runtime::Drain;
use tokio::time::Instant;

use crate::{
    kit::Kit,
    share::{Fading, Shares, number},
};

/// What was seen is old after this many looks: two of them may fail, and one may be slow.
const OLD: u32 = 5;
/// How long a look may take. A broker that is so busy says nothing that is worth knowing.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long nobody asks again after the broker refused to say: it lacks a queue, or this service's user a right
/// (RabbitMQ 4.2.6 and later want one for the mere question). Each such question costs a channel of the connection.
const REFUSED: Duration = Duration::from_secs(10 * 60);
/// The most questions to the broker at a time, each on a channel of its own.
const AT_A_TIME: usize = 16;

/// What waits at the routers, and whose it is.
pub(crate) struct Backlog {
    shares: Shares,
    packing: Packing,
    /// How many messages there were, and when.
    seen: Mutex<Option<(u64, Instant)>>,
    old: Duration,
}

impl Backlog {
    /// Begins to refuse at `limit` messages, never when it is 0; what was seen is old some time after `every`.
    pub(crate) fn new(limit: u64, every: Duration, partitions: u16) -> Self {
        let now = Instant::now();
        Self {
            shares: Shares::new(limit, now),
            packing: Packing::new(partitions, now),
            seen: Mutex::new(None),
            old: every.saturating_mul(OLD),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Option<(u64, Instant)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many messages wait, as far as it is known.
    fn waiting(&self, now: Instant) -> Option<u64> {
        let (messages, at) = (*self.seen())?;
        (now.saturating_duration_since(at) < self.old).then_some(messages)
    }

    /// So many entries were in the queues just now.
    fn saw(&self, entries: u64, now: Instant) {
        let messages = self.packing.messages(entries, now);
        *self.seen() = Some((messages, now));
    }

    /// Whether to accept more of `account` now.
    pub(crate) fn admits(&self, account: AccountId) -> bool {
        let now = Instant::now();
        self.waiting(now).is_none_or(|waiting| self.shares.admits(account, waiting, now))
    }

    /// So many messages of `account` that go to the routers were accepted.
    pub(crate) fn accepted(&self, account: AccountId, messages: u64) {
        if messages > 0 {
            self.shares.accepted(account, messages, Instant::now());
        }
    }

    /// This batch goes to the broker, for as long as the answer lives.
    pub(crate) fn publishing(&self, batch: &[Envelope]) -> OnItsWay<'_> {
        let bytes = for_routers(batch).map(|one| one.body.len() as u64).sum();
        self.packing.publishing(count(batch), bytes, Instant::now())
    }
}

/// How many messages of a batch the routers have to work off.
pub(crate) fn count(batch: &[Envelope]) -> u64 {
    for_routers(batch).count() as u64
}

fn for_routers(batch: &[Envelope]) -> impl Iterator<Item = &Envelope> {
    batch.iter().filter(|one| matches!(one.topic, Topic::Inbound(_)))
}

/// Looks until the drain begins.
pub(crate) async fn run(kit: Arc<Kit>, drain: Drain) -> Result<(), String> {
    tokio::select! {
        () = watch(&kit) => {}
        () = drain.begun() => {}
    }
    Ok(())
}

async fn watch(kit: &Kit) {
    let queues: Vec<Queue> = (0..kit.env.partitions).map(|p| Queue::RouterInbound(Partition(p))).collect();
    let backlog = &kit.intake.backlog;
    let mut was_too_much = false;
    loop {
        tokio::time::sleep(kit.config.inbound_look).await;
        if backlog.shares.is_anyone_loud(Instant::now()) {
            match look(kit.env.bus.as_ref(), &queues).await {
                Ok(entries) => backlog.saw(entries, Instant::now()),
                Err(BusError::Unavailable(reason)) => {
                    tracing::debug!(reason, channel = %kit.channel, "how much waits at the routers is not known");
                }
                Err(error) => {
                    tracing::warn!(
                        %error,
                        channel = %kit.channel,
                        "the broker does not say how much waits at the routers: no account is refused for it"
                    );
                    tokio::time::sleep(REFUSED).await;
                }
            }
        }
        let waiting = backlog.waiting(Instant::now());
        let is_too_much = waiting.is_some_and(|waiting| backlog.shares.is_too_much(waiting));
        match (was_too_much, is_too_much) {
            (false, true) => tracing::warn!(
                channel = %kit.channel,
                waiting,
                "much waits at the routers: accounts above their share are refused"
            ),
            (true, false) => tracing::info!(channel = %kit.channel, waiting, "all accounts are accepted again"),
            _ => {}
        }
        was_too_much = is_too_much;
    }
}

/// How many entries wait in the queues. What a router has in hand is being worked off and does not count.
async fn look(bus: &dyn Bus, queues: &[Queue]) -> Result<u64, BusError> {
    let looking = async {
        // The first alone: where it is refused, so are the others.
        let (first, others) = queues.split_at(queues.len().min(1));
        let mut entries = 0;
        for some in std::iter::once(first).chain(others.chunks(AT_A_TIME)) {
            let waiting = try_join_all(some.iter().map(|queue| bus.waiting(queue))).await?;
            entries += waiting.iter().sum::<u64>();
        }
        Ok(entries)
    };
    let looked = tokio::time::timeout(PATIENCE, looking).await;
    looked.unwrap_or_else(|_| Err(BusError::Unavailable(format!("no answer within {PATIENCE:?}"))))
}

/// How many messages there are in an entry of a queue. Busy routes carry bundles (ADR 10), and the broker counts those.
///
/// What goes to a partition while another publish to it is on its way goes together with the next one. So the messages
/// of this replica that are on their way at once, divided by the partitions, are about as many as travel in one. What
/// came in a flood was packed tightly, and is most of what waits; so the mean is over messages, and remembers longer than
/// the flood is let in. With `mesh.bundles = false` it says too much by that factor.
struct Packing {
    partitions: u64,
    on_their_way: AtomicU64,
    lately: Mutex<Packed>,
}

struct Packed {
    messages: Fading,
    entries: Fading,
}

impl Packing {
    /// As `runtime::bus` packs: the most messages and bytes in a bundle.
    const MOST: u64 = 64;
    const MOST_BYTES: u64 = 32 << 10;
    /// How long it remembers: while a long backlog is worked off, what made it is still refused.
    const WINDOW: Duration = Duration::from_secs(120);

    fn new(partitions: u16, now: Instant) -> Self {
        let lately = Packed { messages: Fading::new(now), entries: Fading::new(now) };
        Self { partitions: partitions.max(1).into(), on_their_way: AtomicU64::new(0), lately: Mutex::new(lately) }
    }

    fn lately(&self) -> MutexGuard<'_, Packed> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many messages, with so many bytes in all, go to the broker.
    fn publishing(&self, messages: u64, bytes: u64, now: Instant) -> OnItsWay<'_> {
        let on_their_way = self.on_their_way.fetch_add(messages, Ordering::Relaxed) + messages;
        if let Some(each) = bytes.checked_div(messages) {
            let fit = Self::MOST_BYTES / each.max(1);
            let together = (on_their_way / self.partitions).min(Self::MOST).min(fit).max(1);
            let mut lately = self.lately();
            lately.messages.add(number(messages), now, Self::WINDOW);
            lately.entries.add(number(messages) / number(together), now, Self::WINDOW);
        }
        OnItsWay { packing: self, messages }
    }

    /// How many messages there are in so many entries.
    fn messages(&self, entries: u64, now: Instant) -> u64 {
        let lately = self.lately();
        let (messages, packed) = (lately.messages.left(now, Self::WINDOW), lately.entries.left(now, Self::WINDOW));
        drop(lately);
        let together = if packed > f64::MIN_POSITIVE { messages / packed } else { 1.0 };
        // No more than 64 times as many: far from the end of either type.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and bounded by MOST")]
        let messages = (number(entries) * together.max(1.0)).round() as u64;
        messages
    }
}

/// Messages between us and the broker.
pub(crate) struct OnItsWay<'a> {
    packing: &'a Packing,
    messages: u64,
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.packing.on_their_way.fetch_sub(self.messages, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicBool;

    use async_trait::async_trait;
    use ports::bus::{Depth, Subscription};
    use runtime::bus::BundledBus;

    use super::*;

    const EVERY: Duration = Duration::from_secs(2);

    /// Takes a moment to confirm, keeps all that comes, and can refuse to say how much that is.
    #[derive(Default)]
    struct Broker {
        entries: AtomicU64,
        asked: AtomicU64,
        refuses: AtomicBool,
    }

    #[async_trait]
    impl Bus for Broker {
        async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
            tokio::time::sleep(Duration::from_millis(3)).await;
            self.entries.fetch_add(batch.len() as u64, Ordering::SeqCst);
            Ok(())
        }

        async fn subscribe(&self, _: Queue, _: u16) -> Result<Subscription, BusError> {
            Err(BusError::Forbidden("publish only".into()))
        }

        async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
            assert!(matches!(queue, Queue::RouterInbound(_)), "{queue}");
            self.asked.fetch_add(1, Ordering::SeqCst);
            // The answer takes its way.
            tokio::task::yield_now().await;
            if self.refuses.load(Ordering::SeqCst) {
                return Err(BusError::Forbidden("not yours".into()));
            }
            Ok(Depth { ready: self.entries.load(Ordering::SeqCst), unsettled: 7 })
        }

        async fn check(&self) -> Result<(), BusError> {
            Ok(())
        }
    }

    fn message(id: u64, partitions: u16, bytes: usize) -> Envelope {
        Envelope {
            id: id.to_string(),
            topic: Topic::Inbound(Partition(u16::try_from(id % u64::from(partitions)).unwrap())),
            kind: "k".to_owned(),
            correlation: None,
            headers: Default::default(),
            body: vec![b'x'; bytes].into(),
        }
    }

    /// So many callers, each of whom publishes one message after another. Answers how many entries the broker got, how
    /// many messages, and how many of those it is thought to have.
    async fn flood(callers: u64, partitions: u16, bytes: usize) -> (u64, u64, u64) {
        let broker = Arc::new(Broker::default());
        let bus = Arc::new(BundledBus::new(broker.clone()));
        let backlog = Arc::new(Backlog::new(1, EVERY, partitions));
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..callers {
            let (bus, backlog) = (Arc::clone(&bus), Arc::clone(&backlog));
            tasks.spawn(async move {
                for turn in 0..50 {
                    let batch = vec![message(caller * 7_919 + turn * 31, partitions, bytes)];
                    let _way = backlog.publishing(&batch);
                    bus.publish(batch).await.unwrap();
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        assert_eq!(backlog.packing.on_their_way.load(Ordering::SeqCst), 0);
        let entries = broker.entries.load(Ordering::SeqCst);
        (entries, callers * 50, backlog.packing.messages(entries, Instant::now()))
    }

    #[tokio::test]
    async fn bundles_count_for_about_the_messages_in_them() {
        for (callers, partitions, bytes) in
            [(1, 8, 300), (8, 8, 300), (64, 8, 300), (256, 8, 300), (256, 16, 300), (512, 8, 8_000)]
        {
            let (entries, messages, thought) = flood(callers, partitions, bytes).await;
            let off = number(thought) / number(messages);
            assert!(
                (0.5..2.0).contains(&off),
                "{callers} callers, {bytes} bytes: {messages} in {entries}, not {thought}"
            );
        }
    }

    /// What was let in before most was refused was packed tightly, and is what waits.
    #[test]
    fn a_trickle_after_a_flood_does_not_make_the_flood_small() {
        let mut now = Instant::now();
        let packing = Packing::new(8, now);
        let crowd: Vec<_> = (0..256).map(|_| packing.publishing(1, 300, now)).collect();
        for _ in 0..20_000 {
            drop(packing.publishing(1, 300, now));
        }
        drop(crowd);
        for _ in 0..600 {
            now += Duration::from_millis(50);
            drop(packing.publishing(1, 300, now));
        }
        let thought = packing.messages(625, now);
        assert!((8_000..=20_000).contains(&thought), "{thought}");
    }

    #[tokio::test]
    async fn what_was_seen_counts_until_it_is_old() {
        let broker = Broker::default();
        broker.entries.store(50, Ordering::SeqCst);
        let backlog = Backlog::new(100, EVERY, 4);
        let now = Instant::now();
        let queues: Vec<_> = (0..4).map(|p| Queue::RouterInbound(Partition(p))).collect();
        assert_eq!(backlog.waiting(now), None);
        let entries = look(&broker, &queues).await.unwrap();
        assert_eq!(entries, 200, "what is ready, of all partitions");
        backlog.saw(entries, now);
        assert_eq!(backlog.waiting(now), Some(200));
        broker.refuses.store(true, Ordering::SeqCst);
        broker.asked.store(0, Ordering::SeqCst);
        assert!(matches!(look(&broker, &queues).await, Err(BusError::Forbidden(_))));
        assert_eq!(broker.asked.load(Ordering::SeqCst), 1, "each question that is refused costs a channel");
        assert_eq!(backlog.waiting(now + EVERY * (OLD - 1)), Some(200));
        assert_eq!(backlog.waiting(now + EVERY * OLD), None);
    }
}
