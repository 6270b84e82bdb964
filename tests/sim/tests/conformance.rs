//! What the simulation runs on is held to the same promises as what production runs on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use afluente_sim::{
    air::Air,
    memory::{Broker, Store},
};
use domain::Partition;
use ports::{
    Blobs, Buckets, Bus, Consents, Cursors, Directory, Journal, Leases, Ledger, Mailboxes, Parking, Shelves, SignIns,
    Templates, Views, Windows, conformance,
    conformance::samples::envelope,
    topology::{Queue, Topic},
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

/// Who was cut off comes back behind who came meanwhile, as at RabbitMQ: what the active one has in hand is not overtaken.
#[tokio::test]
async fn who_comes_back_from_a_cut_stands_by() {
    let (topic, queue) = (Topic::Requested(Partition(0)), Queue::SessionRequested(Partition(0)));
    let broker = Broker::default();
    let [cut, other] = ["cut", "other"].map(|owner| broker.through(owner, Air::still()));
    let mut first = cut.subscribe(queue.clone(), 4).await.unwrap();
    broker.set_cut("cut", true);
    let mut second = other.subscribe(queue, 4).await.unwrap();
    broker.publish(vec![envelope("a", topic.clone())]).await.unwrap();
    let in_hand = second.next().await.unwrap();
    assert_eq!(in_hand.envelope.id, "a");
    broker.set_cut("cut", false);
    broker.publish(vec![envelope("b", topic)]).await.unwrap();
    let (by, next) = tokio::select! {
        next = first.next() => ("who came back", next.unwrap()),
        next = second.next() => ("the active one", next.unwrap()),
    };
    assert_eq!((by, next.envelope.id.as_str()), ("the active one", "b"));
    // It stands by: when the active one goes, it gets all of it, in order.
    drop(second);
    for id in ["a", "b"] {
        let delivery = first.next().await.unwrap();
        assert_eq!((delivery.envelope.id.as_str(), delivery.attempt), (id, 2));
        delivery.ack();
    }
}
