//! The provider's speed limits: for the account, and for each pair of account and contact.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{Address, Capabilities};
use runtime::names::{label, metric};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::{accounts::Live, kit::Kit};

/// Buckets of this replica, for when the shared ones are away.
#[derive(Default)]
pub(crate) struct Rates {
    local: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rates {
    /// How long to wait before a send to `address`; none when a token was taken from each bucket.
    pub(super) async fn take(&self, kit: &Kit, live: &Live, address: &Address) -> Option<Duration> {
        let Capabilities { account_rate, pair_interval, .. } = kit.can;
        if pair_interval > 0 {
            // The address is personal: keys of a shared store carry a digest.
            let digest = hex::encode(Sha256::digest(address.as_str().as_bytes()));
            let key = format!("pair:{}:{}", live.account.id, digest.get(..16).unwrap_or(&digest));
            if let Some(wait) = self.one(kit, &key, 1000.0 / f64::from(pair_interval), 1).await {
                kit.count(metric::RATE_LIMITED, &[(label::KIND, "pair")]);
                return Some(wait);
            }
        }
        if account_rate > 0 {
            let key = format!("rate:{}", live.account.id);
            if let Some(wait) = self.one(kit, &key, f64::from(account_rate), account_rate).await {
                kit.count(metric::RATE_LIMITED, &[(label::KIND, "account")]);
                return Some(wait);
            }
        }
        None
    }

    async fn one(&self, kit: &Kit, key: &str, rate: f64, burst: u32) -> Option<Duration> {
        match kit.env.buckets.take(key, rate, burst, kit.now()).await {
            Ok(wait) => wait,
            Err(_) => self.locally(key, rate, burst, Instant::now()),
        }
    }

    fn locally(&self, key: &str, rate: f64, burst: u32, now: Instant) -> Option<Duration> {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if local.len() > 10_000 {
            local.retain(|_, (_, seen)| now.duration_since(*seen) < Duration::from_secs(60));
        }
        let (tokens, seen) = local.get(key).copied().unwrap_or((f64::from(burst), now));
        let tokens = (tokens + now.duration_since(seen).as_secs_f64() * rate).min(f64::from(burst));
        let (tokens, wait) = if tokens >= 1.0 {
            (tokens - 1.0, None)
        } else {
            (tokens, Some(Duration::from_secs_f64((1.0 - tokens) / rate)))
        };
        local.insert(key.to_owned(), (tokens, now));
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_bucket_stands_in_for_the_shared_one() {
        let rates = Rates::default();
        let now = Instant::now();
        assert_eq!(rates.locally("k", 2.0, 2, now), None);
        assert_eq!(rates.locally("k", 2.0, 2, now), None);
        assert!(rates.locally("k", 2.0, 2, now).is_some_and(|wait| wait <= Duration::from_millis(500)));
        assert_eq!(rates.locally("k", 2.0, 2, now + Duration::from_millis(501)), None);
    }
}
