//! The store looks at what has grown, every few seconds: it may be minutes old and already have thousands of messages.

use std::{sync::Arc, time::Duration};

use ports::StoreError;
use runtime::Drain;

use crate::shell::Shell;

const EVERY: Duration = Duration::from_secs(3);

/// Looks until the drain begins. Every replica does: it is one small question.
pub(crate) async fn run(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = drain.begun() => return Ok(()),
        }
        let looked = tokio::select! {
            looked = shell.env.journal.survey() => looked,
            () = drain.begun() => return Ok(()),
        };
        match looked {
            Ok(0) => {}
            Ok(tables) => tracing::debug!(tables, "the store looked at tables that have grown"),
            Err(StoreError::Unavailable(reason)) => tracing::debug!(reason, "the store looks at what has grown later"),
            Err(StoreError::Refused(reason)) => tracing::warn!(reason, "the store does not look at what has grown"),
        }
    }
}
