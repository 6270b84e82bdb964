//! The agent ends a conversation.

use domain::{CloseReason, Conversation, Stage, Timestamp};

use crate::{Decision, Rules, State, order::Order, ownership};

pub(crate) fn decide(order: &Order<'_>, conversation: &Conversation) -> Decision {
    let served = conversation.assignment.as_ref().map(|assignment| assignment.user);
    if !conversation.is_open() && served == Some(order.by.actor) {
        return Decision::unchanged("already_closed");
    }
    if let Some(refusal) = order.unless_serving(conversation) {
        return refusal;
    }
    let mut decision = Decision::unchanged("concluded");
    let reason = CloseReason::Concluded;
    close(&mut decision, order.rules, order.state, conversation, reason, order.now);
    decision
}

/// Closes `conversation` and frees its agent's seat. The assignment stays in it, for lists and reports.
pub(crate) fn close(
    decision: &mut Decision,
    rules: &Rules,
    state: &State,
    conversation: &Conversation,
    reason: CloseReason,
    now: Timestamp,
) {
    let mut closed = conversation.clone();
    ownership::release(decision, rules, state, &mut closed);
    closed.stage = Stage::Closed;
    closed.closed_at = Some(now);
    closed.close_reason = Some(reason);
    decision.conversation(closed);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::Command;

    use super::*;
    use crate::sample::World;

    #[test]
    fn it_is_closed_and_the_seat_is_free() {
        let mut world = World::serving("ana");
        let id = world.open("ana").id;
        assert_eq!(world.conclude(0, "ana").why, "concluded");
        let conversation = &world.state.conversations[&id];
        assert_eq!(conversation.stage, Stage::Closed);
        assert_eq!(
            (conversation.close_reason.clone(), conversation.closed_at),
            (Some(CloseReason::Concluded), Some(world.now))
        );
        assert_eq!(world.load(0), 0);
        let again = world.command(0, Command::Conclude { conversation: id });
        assert_eq!(world.carry_out(again).why, "already_closed");
        assert_eq!(world.load(0), 0);
    }

    #[test]
    fn only_who_serves_it_ends_it() {
        let mut world = World::serving("ana");
        assert_eq!(world.refusal(1, |conversation| Command::Conclude { conversation }, "ana"), "not_yours");
    }
}
