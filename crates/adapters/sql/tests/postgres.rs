//! The suites on PostgreSQL, each test in a database of its own. `AFLUENTE_TEST_POSTGRES` is the URL of a superuser
//! (`postgres://postgres@127.0.0.1:5432/postgres`); without it each test says that it was skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::disallowed_methods)]

mod suites;

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use afluente_adapter_sql::{OpenError, SqlStore, partitions_at};
use ports::{
    Journal as _,
    conformance::samples::World,
    journal::{Commit, Lookup},
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement, TransactionTrait as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// Drops nothing: the instance is the test run's own and goes with it.
pub(crate) struct Schema;

async fn admin() -> Option<(DatabaseConnection, String)> {
    let url = ports::conformance::server("AFLUENTE_TEST_POSTGRES")?;
    Some((Database::connect(&url).await.expect("the test server"), url))
}

async fn fresh_url() -> Option<String> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
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

/// What fell silent on its way is found by the server, too, before it runs out of connections.
#[tokio::test]
async fn the_server_asks_resting_connections_whether_we_are_there() {
    let Some((store, _schema)) = fresh().await else { return };
    let asked = "SELECT current_setting('tcp_keepalives_idle')::int + current_setting('tcp_keepalives_interval')::int
        * current_setting('tcp_keepalives_count')::int AS seconds";
    let row = store.readers().query_one_raw(Statement::from_string(store.backend(), asked)).await.unwrap().unwrap();
    assert_eq!(row.try_get::<i32>("", "seconds").unwrap(), 25);
}

/// A backup reads a table that loses an index: whoever came to read it would wait behind the one who waits for the backup.
#[tokio::test]
async fn a_migration_that_meets_a_long_reader_gives_way_and_says_so() {
    let Some(url) = fresh_url().await else { return };
    SqlStore::postgres(&url, 2).await.unwrap().close().await;
    let reader = Database::connect(&url).await.unwrap();
    let backup = reader.begin().await.unwrap();
    let older = "CREATE INDEX messages_cause ON messages (cause); DELETE FROM schema_version WHERE version > 12;
        DROP TABLE mesh_partitions;";
    reader.execute_unprepared(older).await.unwrap();
    backup.execute_unprepared("LOCK TABLE messages IN ACCESS SHARE MODE").await.unwrap();
    let opened = SqlStore::postgres(&url, 2).await;
    assert!(matches!(&opened, Err(OpenError::Refused(why)) if why.contains("a table is in use")), "{opened:?}");
    backup.commit().await.unwrap();
    SqlStore::postgres(&url, 2).await.unwrap().check().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let opened = SqlStore::postgres("postgres://nobody@127.0.0.1:1/none", 2).await;
    assert!(matches!(opened, Err(OpenError::Unreachable(_))), "{opened:?}");
}

/// A cable to the server of which some go silent: what is on its way vanishes, and nobody hangs up.
struct Cable {
    url: String,
    /// The numbers of the connections that are silent.
    silence: watch::Sender<Range<usize>>,
    made: Arc<AtomicUsize>,
    /// How many bytes it has carried.
    carried: Arc<AtomicUsize>,
}

impl Cable {
    /// To a database of its own, by an address of this machine that is taken for a network's.
    async fn fresh() -> Option<Self> {
        let url = fresh_url().await?;
        let (user, place) = url.rsplit_once('@').unwrap();
        let (server, database) = place.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let url = format!("{user}@{}/{database}", listener.local_addr().unwrap());
        let (silence, silent) = watch::channel(0..0);
        let [made, carried] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let cable = Self { url, silence, made: Arc::clone(&made), carried: Arc::clone(&carried) };
        let server = server.to_owned();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let number = made.fetch_add(1, Ordering::AcqRel);
                let mut silent = silent.clone();
                let far = TcpStream::connect(&server).await.unwrap();
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
                let carried = Arc::clone(&carried);
                tokio::spawn(async move {
                    let both = async {
                        tokio::join!(
                            carry(&mut near_in, &mut far_out, &carried),
                            carry(&mut far_in, &mut near_out, &carried)
                        );
                    };
                    tokio::select! {
                        () = both => return,
                        () = async { drop(silent.wait_for(|silent| silent.contains(&number)).await) } => {}
                    }
                    // Held, so that nobody hears that it ended.
                    std::future::pending::<()>().await;
                    drop((near_in, near_out, far_in, far_out));
                });
            }
        });
        Some(cable)
    }

    /// Those made until now are silent.
    fn cut(&self) {
        self.silence.send_replace(0..self.made.load(Ordering::Acquire));
    }

    /// Nothing is on its way any more. A connection that falls silent on its way back to the pool keeps its place there
    /// until the relay cuts it; who means those that rest waits for them to rest.
    async fn rests(&self) {
        let mut before = usize::MAX;
        while before != self.carried.load(Ordering::Acquire) {
            before = self.carried.load(Ordering::Acquire);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn carry(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, carried: &AtomicUsize) {
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        carried.fetch_add(length, Ordering::AcqRel);
        if to.write_all(&piece[..length]).await.is_err() {
            break;
        }
    }
    drop(to.shutdown().await);
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
    cable.cut();
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
    cable.rests().await;
    cable.cut();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.check().await }
    });
    // By then the first has waited for long, and is not given up yet.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(store.check().await, Ok(()), "it was given a silent one, or waited for them one by one");
    assert!(matches!(waiting.await.unwrap(), Err(ports::StoreError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_does_not_wait_to_the_end_warns_the_next() {
    let Some(cable) = Cable::fresh().await else { return };
    let store = SqlStore::postgres(&cable.url, 2).await.unwrap();
    let (one, two) = tokio::join!(store.begin(), store.begin());
    drop((one.unwrap(), two.unwrap()));
    store.check().await.unwrap();
    cable.rests().await;
    cable.cut();
    // As readiness does, which asks where nothing else does.
    assert!(tokio::time::timeout(Duration::from_secs(2), store.check()).await.is_err());
    assert_eq!(store.check().await, Ok(()), "it was given the other silent one");
}

/// Who had nothing to do when the server fell silent must not give its first work to a silent connection: what others held
/// up would be held up once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silence_is_noticed_by_who_asks_nothing() {
    let Some(cable) = Cable::fresh().await else { return };
    let store = SqlStore::postgres(&cable.url, 3).await.unwrap();
    let (one, two, three) = tokio::join!(store.begin(), store.begin(), store.begin());
    drop((one.unwrap(), two.unwrap(), three.unwrap()));
    store.check().await.unwrap();
    cable.rests().await;
    cable.cut();
    // One of them is asked each second, and a second later that it did not answer is known.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let answers = tokio::join!(store.check(), store.check(), store.check());
    assert_eq!(answers, (Ok(()), Ok(()), Ok(())), "they were given silent ones");
}

/// A server that is slow once must not lose all its connections to those who wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_falls_silent_alone_does_not_take_the_others_along() {
    let Some(cable) = Cable::fresh().await else { return };
    let store = SqlStore::postgres(&cable.url, 4).await.unwrap();
    let before = all_backends(&store).await;
    cable.rests().await;
    // The oldest of its four.
    let oldest = cable.made.load(Ordering::Acquire) - 4;
    cable.silence.send_replace(oldest..oldest + 1);
    // One after the other gets its turn, and one of them is the silent one.
    let mut given_up = 0;
    for _ in 0..4 {
        given_up += usize::from(tokio::time::timeout(Duration::from_secs(2), store.check()).await.is_err());
    }
    assert!(given_up <= 1, "{given_up}; none when it had just been asked for a sign of life");
    // By then that one has been asked, and has given none.
    tokio::time::sleep(Duration::from_millis(6_500)).await;
    let after = all_backends(&store).await;
    assert_eq!(before.intersection(&after).count(), 3, "{before:?} {after:?}");
}

/// Which processes of the server the four connections of a store lead to.
async fn all_backends(store: &SqlStore) -> BTreeSet<i32> {
    let writings = tokio::join!(store.begin(), store.begin(), store.begin(), store.begin());
    let mut found = BTreeSet::new();
    for writing in [writings.0, writings.1, writings.2, writings.3] {
        let writing = writing.unwrap();
        let asked =
            sea_orm::Statement::from_string(sea_orm::DatabaseBackend::Postgres, "SELECT pg_backend_pid() AS pid");
        let row = writing.connection().query_one_raw(asked).await.unwrap().unwrap();
        found.insert(row.try_get::<i32>("", "pid").unwrap());
    }
    found
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

/// Each message changes these. PostgreSQL counts a column as indexed when any index has it, in its condition too.
#[tokio::test]
async fn what_each_message_changes_of_its_conversation_is_in_no_index() {
    let Some(url) = fresh_url().await else { return };
    let store = SqlStore::postgres(&url, 2).await.unwrap();
    let witness = Database::connect(&url).await.unwrap();
    let indexed = "SELECT DISTINCT a.attname::TEXT AS name FROM pg_index i
        JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refobjid = i.indrelid
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE i.indrelid = $1::TEXT::regclass";
    let columns = async |table: &str| {
        let asked =
            sea_orm::Statement::from_sql_and_values(sea_orm::DatabaseBackend::Postgres, indexed, [table.into()]);
        let rows = witness.query_all_raw(asked).await.unwrap();
        rows.iter().map(|row| row.try_get::<String>("", "name").unwrap()).collect::<Vec<_>>()
    };
    let of_conversations = columns("conversations").await;
    assert!(of_conversations.contains(&"stage".to_owned()), "{of_conversations:?}");
    for changed in
        ["last_activity_at", "last_inbound_at", "unread", "preview", "preview_kind", "next_sequence", "version"]
    {
        assert!(!of_conversations.contains(&changed.to_owned()), "{changed}");
    }
    for changed in ["state", "outcome", "claim"] {
        assert!(!columns("attempts").await.contains(&changed.to_owned()), "{changed}");
    }
    store.close().await;
}

#[tokio::test]
async fn the_mesh_has_one_number_of_partitions() {
    let Some(url) = fresh_url().await else { return };
    let open = async || SqlStore::postgres(&url, 2).await.unwrap();
    suites::the_mesh_has_one_number_of_partitions(open().await, open).await;
}

/// Who declares the broker's map may come before the upgrade: what he asks leaves the store as it is.
#[tokio::test]
async fn who_looks_from_outside_reads_the_partitions_and_changes_nothing() {
    let Some(url) = fresh_url().await else { return };
    let looked = async || partitions_at(&url).await.unwrap();
    assert_eq!(looked().await, 8, "before there is a store");
    let store = SqlStore::postgres(&url, 2).await.unwrap();
    assert_eq!(looked().await, 8, "before anything runs");
    let writing = store.begin().await.unwrap();
    let older = format!("{}{}", suites::BEFORE_PARTITIONS, suites::AN_ACCOUNT);
    writing.connection().execute_unprepared(&older).await.unwrap();
    writing.commit().await.unwrap();
    assert_eq!(looked().await, 16, "of the release before");
    let row = store
        .readers()
        .query_one_raw(Statement::from_string(store.backend(), "SELECT MAX(version) AS version FROM schema_version"));
    assert_eq!(row.await.unwrap().unwrap().try_get::<i64>("", "version").unwrap(), 14);
    let store = SqlStore::postgres(&url, 2).await.unwrap();
    assert_eq!(store.partitions(Some(32)).await, Ok(32));
    assert_eq!(looked().await, 32);
}

/// A plan of an empty table reads all of it; by itself PostgreSQL looks again a minute later.
#[tokio::test]
async fn a_table_that_has_grown_from_nothing_is_looked_at() {
    let Some(url) = fresh_url().await else { return };
    let store = SqlStore::postgres(&url, 2).await.unwrap();
    assert_eq!(store.survey().await, Ok(0), "nothing is there yet");
    let witness = Database::connect(&url).await.unwrap();
    witness.execute_unprepared("ALTER TABLE processed SET (autovacuum_enabled = false)").await.unwrap();
    let world = World::new();
    let grow = async |from: u64, to: u64| {
        let processed = (from..to).map(|n| world.processed(n, "test")).collect();
        store.commit(&Commit { processed, ..Commit::default() }).await.unwrap();
    };
    grow(0, 5_000).await;
    assert_eq!(store.survey().await, Ok(1));
    let known = "SELECT reltuples::BIGINT AS rows FROM pg_class WHERE oid = 'processed'::regclass";
    let row = store.readers().query_one_raw(Statement::from_string(store.backend(), known)).await.unwrap().unwrap();
    assert_eq!(row.try_get::<i64>("", "rows").unwrap(), 5_000);
    grow(5_000, 6_000).await;
    assert_eq!(store.survey().await, Ok(0), "what has grown a little is as it was planned for");
    store.close().await;
}

/// Everybody in an organization waits for its event counter: who holds it waits for nothing any more.
#[tokio::test]
async fn a_commit_that_waits_for_a_conversation_does_not_hold_the_counter() {
    let Some(url) = fresh_url().await else { return };
    let store = SqlStore::postgres(&url, 4).await.unwrap();
    let world = World::new();
    store.commit(&world.opening(1)).await.unwrap();
    let held = store.begin().await.unwrap();
    held.connection().execute_unprepared("SELECT id FROM conversations FOR UPDATE").await.unwrap();
    let moved = domain::Conversation { version: 1, ..world.conversation(1) };
    let event = world.desk_event(&moved);
    let commit = Commit { conversations: vec![moved], events: vec![event], ..Commit::default() };
    let waits = tokio::spawn({
        let store = store.clone();
        async move { store.commit(&commit).await }
    });
    let blocked = "SELECT COUNT(*) AS blocked FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while !waits.is_finished() {
        let asked = Statement::from_string(store.backend(), blocked);
        let row = store.readers().query_one_raw(asked).await.unwrap().unwrap();
        if row.try_get::<i64>("", "blocked").unwrap() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let passes = tokio::time::timeout(Duration::from_secs(3), store.commit(&world.opening(2))).await;
    passes.expect("it waits for the counter").unwrap();
    drop(held);
    assert_eq!(waits.await.unwrap().unwrap()[0].sequence, 3);
}

/// A newer release has added a column while this one is at work, with its statements prepared.
#[tokio::test]
async fn a_column_that_a_newer_release_added_stops_nobody() {
    let Some(url) = fresh_url().await else { return };
    let store = SqlStore::postgres(&url, 1).await.unwrap();
    let world = World::new();
    let commit = world.opening(1);
    store.commit(&commit).await.unwrap();
    let conversation = world.conversation(1);
    let lookup = Lookup {
        threads: [conversation.thread.clone()].into(),
        conversations: [(conversation.organization(), conversation.id)].into(),
        messages: commit.messages.iter().map(|message| (message.organization, message.id)).collect(),
        seats: [(conversation.organization(), domain::UserId::derive(&["u"]))].into(),
        provider_ids: [(conversation.thread.account, "unknown".to_owned())].into(),
        ..Lookup::default()
    };
    let partitions: Vec<_> = (0..16).map(domain::Partition).collect();
    let before = (store.load(&lookup).await.unwrap(), store.outbox(&partitions, 100).await.unwrap());
    let newer = Database::connect(&url).await.unwrap();
    for table in ["conversations", "contacts", "messages", "seats", "outbox"] {
        newer.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN newer TEXT")).await.unwrap();
    }
    assert_eq!((store.load(&lookup).await.unwrap(), store.outbox(&partitions, 100).await.unwrap()), before);
}
