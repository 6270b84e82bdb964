//! Transactions on SQLite that wait for each other go to the disk together, and stand or fall each for itself.
//!
//! On one thread a few turns of the scheduler bring every task as far as the gate, so who waits is no matter of time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use afluente_adapter_sql::{SqlStore, SqliteOptions, Writing};
use ports::Cursors as _;
use sea_orm::ConnectionTrait as _;
use tokio::task::JoinHandle;

async fn put(writing: &Writing, name: &str) {
    let text = format!("INSERT INTO cursors (name, place) VALUES ('{name}', 'here')");
    writing.connection().execute_unprepared(&text).await.unwrap();
}

/// Begins, puts a row, and makes it stand or gives it up.
fn writer(store: &SqlStore, name: &'static str, stands: bool) -> JoinHandle<()> {
    let store = store.clone();
    tokio::spawn(async move {
        let writing = store.begin().await.unwrap();
        put(&writing, name).await;
        if stands {
            writing.commit().await.unwrap();
        }
    })
}

async fn let_all_wait() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Commits in the write-ahead log: a frame that ends one says how large the file is then
/// (<https://www.sqlite.org/fileformat2.html#walformat>).
fn commits(database: &Path) -> usize {
    let log = std::fs::read(database.with_extension("db-wal")).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let frame = 24 + usize::try_from(number(8)).unwrap();
    let (salt, frames) = (&log[16..24], (32..log.len()).step_by(frame));
    frames.filter(|at| log[at + 8..at + 16] == *salt && number(at + 4) != 0).count()
}

async fn fresh() -> (SqlStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::sqlite(folder.path().join("a.db"), SqliteOptions::default()).await.unwrap();
    (store, folder)
}

#[tokio::test]
async fn those_who_wait_share_one_commit() {
    let (store, folder) = fresh().await;
    let database = folder.path().join("a.db");
    let before = commits(&database);
    let first = store.begin().await.unwrap();
    put(&first, "first").await;
    let others: Vec<_> = ["a", "b", "c", "d"].map(|name| writer(&store, name, true)).into();
    let small = tokio::spawn({
        let store = store.clone();
        async move { store.set("small", "here").await.unwrap() }
    });
    let_all_wait().await;
    first.commit().await.unwrap();
    // What was answered stands: a reader sees it.
    assert_eq!(store.get("first").await.unwrap().as_deref(), Some("here"));
    for other in others {
        other.await.unwrap();
    }
    small.await.unwrap();
    assert_eq!(commits(&database) - before, 1);
    for name in ["a", "b", "c", "d", "small"] {
        assert_eq!(store.get(name).await.unwrap().as_deref(), Some("here"), "{name}");
    }
}

#[tokio::test]
async fn who_gives_up_among_others_is_undone_alone() {
    let (store, _folder) = fresh().await;
    let first = store.begin().await.unwrap();
    put(&first, "first").await;
    let others = [writer(&store, "a", true), writer(&store, "b", false), writer(&store, "c", true)];
    let_all_wait().await;
    first.commit().await.unwrap();
    for other in others {
        other.await.unwrap();
    }
    for (name, stands) in [("first", true), ("a", true), ("b", false), ("c", true)] {
        assert_eq!(store.get(name).await.unwrap().is_some(), stands, "{name}");
    }
}

/// Its caller may have done something else by then.
#[tokio::test]
async fn a_statement_that_was_given_up_is_not_carried_out_later() {
    let (store, _folder) = fresh().await;
    let first = store.begin().await.unwrap();
    put(&first, "first").await;
    let [given_up, kept] = ["given up", "kept"].map(|name| {
        let store = store.clone();
        tokio::spawn(async move { store.set(name, "here").await.unwrap() })
    });
    let_all_wait().await;
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    first.commit().await.unwrap();
    kept.await.unwrap();
    assert_eq!(store.get("given up").await.unwrap(), None);
    assert_eq!(store.get("kept").await.unwrap().as_deref(), Some("here"));
}

#[tokio::test]
async fn nobody_holds_the_file_when_those_who_waited_have_left() {
    let (store, folder) = fresh().await;
    let first = store.begin().await.unwrap();
    put(&first, "first").await;
    let gone = [writer(&store, "a", true), writer(&store, "b", true)];
    let_all_wait().await;
    for one in &gone {
        one.abort();
    }
    first.commit().await.unwrap();
    let given_up = store.begin().await.unwrap();
    put(&given_up, "given up").await;
    drop(given_up);
    let options = SqliteOptions { busy_timeout: std::time::Duration::ZERO, ..SqliteOptions::default() };
    let another = SqlStore::sqlite(folder.path().join("a.db"), options).await.unwrap();
    another.set("another", "here").await.unwrap();
    assert_eq!(store.get("given up").await.unwrap(), None);
    assert_eq!(store.get("first").await.unwrap().as_deref(), Some("here"));
}

/// A disk that is full makes SQLite undo the whole transaction by itself. What comes after it must stand all the same.
#[tokio::test]
async fn after_a_full_disk_what_is_told_to_stand_stands() {
    let (store, _folder) = fresh().await;
    let writing = store.begin().await.unwrap();
    writing.connection().execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
    let large = "INSERT INTO cursors (name, place) VALUES ('large', hex(randomblob(4000000)))";
    assert!(writing.connection().execute_unprepared(large).await.is_err());
    drop(writing);
    let writing = store.begin().await.unwrap();
    writing.connection().execute_unprepared("PRAGMA max_page_count = 1000000").await.unwrap();
    drop(writing);
    for name in ["one", "two"] {
        let writing = store.begin().await.unwrap();
        put(&writing, name).await;
        writing.commit().await.unwrap();
        store.set(&format!("{name} small"), "here").await.unwrap();
        for name in [name.to_owned(), format!("{name} small")] {
            assert_eq!(store.get(&name).await.unwrap().as_deref(), Some("here"), "{name}");
        }
    }
    assert_eq!(store.get("large").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_gets_through() {
    let (store, _folder) = fresh().await;
    let crowd: Vec<_> = (0..400)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let name = format!("crowd {n}");
                match n % 4 {
                    0 => store.set(&name, "here").await.unwrap(),
                    1 => drop(store.begin().await.unwrap()),
                    kind => {
                        let writing = store.begin().await.unwrap();
                        put(&writing, &name).await;
                        if kind == 2 {
                            writing.commit().await.unwrap();
                        }
                    }
                }
            })
        })
        .collect();
    for one in crowd {
        one.await.unwrap();
    }
    for n in 0..400 {
        let stands = store.get(&format!("crowd {n}")).await.unwrap().is_some();
        assert_eq!(stands, n % 4 == 0 || n % 4 == 2, "{n}");
    }
}

/// A task that ends at any await, as a crash would have it, takes none of those along who wait with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_cut_off_takes_nobody_along() {
    let (store, _folder) = fresh().await;
    for round in 0..40 {
        let names: Vec<String> = (0..12).map(|n| format!("{round}/{n}")).collect();
        let crowd: Vec<_> = names
            .iter()
            .map(|name| {
                let (store, name) = (store.clone(), name.clone());
                tokio::spawn(async move {
                    let writing = store.begin().await.unwrap();
                    put(&writing, &name).await;
                    writing.commit().await.unwrap();
                })
            })
            .collect();
        for (n, one) in crowd.iter().enumerate().filter(|(n, _)| n % 3 == 1) {
            for _ in 0..round * (n + 1) {
                tokio::task::yield_now().await;
            }
            one.abort();
        }
        for (n, one) in crowd.into_iter().enumerate() {
            let ended = one.await;
            if n % 3 != 1 {
                ended.unwrap();
                assert!(store.get(&names[n]).await.unwrap().is_some(), "{}", names[n]);
            }
        }
    }
}
