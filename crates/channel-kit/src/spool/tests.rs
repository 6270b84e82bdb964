#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use domain::Partition;
use ports::{
    bus::{BusError, Depth, Subscription},
    topology::{Queue, Topic},
};

use super::*;

/// Notes what is published, or is away.
#[derive(Default)]
struct Broker {
    away: AtomicBool,
    seen: Mutex<Vec<String>>,
}

#[async_trait]
impl Bus for Broker {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(BusError::Unavailable("away".into()));
        }
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
    let spool = Spool::open(folder.path().join("s"), 1 << 30);
    for n in 0..300 {
        spool.append(&[envelope(2 * n), envelope(2 * n + 1)]).await.unwrap();
    }
    assert_eq!(spool.pending(), 600);
    drop(spool);

    let again = Spool::open(folder.path().join("s"), 1 << 30);
    assert_eq!(again.pending(), 600, "what was kept is still there");
    again.append(&[envelope(600)]).await.unwrap();
    let bus = Arc::new(Broker::default());
    drained(&again, Arc::clone(&bus)).await;
    let seen = bus.seen.lock().unwrap().clone();
    assert_eq!(seen, (0..601).map(|n| format!("{n:06}")).collect::<Vec<_>>());
    assert_eq!(std::fs::read_dir(folder.path().join("s")).unwrap().count(), 0, "no file is left");
    assert_eq!(again.bytes(), 0);
}

#[tokio::test]
async fn a_torn_tail_is_not_read_and_not_built_upon() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path().to_owned(), 1 << 30);
    spool.append(&[envelope(0)]).await.unwrap();
    drop(spool);
    let file = segment::path(folder.path(), 1);
    let mut bytes = std::fs::read(&file).unwrap();
    let half = record::encode(&envelope(1));
    bytes.extend_from_slice(&half[..half.len() / 2]);
    std::fs::write(&file, bytes).unwrap();

    let spool = Spool::open(folder.path().to_owned(), 1 << 30);
    assert_eq!(spool.pending(), 1);
    spool.append(&[envelope(2)]).await.unwrap();
    let bus = Arc::new(Broker::default());
    drained(&spool, Arc::clone(&bus)).await;
    assert_eq!(*bus.seen.lock().unwrap(), ["000000", "000002"]);
}

#[tokio::test]
async fn a_full_or_unwritable_spool_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path().join("s"), 400);
    spool.append(&[envelope(0)]).await.unwrap();
    assert_eq!(spool.append(&[envelope(1), envelope(2), envelope(3)]).await, Err(SpoolError::Full));
    assert_eq!(spool.pending(), 1);

    let file = folder.path().join("a-file");
    std::fs::write(&file, "x").unwrap();
    let broken = Spool::open(file.join("s"), 1 << 20);
    assert!(matches!(broken.append(&[envelope(0)]).await, Err(SpoolError::Unwritable(_))));
    assert!(broken.check().is_err());
}

#[tokio::test]
async fn a_crowd_shares_the_disk_and_all_of_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path().to_owned(), 1 << 30);
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
