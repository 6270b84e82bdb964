//! The suites of `ports::conformance` for windows, buckets and leases against a real Redis. Without
//! `AFLUENTE_TEST_REDIS` (see `scripts/servers.sh`) each test says that it was skipped.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods)]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use afluente_adapter_redis::RedisStore;
use ports::{Buckets, Leases, Windows};

/// A store with a namespace of its own.
async fn store() -> Option<Arc<RedisStore>> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let url = ports::conformance::server("AFLUENTE_TEST_REDIS")?;
    let namespace = format!("conformance-{}-{}:", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    Some(Arc::new(RedisStore::connect(&url, namespace).await.unwrap()))
}

async fn fresh_windows() -> Option<(Arc<dyn Windows>, ())> {
    Some((store().await?, ()))
}

async fn fresh_buckets() -> Option<(Arc<dyn Buckets>, ())> {
    Some((store().await?, ()))
}

async fn fresh_leases() -> Option<(Arc<dyn Leases>, ())> {
    Some((store().await?, ()))
}

ports::conformance!(windows, fresh_windows());
ports::conformance!(buckets, fresh_buckets());
ports::conformance!(leases, fresh_leases());
