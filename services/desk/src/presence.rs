//! Who is at the desk: an agent whose last page has been gone for a while is taken as offline.
//!
//! Each replica notes in the store when it last saw a person's page; any replica may find that too long ago, also after
//! a crash. A person who never opened a page (a program that uses the API) is left as they said. Conversations stay
//! with their agent.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{Command, EventId, OrganizationId, Presence, Seat, Timestamp, UserId};
use runtime::Drain;

use crate::state::{Desk, Shared};

const LEASE: &str = "desk.presence";
const SLOWEST_SWEEP: Duration = Duration::from_secs(5);

/// The people whose pages are connected here.
#[derive(Default)]
pub(crate) struct Presences {
    here: Mutex<HashMap<(OrganizationId, UserId), usize>>,
}

impl Presences {
    /// A page connected.
    pub(crate) async fn arrived(&self, desk: &Desk, organization: OrganizationId, user: UserId) {
        *self.here.lock().unwrap_or_else(PoisonError::into_inner).entry((organization, user)).or_default() += 1;
        self.seen(desk, organization, user).await;
    }

    /// A page disconnected.
    pub(crate) async fn left(&self, desk: &Desk, organization: OrganizationId, user: UserId) {
        {
            let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = here.get_mut(&(organization, user)) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    here.remove(&(organization, user));
                }
            }
        }
        self.seen(desk, organization, user).await;
    }

    /// A page is there now.
    pub(crate) async fn seen(&self, desk: &Desk, organization: OrganizationId, user: UserId) {
        let now = desk.env.clock.now().millis().to_string();
        note(desk, organization, user, &now).await;
    }

    /// Somebody said how present they are. Without a page here, what was noted of earlier pages no longer counts.
    pub(crate) async fn chosen(&self, desk: &Desk, organization: OrganizationId, user: UserId) {
        if !self.is_here(organization, user) {
            note(desk, organization, user, "").await;
        }
    }

    fn is_here(&self, organization: OrganizationId, user: UserId) -> bool {
        self.here.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&(organization, user))
    }
}

fn key(organization: OrganizationId, user: UserId) -> String {
    format!("desk.seen/{organization}/{user}")
}

async fn note(desk: &Desk, organization: OrganizationId, user: UserId, value: &str) {
    if let Err(error) = desk.env.cursors.set(&key(organization, user), value).await {
        tracing::warn!(%error, "a page's presence cannot be noted");
    }
}

/// The task that takes agents as offline whose pages are gone.
pub(crate) async fn sweep(desk: Shared, drain: Drain) -> Result<(), String> {
    let every = (desk.config.away_grace() / 3).clamp(Duration::from_millis(200), SLOWEST_SWEEP);
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = drain.begun() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let now = desk.env.clock.now();
        let mine = desk.env.leases.claim(LEASE, &desk.env.replica, now, every * 3).await;
        if !matches!(mine, Ok(true)) {
            continue;
        }
        if let Err(error) = look(&desk, now).await {
            tracing::warn!(%error, "absent agents cannot be looked for");
        }
    }
}

async fn look(desk: &Desk, now: Timestamp) -> Result<(), String> {
    let away = |error: ports::StoreError| error.to_string();
    for organization in desk.env.directory.organizations().await.map_err(away)? {
        for seat in desk.env.views.seats(organization.id).await.map_err(away)? {
            if seat.presence == Presence::Offline || desk.presences.is_here(organization.id, seat.user) {
                continue;
            }
            let seen = desk.env.cursors.get(&key(organization.id, seat.user)).await.map_err(away)?;
            let seen = seen.and_then(|text| text.parse().ok()).map(Timestamp::from_millis);
            if let Some(seen) = seen.filter(|seen| now.since(*seen) > desk.config.away_grace()) {
                leave(desk, &seat, seen).await?;
            }
        }
    }
    Ok(())
}

async fn leave(desk: &Desk, seat: &Seat, seen: Timestamp) -> Result<(), String> {
    let names = desk.book.of(seat.organization).await.map_err(|error| error.to_string())?;
    let Some(user) = names.users.get(&seat.user) else { return Ok(()) };
    // The same absence found twice, by whichever replica, is one command.
    let id =
        EventId::derive(&["away", &seat.organization.to_string(), &seat.user.to_string(), &seen.millis().to_string()]);
    let command = Command::SetPresence { presence: Presence::Offline, capacity: seat.capacity };
    let done = desk.order(id, seat.organization, user.id, user.role, command).await;
    done.map_err(|refusal| refusal.to_string())?;
    note(desk, seat.organization, seat.user, "").await;
    Ok(())
}
