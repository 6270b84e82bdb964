//! The suites on PostgreSQL, each test in a database of its own. `AFLUENTE_TEST_POSTGRES` is the URL of a superuser
//! (`postgres://postgres@127.0.0.1:5432/postgres`); without it each test says that it was skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::disallowed_methods)]

mod suites;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use afluente_adapter_sql::{OpenError, SqlStore};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use tokio::{io::AsyncReadExt as _, net::TcpStream, sync::watch};

/// Drops nothing: the instance is the test run's own and goes with it.
pub(crate) struct Schema;

async fn admin() -> Option<(DatabaseConnection, String)> {
    let url = ports::conformance::server("AFLUENTE_TEST_POSTGRES")?;
    Some((Database::connect(&url).await.expect("the test server"), url))
}

async fn fresh_url() -> Option<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let (admin, url) = admin().await?;
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    let name = format!("afluente_{}_{}_{nanos}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database of its own");
    admin.close().await.unwrap();
    let (address, options) = url.split_once('?').map_or((url.as_str(), String::new()), |(a, o)| (a, format!("?{o}")));
    let (server, _) = address.rsplit_once('/').expect("a URL with a database");
    Some(format!("{server}/{name}{options}"))
}

pub(crate) async fn fresh() -> Option<(SqlStore, Schema)> {
    let store = SqlStore::postgres(&fresh_url().await?, 8).await.unwrap();
    store.check().await.unwrap();
    Some((store, Schema))
}

#[tokio::test]
async fn replicas_that_start_together_migrate_once() {
    let Some(url) = fresh_url().await else { return };
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { SqlStore::postgres(&url, 2).await.map(|_| ()) })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_store_newer_than_the_binary_is_refused() {
    let Some(url) = fresh_url().await else { return };
    let store = SqlStore::postgres(&url, 2).await.unwrap();
    let writing = store.begin().await.unwrap();
    writing.connection().execute_unprepared("INSERT INTO schema_version (version) VALUES (99)").await.unwrap();
    writing.commit().await.unwrap();
    let known = afluente_adapter_sql::SCHEMA_VERSION;
    let again = SqlStore::postgres(&url, 2).await;
    assert_eq!(again.unwrap_err(), OpenError::StoreTooNew { found: 99, known });
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let opened = SqlStore::postgres("postgres://nobody@127.0.0.1:1/none", 2).await;
    assert!(matches!(opened, Err(OpenError::Unreachable(_))), "{opened:?}");
}

/// A cable to the server that goes silent: what is on its way vanishes, and nobody hangs up.
struct Cable {
    url: String,
    silence: watch::Sender<bool>,
    /// How many silent connections were asked a plain question, as for a sign of life.
    asked: Arc<AtomicU32>,
}

impl Cable {
    /// To a database of its own.
    async fn fresh() -> Option<Self> {
        let url = fresh_url().await?;
        let (user, place) = url.rsplit_once('@').unwrap();
        let (server, database) = place.split_once('/').unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{user}@{}/{database}", listener.local_addr().unwrap());
        let (silence, silent) = watch::channel(false);
        let asked = Arc::new(AtomicU32::new(0));
        let cable = Self { url, silence, asked: Arc::clone(&asked) };
        let server = server.to_owned();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let mut silent = silent.clone();
                silent.mark_unchanged();
                let far = tokio::net::TcpStream::connect(&server).await.unwrap();
                tokio::spawn(carry(near, far, silent, Arc::clone(&asked)));
            }
        });
        Some(cable)
    }
}

async fn carry(mut near: TcpStream, mut far: TcpStream, mut silent: watch::Receiver<bool>, asked: Arc<AtomicU32>) {
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
        _ = silent.changed() => {}
    }
    let mut piece = [0; 4096];
    while near.read(&mut piece).await.is_ok_and(|length| length > 0) {
        asked.fetch_add(u32::from(piece[0] == b'Q'), Ordering::AcqRel);
    }
    // The server hears nothing of that.
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_silent_is_given_up_and_reached_again() {
    let Some(cable) = Cable::fresh().await else { return };
    let store = SqlStore::postgres(&cable.url, 3).await.unwrap();
    // All three connections are open.
    let (one, two, three) = tokio::join!(store.begin(), store.begin(), store.begin());
    drop((one.unwrap(), two.unwrap(), three.unwrap()));
    store.check().await.unwrap();
    // The server does not hear that this one is given up, and holds its lock on the row.
    let lock = "UPDATE schema_version SET version = version";
    let locking = store.begin().await.unwrap();
    locking.connection().execute_unprepared(lock).await.unwrap();
    cable.silence.send_replace(true);
    drop(locking);
    assert!(matches!(store.check().await, Err(ports::StoreError::Unavailable(_))));
    // Each silent one is given up in its turn, and none is left.
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let answers = tokio::join!(store.check(), store.check(), store.check());
        if answers == (Ok(()), Ok(()), Ok(())) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{answers:?}");
    }
    let writing = store.begin().await.unwrap();
    writing.connection().execute_unprepared(lock).await.unwrap();
    writing.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_after_one_that_waits_gets_a_connection_that_answers() {
    let Some(cable) = Cable::fresh().await else { return };
    let store = SqlStore::postgres(&cable.url, 8).await.unwrap();
    // All of them are open.
    let mut writings = Vec::new();
    for _ in 0..8 {
        writings.push(store.begin().await.unwrap());
    }
    drop(writings);
    store.check().await.unwrap();
    cable.silence.send_replace(true);
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.check().await }
    });
    // By then the first has waited for long, and is not given up yet.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(store.check().await, Ok(()), "it was given a silent one, or asked them one by one");
    assert!(matches!(waiting.await.unwrap(), Err(ports::StoreError::Unavailable(_))));
    let asked = cable.asked.load(Ordering::Acquire);
    assert!((1..=2).contains(&asked), "where one is silent the others are not asked: {asked} were");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_given_up_while_it_begins_swallows_no_later_write() {
    let Some(url) = fresh_url().await else { return };
    let store = SqlStore::postgres(&url, 2).await.unwrap();
    let witness = Database::connect(&url).await.unwrap();
    witness.execute_unprepared("CREATE TABLE written (n INTEGER)").await.unwrap();
    let written = || async {
        let row = witness.query_one_raw(sea_orm::Statement::from_string(
            sea_orm::DatabaseBackend::Postgres,
            "SELECT count(*) AS count FROM written",
        ));
        row.await.unwrap().unwrap().try_get::<i64>("", "count").unwrap()
    };
    for turn in 1..=40_i64 {
        // After so many steps: at one of them the server was told, and its answer not yet read.
        let mut beginning = Box::pin(store.begin());
        for _ in 0..turn % 4 {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            if beginning.as_mut().poll(&mut context).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(beginning);
        store.readers().execute_unprepared("INSERT INTO written VALUES (1)").await.unwrap();
        assert_eq!(written().await, turn, "a write that was answered is not there");
    }
    // The fit ones stay: a pool that made each connection anew would be slow for a minute.
    let mut backends = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let asked =
            sea_orm::Statement::from_string(sea_orm::DatabaseBackend::Postgres, "SELECT pg_backend_pid() AS pid");
        let row = store.readers().query_one_raw(asked).await.unwrap().unwrap();
        backends.insert(row.try_get::<i32>("", "pid").unwrap());
    }
    assert!(backends.len() <= 3, "{backends:?}");
}
