//! The stores against a real Redis. Without `AFLUENTE_TEST_REDIS` (see `scripts/servers.sh`) each test says that it was
//! skipped. Every test has a namespace of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::disallowed_methods)]

use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use afluente_adapter_redis::RedisStore;
use domain::{AccountId, Address, OrganizationId, Thread, Timestamp};
use ports::{Buckets as _, Leases as _, StoreError, Windows as _};

fn namespace() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}:", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn store() -> Option<(RedisStore, String, String)> {
    let url = ports::conformance::server("AFLUENTE_TEST_REDIS")?;
    let namespace = namespace();
    Some((RedisStore::connect(&url, namespace.clone()).await.unwrap(), namespace, url))
}

fn thread(organization: &str, number: u32) -> Thread {
    Thread {
        organization: OrganizationId::derive(&[organization]),
        account: AccountId::derive(&["account"]),
        address: Address::new(format!("5511{number:09}")),
    }
}

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

#[tokio::test]
async fn ses_1_a_window_only_moves_forward() {
    let Some((store, ..)) = store().await else { return };
    let day = Duration::from_secs(86_400);
    store.note(&[(thread("a", 1), at(100)), (thread("a", 2), at(50))], day).await.unwrap();
    store.note(&[(thread("a", 1), at(90)), (thread("a", 2), at(60))], day).await.unwrap();
    // The same thread twice in one call.
    store.note(&[(thread("a", 3), at(7)), (thread("a", 3), at(5))], day).await.unwrap();
    let asked = [thread("a", 2), thread("a", 9), thread("a", 1), thread("a", 3), thread("b", 1)];
    assert_eq!(store.last(&asked).await.unwrap(), [Some(at(60)), None, Some(at(100)), Some(at(7)), None]);
    assert_eq!(store.last(&[]).await.unwrap(), []);
    store.note(&[], day).await.unwrap();
}

#[tokio::test]
async fn more_windows_than_one_script_takes() {
    let Some((store, ..)) = store().await else { return };
    let wrote: Vec<_> = (0..1_234).map(|n| (thread("a", n), at(n.into()))).collect();
    store.note(&wrote, Duration::from_secs(60)).await.unwrap();
    let threads: Vec<_> = wrote.iter().map(|(thread, _)| thread.clone()).collect();
    let last = store.last(&threads).await.unwrap();
    assert_eq!(last, wrote.iter().map(|(_, at)| Some(*at)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_window_is_kept_no_longer_than_asked() {
    let Some((store, ..)) = store().await else { return };
    store.note(&[(thread("a", 1), at(100))], Duration::from_millis(50)).await.unwrap();
    let gone = async {
        while store.last(&[thread("a", 1)]).await.unwrap() != [None] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("it expires");
}

#[tokio::test]
async fn a_bucket_gives_its_burst_then_its_rate() {
    let Some((store, ..)) = store().await else { return };
    for _ in 0..3 {
        assert_eq!(store.take("k", 10.0, 3, at(1_000)).await.unwrap(), None);
    }
    assert_eq!(store.take("k", 10.0, 3, at(1_000)).await.unwrap(), Some(Duration::from_millis(100)));
    // Asking costs nothing, another key is another bucket, and time that runs back takes nothing away.
    let later = at(1_000) + Duration::from_millis(60);
    assert_eq!(store.take("k", 10.0, 3, later).await.unwrap(), Some(Duration::from_millis(40)));
    assert_eq!(store.take("other", 10.0, 3, at(1_000)).await.unwrap(), None);
    assert_eq!(store.take("k", 10.0, 3, at(1_000) + Duration::from_millis(100)).await.unwrap(), None);
    assert!(store.take("k", 10.0, 3, at(900)).await.unwrap().is_some());
    // A slow bucket keeps its fractions.
    assert_eq!(store.take("slow", 0.5, 1, at(1_000)).await.unwrap(), None);
    assert_eq!(store.take("slow", 0.5, 1, at(1_001)).await.unwrap(), Some(Duration::from_secs(1)));
    assert_eq!(store.take("slow", 0.5, 1, at(1_002)).await.unwrap(), None);
    assert!(store.take("never", 0.0, 1, at(1)).await.unwrap().is_none());
    assert!(store.take("never", f64::NAN, 1, at(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn many_takers_share_one_bucket() {
    let Some((store, ..)) = store().await else { return };
    let mut takers = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let store = store.clone();
        takers.spawn(async move { store.take("shared", 1.0, 10, at(1_000)).await.unwrap().is_none() });
    }
    assert_eq!(takers.join_all().await.into_iter().filter(|taken| *taken).count(), 10);
}

#[tokio::test]
async fn a_lease_has_one_owner_until_it_ends() {
    let Some((store, ..)) = store().await else { return };
    let ttl = Duration::from_secs(30);
    assert!(store.claim("poll", "one", at(100), ttl).await.unwrap());
    assert!(!store.claim("poll", "two", at(110), ttl).await.unwrap());
    assert!(store.claim("poll", "one", at(120), ttl).await.unwrap());
    assert!(!store.claim("poll", "two", at(149), ttl).await.unwrap());
    assert!(store.claim("poll", "two", at(150), ttl).await.unwrap());
    assert!(!store.claim("poll", "one", at(151), ttl).await.unwrap());
    assert!(store.claim("other", "one", at(151), ttl).await.unwrap());
}

#[tokio::test]
async fn no_key_tells_an_address() {
    let Some((store, namespace, url)) = store().await else { return };
    store.note(&[(thread("a", 12345), at(1))], Duration::from_secs(60)).await.unwrap();
    store.take("pair:5511000012345", 1.0, 1, at(1)).await.unwrap();
    let mut connection = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{namespace}*")).query_async(&mut connection).await.unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|key| !key.contains("5511") && !key.contains("12345")), "{keys:?}");
}

#[tokio::test]
async fn a_store_that_is_away_says_so_and_comes_back() {
    let Some(..) = store().await else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../scripts/servers.sh");
    let folder = tempfile::tempdir().unwrap();
    let servers = |action: &str| {
        assert!(Command::new(&script).arg(action).arg(folder.path()).arg("redis").status().unwrap().success());
    };
    servers("start");
    let env = std::fs::read_to_string(folder.path().join("env")).unwrap();
    let url = env.lines().find_map(|line| line.strip_prefix("export AFLUENTE_TEST_REDIS=")).unwrap();
    let store = RedisStore::connect(url, "").await.unwrap();
    store.note(&[(thread("a", 1), at(1))], Duration::from_secs(60)).await.unwrap();
    servers("kill");
    let away = store.last(&[thread("a", 1)]).await;
    assert!(matches!(away, Err(StoreError::Unavailable(_))), "{away:?}");
    servers("start");
    let back = async {
        while store.check().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back).await.expect("it reconnects");
    // Emptied, as a lost Redis is, and its scripts with it.
    assert_eq!(store.last(&[thread("a", 1)]).await.unwrap(), [None]);
    store.note(&[(thread("a", 1), at(2))], Duration::from_secs(60)).await.unwrap();
    servers("kill");
}

/// A server from which nothing comes back on an open connection, as after a cable was pulled between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_went_silent_is_made_anew() {
    let Some((_, namespace, url)) = store().await else { return };
    let place = url.strip_prefix("redis://").unwrap().split('/').next().unwrap().to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let through = format!("redis://{}/0", listener.local_addr().unwrap());
    let (silence, silent) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (place, mut silent) = (place.clone(), silent.clone());
            silent.mark_unchanged();
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(&place).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    _ = silent.changed() => std::future::pending().await,
                }
            });
        }
    });
    let store = RedisStore::connect(&through, namespace).await.unwrap();
    silence.send_replace(true);
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))));
    store.check().await.unwrap();
}

/// A host that is gone: connections to it are taken and never answered. One call finds out for all.
#[tokio::test]
async fn a_silent_server_is_asked_by_one_at_a_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/0", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            taken.push(stream);
        }
    });
    let store = RedisStore::open(&url, namespace()).unwrap();
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))), "nobody answers");
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        calls.spawn(async move { store.check().await });
    }
    // Those who need not find out hear at once; the last one waits for the server.
    let mut said = Vec::new();
    while let Some(answer) = calls.join_next().await {
        said.push(answer.unwrap());
    }
    assert!(said.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(_)))), "{said:?}");
    assert_eq!(said.iter().filter(|answer| format!("{answer:?}").contains("does not answer")).count(), 49);
}
