#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use domain::Partition;
use ports::{
    bus::{BusError, Depth, Subscription},
    topology::{Queue, Topic},
};

use runtime::names::{label, metric};

use super::*;

fn open(folder: &std::path::Path, limit: u64) -> Spool {
    Spool::open(folder.to_owned(), limit, Metrics::new())
}

/// Notes what is published, or is away.
#[derive(Default)]
pub(super) struct Broker {
    away: AtomicBool,
    seen: Mutex<Vec<String>>,
    parked: Mutex<Vec<String>>,
}

#[async_trait]
impl Bus for Broker {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(BusError::Unavailable("away".into()));
        }
        if let Some(bad) = batch.iter().find(|one| one.kind == "unroutable" && one.topic != Topic::Parked) {
            return Err(BusError::Unroutable(bad.topic.route()));
        }
        let parked = batch.iter().filter(|one| one.topic == Topic::Parked).map(|one| one.id.clone());
        self.parked.lock().unwrap().extend(parked);
        self.seen.lock().unwrap().extend(batch.into_iter().map(|envelope| envelope.id));
        Ok(())
    }

    async fn subscribe(&self, _: Queue, _: u16) -> Result<Subscription, BusError> {
        Err(BusError::Forbidden("publish only".into()))
    }

    async fn depth(&self, _: &Queue) -> Result<Depth, BusError> {
        Ok(Depth::default())
    }

    async fn check(&self) -> Result<(), BusError> {
        Ok(())
    }
}

fn envelope(n: usize) -> Envelope {
    Envelope {
        id: format!("{n:06}"),
        topic: Topic::Inbound(Partition(0)),
        kind: "test".into(),
        correlation: None,
        headers: Default::default(),
        body: Bytes::from(vec![7; 100]),
    }
}

/// As a process does: nothing of it is left, so its lock is free.
async fn end(spool: Spool) {
    let alone = async {
        while spool.holders() > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), alone).await.expect("nobody else holds it");
}

fn files(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn drained(spool: &Spool, bus: Arc<Broker>) {
    let drain = Drain::default();
    let task = tokio::spawn({
        let (spool, bus, drain) = (spool.clone(), Arc::clone(&bus), drain.clone());
        async move { spool.drain(bus.as_ref(), &drain).await }
    });
    let emptied = async {
        while spool.pending() > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), emptied).await.expect("the spool empties");
    drain.0.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn it_keeps_order_survives_a_restart_and_gives_the_space_back() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(&folder.path().join("s"), 1 << 30);
    for n in 0..300 {
        spool.append(&[envelope(2 * n), envelope(2 * n + 1)]).await.unwrap();
    }
    assert_eq!(spool.pending(), 600);
    end(spool).await;

    let again = open(&folder.path().join("s"), 1 << 30);
    assert_eq!(again.pending(), 600, "what was kept is still there");
    again.append(&[envelope(600)]).await.unwrap();
    let bus = Arc::new(Broker::default());
    drained(&again, Arc::clone(&bus)).await;
    let seen = bus.seen.lock().unwrap().clone();
    assert_eq!(seen, (0..601).map(|n| format!("{n:06}")).collect::<Vec<_>>());
    assert_eq!(files(&folder.path().join("s/0001")), ["lock"], "no segment is left");
    assert_eq!(again.bytes(), 0);
}

#[tokio::test]
async fn a_torn_tail_is_not_read_and_not_built_upon() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1 << 30);
    spool.append(&[envelope(0)]).await.unwrap();
    end(spool).await;
    let file = segment::path(&folder.path().join("0001"), 1);
    let mut bytes = std::fs::read(&file).unwrap();
    let half = record::encode(&envelope(1));
    bytes.extend_from_slice(&half[..half.len() / 2]);
    std::fs::write(&file, bytes).unwrap();

    let spool = open(folder.path(), 1 << 30);
    assert_eq!(spool.pending(), 1);
    spool.append(&[envelope(2)]).await.unwrap();
    let bus = Arc::new(Broker::default());
    drained(&spool, Arc::clone(&bus)).await;
    assert_eq!(*bus.seen.lock().unwrap(), ["000000", "000002"]);
    assert_eq!(files(&folder.path().join("0001")), ["000000000001.torn", "lock"]);
}

#[tokio::test]
async fn damage_found_after_a_restart_is_kept_aside_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1 << 30);
    for n in 0..3 {
        spool.append(&[envelope(n)]).await.unwrap();
    }
    end(spool).await;
    let file = segment::path(&folder.path().join("0001"), 1);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();

    let metrics = Metrics::new();
    let spool = Spool::open(folder.path().to_owned(), 1 << 30, metrics.clone());
    let labels = [(label::PLACE, "spool"), (label::CODE, "internal")];
    assert!(metrics.total(metric::PARKED, &labels) > 0.0, "{}", metrics.render());
    let bus = Arc::new(Broker::default());
    drained(&spool, Arc::clone(&bus)).await;
    assert_eq!(*bus.seen.lock().unwrap(), ["000000"]);
    let torn = folder.path().join("0001/000000000001.torn");
    assert_eq!(std::fs::read(&torn).unwrap(), bytes, "nothing that was accepted is deleted");

    // The same number again: the second does not replace the first.
    end(spool).await;
    std::fs::write(&file, b"not a record at all").unwrap();
    let spool = open(folder.path(), 1 << 30);
    spool.append(&[envelope(9)]).await.unwrap();
    drained(&spool, bus).await;
    assert_eq!(std::fs::read(&torn).unwrap(), bytes);
    assert_eq!(files(&folder.path().join("0001")), ["000000000001.1.torn", "000000000001.torn", "lock"]);
}

#[tokio::test]
async fn damage_found_while_it_runs_is_kept_aside_even_when_the_disk_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1 << 30);
    spool.append(&[envelope(0)]).await.unwrap();
    let file = segment::path(&folder.path().join("0001"), 1);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let bus = Arc::new(Broker::default());
    drained(&spool, bus).await;
    assert_eq!(std::fs::read(folder.path().join("0001/000000000001.torn")).unwrap(), bytes);
}

#[tokio::test]
async fn what_the_broker_refuses_is_parked_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1 << 30);
    let refused = Envelope { kind: "unroutable".into(), ..envelope(1) };
    spool.append(&[envelope(0), refused, envelope(2)]).await.unwrap();
    let bus = Arc::new(Broker::default());
    drained(&spool, Arc::clone(&bus)).await;
    assert_eq!(*bus.parked.lock().unwrap(), ["000001"]);
    assert_eq!(*bus.seen.lock().unwrap(), ["000000", "000001", "000002"]);
}

#[tokio::test]
async fn two_processes_on_one_folder_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (open(folder.path(), 1 << 30), open(folder.path(), 1 << 30));
    for n in 0..50 {
        one.append(&[envelope(n)]).await.unwrap();
        two.append(&[envelope(100 + n)]).await.unwrap();
    }
    assert_eq!((one.pending(), two.pending()), (50, 50));
    let bus = Arc::new(Broker::default());
    drained(&one, Arc::clone(&bus)).await;
    drained(&two, Arc::clone(&bus)).await;
    let seen = bus.seen.lock().unwrap().clone();
    assert_eq!(seen, (0..50).chain(100..150).map(|n| format!("{n:06}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_slots_of_processes_that_are_gone_are_drained() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two, three) = (open(folder.path(), 1 << 30), open(folder.path(), 1 << 30), open(folder.path(), 1 << 30));
    for (n, spool) in [&one, &two, &three].into_iter().enumerate() {
        spool.append(&[envelope(n)]).await.unwrap();
    }
    end(two).await;
    end(three).await;
    // The start takes the second slot as its own and adopts the third; the first is in use.
    let next = open(folder.path(), 1 << 30);
    assert_eq!(next.pending(), 2);
    let bus = Arc::new(Broker::default());
    drained(&next, Arc::clone(&bus)).await;
    assert_eq!(*bus.seen.lock().unwrap(), ["000002", "000001"]);
    assert_eq!(one.pending(), 1);
    // One that goes while the other runs is found by its next look around.
    end(one).await;
    next.sweep();
    drained(&next, Arc::clone(&bus)).await;
    assert_eq!(*bus.seen.lock().unwrap(), ["000002", "000001", "000000"]);
}

#[tokio::test]
async fn after_a_refusal_the_check_fails_until_an_append_fits_again() {
    let folder = tempfile::tempdir().unwrap();
    let size = record::encode(&envelope(0)).len() as u64;
    let spool = open(folder.path(), size * 2 + 10);
    spool.append(&[envelope(0)]).await.unwrap();
    assert_eq!(spool.check().await, Ok(()));
    assert_eq!(spool.append(&[envelope(1), envelope(2)]).await, Err(SpoolError::Full));
    assert_eq!(spool.check().await, Err(SpoolError::Full), "there is room, but not for what came");
    drained(&spool, Arc::new(Broker::default())).await;
    assert_eq!(spool.check().await, Ok(()), "there is room again, though nothing came since");

    // The folder goes away under it: an append fails, and the check finds out by itself that it is back.
    let slot = folder.path().join("0001");
    std::fs::rename(&slot, folder.path().join("away")).unwrap();
    assert!(matches!(spool.append(&[envelope(3)]).await, Err(SpoolError::Unwritable(_))));
    assert!(matches!(spool.check().await, Err(SpoolError::Unwritable(_))));
    std::fs::rename(folder.path().join("away"), &slot).unwrap();
    assert_eq!(spool.check().await, Ok(()));
}

#[tokio::test]
async fn a_full_or_unwritable_spool_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(&folder.path().join("s"), 400);
    spool.append(&[envelope(0)]).await.unwrap();
    assert_eq!(spool.append(&[envelope(1), envelope(2), envelope(3)]).await, Err(SpoolError::Full));
    assert_eq!(spool.pending(), 1);

    let file = folder.path().join("a-file");
    std::fs::write(&file, "x").unwrap();
    let broken = open(&file.join("s"), 1 << 20);
    assert!(matches!(broken.append(&[envelope(0)]).await, Err(SpoolError::Unwritable(_))));
    assert!(broken.check().await.is_err());
}

#[tokio::test]
async fn a_crowd_shares_the_disk_and_all_of_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 1 << 30);
    let crowd = (0..200).map(|n| {
        let spool = spool.clone();
        tokio::spawn(async move { spool.append(&[envelope(n)]).await })
    });
    for one in crowd.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    let bus = Arc::new(Broker::default());
    bus.away.store(true, Ordering::SeqCst);
    assert!(spool.step(bus.as_ref()).await.is_err());
    assert_eq!(spool.pending(), 200);
    bus.away.store(false, Ordering::SeqCst);
    drained(&spool, Arc::clone(&bus)).await;
    assert_eq!(bus.seen.lock().unwrap().len(), 200);
}

#[tokio::test]
async fn segments_from_before_there_were_slots_are_published() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(segment::path(folder.path(), 7), record::encode(&envelope(7))).unwrap();
    let spool = open(folder.path(), 1 << 30);
    spool.append(&[envelope(8)]).await.unwrap();
    let bus = Arc::new(Broker::default());
    drained(&spool, Arc::clone(&bus)).await;
    assert_eq!(*bus.seen.lock().unwrap(), ["000007", "000008"]);
}

#[tokio::test]
async fn a_slot_with_nothing_to_read_is_put_away_once() {
    let folder = tempfile::tempdir().unwrap();
    let own = open(folder.path(), 1 << 30);
    std::fs::create_dir(folder.path().join("0002")).unwrap();
    std::fs::write(segment::path(&folder.path().join("0002"), 1), b"not a record at all").unwrap();
    own.sweep();
    assert_eq!(files(&folder.path().join("0002")), ["000000000001.torn", "lock"]);
    own.adopted().clear();
    own.sweep();
    assert!(own.adopted().is_empty(), "it is not found again");
}
