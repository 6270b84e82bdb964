//! The invariants that a single value can show, as predicates: tests, the simulator and production call the same ones.

use crate::{Conversation, DeliveryState, Seat, Stage};

/// Invariant 5 on one conversation: it has an agent exactly when somebody serves it.
pub fn owned_once(conversation: &Conversation) -> bool {
    let served = matches!(conversation.stage, Stage::Active | Stage::Inactive);
    match conversation.stage {
        Stage::Closed => true,
        _ => conversation.agent.is_some() == served,
    }
}

/// Invariant 5 on one agent: never more than the capacity, unless the capacity was lowered under the load or a
/// supervisor handed one over on purpose, which only `before` can tell.
pub fn within_capacity(before: &Seat, after: &Seat) -> bool {
    after.load <= after.capacity || after.load <= before.load
}

/// Invariant 3 on receipts: a delivery state never goes back.
pub fn only_forward(before: DeliveryState, after: DeliveryState) -> bool {
    before.advance(after) == after
}

/// Invariant 1 on one outgoing message: it has ended, or somebody still owes it something.
pub fn conserved(state: DeliveryState, in_flight: bool) -> bool {
    state.is_settled() || in_flight
}
