//! The promises of [`crate::Leases`].

use std::{sync::Arc, time::Duration};

use super::samples::{World, at};
use crate::Leases;

const TTL: Duration = Duration::from_secs(10);

/// The owner renews, others wait until it has run out.
pub async fn a_lease_is_exclusive_until_it_expires(leases: Arc<dyn Leases>) {
    let name = World::new().account.to_string();
    assert!(leases.claim(&name, "one", at(0), TTL).await.unwrap());
    assert!(!leases.claim(&name, "two", at(5), TTL).await.unwrap());
    assert!(leases.claim(&name, "one", at(5), TTL).await.unwrap(), "renewed until second 15");
    assert!(!leases.claim(&name, "two", at(14), TTL).await.unwrap());
    assert!(leases.claim(&name, "two", at(15), TTL).await.unwrap());
    assert!(!leases.claim(&name, "one", at(16), TTL).await.unwrap());
    assert!(leases.claim(&World::new().account.to_string(), "one", at(16), TTL).await.unwrap());
}

/// Ten replicas, one lease.
pub async fn of_many_one_claims(leases: Arc<dyn Leases>) {
    let name = World::new().account.to_string();
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let (leases, name) = (leases.clone(), name.clone());
            tokio::spawn(async move { leases.claim(&name, &format!("replica-{n}"), at(0), TTL).await.unwrap() })
        })
        .collect();
    let mut held = 0;
    for task in tasks {
        held += usize::from(task.await.unwrap());
    }
    assert_eq!(held, 1);
}
