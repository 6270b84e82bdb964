#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::Partition;
use ports::{
    bus::{BusError, Depth, Subscription},
    topology::{Queue, Topic},
};

use runtime::names::{label, metric};

use super::*;

fn open(folder: &Path, limit: u64) -> Spool {
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

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A disk so small that a test fills it. It is gone when this is dropped, whatever became of the test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where this process may not mount: then it says so, and the test ends.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=64k,mode=700", "afluente-test"];
        let why = match Command::new("mount").args(mount).arg(folder.path()).output() {
            Ok(output) if output.status.success() => return Some(Self(folder)),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("skipped: no disk can be mounted here, so none is filled ({why})");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The first segment of the first slot.
    fn segment(&self) -> std::path::PathBuf {
        segment::path(&self.path().join("0001"), 1)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a test that failed may still have files open on it.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).output();
    }
}

/// Appends from `first` on, `crowd` at a time, until the disk is full. Answers which comes next, and what was said.
async fn fill(spool: &Spool, first: usize, crowd: usize) -> (usize, SpoolError) {
    for next in (first..first + 10_000).step_by(crowd) {
        let batch: Vec<_> = (next..next + crowd).map(envelope).collect();
        if let Err(error) = spool.append(&batch).await {
            return (next, error);
        }
    }
    panic!("the disk is never full");
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("{n:06}")).collect()
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
async fn damage_found_while_it_runs_is_kept_aside() {
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

/// To put it aside takes no room.
#[tokio::test]
async fn damage_is_kept_aside_even_when_the_disk_is_full() {
    let Some(disk) = SmallDisk::mount() else { return };
    let spool = open(disk.path(), 1 << 30);
    fill(&spool, 0, 1).await;
    let mut bytes = std::fs::read(disk.segment()).unwrap();
    bytes[20] ^= 1;
    // In place: written anew it would not fit beside itself.
    OpenOptions::new().write(true).open(disk.segment()).unwrap().write_all(&bytes).unwrap();
    drained(&spool, Arc::new(Broker::default())).await;
    assert_eq!(std::fs::read(disk.path().join("0001/000000000001.torn")).unwrap(), bytes);
}

#[tokio::test]
async fn a_disk_that_is_full_turns_away_what_does_not_fit_and_keeps_the_rest_whole() {
    let Some(disk) = SmallDisk::mount() else { return };
    let spool = open(disk.path(), 1 << 30);
    let (kept, refused) = fill(&spool, 0, 1).await;
    // ENOSPC by its number: the words are the system's.
    assert!(matches!(&refused, SpoolError::Unwritable(why) if why.contains("os error 28")), "{refused}");
    assert!(refused.to_string().starts_with("the spool cannot be written: "), "{refused}");
    assert!(matches!(spool.check().await, Err(SpoolError::Unwritable(_))), "readiness says so");
    assert_eq!(spool.append(&[envelope(kept)]).await, Err(refused), "and so does the next");
    // The kernel took the part that fitted; nothing of it stands after what was accepted.
    let size = record::encode(&envelope(0)).len();
    assert!(kept > 100 && !(kept * size).is_multiple_of(4096), "{kept} records of {size} bytes end within a page");
    assert_eq!(std::fs::metadata(disk.segment()).unwrap().len(), (kept * size) as u64);
    assert_eq!(spool.pending(), kept as u64);
    end(spool).await;

    let spool = open(disk.path(), 1 << 30);
    assert_eq!(spool.pending(), kept as u64, "all that was accepted is still there");
    let bus = Arc::new(Broker::default());
    drained(&spool, Arc::clone(&bus)).await;
    assert_eq!(*bus.seen.lock().unwrap(), numbers(0..kept), "in order, and nothing else");
    assert_eq!(files(&disk.path().join("0001")), ["lock"], "nothing counts as torn");

    // There is room again. Then the disk is full once more, and drained by the process that filled it.
    let (full, _) = fill(&spool, kept, 2).await;
    assert!(spool.check().await.is_err());
    drained(&spool, Arc::clone(&bus)).await;
    assert_eq!(spool.check().await, Ok(()), "what was refused would fit now");
    spool.append(&[envelope(full), envelope(full + 1)]).await.unwrap();
    drained(&spool, Arc::clone(&bus)).await;
    assert_eq!(*bus.seen.lock().unwrap(), numbers(0..full + 2), "of a pair that did not fit, neither was kept");
}

/// Fills the disk and adds as much of the next record as it takes: the process ended between the kernel's short write and
/// the cut that follows it. Answers how many were accepted.
async fn half_written(disk: &SmallDisk) -> usize {
    let spool = open(disk.path(), 1 << 30);
    let (kept, _) = fill(&spool, 0, 1).await;
    end(spool).await;
    let half = record::encode(&envelope(kept));
    let taken = OpenOptions::new().append(true).open(disk.segment()).unwrap().write(&half).unwrap();
    assert!(0 < taken && taken < half.len(), "{taken} of {} bytes", half.len());
    kept
}

#[tokio::test]
async fn what_was_half_written_when_the_disk_was_full_is_dropped_and_the_rest_comes_in_order() {
    let Some(disk) = SmallDisk::mount() else { return };
    let kept = half_written(&disk).await;
    let spool = open(disk.path(), 1 << 30);
    assert_eq!(spool.pending(), kept as u64);
    let bus = Arc::new(Broker::default());
    drained(&spool, Arc::clone(&bus)).await;
    let seen = bus.seen.lock().unwrap().clone();
    assert_eq!((seen.len(), seen), (kept, numbers(0..kept)), "all that was accepted, and not the half");
}

#[tokio::test]
async fn what_was_half_written_when_the_disk_was_full_does_not_keep_the_room_of_what_went_out() {
    let Some(disk) = SmallDisk::mount() else { return };
    let kept = half_written(&disk).await;
    let spool = open(disk.path(), 1 << 30);
    let bus = Arc::new(Broker::default());
    drained(&spool, Arc::clone(&bus)).await;
    assert_eq!(spool.append(&[envelope(kept)]).await, Ok(()), "there is room again");
    drained(&spool, Arc::clone(&bus)).await;
    assert_eq!(bus.seen.lock().unwrap().last(), Some(&format!("{kept:06}")));
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
