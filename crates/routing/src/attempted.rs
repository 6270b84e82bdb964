//! What became of our own request to the provider.

use std::ops::Range;

use domain::{Attempted, Code, DeliveryState, Failure, Inbound, Message, Outcome, Thread, Timestamp, error::codes};

use crate::{Change, Decision, Effect, State, receipt, send};

pub(crate) fn decide(state: &State, inbound: &Inbound, attempted: &Attempted, now: Timestamp) -> Decision {
    let Some(known) = state.messages.get(&attempted.message).filter(|known| known.delivery.is_some()) else {
        return Decision::unchanged("unknown_message");
    };
    let mut decision = Decision::unchanged("failed");
    decision.message = Some(known.id);
    let mut message = known.clone();
    match &attempted.outcome {
        Outcome::Accepted { provider_ids } => {
            decision.why = "accepted";
            note(&mut message, attempted, DeliveryState::Accepted, provider_ids, None, now);
            known_by(&mut decision, state, &inbound.thread, provider_ids, &mut message);
        }
        Outcome::InDoubt { failure } => {
            decision.why = "in_doubt";
            recall(&mut decision, state, &inbound.thread, &mut message, now);
            let failure = coded(failure, codes::IN_DOUBT);
            if park(&mut message, attempted, &failure, now) {
                ask(&mut decision, state, attempted.part, &message, &failure, now);
            }
        }
        refusal => {
            let failure = reason(refusal);
            note(&mut message, attempted, DeliveryState::Failed, &[], Some(failure.clone()), now);
            end(&mut message, attempted.part.saturating_add(1)..attempted.planned, &failure, now);
        }
    }
    if message != *known {
        decision.message(message);
    }
    decision
}

/// From now on the provider's ids name the message, and what was heard of them before is told.
fn known_by(decision: &mut Decision, state: &State, thread: &Thread, ids: &[String], message: &mut Message) {
    for id in ids {
        decision.changes.push(Change::ProviderId {
            account: thread.account,
            id: id.clone(),
            message: message.id,
            organization: message.organization,
        });
    }
    receipt::apply_held(decision, state, thread, ids, message);
}

/// Notes what the send ledger knows that the provider took, and nobody told: a replica may have noted it there, and
/// crashed before. What was told is known by its ids, and where it stands now may be further.
pub(crate) fn recall(decision: &mut Decision, state: &State, thread: &Thread, message: &mut Message, now: Timestamp) {
    for (part, ids) in state.taken.get(&message.id).into_iter().flatten() {
        let Some(delivery) = &mut message.delivery else { return };
        let told = |id: &String| state.by_provider_id.get(&(thread.account, id.clone())) == Some(&message.id);
        if ids.iter().any(told) {
            continue;
        }
        if delivery.note(*part, delivery.planned, DeliveryState::Accepted, ids, None, now) {
            known_by(decision, state, thread, ids, message);
        }
    }
}

fn note(
    message: &mut Message,
    attempted: &Attempted,
    state: DeliveryState,
    ids: &[String],
    failure: Option<Failure>,
    now: Timestamp,
) -> bool {
    let Some(delivery) = &mut message.delivery else { return false };
    delivery.note(attempted.part, attempted.planned, state, ids, failure, now)
}

/// The parts after one that failed, or that the gate refused, are not tried: they fail with it, also when it turns out that
/// another attempt sent that one. Nobody would ever end them. What a provider took is no part of it.
pub(crate) fn end(message: &mut Message, parts: Range<u16>, failure: &Failure, now: Timestamp) {
    let Some(delivery) = &mut message.delivery else { return };
    for part in parts.clone() {
        let known = delivery.parts.get(usize::from(part));
        if known.is_none_or(|part| matches!(part.state, DeliveryState::Queued | DeliveryState::Parked)) {
            delivery.note(part, parts.end, DeliveryState::Failed, &[], Some(failure.clone()), now);
        }
    }
}

/// Parks the part and those after it, which the channel does not try: they wait for the same decision, also when it
/// turns out that the part itself went out. False when nothing is left to decide: of each part it is known how it ended.
fn park(message: &mut Message, attempted: &Attempted, failure: &Failure, now: Timestamp) -> bool {
    let Some(delivery) = &mut message.delivery else { return false };
    let end = attempted.planned.max(attempted.part.saturating_add(1));
    let mut parked = false;
    for part in attempted.part..end {
        let known = delivery.parts.get(usize::from(part));
        if known.is_none_or(|part| part.state == DeliveryState::Queued) {
            parked |= delivery.note(part, end, DeliveryState::Parked, &[], Some(failure.clone()), now);
        }
    }
    parked
}

/// The failure that the agent reads. Outcomes that mean one thing have one code, whatever the provider called it.
fn reason(outcome: &Outcome) -> Failure {
    match outcome {
        Outcome::WindowClosed { failure } => coded(failure, codes::WINDOW_CLOSED),
        Outcome::Misconfigured { failure } => coded(failure, codes::ACCOUNT_MISCONFIGURED),
        Outcome::Unreachable { opted_out: true, failure } => coded(failure, codes::OPTED_OUT),
        Outcome::Unreachable { failure, .. }
        | Outcome::Rejected { failure }
        | Outcome::InDoubt { failure }
        // The kit gave up: what it tried last speaks for all tries.
        | Outcome::Unavailable { failure } => failure.clone(),
        Outcome::Throttled { .. } | Outcome::Accepted { .. } => Failure::of(codes::PROVIDER_UNAVAILABLE),
    }
}

fn coded(failure: &Failure, code: Code) -> Failure {
    Failure { code, ..failure.clone() }
}

/// A person must decide whether it goes again.
fn ask(decision: &mut Decision, state: &State, part: u16, message: &Message, failure: &Failure, now: Timestamp) {
    let Some(conversation) = state.conversations.get(&message.conversation) else { return };
    let request = Box::new(send::request(state, conversation, message, now));
    decision.effects.push(Effect::ParkSend { request, part, failure: failure.clone() });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{Command, InboundBody, Receipt};

    use super::*;
    use crate::sample::World;

    fn failure(code: Code) -> Failure {
        Failure { code, provider_code: Some("470".into()), reason: Some("the provider's words".into()) }
    }

    #[test]
    fn acceptance_records_the_providers_ids() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        let decision = world.accepted("ana", message, 0, 1, &["gs-1", "wamid-1"]);
        assert_eq!(decision.why, "accepted");
        assert_eq!(world.delivery(message).state, DeliveryState::Accepted);
        assert_eq!(world.state.by_provider_id.len(), 2);
    }

    #[test]
    fn a_message_of_two_parts_is_accepted_when_both_are() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.accepted("ana", message, 0, 2, &["a"]);
        assert_eq!(world.delivery(message).state, DeliveryState::Queued);
        world.accepted("ana", message, 1, 2, &["b"]);
        assert_eq!(world.delivery(message).state, DeliveryState::Accepted);
        world.receipt("ana", &["b"], DeliveryState::Read);
        assert_eq!(world.delivery(message).state, DeliveryState::Accepted, "as far as its slowest part");
    }

    #[test]
    fn what_another_attempt_sent_of_a_message_that_failed_leaves_nothing_waiting() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.accepted("ana", message, 0, 3, &["a"]);
        world.attempted(
            "ana",
            message,
            0,
            3,
            Outcome::Misconfigured { failure: failure(codes::ACCOUNT_MISCONFIGURED) },
        );
        assert_eq!(world.delivery(message).state, DeliveryState::Failed);
        world.receipt("ana", &["a"], DeliveryState::Delivered);
        let delivery = world.delivery(message);
        assert_eq!(delivery.parts[0].state, DeliveryState::Delivered, "it arrived after all");
        assert_eq!(delivery.state, DeliveryState::Failed, "nobody sends the others");
        assert_eq!(delivery.failure.map(|failure| failure.code), Some(codes::ACCOUNT_MISCONFIGURED));
    }

    #[test]
    fn each_refusal_has_its_code_and_the_providers_words() {
        let rejected = codes::PROVIDER_REJECTED;
        for (outcome, code) in [
            (Outcome::Rejected { failure: failure(rejected.clone()) }, rejected.clone()),
            (Outcome::WindowClosed { failure: failure(rejected.clone()) }, codes::WINDOW_CLOSED),
            (Outcome::Misconfigured { failure: failure(rejected.clone()) }, codes::ACCOUNT_MISCONFIGURED),
            (Outcome::Unreachable { opted_out: true, failure: failure(rejected.clone()) }, codes::OPTED_OUT),
            (Outcome::Unreachable { opted_out: false, failure: failure(codes::UNREACHABLE) }, codes::UNREACHABLE),
            (Outcome::Unavailable { failure: failure(codes::PROVIDER_UNAVAILABLE) }, codes::PROVIDER_UNAVAILABLE),
        ] {
            let mut world = World::serving("ana");
            let message = world.send(0, "ana", "bom dia");
            world.attempted("ana", message, 0, 1, outcome);
            let delivery = world.delivery(message);
            assert_eq!(delivery.state, DeliveryState::Failed);
            assert_eq!(delivery.failure, Some(failure(code)));
        }
    }

    #[test]
    fn x_2_a_doubtful_send_is_parked_and_asks_for_a_decision() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        let doubt = Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) };
        let decision = world.attempted("ana", message, 0, 1, doubt.clone());
        assert_eq!(world.delivery(message).state, DeliveryState::Parked);
        assert!(matches!(&decision.effects[..], [Effect::ParkSend { request, .. }] if request.message == message));
        // Told again under another id, nothing is asked twice.
        assert!(world.attempted("ana", message, 0, 1, doubt).effects.is_empty());
        // A receipt proves that it went out after all.
        world.accepted("ana", message, 0, 1, &["gs-1"]);
        assert_eq!(world.delivery(message).state, DeliveryState::Accepted);
    }

    #[test]
    fn x_2_what_the_ledger_knows_is_in_no_doubt() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.takes(message, 0, &["gs-1"]);
        let decision =
            world.attempted("ana", message, 0, 1, Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) });
        assert!(decision.effects.is_empty(), "nobody is asked");
        assert_eq!(world.delivery(message).state, DeliveryState::Accepted);
        assert_eq!(world.receipt("ana", &["gs-1"], DeliveryState::Delivered).why, "matched");
    }

    #[test]
    fn x_2_what_the_provider_failed_after_all_asks_nobody() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.takes(message, 0, &["gs-1"]);
        let failed =
            Receipt { failure: Some(failure(codes::UNREACHABLE)), ..world.heard(&["gs-1"], DeliveryState::Failed) };
        let receipt = world.event("ana", InboundBody::Receipt(failed));
        assert_eq!(world.inbound(receipt).why, "held");
        let decision =
            world.attempted("ana", message, 0, 1, Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) });
        assert!(decision.effects.is_empty(), "nobody is asked");
        let delivery = world.delivery(message);
        assert_eq!((delivery.state, delivery.failure), (DeliveryState::Failed, Some(failure(codes::UNREACHABLE))));
    }

    #[test]
    fn what_was_told_is_not_recalled() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.accepted("ana", message, 0, 1, &["gs-1"]);
        world.receipt("ana", &["gs-1"], DeliveryState::Failed);
        world.takes(message, 0, &["gs-1"]);
        let conversation = world.open("ana").id;
        world.order(0, Command::Retry { conversation, message });
        // The second try is in doubt; that the first was taken says nothing of it.
        world.attempted("ana", message, 0, 1, Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) });
        assert_eq!(world.delivery(message).state, DeliveryState::Parked);
    }

    #[test]
    fn x_2_the_parts_after_a_doubtful_one_wait_for_the_same_decision() {
        // The replica that was thought dead had sent it, whichever is heard first; the second part was never tried.
        for late in [false, true] {
            let mut world = World::serving("ana");
            let message = world.send(0, "ana", "bom dia");
            let doubt = Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) };
            if !late {
                world.accepted("ana", message, 0, 2, &["gs-1"]);
            }
            let decision = world.attempted("ana", message, 0, 2, doubt);
            assert!(matches!(&decision.effects[..], [Effect::ParkSend { .. }]));
            if late {
                world.accepted("ana", message, 0, 2, &["gs-1"]);
            }
            assert_eq!(world.delivery(message).state, DeliveryState::Parked);
            world.accepted("ana", message, 1, 2, &["gs-2"]);
            assert_eq!(world.delivery(message).state, DeliveryState::Accepted);
        }
    }

    #[test]
    fn a_message_that_is_not_ours_changes_nothing() {
        let mut world = World::serving("ana");
        let stranger = domain::MessageId::derive(&["stranger"]);
        assert_eq!(world.accepted("ana", stranger, 0, 1, &["x"]).why, "unknown_message");
    }
}
