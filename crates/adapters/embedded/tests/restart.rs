//! What stands after the process has gone: in good order, and by `kill -9`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use adapter_sql::OpenError;
use afluente_adapter_embedded::{Embedded, EmbeddedOptions};
use domain::Partition;
use ports::{
    Blobs as _, Bus as _,
    bus::{Delivery, Depth, Subscription},
    conformance::samples::envelope,
    topology::{Queue, Topic},
};

const PATIENCE: Duration = Duration::from_secs(30);
const DATA: &str = "AFLUENTE_TEST_KILLED_DATA";

async fn open(data: &Path) -> Embedded {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Embedded::open(data, EmbeddedOptions::default()).await {
            Ok(embedded) => return embedded,
            // The system has not yet taken the lock from the one that was killed.
            Err(OpenError::InUse { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

async fn next(subscription: &mut Subscription) -> Delivery {
    tokio::time::timeout(PATIENCE, subscription.next()).await.expect("a delivery in time").expect("an open bus")
}

fn requested(p: u16) -> (Topic, Queue) {
    (Topic::Requested(Partition(p)), Queue::SessionRequested(Partition(p)))
}

/// The child of `what_was_confirmed_survives_kill_9`; without its parent it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_will_be_killed() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let embedded = open(Path::new(&data)).await;
    // Queue 9: delivered and never settled.
    let (topic, queue) = requested(9);
    embedded.bus.publish((0..10).map(|n| envelope(&format!("h{n}"), topic.clone())).collect()).await.unwrap();
    let mut held = embedded.bus.subscribe(queue, 5).await.unwrap();
    let mut hands = Vec::new();
    for _ in 0..5 {
        hands.push(next(&mut held).await);
    }
    // Queues 0 to 3: one publisher each, as fast as confirmations come; queue 0 is consumed meanwhile.
    let mut consumer = embedded.bus.subscribe(requested(0).1, 50).await.unwrap();
    tokio::spawn(async move {
        while let Some(delivery) = consumer.next().await {
            println!("consumed {}", delivery.envelope.id);
            delivery.ack();
        }
    });
    let mut publishers = Vec::new();
    for p in 0..4u16 {
        let bus = embedded.bus.clone();
        publishers.push(tokio::spawn(async move {
            for n in 0..1_000_000u32 {
                let batch = (0..=n % 3).map(|i| envelope(&format!("{p}-{n:06}-{i}"), requested(p).0)).collect();
                bus.publish(batch).await.unwrap();
                let ids: Vec<_> = (0..=n % 3).map(|i| format!("{p}-{n:06}-{i}")).collect();
                println!("confirmed {}", ids.join(" "));
            }
        }));
    }
    for publisher in publishers {
        publisher.await.unwrap();
    }
    drop(hands);
}

/// Runs the child until it has confirmed enough, kills it, and answers what it confirmed and consumed.
fn run_and_kill(data: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_will_be_killed", "--exact", "--nocapture"])
        .env(DATA, data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut confirmed, mut consumed) = (BTreeSet::new(), BTreeSet::new());
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(ids) = line.strip_prefix("confirmed ") {
            confirmed.extend(ids.split(' ').map(str::to_owned));
        } else if let Some(id) = line.strip_prefix("consumed ") {
            consumed.insert(id.to_owned());
        }
        if confirmed.len() >= 600 && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the child ended by itself after {} confirmations", confirmed.len());
    (confirmed, consumed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_confirmed_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_path_buf();
    let (confirmed, consumed) = tokio::task::spawn_blocking(move || run_and_kill(&data)).await.unwrap();
    let embedded = open(folder.path()).await;
    let mut found = BTreeSet::new();
    for p in 0..4 {
        let (_, queue) = requested(p);
        let depth = embedded.bus.depth(&queue).await.unwrap();
        let mut subscription = embedded.bus.subscribe(queue, 100).await.unwrap();
        let mut order = Vec::new();
        for _ in 0..depth.ready {
            let delivery = next(&mut subscription).await;
            order.push(delivery.envelope.id.clone());
            delivery.ack();
        }
        assert!(order.is_sorted(), "{order:?}");
        found.extend(order);
    }
    let missing: Vec<_> = confirmed.iter().filter(|id| !found.contains(*id) && !consumed.contains(*id)).collect();
    assert!(missing.is_empty(), "confirmed and gone: {missing:?}");

    let mut held = embedded.bus.subscribe(requested(9).1, 20).await.unwrap();
    let mut attempts = BTreeMap::new();
    for _ in 0..10 {
        let delivery = next(&mut held).await;
        attempts.insert(delivery.envelope.id.clone(), delivery.attempt);
        delivery.ack();
    }
    let expected = (0..10).map(|n| (format!("h{n}"), if n < 5 { 2 } else { 1 })).collect();
    assert_eq!(attempts, expected, "what was in hand has one attempt more");
    embedded.close().await;
}

#[tokio::test]
async fn a_closed_bus_says_so_and_keeps_its_messages() {
    let folder = tempfile::tempdir().unwrap();
    let (topic, queue) = requested(0);
    let embedded = open(folder.path()).await;
    let sent: Vec<_> = (0..4_000).map(|n| envelope(&format!("m{n:05}"), topic.clone())).collect();
    embedded.bus.publish(sent.clone()).await.unwrap();
    let mut subscription = embedded.bus.subscribe(queue.clone(), 2).await.unwrap();
    next(&mut subscription).await.ack();
    next(&mut subscription).await.retry(Duration::from_secs(3_600));
    embedded.close().await;
    while subscription.next().await.is_some() {}
    assert!(embedded.bus.publish(sent[..1].to_vec()).await.is_err());
    assert!(embedded.bus.check().await.is_err());
    drop((subscription, embedded));

    let embedded = open(folder.path()).await;
    assert_eq!(embedded.bus.depth(&queue).await.unwrap(), Depth { ready: 3_999, unsettled: 0 });
    let mut subscription = embedded.bus.subscribe(queue, 100).await.unwrap();
    for expected in &sent[2..] {
        let delivery = next(&mut subscription).await;
        assert_eq!(&delivery.envelope, expected);
        delivery.ack();
    }
    // The retried one still waits for its hour.
    assert!(tokio::time::timeout(Duration::from_millis(200), subscription.next()).await.is_err());
    embedded.close().await;
}

/// A desk that waits for its store does not fill the memory of the process with pages of events.
#[tokio::test]
async fn who_lags_behind_what_goes_to_everybody_loses_the_oldest_beyond_a_bound_in_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = open(folder.path()).await;
    let queue = Queue::Fanout { topic: Topic::Events, replica: "desk".to_owned() };
    let mut subscription = embedded.bus.subscribe(queue, 1).await.unwrap();
    let page = |n: usize| ports::bus::Envelope {
        body: vec![0; 1 << 20].into(),
        ..envelope(&format!("m{n:03}"), Topic::Events)
    };
    for n in 0..100 {
        embedded.bus.publish(vec![page(n)]).await.unwrap();
    }
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last: &String| last != "m099") {
        let delivery = next(&mut subscription).await;
        heard.push(delivery.envelope.id.clone());
        delivery.ack();
    }
    assert!(heard.is_sorted() && (64..=66).contains(&heard.len()), "{heard:?}");
    embedded.close().await;
}

#[tokio::test]
async fn a_folder_is_open_in_one_process_only() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = open(folder.path()).await;
    let second = Embedded::open(folder.path(), EmbeddedOptions::default()).await;
    assert_eq!(second.unwrap_err(), OpenError::InUse { path: folder.path().to_path_buf() });
    embedded.close().await;
    drop(embedded);
    open(folder.path()).await.close().await;
}

#[tokio::test]
async fn a_store_newer_than_the_binary_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = open(folder.path()).await;
    let writing = embedded.store.begin().await.unwrap();
    let text = "INSERT INTO schema_version (version) VALUES (99)";
    sea_orm::ConnectionTrait::execute_unprepared(writing.connection(), text).await.unwrap();
    writing.commit().await.unwrap();
    embedded.close().await;
    drop(embedded);
    let again = Embedded::open(folder.path(), EmbeddedOptions::default()).await;
    assert!(matches!(again, Err(OpenError::StoreTooNew { found: 99, .. })), "{again:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_data_folder_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("deep").join("data");
    let embedded = open(&data).await;
    embedded.blobs.put("a/b", "text/plain", "x".into()).await.unwrap();
    let mut seen = 0;
    let mut folders = vec![data];
    while let Some(folder) = folders.pop() {
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
            seen += 1;
        }
    }
    // The lock, the store with its log and index, the blob.
    assert_eq!(seen, 5);
    embedded.close().await;
}
