//! The outbox on its way to the bus, in the order of the commits: one replica at a time for each partition, by lease.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{Parked, ParkedId, Partition, error::codes};
use ports::{
    StoreError,
    bus::BusError,
    journal::{Commit, OutboxRow},
};
use runtime::{Drain, names::metric};
use tokio::time::Instant;

use crate::{
    parked::{About, KIND, MESSAGE_ID, about, told},
    shell::{Shell, Stop, pause_away},
};

/// The partitions that this replica relays and whose timers it fires.
#[derive(Default)]
pub(crate) struct Held {
    held: Mutex<Option<(Vec<Partition>, Instant)>>,
}

impl Held {
    /// The partitions, while the lease surely lasts.
    pub(crate) fn now(&self) -> Vec<Partition> {
        match &*self.held.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((partitions, until)) if Instant::now() < *until => partitions.clone(),
            _ => Vec::new(),
        }
    }

    fn set(&self, value: Option<(Vec<Partition>, Instant)>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

/// Claims partitions and renews the claims; gives them up when the drain begins and the relay has ended.
pub(crate) async fn leases(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    let held = &shell.held;
    let all: Vec<Partition> = (0..shell.env.partitions).map(Partition).collect();
    let ttl = shell.config.lease_millis;
    let lasts = Duration::from_millis(u64::from(ttl));
    let mut failures = 0;
    loop {
        let asked = Instant::now();
        match shell.env.journal.lease(&all, &shell.env.replica, shell.env.clock.now(), ttl).await {
            Ok(partitions) => {
                let first = held.now().is_empty() && !partitions.is_empty();
                // A sixth is kept back for clocks that differ and for a publish that is on its way.
                held.set(Some((partitions, asked + lasts * 5 / 6)));
                if first {
                    shell.outbox.notify_one();
                }
                failures = 0;
            }
            Err(error) => {
                tracing::warn!(%error, "the leases could not be renewed");
                failures += 1;
            }
        }
        // What could not be renewed may be running out.
        let rest = if failures == 0 { lasts / 3 } else { pause_away(failures).min(lasts / 3) };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = drain.begun() => break,
        }
    }
    // The workers finish what they have, the relay passes once more, then another replica may go on at once.
    tokio::time::sleep(Duration::from_millis(shell.config.relay_rest_millis)).await;
    let mine = held.now();
    held.set(None);
    if let Err(error) = shell.env.journal.lease(&mine, &shell.env.replica, shell.env.clock.now(), 0).await {
        tracing::debug!(%error, "the leases were not given up; they run out");
    }
    Ok(())
}

/// Publishes rows until the drain begins, then once more.
pub(crate) async fn run(shell: Arc<Shell>, drain: Drain) -> Result<(), String> {
    let rest = Duration::from_millis(shell.config.relay_rest_millis);
    let mut failures = 0;
    loop {
        let last = drain.has_begun();
        match pass(&shell).await {
            Ok(()) => failures = 0,
            Err(error) => {
                tracing::warn!(%error, "the outbox waits");
                failures += 1;
            }
        }
        if last {
            return Ok(());
        }
        if failures > 0 {
            tokio::select! {
                () = tokio::time::sleep(pause_away(failures)) => {}
                () = drain.begun() => {}
            }
            continue;
        }
        tokio::select! {
            () = shell.outbox.notified() => {}
            () = tokio::time::sleep(rest) => {}
            () = drain.begun() => {}
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Hindrance {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("a row cannot be parked: {0:?}")]
    Parking(Stop),
}

impl From<Stop> for Hindrance {
    fn from(stop: Stop) -> Self {
        Self::Parking(stop)
    }
}

/// Publishes until the outbox is empty.
async fn pass(shell: &Shell) -> Result<(), Hindrance> {
    loop {
        let partitions = shell.held.now();
        if partitions.is_empty() {
            gauge(shell, &[]);
            return Ok(());
        }
        let rows = shell.env.journal.outbox(&partitions, shell.config.relay_batch).await?;
        gauge(shell, &rows);
        if rows.is_empty() {
            return Ok(());
        }
        publish(shell, &rows).await?;
        let sequences: Vec<i64> = rows.iter().map(|row| row.sequence).collect();
        shell.env.journal.relayed(&sequences).await?;
    }
}

/// How much waits in the partitions of this replica, and for how long.
fn gauge(shell: &Shell, rows: &[OutboxRow]) {
    let age = rows.first().map_or(0, |row| shell.env.clock.now().millis().saturating_sub(row.outgoing.at.millis()));
    #[expect(clippy::cast_precision_loss, reason = "a page of rows is small, and so is an age in milliseconds")]
    let (count, age) = (rows.len() as f64, age.max(0) as f64 / 1_000.0);
    shell.env.metrics.gauge(metric::OUTBOX_BACKLOG, &[], count);
    shell.env.metrics.gauge(metric::OUTBOX_AGE, &[], age);
}

async fn publish(shell: &Shell, rows: &[OutboxRow]) -> Result<(), Hindrance> {
    let batch = rows.iter().map(|row| row.outgoing.envelope.clone()).collect();
    match shell.env.bus.publish(batch).await {
        Err(BusError::Unroutable(_)) => {}
        other => return Ok(other?),
    }
    // One row has nowhere to go. It is parked, so that it does not stop the others.
    for row in rows {
        match shell.env.bus.publish(vec![row.outgoing.envelope.clone()]).await {
            Err(BusError::Unroutable(reason)) => {
                tracing::error!(id = row.outgoing.envelope.id, reason, "nothing takes an outbox row; parked");
                let parked = vec![lost(shell, row, reason)];
                let events = told(shell, &parked);
                shell.commit(&Commit { parked, events, ..Commit::default() }).await?;
            }
            other => other?,
        }
    }
    Ok(())
}

fn lost(shell: &Shell, row: &OutboxRow, reason: String) -> Parked {
    let envelope = &row.outgoing.envelope;
    let mut headers: Vec<(String, String)> = envelope.headers.clone().into_iter().collect();
    headers.push((KIND.to_owned(), envelope.kind.clone()));
    headers.push((MESSAGE_ID.to_owned(), envelope.id.clone()));
    let organization = envelope.headers.get(ports::bus::headers::ORGANIZATION);
    let About { channel, account, message } = about("", envelope);
    Parked {
        id: ParkedId::derive(&["outbox", &envelope.id]),
        organization: organization.and_then(|id| id.parse().ok()),
        place: "router outbox".to_owned(),
        code: codes::INTERNAL,
        reason,
        account,
        channel,
        provider_code: None,
        message,
        route: envelope.topic.route(),
        headers,
        body: envelope.body.to_vec(),
        at: shell.env.clock.now(),
        redriven_at: None,
    }
}
