//! Token buckets in memory: the embedded mesh is one process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use domain::Timestamp;
use ports::{Buckets, StoreError};

/// How many buckets are kept before those that are full again are forgotten.
const MANY: usize = 10_000;

/// Token buckets in memory.
#[derive(Debug, Default)]
pub struct MemoryBuckets {
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
    rate: f64,
    burst: f64,
}

impl Bucket {
    fn refilled(self, now: Timestamp) -> f64 {
        (self.tokens + now.since(self.at).as_secs_f64() * self.rate).min(self.burst)
    }
}

#[async_trait]
impl Buckets for MemoryBuckets {
    async fn take(&self, key: &str, rate: f64, burst: u32, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MANY {
            buckets.retain(|_, bucket| bucket.refilled(now) < bucket.burst);
        }
        let burst = f64::from(burst.max(1));
        let fresh = Bucket { tokens: burst, at: now, rate, burst };
        let bucket = buckets.entry(key.to_owned()).or_insert(fresh);
        (bucket.rate, bucket.burst) = (rate, burst);
        bucket.tokens = bucket.refilled(now);
        // Clocks may step back: the bucket's own time does not.
        bucket.at = bucket.at.max(now);
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(None);
        }
        let missing = (1.0 - bucket.tokens) / rate.max(1e-6);
        Ok(Some(Duration::from_secs_f64(missing.min(86_400.0)).max(Duration::from_millis(1))))
    }
}
