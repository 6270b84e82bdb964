//! The gate did not let a message pass that was already on its way.

use domain::{DeliveryState, GateRefusal, Inbound, Timestamp};

use crate::{Decision, State, attempted};

pub(crate) fn decide(state: &State, inbound: &Inbound, refusal: &GateRefusal, now: Timestamp) -> Decision {
    let Some(known) = state.messages.get(&refusal.message) else { return Decision::unchanged("unknown_message") };
    let mut message = known.clone();
    let mut decision = Decision::unchanged("refused_by_gate");
    decision.message = Some(message.id);
    // An attempt before this one may have gone through, and nobody told.
    attempted::recall(&mut decision, state, &inbound.thread, &mut message, now);
    let Some(delivery) = &mut message.delivery else { return Decision::unchanged("unknown_message") };
    // The gate speaks of the whole message: what was not yet accepted will not go.
    let open = delivery.parts.iter().position(|part| part.state == DeliveryState::Queued);
    let part = u16::try_from(open.unwrap_or(delivery.parts.len())).unwrap_or(u16::MAX);
    // Each of them, not the first alone: an earlier attempt may yet turn out to have sent that one, and those after it
    // would be waited for without end.
    let planned = delivery.planned.max(1);
    attempted::end(&mut message, part..planned, &refusal.failure, now);
    if message == *known {
        // It was let pass before, and the request was decided again: nothing is left to refuse.
        return Decision::unchanged("stale");
    }
    decision.message(message);
    decision
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{Command, Failure, InboundBody, Outcome, error::codes};

    use super::*;
    use crate::sample::World;

    #[test]
    fn ses_1_a_refusal_of_the_gate_fails_the_message_with_its_code() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        let refusal = GateRefusal { message, failure: Failure::of(codes::WINDOW_CLOSED) };
        let inbound = world.event("ana", InboundBody::Refused(refusal));
        assert_eq!(world.inbound(inbound).why, "refused_by_gate");
        let delivery = world.delivery(message);
        assert_eq!(delivery.state, DeliveryState::Failed);
        assert_eq!(delivery.failure.map(|failure| failure.code), Some(codes::WINDOW_CLOSED));
    }

    #[test]
    fn what_an_earlier_attempt_sent_of_a_refused_message_leaves_nothing_waiting() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        let doubt = Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) };
        world.attempted("ana", message, 0, 2, doubt);
        let conversation = world.open("ana").id;
        world.order(0, Command::Retry { conversation, message });
        let refusal = GateRefusal { message, failure: Failure::of(codes::OPTED_OUT) };
        let inbound = world.event("ana", InboundBody::Refused(refusal));
        assert_eq!(world.inbound(inbound).why, "refused_by_gate");
        // The replica that nobody knew of tells its part, as soon as it reaches the broker.
        world.accepted("ana", message, 0, 2, &["gs-1"]);
        let delivery = world.delivery(message);
        assert_eq!(delivery.parts[0].state, DeliveryState::Accepted);
        assert_eq!(delivery.state, DeliveryState::Failed, "nobody sends the second part");
        assert_eq!(delivery.failure.map(|failure| failure.code), Some(codes::OPTED_OUT));
    }

    #[test]
    fn what_the_ledger_knows_of_a_refused_message_is_told() {
        for (taken, state) in [(1, DeliveryState::Failed), (2, DeliveryState::Delivered)] {
            let mut world = World::serving("ana");
            let message = world.send(0, "ana", "bom dia");
            let doubt = Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) };
            world.attempted("ana", message, 0, 2, doubt);
            let conversation = world.open("ana").id;
            world.order(0, Command::Retry { conversation, message });
            // The replica that was cut off noted what it sent, and crashed; the contact's phone has told the provider.
            for part in 0..taken {
                world.takes(message, part, &[&format!("gs-{part}")]);
                world.receipt("ana", &[&format!("gs-{part}")], DeliveryState::Delivered);
            }
            let refusal = GateRefusal { message, failure: Failure::of(codes::OPTED_OUT) };
            let inbound = world.event("ana", InboundBody::Refused(refusal));
            world.inbound(inbound);
            let delivery = world.delivery(message);
            assert_eq!(delivery.state, state, "{delivery:?}");
            assert_eq!(delivery.parts[0].state, DeliveryState::Delivered);
            assert_eq!(delivery.failure.is_some(), taken == 1, "the second part was refused");
            // What comes later of it finds it.
            assert_eq!(world.receipt("ana", &["gs-0"], DeliveryState::Read).why, "matched");
        }
    }

    #[test]
    fn a_refusal_fails_no_part_that_the_provider_took() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        for (part, id) in [(0, "a"), (1, "b")] {
            world.accepted("ana", message, part, 2, &[id]);
        }
        world.receipt("ana", &["a"], DeliveryState::Failed);
        let conversation = world.open("ana").id;
        world.order(0, Command::Retry { conversation, message });
        let refusal = GateRefusal { message, failure: Failure::of(codes::OPTED_OUT) };
        let inbound = world.event("ana", InboundBody::Refused(refusal));
        assert_eq!(world.inbound(inbound).why, "refused_by_gate");
        let states: Vec<_> = world.delivery(message).parts.iter().map(|part| part.state).collect();
        assert_eq!(states, [DeliveryState::Failed, DeliveryState::Accepted], "the next try would send it twice");
    }

    #[test]
    fn a_refusal_of_what_was_already_accepted_changes_nothing() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.accepted("ana", message, 0, 1, &["gs-1"]);
        let before = world.delivery(message);
        let refusal = GateRefusal { message, failure: Failure::of(codes::OPTED_OUT) };
        let inbound = world.event("ana", InboundBody::Refused(refusal));
        assert_eq!(world.inbound(inbound).why, "stale");
        assert_eq!(world.delivery(message), before);
    }
}
