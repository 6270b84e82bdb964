//! What the send ledger learnt of messages in doubt after they were parked. A replica that lost its broker while it was
//! at a message goes on with it, and notes how it went; another one has told meanwhile that nobody knows. When the first
//! ends before it can tell, only the ledger knows, and no person needs to be asked.

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use ports::StoreError;
use routing::{Event, Recall};
use runtime::Drain;
use tracing::Instrument as _;

use crate::{
    inbound::own_span,
    shell::{Item, Shell, Stop},
};

/// How often the ledger is asked.
const REST: Duration = Duration::from_secs(5);
/// How long after a message was parked something may still be noted of it: far longer than any attempt takes.
const LATEST: Duration = Duration::from_secs(60 * 60);
/// The most in one look.
const BATCH: u32 = 512;

/// Looks until the drain begins. Several replicas may: who is second conflicts, and finds nothing the next time.
pub(crate) async fn run(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            () = drain.begun() => return Ok(()),
        }
        if let Err(error) = look(&shell, &drain).await {
            tracing::warn!(%error, "messages in doubt wait for what the ledger knows");
        }
    }
}

async fn look(shell: &Shell, drain: &Drain) -> Result<(), StoreError> {
    let latest = i64::try_from(LATEST.as_millis()).unwrap_or(i64::MAX);
    let since = Timestamp::from_millis(shell.env.clock.now().millis().saturating_sub(latest));
    for (organization, parked) in shell.env.journal.known_after_all(since, BATCH).await? {
        if drain.has_begun() {
            break;
        }
        let span = own_span("recall");
        let item = Item::new(Event::Recall(Recall { organization, parked }), span.clone());
        match shell.attempt(&[item]).instrument(span).await {
            // Whoever was quicker has told, or it is looked at again.
            Ok(_) | Err(Stop::Conflict(_)) => {}
            Err(Stop::Unavailable(reason)) => return Err(StoreError::Unavailable(reason)),
            Err(Stop::Refused(reason)) => return Err(StoreError::Refused(reason)),
        }
    }
    Ok(())
}
