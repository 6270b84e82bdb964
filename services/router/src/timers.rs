//! Timers whose time has come (T-1, T-2, T-10): rows in the store, fired by who holds their partition.

use std::{sync::Arc, time::Duration};

use ports::journal::{DueTimer, TimerKind};
use routing::{Due, Event, Timer};
use runtime::Drain;
use tracing::Instrument as _;

use crate::{
    inbound::own_span,
    shell::{Item, Shell, Stop},
};

/// The most timers in one commit.
const BATCH: u32 = 128;

/// Looks at the timers again and again.
pub(crate) async fn run(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    let rest = Duration::from_millis(shell.config.timer_millis);
    loop {
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = drain.begun() => return Ok(()),
        }
        if let Err(stop) = fire(&shell, &drain).await {
            tracing::warn!(?stop, "timers wait");
        }
    }
}

async fn fire(shell: &Shell, drain: &Drain) -> Result<(), Stop> {
    while !drain.has_begun() {
        let partitions = shell.held.now();
        if partitions.is_empty() {
            return Ok(());
        }
        let due = shell.env.journal.due(&partitions, shell.env.clock.now(), BATCH).await?;
        if due.is_empty() {
            return Ok(());
        }
        let full = due.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
        let span = own_span("fire timers");
        let item = |due: &DueTimer| Item::new(event(due), span.clone());
        let items: Vec<Item> = due.iter().map(item).collect();
        let fired = match shell.attempt(&items).instrument(span.clone()).await {
            // One of them moved on: alone, the others do not suffer for it.
            Err(Stop::Conflict(_)) => one_by_one(shell, items).instrument(span).await,
            other => other.map(drop),
        };
        fired?;
        if !full {
            return Ok(());
        }
    }
    Ok(())
}

async fn one_by_one(shell: &Shell, items: Vec<Item>) -> Result<(), Stop> {
    for item in items {
        match shell.attempt(&[item]).await {
            // It is due again at the next look.
            Ok(_) | Err(Stop::Conflict(_)) => {}
            Err(stop) => return Err(stop),
        }
    }
    Ok(())
}

const fn event(due: &DueTimer) -> Event {
    let timer = match due.kind {
        TimerKind::Inactive => Timer::Inactive,
        TimerKind::Abandon => Timer::Abandon,
    };
    Event::Due(Due { organization: due.organization, conversation: due.conversation, timer })
}
