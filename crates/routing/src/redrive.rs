//! An operator decides about a message whose fate nobody knows: it goes again.

use domain::{Class, Timestamp, error::codes};

use crate::{Decision, Redrive, State, retry};

/// As if its agent tried again, whoever serves the conversation and even when it is closed. A message that a receipt
/// has settled meanwhile, or that somebody already tried again, is left alone.
pub(crate) fn decide(state: &State, redrive: &Redrive, now: Timestamp) -> Decision {
    let found = state.messages.get(&redrive.message).filter(|found| found.organization == redrive.organization);
    let conversation = found.and_then(|found| state.conversation_of(redrive.organization, found.conversation));
    match conversation {
        Some(conversation) => retry::try_again(state, conversation, found, now),
        None => Decision::refused(Class::NotFound, codes::NOT_FOUND, "there is no such outgoing message"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{DeliveryState, Failure, MessageId, OrganizationId, Outcome};

    use super::*;
    use crate::{Effect, Event, sample::World};

    fn doubtful() -> (World, MessageId) {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        doubt(&mut world, message);
        (world, message)
    }

    fn doubt(world: &mut World, message: MessageId) -> Decision {
        world.attempted("ana", message, 0, 1, Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) })
    }

    fn redrive(world: &mut World, organization: OrganizationId, message: MessageId) -> Decision {
        world.decide(Event::Redrive(Redrive { organization, message }))
    }

    #[test]
    fn x_2_a_doubtful_message_goes_to_the_gate_again_and_may_be_in_doubt_again() {
        let (mut world, message) = doubtful();
        let organization = world.organization();
        let decision = redrive(&mut world, organization, message);
        let [Effect::Reopen { .. }, Effect::RequestSend(request)] = &decision.effects[..] else {
            panic!("reopen, then ask")
        };
        assert_eq!((request.message, world.delivery(message).state), (message, DeliveryState::Queued));
        assert_eq!(redrive(&mut world, organization, message).why, "not_failed", "once");
        let again = doubt(&mut world, message);
        assert!(matches!(&again.effects[..], [Effect::ParkSend { .. }]), "a person is asked again");
    }

    #[test]
    fn x_2_it_goes_again_after_the_conversation_was_closed() {
        let (mut world, message) = doubtful();
        world.conclude(0, "ana");
        let organization = world.organization();
        assert_eq!(redrive(&mut world, organization, message).why, "tried_again");
    }

    #[test]
    fn what_a_receipt_has_settled_is_left_alone() {
        let (mut world, message) = doubtful();
        world.accepted("ana", message, 0, 1, &["gs-1"]);
        let organization = world.organization();
        let decision = redrive(&mut world, organization, message);
        assert_eq!((decision.why, decision.effects.len()), ("not_failed", 0));
    }

    #[test]
    fn a_message_of_another_organization_is_not_found() {
        let (mut world, message) = doubtful();
        let decision = redrive(&mut world, OrganizationId::derive(&["stranger"]), message);
        assert!(decision.refusal.is_some() && decision.effects.is_empty());
    }
}
