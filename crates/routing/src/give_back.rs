//! A conversation returns to its queue: history and waiting age stay.

use domain::{Conversation, Stage};

use crate::{Decision, order::Order, ownership};

pub(crate) fn decide(order: &Order<'_>, conversation: &Conversation) -> Decision {
    if let Some(refusal) = order.unless_serving(conversation) {
        return refusal;
    }
    if conversation.stage == Stage::Waiting {
        return Decision::unchanged("already_there");
    }
    let mut decision = Decision::unchanged("returned");
    let mut conversation = conversation.clone();
    ownership::release(&mut decision, order.rules, order.state, &mut conversation);
    ownership::wait(&mut decision, order.rules, &mut conversation);
    decision.conversation(conversation);
    decision
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::Command;

    use super::*;
    use crate::sample::World;

    #[test]
    fn q_10_it_waits_again_with_its_age_and_history() {
        let mut world = World::serving("ana");
        let before = world.open("ana");
        world.pass(60);
        let conversation = before.id;
        assert_eq!(world.order(0, Command::Return { conversation }).why, "returned");
        let after = world.open("ana");
        assert_eq!((after.stage, after.agent), (Stage::Waiting, None));
        assert_eq!((after.waiting_since, after.next_sequence), (before.waiting_since, before.next_sequence));
        assert_eq!(world.load(0), 0);
        // Another agent continues from the same point.
        world.seat_online(1, 1);
        assert_eq!(world.take(1, "ana").why, "taken");
    }

    #[test]
    fn only_who_serves_it_returns_it() {
        let mut world = World::serving("ana");
        assert_eq!(world.refusal(1, |conversation| Command::Return { conversation }, "ana"), "not_yours");
    }
}
