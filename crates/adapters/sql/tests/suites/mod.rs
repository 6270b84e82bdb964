//! The suites that both databases pass. Included by `sqlite.rs` and `postgres.rs`, which say how a fresh store is made.

use std::sync::Arc;

use afluente_adapter_sql::{OpenError, SqlStore};
use ports::{
    Consents, Cursors, Directory, Journal, Leases, Ledger, Mailboxes, Parking, Shelves, SignIns, Templates, Views,
    Windows, conformance,
};
use sea_orm::ConnectionTrait as _;

macro_rules! suites {
    ($($suite:ident: $port:ident),* $(,)?) => {
        $(
            conformance!($suite, async {
                let (store, world) = crate::fresh().await?;
                Some((Arc::new(store) as Arc<dyn $port>, world))
            });
        )*
    };
}

suites!(
    journal: Journal,
    ledger: Ledger,
    windows: Windows,
    consents: Consents,
    cursors: Cursors,
    leases: Leases,
    mailboxes: Mailboxes,
    directory: Directory,
    sign_ins: SignIns,
    parking: Parking,
    templates: Templates,
    shelves: Shelves,
);

conformance!(decisions, async {
    let (store, world) = crate::fresh().await?;
    Some(((Arc::new(store.clone()) as Arc<dyn Journal>, Arc::new(store) as Arc<dyn Parking>), world))
});

conformance!(reopening, async {
    let (store, world) = crate::fresh().await?;
    Some(((Arc::new(store.clone()) as Arc<dyn Journal>, Arc::new(store) as Arc<dyn Ledger>), world))
});

conformance!(views, async {
    let (store, world) = crate::fresh().await?;
    Some(((Arc::new(store.clone()) as Arc<dyn Journal>, Arc::new(store) as Arc<dyn Views>), world))
});

/// As it is after the migrations before the one that keeps the partitions, with or without an account.
pub(crate) const BEFORE_PARTITIONS: &str = "DROP TABLE mesh_partitions; DELETE FROM schema_version WHERE version > 14;";
pub(crate) const AN_ACCOUNT: &str =
    "INSERT INTO accounts (id, organization, channel, name, label, queue, settings, secrets, active)
    VALUES ('acc_1', 'org_1', 'whatsapp', 'a', 'a', 'que_1', '{}', '{}', 1);";

/// How many partitions a mesh has, on a store that `open` opens again and again; `store` is open already.
pub(crate) async fn the_mesh_has_one_number_of_partitions(store: SqlStore, open: impl AsyncFn() -> SqlStore) {
    let older = async |store: SqlStore, more: &str| {
        let writing = store.begin().await.unwrap();
        writing.connection().execute_unprepared(&format!("{BEFORE_PARTITIONS}{more}")).await.unwrap();
        writing.commit().await.unwrap();
        store.close().await;
        open().await
    };
    // A new one: whoever comes first decides, also of several at once.
    let (one, two) = tokio::join!(store.partitions(None), store.partitions(Some(8)));
    assert_eq!((one.unwrap(), two.unwrap()), (8, 8));
    assert_eq!(store.partitions(Some(4)).await, Err(OpenError::OtherPartitions { configured: 4, known: 8 }));
    let store = older(store, "").await;
    assert_eq!(store.partitions(Some(4)).await, Ok(4));
    assert_eq!(store.partitions(None).await, Ok(4));
    // One that is at work from before: sixteen, or what its operator says.
    let store = older(store, AN_ACCOUNT).await;
    assert_eq!(store.partitions(None).await, Ok(16));
    assert!(store.partitions(Some(8)).await.is_err());
    let store = older(store, "").await;
    assert_eq!(store.partitions(Some(32)).await, Ok(32));
    assert_eq!(store.partitions(None).await, Ok(32));
}
