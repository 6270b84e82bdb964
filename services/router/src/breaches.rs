//! What is about to be written against the invariants, counted: it must be nothing. The core decides; this only looks, with
//! the predicates that the simulation asks too.

use domain::invariants;
use routing::{Change, State};
use runtime::{
    metrics::Metrics,
    names::{label, metric},
};

/// What one batch would break.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Breaches {
    /// Conversations with an agent whom nobody serves, or the other way round.
    pub(crate) owned_once: u64,
    /// Agents who got more than they may have.
    pub(crate) within_capacity: u64,
    /// Messages of ours whose receipts went back.
    pub(crate) parts_forward: u64,
}

impl Breaches {
    /// Looks at a change while `state` is still as it was before it.
    pub(crate) fn look(&mut self, state: &State, change: &Change) {
        match change {
            Change::Seat(after) => {
                let before = state.seats.get(&(after.organization, after.user));
                let broken = before.is_some_and(|before| !invariants::within_capacity(before, after));
                self.within_capacity += u64::from(broken);
            }
            Change::Message(after) => {
                let before = state.messages.get(&after.id).and_then(|before| before.delivery.as_ref());
                let broken = before
                    .zip(after.delivery.as_ref())
                    .is_some_and(|(before, after)| !invariants::parts_forward(before, after));
                self.parts_forward += u64::from(broken);
            }
            _ => {}
        }
    }

    /// Says what there is.
    pub(crate) fn tell(self, metrics: &Metrics) {
        for (kind, count, what) in [
            ("owned_once", self.owned_once, "a conversation has an agent and nobody serves it, or the other way round"),
            ("within_capacity", self.within_capacity, "an agent got more than their capacity"),
            ("parts_forward", self.parts_forward, "a receipt went back"),
        ] {
            if count > 0 {
                tracing::error!(count, kind, "{what}");
                metrics.count(metric::INVARIANT_VIOLATIONS, &[(label::KIND, kind)], count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use domain::{OrganizationId, Presence, Seat, Timestamp, UserId};

    use super::*;

    fn seat(load: u16, capacity: u16) -> Seat {
        let (organization, user) = (OrganizationId::derive(&["o"]), UserId::derive(&["u"]));
        let last_assigned_at = Timestamp::default();
        Seat { organization, user, presence: Presence::Online, load, capacity, last_assigned_at, version: 1 }
    }

    #[test]
    fn who_gets_more_than_they_may_have_is_counted_and_who_had_it_is_not() {
        let after = |before: Seat, after: Seat| {
            let mut state = State::default();
            state.seats.insert((before.organization, before.user), before);
            let mut breaches = Breaches::default();
            breaches.look(&state, &Change::Seat(after));
            breaches
        };
        assert_eq!(after(seat(1, 2), seat(2, 2)), Breaches::default());
        assert_eq!(after(seat(2, 2), seat(3, 2)), Breaches { within_capacity: 1, ..Breaches::default() });
        // The capacity was lowered under the load.
        assert_eq!(after(seat(3, 3), seat(3, 2)), Breaches::default());
    }
}
