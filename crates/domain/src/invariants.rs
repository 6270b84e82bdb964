//! The invariants that a single value can show, as predicates: tests, the simulator and production call the same ones.

use crate::{Conversation, Delivery, DeliveryState, Seat, Stage};

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

/// Invariant 3 on one outgoing message: none of its parts goes back, unless somebody tries again what failed or is in
/// doubt, or a provider accepts what we had refused.
pub fn parts_forward(before: &Delivery, after: &Delivery) -> bool {
    let may_go_again = matches!(before.state, DeliveryState::Failed | DeliveryState::Parked);
    before.parts.len() <= after.parts.len()
        && before.parts.iter().zip(&after.parts).all(|(before, after)| {
            let ours = before.state == DeliveryState::Failed && before.provider_ids.is_empty();
            only_forward(before.state, after.state)
                || (may_go_again && after.state == DeliveryState::Queued)
                || (ours && !after.provider_ids.is_empty())
        })
}

/// Invariant 1 on one outgoing message: it has ended, or somebody still owes it something.
pub fn conserved(state: DeliveryState, in_flight: bool) -> bool {
    state.is_settled() || in_flight
}
