//! When contacts last wrote. It is kept where it is quick to ask, and where it may be lost: the router's store has all of
//! it. So a store of windows that is away, or that takes nothing (its disk or its memory is full), is one that was
//! emptied. Nobody waits for it.

use std::{collections::BTreeMap, time::Duration};

use domain::{Thread, Timestamp};
use ports::StoreError;
use runtime::Env;

/// When these contacts last wrote, as far as it is known; none when the store is of no use now.
pub(crate) async fn last(env: &Env, threads: &[Thread]) -> Option<BTreeMap<Thread, Timestamp>> {
    match env.windows.last(threads).await {
        Ok(last) => Some(threads.iter().cloned().zip(last).filter_map(|(thread, at)| Some((thread, at?))).collect()),
        Err(error) => {
            tell(&error);
            None
        }
    }
}

/// Notes when these contacts wrote, as it was read in the router's store: the next look begins there.
pub(crate) async fn note(env: &Env, wrote: &[(Thread, Timestamp)], keep: Duration) {
    if !wrote.is_empty()
        && let Err(error) = env.windows.note(wrote, keep).await
    {
        tell(&error);
    }
}

fn tell(error: &StoreError) {
    let text = "no windows: what contacts wrote is read in the router's store";
    match error {
        StoreError::Unavailable(reason) => tracing::warn!(reason, "{text}"),
        // Does not pass by itself.
        StoreError::Refused(reason) => tracing::error!(reason, "{text}"),
    }
}
