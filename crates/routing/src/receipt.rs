//! News from the provider about a message that it had accepted.

use domain::{HeldReceipt, Inbound, Message, Receipt, Thread, Timestamp};

use crate::{Change, Decision, State};

pub(crate) fn decide(state: &State, inbound: &Inbound, receipt: &Receipt, now: Timestamp) -> Decision {
    let Some((message, known_by)) = matched(state, inbound, receipt) else {
        // It overtook the answer to our own request. Kept until the message is known to have been accepted.
        let mut decision = Decision::unchanged("held");
        let (event, thread) = (inbound.id, inbound.thread.clone());
        decision.changes.push(Change::Hold(HeldReceipt { event, thread, receipt: receipt.clone(), held_at: now }));
        return decision;
    };
    let Some(known_by) = known_by else {
        // A retry took the place of what it is about: where the new try stands is not in it.
        return Decision::unchanged("superseded");
    };
    let mut decision = Decision::unchanged("stale");
    let mut message = message.clone();
    if apply(&mut message, receipt, known_by) {
        decision.why = "matched";
        decision.message = Some(message.id);
        decision.message(message);
    }
    decision
}

/// The message, and the provider id by which one of its parts is known: the ids are tried best first. No id when none of
/// its parts is known by one any more.
fn matched<'a>(state: &'a State, inbound: &Inbound, receipt: &'a Receipt) -> Option<(&'a Message, Option<&'a str>)> {
    let by = |id: &String| {
        let found = state.by_provider_id.get(&(inbound.thread.account, id.clone()))?;
        let message = state.messages.get(found)?;
        let known = message.delivery.as_ref().is_some_and(|delivery| delivery.part_of(id).is_some());
        Some((message, known))
    };
    let exact = receipt.provider_ids.iter().find_map(|id| match by(id)? {
        (message, true) => Some((message, Some(id.as_str()))),
        (_, false) => None,
    });
    exact.or_else(|| receipt.provider_ids.iter().find_map(by).map(|(message, _)| (message, None)))
}

/// Notes the receipt on the part that the provider knows by `known_by`. Answers whether anything changed.
pub(crate) fn apply(message: &mut Message, receipt: &Receipt, known_by: &str) -> bool {
    let Some(delivery) = &mut message.delivery else { return false };
    let Some(part) = delivery.part_of(known_by) else { return false };
    delivery.note(part, delivery.planned, receipt.state, &[], receipt.failure.clone(), receipt.at)
}

/// Applies the held receipts that speak of `message` by one of these ids.
pub(crate) fn apply_held(
    decision: &mut Decision,
    state: &State,
    thread: &Thread,
    ids: &[String],
    message: &mut Message,
) {
    for held in state.held.iter().filter(|held| held.thread.account == thread.account) {
        let Some(id) = held.receipt.provider_ids.iter().find(|id| ids.contains(id)) else { continue };
        apply(message, &held.receipt, id);
        decision.changes.push(Change::Release(held.event));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{DeliveryState, Failure, InboundBody, error::codes};

    use super::*;
    use crate::sample::World;

    #[test]
    fn ch_1_a_receipt_is_matched_by_any_of_its_ids() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.accepted("ana", message, 0, 1, &["gs-1", "wamid-1"]);
        assert_eq!(world.receipt("ana", &["unknown", "wamid-1"], DeliveryState::Delivered).why, "matched");
        assert_eq!(world.delivery(message).state, DeliveryState::Delivered);
    }

    #[test]
    fn receipts_only_move_forward() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.accepted("ana", message, 0, 1, &["gs-1"]);
        world.receipt("ana", &["gs-1"], DeliveryState::Read);
        let late = world.receipt("ana", &["gs-1"], DeliveryState::Delivered);
        assert_eq!(late.why, "stale");
        assert_eq!(world.delivery(message).state, DeliveryState::Read);
    }

    #[test]
    fn a_receipt_before_its_acceptance_is_held_and_then_applied() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        assert_eq!(world.receipt("ana", &["gs-1"], DeliveryState::Delivered).why, "held");
        assert_eq!(world.state.held.len(), 1);
        world.accepted("ana", message, 0, 1, &["gs-1"]);
        assert_eq!(world.delivery(message).state, DeliveryState::Delivered);
        assert!(world.state.held.is_empty());
    }

    #[test]
    fn a_receipt_of_another_account_is_not_ours() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.accepted("ana", message, 0, 1, &["gs-1"]);
        let mut inbound = world.event("ana", InboundBody::Receipt(world.heard(&["gs-1"], DeliveryState::Read)));
        inbound.thread.account = domain::AccountId::derive(&["another"]);
        assert_eq!(world.inbound(inbound).why, "held");
        assert_eq!(world.delivery(message).state, DeliveryState::Accepted);
    }

    #[test]
    fn a_receipt_of_what_a_retry_took_the_place_of_changes_nothing() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.accepted("ana", message, 0, 2, &["a-0"]);
        world.accepted("ana", message, 1, 2, &["a-1", "w-1"]);
        world.receipt("ana", &["a-1"], DeliveryState::Failed);
        let conversation = world.open("ana").id;
        world.order(0, domain::Command::Retry { conversation, message });
        let before = world.delivery(message);
        for state in [DeliveryState::Failed, DeliveryState::Delivered] {
            assert_eq!(world.receipt("ana", &["a-1", "w-1"], state).why, "superseded");
        }
        assert_eq!(world.delivery(message), before, "part 0, which arrived, least of all");
        world.accepted("ana", message, 1, 2, &["b-1"]);
        // An id of the new try counts, whichever stands first.
        assert_eq!(world.receipt("ana", &["a-1", "b-1"], DeliveryState::Delivered).why, "matched");
        assert_eq!(world.delivery(message).parts[1].state, DeliveryState::Delivered);
        assert_eq!(world.delivery(message).parts[0].state, DeliveryState::Accepted);
    }

    #[test]
    fn a_failure_keeps_the_providers_reason() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.accepted("ana", message, 0, 1, &["gs-1"]);
        let failure = Failure {
            code: codes::PROVIDER_REJECTED,
            provider_code: Some("1002".into()),
            reason: Some("not on WhatsApp".into()),
        };
        let receipt = Receipt { failure: Some(failure.clone()), ..world.heard(&["gs-1"], DeliveryState::Failed) };
        let inbound = world.event("ana", InboundBody::Receipt(receipt));
        world.inbound(inbound);
        let delivery = world.delivery(message);
        assert_eq!((delivery.state, delivery.failure), (DeliveryState::Failed, Some(failure)));
    }
}
