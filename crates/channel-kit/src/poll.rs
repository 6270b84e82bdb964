//! Polled accounts: one replica at a time, and the cursor moves only after the broker has the arrivals. They are not
//! spooled: the provider keeps them until it is told that they were taken. A replica that the broker alone has left lets
//! another poll.
//!
//! An account that takes more than its share while much waits at the routers is not asked: its provider keeps it.
//!
//! The lease is much shorter than a poll may take, and is renewed meanwhile: when the replica that has it is killed, the
//! account waits for no more than that.

use std::{sync::Arc, time::Duration};

use domain::{Failure, error::codes};
use futures_util::FutureExt as _;
use ports::bus::{BusError, Envelope};
use runtime::service::Drain;
use tokio::time::Instant;

use crate::{
    accounts::Live,
    backoff::Backoff,
    contract::{Poll, PollError, Polled},
    intake,
    kit::Kit,
    templates,
};

fn key(live: &Live) -> String {
    format!("poll:{}", live.account.id)
}

/// Polls until the drain begins.
pub(crate) async fn run(kit: &Arc<Kit>, live: &Arc<Live>, source: &dyn Poll, drain: &Drain) {
    let mut backoff = Backoff::new(kit.config.first_pause, kit.config.longest_pause);
    while !drain.has_begun() {
        if !owned(kit, live).await {
            tokio::time::sleep(kit.config.poll_lease / 8).await;
            continue;
        }
        if !kit.admits(live) {
            // The lease is kept, and renewed by the turn after: another replica would let in what is refused here.
            tokio::time::sleep(kit.config.inbound_look.min(kit.config.poll_lease / 3)).await;
            continue;
        }
        match once(kit, live, source, drain).await {
            Ok(()) => backoff.reset(),
            // The provider's word counts for all replicas: the lease is kept, so that no other asks meanwhile. Who has
            // given it up rests for less than it would take to renew it.
            Err(pause) => tokio::select! {
                () = tokio::time::sleep(pause.unwrap_or_else(|| backoff.pause())) => {}
                () = lost(kit, live) => {}
            },
        }
    }
}

/// Lets another replica poll at once.
pub(crate) async fn release(kit: &Kit, live: &Live) {
    let _ = kit.env.leases.claim(&key(live), &kit.env.replica, kit.now(), Duration::ZERO).await;
}

async fn owned(kit: &Kit, live: &Live) -> bool {
    match kit.env.leases.claim(&key(live), &kit.env.replica, kit.now(), kit.config.poll_lease).await {
        Ok(owned) => owned,
        Err(error) => {
            tracing::warn!(%error, account = %live.account.id, "no lease, so no poll");
            false
        }
    }
}

/// Renews the lease until another replica has it.
async fn lost(kit: &Kit, live: &Live) {
    loop {
        tokio::time::sleep(kit.config.poll_lease / 3).await;
        // Who cannot ask goes on. Of two that poll at once the provider may end one; both keep what they got under the
        // same ids, and the cursor moves after that.
        let claimed = kit.env.leases.claim(&key(live), &kit.env.replica, kit.now(), kit.config.poll_lease).await;
        if claimed == Ok(false) {
            return;
        }
    }
}

/// One round. The error is the pause that was named, if one was.
async fn once(kit: &Arc<Kit>, live: &Arc<Live>, source: &dyn Poll, drain: &Drain) -> Result<(), Option<Duration>> {
    let cursor = kit.env.cursors.get(&key(live)).await.map_err(|error| {
        tracing::warn!(%error, account = %live.account.id, "no cursor, so no poll");
        None
    })?;
    let asked = std::panic::AssertUnwindSafe(source.poll(cursor.as_deref(), &live.http)).catch_unwind();
    let answered = tokio::select! {
        answered = asked => answered,
        () = lost(kit, live) => {
            tracing::info!(account = %live.account.id, channel = %kit.channel, "another replica polls");
            return Ok(());
        }
    };
    let polled = match answered {
        Ok(Ok(polled)) => polled,
        Ok(Err(error)) => return Err(failed(kit, live, error)),
        Err(_) => {
            tracing::error!(account = %live.account.id, channel = %kit.channel, "the poll panicked; tried again");
            return Err(None);
        }
    };
    tokio::select! {
        kept = keep(kit, live, cursor, polled, drain) => kept,
        () = lost(kit, live) => Ok(()),
    }
}

async fn keep(
    kit: &Kit,
    live: &Live,
    cursor: Option<String>,
    polled: Polled,
    drain: &Drain,
) -> Result<(), Option<Duration>> {
    let news = templates::news_in(&polled.heard);
    publish(kit, live, intake::batch(kit, live, polled.heard, None), drain).await?;
    templates::hear(kit, live, &news).await;
    if let Some(next) = polled.cursor.filter(|next| cursor.as_ref() != Some(next)) {
        // Losing this only means that the same arrivals come again, with the same ids.
        kit.env.cursors.set(&key(live), &next).await.map_err(|error| {
            tracing::warn!(%error, account = %live.account.id, "the cursor was not kept");
            None
        })?;
    }
    Ok(())
}

/// Publishes a page. While the broker is away it is tried again as long as the lease lasts; then another replica may fare
/// better, and asks for it anew. The same page twice has the same ids.
async fn publish(kit: &Kit, live: &Live, page: Vec<Envelope>, drain: &Drain) -> Result<(), Option<Duration>> {
    let give_up = Instant::now() + kit.config.poll_lease;
    let mut backoff = Backoff::while_away();
    loop {
        let error = match kit.intake.publish(live.account.id, page.clone(), kit.now()).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        tracing::warn!(%error, account = %live.account.id, "what was polled waits for the broker");
        if !matches!(error, BusError::Unavailable(_)) {
            // It will never take one of them as it is. Where the spool finds that, it parks that one alone.
            let spooled = kit.intake.accept(live.account.id, page, kit.now()).await;
            return spooled.map(drop).map_err(|error| {
                tracing::error!(%error, account = %live.account.id, "what was polled is asked for again");
                None
            });
        }
        if drain.has_begun() || Instant::now() >= give_up {
            release(kit, live).await;
            return Err(Some(kit.config.poll_lease / 4));
        }
        tokio::time::sleep(backoff.pause()).await;
    }
}

fn failed(kit: &Kit, live: &Live, error: PollError) -> Option<Duration> {
    match error {
        PollError::Unavailable { after, reason } => {
            tracing::warn!(account = %live.account.id, channel = %kit.channel, reason = live.redactor.text(&reason), "the poll failed");
            after
        }
        PollError::Misconfigured(reason) => {
            let reason = Some(live.redactor.text(&reason));
            let failure = Failure { code: codes::ACCOUNT_MISCONFIGURED, provider_code: None, reason };
            live.quarantine(kit.config.quarantine, failure);
            Some(kit.config.quarantine)
        }
    }
}
