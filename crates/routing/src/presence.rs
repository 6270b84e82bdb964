//! An agent comes, pauses, or leaves.

use domain::{Presence, Seat, Timestamp};

use crate::{Change, Decision, Effect, order::Order};

/// The most that a seat can serve.
const MOST: u16 = 80;

/// Conversations in the agent's hands stay there, whatever the presence: only new ones are kept from them.
pub(crate) fn decide(order: &Order<'_>, presence: Presence, capacity: u16) -> Decision {
    let (organization, user) = (order.by.organization, order.by.actor);
    let known = order.state.seat(organization, user);
    // A new seat was never given anything: it is the first in the circle.
    let fresh =
        Seat { organization, user, presence, load: 0, capacity: 0, last_assigned_at: Timestamp::default(), version: 0 };
    let seat = Seat { presence, capacity: capacity.min(MOST), ..known.cloned().unwrap_or(fresh) };
    if known == Some(&seat) {
        return Decision::unchanged("as_it_was");
    }
    let mut decision = Decision::unchanged("presence");
    if seat.is_free() && order.rules.may_be_given(user) {
        decision.effects.push(Effect::Distribute(organization));
    }
    decision.changes.push(Change::Seat(seat));
    decision
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::sample::World;

    #[test]
    fn q_3_a_seat_is_made_with_its_capacity() {
        let mut world = World::circular();
        let decision = world.seat(0, Presence::Online, 200);
        assert_eq!(decision.effects, [Effect::Distribute(world.organization())]);
        let seat = world.state.seat(world.organization(), world.user(0)).unwrap();
        assert_eq!((seat.capacity, seat.load), (80, 0));
        assert_eq!(world.seat(0, Presence::Online, 200).why, "as_it_was");
    }

    #[test]
    fn a_pause_keeps_what_the_agent_serves() {
        let mut world = World::serving("ana");
        world.seat(0, Presence::Offline, 5);
        assert_eq!(world.load(0), 1);
        assert_eq!(world.open("ana").agent, Some(world.user(0)));
    }
}
