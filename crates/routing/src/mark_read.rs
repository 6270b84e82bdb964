//! The agent has seen the contact's messages.

use domain::Conversation;

use crate::{Decision, order::Order};

/// Only the agent who serves it reads for the company: a supervisor who looks in leaves the count as it is.
pub(crate) fn decide(order: &Order<'_>, conversation: &Conversation) -> Decision {
    if conversation.agent != Some(order.by.actor) || conversation.unread == 0 || !conversation.is_open() {
        return Decision::unchanged("nothing_unread");
    }
    let mut decision = Decision::unchanged("read");
    decision.conversation(Conversation { unread: 0, ..conversation.clone() });
    decision
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::Command;

    use crate::sample::World;

    #[test]
    fn the_count_goes_to_zero_for_the_agent_only() {
        let mut world = World::serving("ana");
        let conversation = world.open("ana").id;
        assert_eq!(world.open("ana").unread, 1);
        assert_eq!(world.order(1, Command::MarkRead { conversation }).why, "nothing_unread");
        assert_eq!(world.order(0, Command::MarkRead { conversation }).why, "read");
        assert_eq!(world.open("ana").unread, 0);
        assert!(world.order(0, Command::MarkRead { conversation }).changes.is_empty());
    }
}
