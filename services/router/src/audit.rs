//! The audit as metrics: one replica looks now and then, notes when the queues were seen empty, and says how many
//! messages are unaccounted for. `afluente audit` asks the same store.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain::{Partition, Timestamp};
use ports::{
    StoreError,
    bus::BusError,
    conservation::{GRACE, IntakeCounts, Period, SEEN_EMPTY, SLOT},
    topology::Queue,
};
use runtime::{
    Drain, Env,
    names::{label, metric},
};

use crate::shell::Shell;

const LEASE: &str = "router.audit";
/// How far back the metrics look. What is older is the command's to find.
const LOOK_BACK: Duration = Duration::from_secs(2 * 60 * 60);
/// How many sights of a queue are kept while the parked queue is never seen empty: hours, at the pace of a replica.
const SIGHTS: usize = 1_024;
/// How long a send may be queued with nothing on its way before it counts.
const QUEUED_FOR: Duration = Duration::from_secs(10 * 60);

/// The longest that one look may take.
const LONGEST_LOOK: Duration = Duration::from_secs(90);

/// Looks until the drain begins.
pub(crate) async fn run(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    let every = Duration::from_millis(shell.config.audit_millis.max(10));
    let mut watch = Watch::default();
    loop {
        // Counting over everything has no deadline of its own. On a connection that fell silent it would wait for long, and
        // while it may, the store takes no other silence for one.
        let looked = tokio::time::timeout(LONGEST_LOOK, look(&shell, &mut watch, every)).await;
        let late = || Err(StoreError::Unavailable("it took too long".to_owned()));
        match looked.unwrap_or_else(|_| late()) {
            // Another replica says it.
            Ok(None) => say(&shell, &IntakeCounts::default(), 0),
            Ok(Some((intake, sends))) => say(&shell, &intake, sends),
            Err(error) => tracing::warn!(%error, "the audit is made later"),
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = drain.begun() => return Ok(()),
        }
    }
}

/// Notes which queues are empty. What is delivered and not settled is waited for elsewhere.
async fn watch_queues(env: &Env, watch: &mut Watch, now: Timestamp) -> Result<(), BusError> {
    for partition in (0..env.partitions).map(Partition) {
        if env.bus.depth(&Queue::RouterInbound(partition)).await?.ready == 0 {
            watch.empty(partition, now);
        }
    }
    if env.bus.depth(&Queue::RouterParked).await?.ready == 0 {
        watch.parked_empty(now);
    }
    Ok(())
}

async fn look(shell: &Shell, watch: &mut Watch, every: Duration) -> Result<Option<(IntakeCounts, u64)>, StoreError> {
    let env = &shell.env;
    let now = env.clock.now();
    if !env.leases.claim(LEASE, &env.replica, now, every * 3).await? {
        *watch = Watch::default();
        return Ok(None);
    }
    if let Err(error) = watch_queues(env, watch, now).await {
        // It shows nothing while it is away; what is in the store can be counted.
        tracing::debug!(%error, "the queues are looked at later");
    }
    let old = watch.old_enough(now);
    if !old.is_empty() {
        let place = serde_json::to_string(&old).map_err(|error| StoreError::Refused(error.to_string()))?;
        env.cursors.set(SEEN_EMPTY, &place).await?;
    }
    env.journal.fold_heard(earlier(now, 2 * SLOT)).await?;
    let period = Period { since: Some(earlier(now, LOOK_BACK)), ..Period::default() };
    let intake = env.views.intake(&period).await?;
    let sends = env.views.unaccounted_out(None, earlier(now, QUEUED_FOR)).await?;
    if intake.unaccounted > 0 {
        tracing::error!(
            count = intake.unaccounted,
            "messages that a channel accepted are gone: `afluente audit` names them"
        );
    }
    Ok(Some((intake, sends.count)))
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(at.millis().saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

#[expect(clippy::cast_precision_loss, reason = "a gauge beyond 2^53 may be off by one")]
fn say(shell: &Shell, intake: &IntakeCounts, sends: u64) {
    let metrics = &shell.env.metrics;
    for (what, count) in [
        ("accepted", intake.accepted),
        ("carried_out", intake.carried_out),
        ("duplicate", intake.duplicates),
        ("parked", intake.parked),
        ("on_its_way", intake.on_its_way),
        ("unaccounted", intake.unaccounted),
        ("unconfirmed", intake.unconfirmed),
    ] {
        metrics.gauge(metric::AUDIT_INTAKE, &[(label::OUTCOME, what)], count as f64);
    }
    metrics.gauge(metric::AUDIT_SENDS, &[], sends as f64);
}

/// When the queues were seen empty. A sight of a partition's queue counts once the parked queue was seen empty [`GRACE`]
/// later, and that is [`GRACE`] ago: by the first, what was in a worker's hand has been committed, is in the queue again,
/// or is among the parked; by the second, so has what was being kept as parked.
#[derive(Default)]
struct Watch {
    seen: BTreeMap<u16, VecDeque<Timestamp>>,
    parked: VecDeque<Timestamp>,
}

impl Watch {
    fn empty(&mut self, partition: Partition, now: Timestamp) {
        let seen = self.seen.entry(partition.0).or_default();
        seen.push_back(now);
        if seen.len() > SIGHTS {
            // The first is what counts now, and the youngest are what may count next: between them nothing is missed.
            seen.remove(1);
        }
    }

    fn parked_empty(&mut self, now: Timestamp) {
        self.parked.push_back(now);
    }

    /// The last sight of each queue that counts; older ones are forgotten.
    fn old_enough(&mut self, now: Timestamp) -> BTreeMap<u16, Timestamp> {
        let Some(kept) = last_before(&mut self.parked, now) else { return BTreeMap::new() };
        let last = |(partition, seen): (&u16, &mut VecDeque<Timestamp>)| Some((*partition, last_before(seen, kept)?));
        self.seen.iter_mut().filter_map(last).collect()
    }
}

/// The last sight that is [`GRACE`] older than `at`; those before it are forgotten.
fn last_before(seen: &mut VecDeque<Timestamp>, at: Timestamp) -> Option<Timestamp> {
    while seen.get(1).is_some_and(|next| *next + GRACE <= at) {
        seen.pop_front();
    }
    seen.front().copied().filter(|first| *first + GRACE <= at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_1_a_sight_of_an_empty_queue_counts_once_it_is_old_enough() {
        let at = Timestamp::from_secs;
        let mut watch = Watch::default();
        let mut both = |secs| {
            watch.empty(Partition(1), at(secs));
            watch.parked_empty(at(secs));
            watch.old_enough(at(secs))
        };
        assert_eq!(both(0), BTreeMap::new());
        assert_eq!(both(30), BTreeMap::new());
        assert_eq!(both(61), BTreeMap::new(), "the parked queue was not seen a minute later yet");
        assert_eq!(both(120), BTreeMap::new());
        assert_eq!(both(121), BTreeMap::from([(1, at(0))]));
        assert_eq!(both(400), BTreeMap::from([(1, at(61))]));
    }

    #[test]
    fn what_waits_for_the_parked_queue_does_not_grow_for_ever() {
        let at = Timestamp::from_secs;
        let mut watch = Watch::default();
        watch.empty(Partition(1), at(0));
        watch.parked_empty(at(60));
        for minute in 2..10_000 {
            watch.empty(Partition(1), at(minute * 60));
            assert_eq!(watch.old_enough(at(minute * 60)), BTreeMap::from([(1, at(0))]));
        }
        assert!(watch.seen[&1].len() <= SIGHTS);
        watch.parked_empty(at(600_000));
        assert_eq!(watch.old_enough(at(600_060)), BTreeMap::from([(1, at(599_940))]));
    }

    #[test]
    fn x_1_nothing_counts_while_parked_messages_wait_to_be_kept() {
        let at = Timestamp::from_secs;
        let mut watch = Watch::default();
        watch.parked_empty(at(50));
        watch.empty(Partition(1), at(0));
        watch.empty(Partition(2), at(100));
        assert_eq!(watch.old_enough(at(900)), BTreeMap::new());
        watch.parked_empty(at(1_000));
        assert_eq!(watch.old_enough(at(1_059)), BTreeMap::new());
        assert_eq!(watch.old_enough(at(1_060)), BTreeMap::from([(1, at(0)), (2, at(100))]));
    }
}
