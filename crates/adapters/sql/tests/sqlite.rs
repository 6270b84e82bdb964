//! The suites on SQLite, and what only a file can get wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod suites;

use afluente_adapter_sql::{OpenError, SqlStore, SqliteOptions};
use domain::{Language, MessageId, Outcome, Role, Secret, Timestamp, User};
use ports::{
    Begun, Claim, Cursors as _, Directory as _, Journal as _, Ledger, Views as _,
    conformance::samples::World,
    journal::{Commit, Processed},
};
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

#[tokio::test]
async fn a_store_that_is_not_there_is_not_made_when_not_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deeper").join("a.db");
    let options = SqliteOptions { create: false, ..SqliteOptions::default() };
    let opened = SqlStore::sqlite(&file, options.clone()).await.unwrap_err();
    assert_eq!(opened, OpenError::NoStore { path: file.clone() });
    assert_eq!(opened.to_string(), format!("no store at {}", file.display()));
    assert!(!folder.path().join("deeper").exists());
    SqlStore::sqlite(&file, SqliteOptions::default()).await.unwrap().close().await;
    SqlStore::sqlite(&file, options).await.unwrap().check().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let root = tempfile::tempdir().unwrap();
    let (made, given) = (root.path().join("made"), root.path().join("given"));
    std::fs::create_dir(&given).unwrap();
    std::fs::set_permissions(&given, std::fs::Permissions::from_mode(0o755)).unwrap();
    // An earlier release left its files readable.
    std::fs::write(given.join("a.db"), b"").unwrap();
    std::fs::set_permissions(given.join("a.db"), std::fs::Permissions::from_mode(0o644)).unwrap();
    for folder in [&made, &given] {
        let store = SqlStore::sqlite(folder.join("a.db"), SqliteOptions::default()).await.unwrap();
        store.set("place", "17").await.unwrap();
        for name in ["a.db", "a.db-wal", "a.db-shm"] {
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
        }
    }
    assert_eq!((mode(&made), mode(&given)), (0o700, 0o755));
}

#[tokio::test]
async fn a_conversation_that_waits_on_the_embedded_bus_is_accounted_for() {
    let (store, _folder) = fresh().await.unwrap();
    let world = World::new();
    let conversation = world.conversation(1);
    let sent = world.outbound(&conversation, 1, 1);
    let commit =
        Commit { messages: vec![sent.clone()], conversations: vec![conversation.clone()], ..Commit::default() };
    store.commit(&commit).await.unwrap();
    let later = Timestamp::from_secs(1_800_000_000);
    let lost = store.unaccounted_out(None, later).await.unwrap();
    assert_eq!((lost.count, lost.messages), (1, vec![sent.id]));
    assert_eq!(store.audit(None).await.unwrap().in_broker, Some(0));
    let writing = store.begin().await.unwrap();
    sea_orm::ConnectionTrait::execute_unprepared(
        writing.connection(),
        &format!(
            "INSERT INTO bus_messages VALUES (1, 'session.requested.0', 'x', 'session.requested.0', 'k', '{}', '{{}}',
             x'00', 0, 0)",
            conversation.id
        ),
    )
    .await
    .unwrap();
    writing.commit().await.unwrap();
    assert_eq!(store.unaccounted_out(None, later).await.unwrap().count, 0);
    assert_eq!(store.audit(None).await.unwrap().in_broker, Some(1));
}

/// What was carried out, and how sends ended, is forgotten after 30 days; what was begun and never ended is not.
#[tokio::test]
async fn what_is_remembered_for_thirty_days_is_then_forgotten() {
    let (store, _folder) = fresh().await.unwrap();
    let world = World::new();
    let (day, start) = (24 * 60 * 60, 1_700_000_000);
    let on = |days: i64| Timestamp::from_secs(start + days * day);
    let (ended, begun, late) = (MessageId::derive(&["1"]), MessageId::derive(&["2"]), MessageId::derive(&["3"]));
    let processed = vec![world.processed(1, "message"), Processed { at: on(20), ..world.processed(2, "message") }];
    store.commit(&Commit { processed, ..Commit::default() }).await.unwrap();
    let (one, other) = (Claim::new("one"), Claim::new("other"));
    for (message, at) in [(ended, on(0)), (begun, on(0)), (late, on(20))] {
        Ledger::begin(&store, message, 0, &one, at).await.unwrap();
    }
    for message in [ended, late] {
        store.finish(message, 0, &one, &Outcome::Accepted { provider_ids: vec!["x".into()] }).await.unwrap();
    }
    assert_eq!(store.sweep(on(0), on(29)).await.unwrap(), 0);
    assert_eq!(store.sweep(on(0), on(31)).await.unwrap(), 2);
    assert_eq!(store.audit(None).await.unwrap().processed, [("message".to_owned(), 1)]);
    assert_eq!(Ledger::begin(&store, begun, 0, &other, on(31)).await.unwrap(), Begun::InDoubt);
    assert!(matches!(Ledger::begin(&store, late, 0, &one, on(31)).await.unwrap(), Begun::Done(_)));
    assert_eq!(Ledger::begin(&store, ended, 0, &one, on(31)).await.unwrap(), Begun::Fresh);
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

#[tokio::test]
async fn the_mesh_has_one_number_of_partitions() {
    let (store, folder) = fresh().await.unwrap();
    let path = folder.path().join("a.db");
    let open = async || SqlStore::sqlite(&path, SqliteOptions::default()).await.unwrap();
    suites::the_mesh_has_one_number_of_partitions(store, open).await;
}
