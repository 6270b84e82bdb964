//! The promises of [`crate::Consents`].

use std::sync::Arc;

use domain::{ConsentChange, ConsentEntry};

use super::samples::{World, at};
use crate::Consents;

fn entry(world: &World, cause: u64, thread: u64, second: u64, granted: bool) -> ConsentEntry {
    ConsentEntry {
        cause: world.event(cause),
        thread: world.thread(thread),
        channel: world.channel.clone(),
        change: ConsentChange { granted, source: "keyword".into(), evidence: format!("PARAR {cause}") },
        at: at(second),
    }
}

/// Also when the news came late.
pub async fn the_last_entry_counts(consents: Arc<dyn Consents>) {
    let world = World::new();
    let no = entry(&world, 2, 1, 5, false);
    consents.append(&[entry(&world, 1, 1, 1, true), no.clone()]).await.unwrap();
    let yes = entry(&world, 3, 2, 9, true);
    consents.append(std::slice::from_ref(&yes)).await.unwrap();
    let asked = [world.thread(2), world.thread(3), world.thread(1)];
    assert_eq!(consents.last(&asked).await.unwrap(), [Some(yes), None, Some(no.clone())]);
    consents.append(&[entry(&world, 4, 1, 2, true)]).await.unwrap();
    assert_eq!(consents.last(&[world.thread(1)]).await.unwrap(), [Some(no)], "an older entry, added later");
    consents.append(&[]).await.unwrap();
}

/// A redelivered event adds nothing.
pub async fn the_same_cause_is_kept_once(consents: Arc<dyn Consents>) {
    let world = World::new();
    let first = entry(&world, 1, 1, 1, true);
    consents.append(std::slice::from_ref(&first)).await.unwrap();
    consents.append(&[entry(&world, 1, 1, 2, false), entry(&world, 2, 1, 3, true)]).await.unwrap();
    let history = consents.history(&world.thread(1)).await.unwrap();
    assert_eq!(history, [first, entry(&world, 2, 1, 3, true)]);
}

/// The evidence, in order.
pub async fn history_is_oldest_first(consents: Arc<dyn Consents>) {
    let world = World::new();
    let entries: Vec<_> = (1..=5).map(|n| entry(&world, n, 1, n, n % 2 == 0)).collect();
    consents.append(&entries).await.unwrap();
    assert_eq!(consents.history(&world.thread(1)).await.unwrap(), entries);
    assert_eq!(consents.history(&world.thread(2)).await.unwrap(), []);
}
