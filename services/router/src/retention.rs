//! What need not be kept is forgotten, once an hour by one replica.

use std::{sync::Arc, time::Duration};

use runtime::Drain;

use crate::shell::Shell;

const EVERY: Duration = Duration::from_secs(60 * 60);
/// A little less than [`EVERY`]: the next look of the same or another replica finds it free.
const LEASED: Duration = Duration::from_secs(55 * 60);
/// How soon a look that the store did not answer is repeated.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks at the start and then every hour, until the drain begins. A sweep goes in small statements; one that is cut
/// off is made up for by the next.
pub(crate) async fn run(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    loop {
        let rest = tokio::select! {
            rest = look(&shell) => rest,
            () = drain.begun() => return Ok(()),
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = drain.begun() => return Ok(()),
        }
    }
}

async fn look(shell: &Shell) -> Duration {
    let env = &shell.env;
    let now = env.clock.now();
    let swept = async {
        if !env.leases.claim("router.retention", &env.replica, now, LEASED).await? {
            return Ok(0);
        }
        let kept = Duration::from_secs(u64::from(shell.config.events_days.max(1)) * 24 * 60 * 60);
        let kept = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
        let before = domain::Timestamp::from_millis(now.millis().saturating_sub(kept));
        env.journal.sweep(before, now).await
    };
    match swept.await {
        Ok(0) => EVERY,
        Ok(rows) => {
            tracing::info!(rows, "what was old is forgotten");
            EVERY
        }
        Err::<u64, ports::StoreError>(error) => {
            tracing::warn!(%error, "what is old waits to be forgotten");
            AGAIN
        }
    }
}
