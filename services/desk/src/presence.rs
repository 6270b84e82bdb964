//! Who is at the desk: an agent whose last page has been gone for a while is taken as offline, and after a longer while
//! their conversations go back to their queues (AG-6).
//!
//! Each replica notes in the store when it last saw a person's page; any replica may find that too long ago, also after
//! a crash. A person who never opened a page (a program that uses the API) is left as they said. Only time in which the
//! desk itself was there counts: its own absence is nobody's fault.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{Class, Command, EventId, OrganizationId, Presence, Role, Seat, Stage, Timestamp, UserId, error::codes};
use ports::ConversationFilter;
use runtime::Drain;

use crate::state::{Desk, Shared};

const LEASE: &str = "desk.presence";
const SLOWEST_SWEEP: Duration = Duration::from_secs(5);
/// More conversations than any capacity.
const OWN: u32 = 500;

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

/// What is noted of an absence once the agent was set offline: the time still tells when their conversations go back.
const OFFLINE: &str = "offline ";

/// The task that takes agents as offline whose pages are gone, and gives back what they serve.
pub(crate) async fn sweep(desk: Shared, drain: Drain) -> Result<(), String> {
    let every = (desk.config.away_grace() / 3).clamp(Duration::from_millis(200), SLOWEST_SWEEP);
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Since when this replica has looked without a gap.
    let mut since = None;
    loop {
        tokio::select! {
            () = drain.begun() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let now = desk.env.clock.now();
        let mine = desk.env.leases.claim(LEASE, &desk.env.replica, now, every * 3).await;
        if !matches!(mine, Ok(true)) {
            since = None;
            continue;
        }
        if let Err(error) = look(&desk, now, *since.get_or_insert(now)).await {
            since = None;
            tracing::warn!(%error, "absent agents cannot be looked for");
        }
    }
}

async fn look(desk: &Desk, now: Timestamp, since: Timestamp) -> Result<(), String> {
    for organization in desk.env.directory.organizations().await.map_err(told)? {
        for seat in desk.env.views.seats(organization.id).await.map_err(told)? {
            let idle = seat.presence == Presence::Offline && seat.load == 0;
            if idle || desk.presences.is_here(organization.id, seat.user) {
                continue;
            }
            let noted = desk.env.cursors.get(&key(organization.id, seat.user)).await.map_err(told)?.unwrap_or_default();
            let seen = noted.strip_prefix(OFFLINE).unwrap_or(&noted).parse().map(Timestamp::from_millis);
            if let Ok(seen) = seen {
                absent(desk, &seat, seen, now.since(seen.max(since))).await?;
            }
        }
    }
    Ok(())
}

/// What an absence that has lasted `gone` leads to.
async fn absent(desk: &Desk, seat: &Seat, seen: Timestamp, gone: Duration) -> Result<(), String> {
    if gone <= desk.config.away_grace() {
        return Ok(());
    }
    if seat.presence != Presence::Offline {
        leave(desk, seat, seen).await?;
    }
    // First offline, else a circular queue gives the agent straight back what they gave up.
    match desk.config.away_return() {
        Some(after) if gone > after => give_back(desk, seat, seen).await,
        _ => Ok(()),
    }
}

async fn leave(desk: &Desk, seat: &Seat, seen: Timestamp) -> Result<(), String> {
    let names = desk.book.of(seat.organization).await.map_err(told)?;
    let Some(user) = names.users.get(&seat.user) else { return Ok(()) };
    // The same absence found twice, by whichever replica, is one command.
    let id =
        EventId::derive(&["away", &seat.organization.to_string(), &seat.user.to_string(), &seen.millis().to_string()]);
    let command = Command::SetPresence { presence: Presence::Offline, capacity: seat.capacity };
    desk.order(id, seat.organization, user.id, user.role, command).await.map_err(told)?;
    let noted = desk.config.away_return().map(|_| format!("{OFFLINE}{}", seen.millis()));
    note(desk, seat.organization, seat.user, &noted.unwrap_or_default()).await;
    Ok(())
}

/// Puts what the agent serves back into its queues, once for this absence.
async fn give_back(desk: &Desk, seat: &Seat, seen: Timestamp) -> Result<(), String> {
    let (organization, user) = (seat.organization, seat.user);
    let stages = vec![Stage::Active, Stage::Inactive];
    let own = ConversationFilter { stages, agent: Some(user), limit: OWN, ..ConversationFilter::default() };
    let found = desk.env.views.conversations(organization, &own).await.map_err(told)?;
    for conversation in &found {
        let id = EventId::derive(&["away", &conversation.id.to_string(), &seen.millis().to_string()]);
        let command = Command::Return { conversation: conversation.id };
        // As an agent, whatever their role: what moved on to somebody else meanwhile is no longer theirs to return.
        match desk.order(id, organization, user, Role::Agent, command).await {
            Ok(_) => tracing::info!(conversation = %conversation.id, "returned to its queue: the agent is away"),
            Err(refusal) if matches!(refusal.class, Class::Forbidden | Class::NotFound) => {}
            Err(refusal) if refusal.code == codes::CONVERSATION_CLOSED => {}
            // Found again by the next look, under the same id.
            Err(refusal) => return Err(refusal.to_string()),
        }
    }
    if found.len() < usize::try_from(OWN).unwrap_or(usize::MAX) {
        note(desk, organization, user, "").await;
    }
    Ok(())
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}
