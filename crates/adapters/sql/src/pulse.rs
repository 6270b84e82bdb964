//! A server that falls silent while nobody asks it anything.
//!
//! Work that is given up casts a doubt on every connection ([`Patience`]). A process that had no work just then, since
//! those before it in the mesh were held up, has no doubt either: it would take a silent connection for the first work
//! that comes, and hold it up for as long again.

use std::time::Duration;

use sea_orm::sqlx::PgPool;
use tokio::task::JoinHandle;

use crate::patience::Patience;

/// How long after an answer the next connection that rests is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Asks until it is dropped.
#[derive(Debug)]
pub(crate) struct Pulse(JoinHandle<()>);

impl Pulse {
    pub(crate) fn of(pool: PgPool, patience: Patience) -> Self {
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                // Where none rests, all are at work, and as a rule that tells by itself. They have their turns, so none of
                // them is idle for long, and a pool that grew shrinks when its connections are old.
                if let Some(mut resting) = pool.try_acquire()
                    && !patience.feels(&mut resting).await
                {
                    drop(resting.detach());
                }
            }
        }))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.abort();
    }
}
