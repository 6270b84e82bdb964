//! When contacts last wrote. It is kept where it is quick to ask, and where it may be lost: the router's store has all of
//! it. So a store of windows that is away is one that was emptied. Nobody waits for it.

use std::{collections::BTreeMap, time::Duration};

use domain::{Thread, Timestamp};
use ports::StoreError;
use runtime::Env;

/// When these contacts last wrote, as far as it is known; none when the store is away.
///
/// # Errors
/// [`StoreError::Refused`].
pub(crate) async fn last(env: &Env, threads: &[Thread]) -> Result<Option<BTreeMap<Thread, Timestamp>>, StoreError> {
    match env.windows.last(threads).await {
        Ok(last) => {
            Ok(Some(threads.iter().cloned().zip(last).filter_map(|(thread, at)| Some((thread, at?))).collect()))
        }
        Err(error) => away(error).map(|()| None),
    }
}

/// Notes when these contacts wrote, as it was read in the router's store: the next look begins there.
///
/// # Errors
/// [`StoreError::Refused`].
pub(crate) async fn note(env: &Env, wrote: &[(Thread, Timestamp)], keep: Duration) -> Result<(), StoreError> {
    if wrote.is_empty() {
        return Ok(());
    }
    env.windows.note(wrote, keep).await.or_else(away)
}

fn away(error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Unavailable(reason) => {
            tracing::warn!(reason, "no windows: what contacts wrote is read in the router's store");
            Ok(())
        }
        refused @ StoreError::Refused(_) => Err(refused),
    }
}
