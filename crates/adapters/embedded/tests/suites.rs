//! The suites on the embedded world.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use afluente_adapter_embedded::{Embedded, EmbeddedOptions};
use ports::{
    Blobs, Buckets, Bus, Consents, Cursors, Directory, Journal, Leases, Ledger, Mailboxes, Parking, SignIns, Templates,
    Views, Windows, conformance,
};
use tempfile::TempDir;

type World = (Embedded, TempDir);

async fn fresh() -> World {
    let folder = tempfile::tempdir().unwrap();
    let embedded = Embedded::open(folder.path(), EmbeddedOptions::default()).await.unwrap();
    (embedded, folder)
}

macro_rules! suites {
    ($($suite:ident: $port:ident by $field:ident),* $(,)?) => {
        $(
            conformance!($suite, async {
                let world = fresh().await;
                Some((world.0.$field.clone() as Arc<dyn $port>, world))
            });
        )*
    };
}

suites!(
    bus: Bus by bus,
    blobs: Blobs by blobs,
    buckets: Buckets by buckets,
    journal: Journal by store,
    ledger: Ledger by store,
    windows: Windows by store,
    consents: Consents by store,
    cursors: Cursors by store,
    leases: Leases by store,
    mailboxes: Mailboxes by store,
    directory: Directory by store,
    sign_ins: SignIns by store,
    parking: Parking by store,
    templates: Templates by store,
);

conformance!(decisions, async {
    let world = fresh().await;
    Some(((world.0.store.clone() as Arc<dyn Journal>, world.0.store.clone() as Arc<dyn Parking>), world))
});

conformance!(reopening, async {
    let world = fresh().await;
    Some(((world.0.store.clone() as Arc<dyn Journal>, world.0.store.clone() as Arc<dyn Ledger>), world))
});

conformance!(views, async {
    let world = fresh().await;
    Some(((world.0.store.clone() as Arc<dyn Journal>, world.0.store.clone() as Arc<dyn Views>), world))
});
