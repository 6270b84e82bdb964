//! The promises of [`crate::Mailboxes`].

use std::{collections::BTreeSet, sync::Arc};

use super::samples::{World, at};
use crate::Mailboxes;

/// Places count from 1 without gaps; the same id keeps its place and its words.
pub async fn places_are_dense_and_ids_kept_once(mailboxes: Arc<dyn Mailboxes>) {
    let world = World::new();
    let address = &world.thread(1).address;
    for (id, place) in [("a", 1), ("b", 2), ("a", 1), ("c", 3)] {
        let put = mailboxes.put(world.account, address, id, &format!("{{\"{id}\":{place}}}"), at(1)).await;
        assert_eq!(put.unwrap(), place, "{id}");
    }
    let items = mailboxes.since(world.account, address, 0, 10).await.unwrap();
    let seen: Vec<_> = items.iter().map(|item| (item.sequence, item.id.as_str())).collect();
    assert_eq!(seen, [(1, "a"), (2, "b"), (3, "c")]);
    assert_eq!(items[0].body, "{\"a\":1}");
    let page = mailboxes.since(world.account, address, 1, 1).await.unwrap();
    assert_eq!(page.len(), 1);
    assert_eq!(page[0].sequence, 2);
}

/// One visitor does not read another's.
pub async fn mailboxes_are_apart(mailboxes: Arc<dyn Mailboxes>) {
    let (world, other) = (World::new(), World::new());
    let address = world.thread(1).address;
    assert_eq!(mailboxes.put(world.account, &address, "a", "{}", at(1)).await.unwrap(), 1);
    assert_eq!(mailboxes.put(world.account, &world.thread(2).address, "a", "{}", at(1)).await.unwrap(), 1);
    assert_eq!(mailboxes.put(other.account, &address, "a", "{}", at(1)).await.unwrap(), 1);
    assert_eq!(mailboxes.since(world.account, &address, 0, 10).await.unwrap().len(), 1);
}

/// Nobody's item is lost when several put at once.
pub async fn concurrent_puts_get_places_of_their_own(mailboxes: Arc<dyn Mailboxes>) {
    let world = World::new();
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let (mailboxes, world) = (mailboxes.clone(), world.clone());
            tokio::spawn(async move {
                let address = world.thread(1).address;
                // Every id is put twice.
                mailboxes.put(world.account, &address, &format!("id-{}", n / 2), "{}", at(1)).await.unwrap()
            })
        })
        .collect();
    let mut places = BTreeSet::new();
    for task in tasks {
        places.insert(task.await.unwrap());
    }
    assert_eq!(places, (1..=10).collect());
}
