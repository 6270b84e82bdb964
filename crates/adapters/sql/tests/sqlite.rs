//! The suites on SQLite, and what only a file can get wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod suites;

use afluente_adapter_sql::{OpenError, SqlStore, SqliteOptions};
use domain::{Language, Role, Secret, User};
use ports::{Cursors as _, Directory as _, conformance::samples::World};
use tempfile::TempDir;

pub(crate) async fn fresh() -> Option<(SqlStore, TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::sqlite(folder.path().join("a.db"), SqliteOptions::default()).await.unwrap();
    store.check().await.unwrap();
    Some((store, folder))
}

#[tokio::test]
async fn a_store_is_opened_again_as_it_was() {
    let (store, folder) = fresh().await.unwrap();
    store.set("place", "17").await.unwrap();
    store.close().await;
    let again = SqlStore::sqlite(folder.path().join("a.db"), SqliteOptions::default()).await.unwrap();
    assert_eq!(again.get("place").await.unwrap().as_deref(), Some("17"));
}

#[tokio::test]
async fn a_store_newer_than_the_binary_is_refused() {
    let (store, folder) = fresh().await.unwrap();
    let writing = store.begin().await.unwrap();
    let version = afluente_adapter_sql::SCHEMA_VERSION + 7;
    sea_orm::ConnectionTrait::execute_unprepared(
        writing.connection(),
        &format!("INSERT INTO schema_version (version) VALUES ({version})"),
    )
    .await
    .unwrap();
    writing.commit().await.unwrap();
    store.close().await;
    let again = SqlStore::sqlite(folder.path().join("a.db"), SqliteOptions::default()).await;
    let known = afluente_adapter_sql::SCHEMA_VERSION;
    assert_eq!(again.unwrap_err(), OpenError::StoreTooNew { found: version, known });
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"not a folder").unwrap();
    let opened = SqlStore::sqlite(file.join("a.db"), SqliteOptions::default()).await;
    assert!(matches!(opened, Err(OpenError::Unwritable { path, .. }) if path == file));
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    std::fs::write(&file, vec![b'x'; 8_192]).unwrap();
    let opened = SqlStore::sqlite(&file, SqliteOptions::default()).await;
    assert!(matches!(opened, Err(OpenError::Refused(_))), "{opened:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_writes_that_wait_together_stand_or_fall_alone() {
    let (store, _folder) = fresh().await.unwrap();
    let world = World::new();
    let user = |n: u64, email: &str| User {
        id: world.user(n),
        organization: world.organization,
        email: email.into(),
        name: "x".into(),
        role: Role::Agent,
        language: Language::Es,
        password: Secret::new(""),
        capacity: 1,
        active: true,
    };
    // While a transaction holds the gate, they gather; the third wants the second's e-mail.
    let holding = store.begin().await.unwrap();
    let saves: Vec<_> = [(1, "a"), (2, "b"), (3, "b"), (4, "c")]
        .map(|(n, email)| {
            let (store, user) = (store.clone(), user(n, email));
            tokio::spawn(async move { store.save_user(&user).await })
        })
        .into();
    drop(holding);
    let mut saved = Vec::new();
    for save in saves {
        saved.push(save.await.unwrap().is_ok());
    }
    assert_eq!(saved.iter().filter(|ok| **ok).count(), 3, "{saved:?}");
    assert!(saved[0] && saved[3] && saved[1] != saved[2], "{saved:?}");
    assert_eq!(store.users(world.organization).await.unwrap().len(), 3);
}
