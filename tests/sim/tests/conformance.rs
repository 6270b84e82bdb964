//! What the simulation runs on is held to the same promises as what production runs on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use afluente_sim::memory::{Broker, Store};
use ports::{
    Blobs, Buckets, Bus, Consents, Cursors, Directory, Journal, Leases, Ledger, Mailboxes, Parking, Shelves, SignIns,
    Templates, Views, Windows, conformance,
};

macro_rules! suites {
    ($($suite:ident: $port:ident),* $(,)?) => {
        $(conformance!($suite, async { Some((Arc::new(Store::default()) as Arc<dyn $port>, ())) });)*
    };
}

suites!(
    journal: Journal,
    ledger: Ledger,
    windows: Windows,
    consents: Consents,
    buckets: Buckets,
    cursors: Cursors,
    leases: Leases,
    blobs: Blobs,
    mailboxes: Mailboxes,
    directory: Directory,
    sign_ins: SignIns,
    parking: Parking,
    templates: Templates,
    shelves: Shelves,
);

conformance!(bus, async { Some((Arc::new(Broker::default()) as Arc<dyn Bus>, ())) });

conformance!(decisions, async {
    let store = Store::default();
    Some(((Arc::new(store.clone()) as Arc<dyn Journal>, Arc::new(store) as Arc<dyn Parking>), ()))
});

conformance!(reopening, async {
    let store = Store::default();
    Some(((Arc::new(store.clone()) as Arc<dyn Journal>, Arc::new(store) as Arc<dyn Ledger>), ()))
});

conformance!(views, async {
    let store = Store::default();
    Some(((Arc::new(store.clone()) as Arc<dyn Journal>, Arc::new(store) as Arc<dyn Views>), ()))
});
