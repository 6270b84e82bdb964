//! The promises of [`crate::Buckets`].

use std::{sync::Arc, time::Duration};

use super::samples::World;
use crate::Buckets;

fn now() -> domain::Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    domain::Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// The burst at once, then a token for each interval; a refusal says how long to wait.
pub async fn a_burst_then_the_rate(buckets: Arc<dyn Buckets>) {
    let key = World::new().organization.to_string();
    let start = now();
    for _ in 0..3 {
        assert_eq!(buckets.take(&key, 2.0, 3, start).await.unwrap(), None);
    }
    let pause = buckets.take(&key, 2.0, 3, start).await.unwrap().expect("an empty bucket");
    assert!(pause > Duration::from_millis(400) && pause <= Duration::from_millis(501), "{pause:?}");
    let later = start + Duration::from_millis(510);
    assert_eq!(buckets.take(&key, 2.0, 3, later).await.unwrap(), None);
    assert!(buckets.take(&key, 2.0, 3, later).await.unwrap().is_some());
}

/// One account's rush is not another's.
pub async fn buckets_are_apart(buckets: Arc<dyn Buckets>) {
    let start = now();
    for _ in 0..2 {
        let key = World::new().organization.to_string();
        assert_eq!(buckets.take(&key, 1.0, 1, start).await.unwrap(), None);
        assert!(buckets.take(&key, 1.0, 1, start).await.unwrap().is_some());
    }
}
