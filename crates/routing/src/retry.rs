//! A failed or parked message is tried again, as a new attempt of the same message.

use domain::{Class, Conversation, Delivery, DeliveryState, Message, MessageId, PartDelivery, Timestamp, error::codes};

use crate::{Decision, Effect, State, order::Order, send};

pub(crate) fn decide(order: &Order<'_>, conversation: &Conversation, id: MessageId) -> Decision {
    if let Some(refusal) = order.unless_serving(conversation) {
        return refusal;
    }
    let found = order.state.messages.get(&id).filter(|found| found.conversation == conversation.id);
    try_again(order.state, conversation, found, order.now)
}

/// Queues the message anew and sends it to the gate, unless it has not failed.
pub(crate) fn try_again(
    state: &State,
    conversation: &Conversation,
    found: Option<&Message>,
    now: Timestamp,
) -> Decision {
    let Some((found, delivery)) = found.and_then(|found| Some((found, found.delivery.as_ref()?))) else {
        return Decision::refused(Class::NotFound, codes::NOT_FOUND, "there is no such outgoing message");
    };
    if !matches!(delivery.state, DeliveryState::Failed | DeliveryState::Parked) {
        return Decision::unchanged("not_failed");
    }
    let mut decision = Decision::unchanged("tried_again");
    let mut message = found.clone();
    message.delivery = Some(Delivery {
        state: DeliveryState::Queued,
        parts: delivery.parts.iter().map(again).collect(),
        planned: delivery.planned,
        failure: None,
        at: now,
    });
    let failed = delivery
        .parts
        .iter()
        .enumerate()
        .filter(|(_, part)| part.state == DeliveryState::Failed && !part.provider_ids.is_empty())
        .filter_map(|(index, _)| u16::try_from(index).ok())
        .collect();
    decision.effects.push(Effect::Reopen { message: message.id, failed });
    let request = send::request(state, conversation, &message, now);
    decision.effects.push(Effect::RequestSend(Box::new(request)));
    decision.message(message);
    decision
}

/// A part that arrived stays; one that did not is owed again, under a new provider id.
fn again(part: &PartDelivery) -> PartDelivery {
    match part.state {
        DeliveryState::Failed | DeliveryState::Parked | DeliveryState::Queued => {
            PartDelivery { state: DeliveryState::Queued, provider_ids: Vec::new() }
        }
        _ => part.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{Command, Failure, Outcome};

    use super::*;
    use crate::sample::World;

    #[test]
    fn a_failed_message_goes_to_the_gate_again() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.accepted("ana", message, 0, 2, &["a"]);
        world.attempted("ana", message, 1, 2, Outcome::Rejected { failure: Failure::of(codes::PROVIDER_REJECTED) });
        assert_eq!(world.delivery(message).state, DeliveryState::Failed);
        let conversation = world.open("ana").id;
        let decision = world.order(0, Command::Retry { conversation, message });
        let [Effect::Reopen { failed, .. }, Effect::RequestSend(request)] = &decision.effects[..] else {
            panic!("reopen, then ask")
        };
        assert!(failed.is_empty(), "the provider never accepted part 1");
        assert_eq!(request.message, message);
        let delivery = world.delivery(message);
        assert_eq!((delivery.state, delivery.failure), (DeliveryState::Queued, None));
        assert_eq!(delivery.parts[0].state, DeliveryState::Accepted, "what arrived stays");
        world.accepted("ana", message, 1, 2, &["b"]);
        assert_eq!(world.delivery(message).state, DeliveryState::Accepted);
    }

    #[test]
    fn a_part_that_failed_after_its_acceptance_is_named() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.accepted("ana", message, 0, 1, &["a"]);
        world.receipt("ana", &["a"], DeliveryState::Failed);
        let conversation = world.open("ana").id;
        let decision = world.order(0, Command::Retry { conversation, message });
        assert!(matches!(&decision.effects[0], Effect::Reopen { failed, .. } if failed == &[0]));
        // News of the first attempt does not touch the second.
        world.accepted("ana", message, 0, 1, &["b"]);
        assert_eq!(world.delivery(message).state, DeliveryState::Accepted);
    }

    #[test]
    fn what_has_not_failed_is_left_alone() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        let conversation = world.open("ana").id;
        let decision = world.order(0, Command::Retry { conversation, message });
        assert_eq!((decision.why, decision.effects.len()), ("not_failed", 0));
        let unknown = MessageId::derive(&["none"]);
        let command = move |conversation| Command::Retry { conversation, message: unknown };
        assert_eq!(world.refusal(0, command, "ana"), "not_found");
    }
}
