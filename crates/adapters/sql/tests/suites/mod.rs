//! The suites that both databases pass. Included by `sqlite.rs` and `postgres.rs`, which say how a fresh store is made.

use std::sync::Arc;

use ports::{
    Consents, Cursors, Directory, Journal, Leases, Ledger, Mailboxes, Parking, Shelves, SignIns, Templates, Views,
    Windows, conformance,
};

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
