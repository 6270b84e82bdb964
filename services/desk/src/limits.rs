//! How often somebody may fail to sign in.
//!
//! Only failures cost a token, so that a team behind one address can sign in together. A key whose bucket is found empty
//! is barred here until the next token; the bucket itself is shared by the replicas.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::Timestamp;
use ports::{Buckets, StoreError};

/// More keys than this are an attack; the oldest knowledge goes.
const MOST_KEYS: usize = 50_000;

/// The failed tries of e-mails and addresses.
pub(crate) struct Attempts {
    buckets: Arc<dyn Buckets>,
    local: Mutex<Local>,
}

#[derive(Default)]
struct Local {
    barred: HashMap<String, Timestamp>,
    /// Tokens and when they were counted, for when the shared buckets are away.
    buckets: HashMap<String, (f64, Timestamp)>,
}

/// One thing that is limited.
pub(crate) struct Limit {
    /// What: no personal data, since the store and its logs see it.
    pub(crate) key: String,
    /// How many failures in a minute.
    pub(crate) per_minute: u32,
}

impl Attempts {
    pub(crate) fn new(buckets: Arc<dyn Buckets>) -> Self {
        Self { buckets, local: Mutex::default() }
    }

    /// How long the first barred of `limits` has to wait; none when all may try.
    pub(crate) fn barred(&self, limits: &[Limit], now: Timestamp) -> Option<Duration> {
        let local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = limits.iter().filter_map(|limit| local.barred.get(&limit.key));
        waits.filter(|until| **until > now).map(|until| until.since(now)).max()
    }

    /// Notes a failure. Answers how long to wait when that was one too many.
    pub(crate) async fn failed(&self, limits: &[Limit], now: Timestamp) -> Option<Duration> {
        let mut longest = None;
        for limit in limits {
            let rate = f64::from(limit.per_minute) / 60.0;
            let pause = match self.buckets.take(&limit.key, rate, limit.per_minute, now).await {
                Ok(pause) => pause,
                Err(StoreError::Unavailable(_) | StoreError::Refused(_)) => self.take_here(limit, rate, now),
            };
            if let Some(pause) = pause {
                let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
                if local.barred.len() >= MOST_KEYS {
                    local.barred.clear();
                }
                local.barred.insert(limit.key.clone(), now + pause);
                longest = longest.max(Some(pause));
            }
        }
        longest
    }

    fn take_here(&self, limit: &Limit, rate: f64, now: Timestamp) -> Option<Duration> {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if local.buckets.len() >= MOST_KEYS {
            local.buckets.clear();
        }
        let full = f64::from(limit.per_minute);
        let (tokens, at) = local.buckets.entry(limit.key.clone()).or_insert((full, now));
        *tokens = (*tokens + now.since(*at).as_secs_f64() * rate).min(full);
        *at = now;
        if *tokens >= 1.0 {
            *tokens -= 1.0;
            None
        } else {
            Some(Duration::from_secs_f64((1.0 - *tokens) / rate.max(f64::EPSILON)))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    struct Away;

    #[async_trait::async_trait]
    impl Buckets for Away {
        async fn take(&self, _: &str, _: f64, _: u32, _: Timestamp) -> Result<Option<Duration>, StoreError> {
            Err(StoreError::Unavailable("away".into()))
        }
    }

    #[tokio::test]
    async fn failures_are_limited_even_without_the_shared_buckets() {
        let attempts = Attempts::new(Arc::new(Away));
        let limits = [Limit { key: "k".into(), per_minute: 5 }];
        let start = Timestamp::from_secs(1_000);
        for _ in 0..5 {
            assert_eq!(attempts.failed(&limits, start).await, None);
            assert_eq!(attempts.barred(&limits, start), None);
        }
        assert_eq!(attempts.failed(&limits, start).await, Some(Duration::from_secs(12)));
        assert_eq!(attempts.barred(&limits, start), Some(Duration::from_secs(12)));
        assert_eq!(attempts.barred(&limits, start + Duration::from_secs(12)), None);
        assert_eq!(attempts.failed(&limits, start + Duration::from_secs(12)).await, None);
    }
}
