//! A person decides about what could not go on.
//!
//! A message in doubt moves in its conversation by the same decision that ends its parked copy. Everything else is only
//! marked here: the shell sends it on its way again, or it is kept as ended with its reason.

use domain::{
    Class, Delivery, DeliveryState, Failure, Message, ParkedDecision, ParkedEntry, ParkedId, Ruling, Timestamp, UserId,
    error::codes,
};

use crate::{Change, Decide, Decision, Recall, State, attempted, order::Order, retry};

/// What is decided, by whom.
struct Verdict<'a> {
    ruling: Ruling,
    reason: Option<&'a str>,
    by: Option<UserId>,
    now: Timestamp,
}

/// A command. One message alone is refused for a reason; of several, those that cannot be decided like this are left
/// out, and so are all in doubt: each of those is a decision of its own.
pub(crate) fn commanded(order: &Order<'_>, parked: &[ParkedId], ruling: Ruling, reason: Option<&str>) -> Decision {
    if !order.by.role.supervises() {
        return Decision::refused(Class::Forbidden, codes::NOT_PERMITTED, "only supervisors decide about these");
    }
    let verdict = Verdict { ruling, reason, by: Some(order.by.actor), now: order.now };
    let own = |id: &ParkedId| {
        order.state.parked.get(id).filter(|entry| entry.parked.organization == Some(order.by.organization))
    };
    if let [one] = parked {
        return match own(one) {
            None => missing(),
            Some(entry) if !entry.waits() => decided(),
            Some(entry) => rule(order.state, entry, &verdict),
        };
    }
    if !matches!(ruling, Ruling::Redrive | Ruling::Discard) {
        return invalid("what became of a message in doubt is decided one by one");
    }
    let mut all = Decision::unchanged("parked_decided");
    for entry in parked.iter().filter_map(own).filter(|entry| entry.waits() && !entry.parked.is_in_doubt()) {
        let one = rule(order.state, entry, &verdict);
        if one.refusal.is_some() {
            return one;
        }
        all.changes.extend(one.changes);
    }
    all
}

/// What was asked at the command line. The request itself stands in the entry.
pub(crate) fn asked(state: &State, decide: &Decide, now: Timestamp) -> Decision {
    let entry = state.parked.get(&decide.parked).filter(|entry| entry.parked.organization == Some(decide.organization));
    let verdict = Verdict { ruling: decide.ruling, reason: decide.reason.as_deref(), by: decide.by, now };
    match entry {
        None => missing(),
        Some(entry) if !entry.is_listed() => decided(),
        Some(entry) => rule(state, entry, &verdict),
    }
}

/// The ledger knows more than when the message was parked: whoever was at it noted how it went, and could not tell. No
/// person is needed for what is known.
pub(crate) fn recalled(state: &State, recall: &Recall, now: Timestamp) -> Decision {
    let entry = state.parked.get(&recall.parked).filter(|entry| entry.is_listed() && entry.parked.is_in_doubt());
    let message = entry.and_then(|entry| entry.parked.message).and_then(|id| state.messages.get(&id));
    let Some(found) = message.filter(|found| found.organization == recall.organization) else {
        return Decision::unchanged("in_doubt_no_longer");
    };
    let Some(conversation) = state.conversation_of(found.organization, found.conversation) else { return missing() };
    let mut decision = Decision::unchanged("still_in_doubt");
    let mut message = found.clone();
    attempted::recall(&mut decision, state, &conversation.thread, &mut message, now);
    if message != *found {
        decision.why = "recalled";
        decision.message(message);
    }
    decision
}

fn rule(state: &State, entry: &ParkedEntry, verdict: &Verdict<'_>) -> Decision {
    let blank = verdict.reason.is_none_or(|reason| reason.trim().is_empty());
    let mut decision = match (verdict.ruling, entry.parked.is_in_doubt()) {
        (Ruling::Discard, _) if blank => return invalid("a reason is needed"),
        (Ruling::Redrive, true) => return invalid("it is in doubt: say whether it arrived, failed, or goes again"),
        (Ruling::Again | Ruling::Arrived | Ruling::Failed, false) => return invalid("it is not in doubt"),
        (Ruling::Redrive, false) => Decision::unchanged("parked_decided"),
        (Ruling::Discard, false) => discarded(state, entry, verdict),
        (Ruling::Discard | Ruling::Again | Ruling::Arrived | Ruling::Failed, true) => in_doubt(state, entry, verdict),
    };
    if decision.refusal.is_none() {
        decision.changes.push(Change::Parked {
            decision: ParkedDecision {
                parked: entry.parked.id,
                organization: entry.parked.organization,
                ruling: verdict.ruling,
                reason: verdict.reason.map(str::to_owned),
                by: verdict.by,
                // Never before it was parked, whatever the clocks of two services say.
                at: verdict.now.max(entry.parked.at),
            },
            version: entry.version,
        });
    }
    decision
}

/// The message in its conversation, whoever serves that and even when it is closed. One that is in doubt no longer is
/// left as it is: only its parked copy ends.
fn in_doubt(state: &State, entry: &ParkedEntry, verdict: &Verdict<'_>) -> Decision {
    let organization = entry.parked.organization;
    let found = entry.parked.message.and_then(|id| state.messages.get(&id));
    let Some(found) = found.filter(|found| Some(found.organization) == organization) else { return missing() };
    let Some(conversation) = state.conversation_of(found.organization, found.conversation) else { return missing() };
    // Who sent it may have crashed before they told it; then the ledger knows better than the person.
    let mut decision = Decision::unchanged("in_doubt_no_longer");
    let mut message = found.clone();
    attempted::recall(&mut decision, state, &conversation.thread, &mut message, verdict.now);
    let doubtful = |one: &Delivery| one.parts.iter().any(|part| part.state == DeliveryState::Parked);
    let Some(mut delivery) = message.delivery.clone().filter(doubtful) else {
        if message != *found {
            decision.message(message);
        }
        return decision;
    };
    let mut ruled = match verdict.ruling {
        Ruling::Again => retry::try_again(state, conversation, Some(&message), verdict.now),
        Ruling::Arrived => {
            delivery.settle(DeliveryState::Sent, None, verdict.now);
            moved("said_to_have_arrived", &message, delivery)
        }
        _ => failed(&message, delivery, verdict),
    };
    ruled.changes.append(&mut decision.changes);
    ruled
}

/// An outgoing message that was on its way to the gate or the channel when it was parked ends with it: it failed.
fn discarded(state: &State, entry: &ParkedEntry, verdict: &Verdict<'_>) -> Decision {
    let found = entry.parked.message.and_then(|id| state.messages.get(&id));
    let waiting = found.filter(|found| Some(found.organization) == entry.parked.organization).and_then(|found| {
        let delivery = found.delivery.clone().filter(|delivery| delivery.state == DeliveryState::Queued)?;
        Some((found, delivery))
    });
    match waiting {
        Some((found, delivery)) => failed(found, delivery, verdict),
        None => Decision::unchanged("parked_decided"),
    }
}

fn failed(found: &Message, mut delivery: Delivery, verdict: &Verdict<'_>) -> Decision {
    let provider_code = delivery.failure.as_ref().and_then(|failure| failure.provider_code.clone());
    let reason = verdict.reason.filter(|reason| !reason.trim().is_empty()).map(str::to_owned);
    let failure = Failure { code: codes::DISCARDED, provider_code, reason };
    delivery.settle(DeliveryState::Failed, Some(failure), verdict.now);
    moved("said_to_have_failed", found, delivery)
}

fn moved(why: &'static str, found: &Message, delivery: Delivery) -> Decision {
    let mut decision = Decision::unchanged(why);
    decision.message(Message { delivery: Some(delivery), ..found.clone() });
    decision
}

fn missing() -> Decision {
    Decision::refused(Class::NotFound, codes::NOT_FOUND, "there is no such parked message")
}

fn decided() -> Decision {
    Decision::refused(Class::Conflict, codes::ALREADY_DECIDED, "it was decided already, or settled by itself")
}

fn invalid(why: &str) -> Decision {
    Decision::refused(Class::Invalid, codes::BAD_REQUEST, why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{Code, Command, MessageId, OrganizationId, Outcome, Parked, Role};

    use super::*;
    use crate::{Effect, Event, sample::World};

    fn park(world: &mut World, name: &str, code: Code, message: Option<MessageId>) -> ParkedId {
        let parked = Parked {
            id: ParkedId::derive(&[name]),
            organization: Some(world.organization()),
            place: "a test".into(),
            code,
            reason: "a test".into(),
            account: None,
            channel: None,
            provider_code: None,
            message,
            route: "somewhere".into(),
            headers: Vec::new(),
            body: Vec::new(),
            at: world.now,
            redriven_at: None,
        };
        let id = parked.id;
        let entry = ParkedEntry { parked, size: 0, requested: None, closed_at: None, version: 0 };
        world.state.parked.insert(id, entry);
        id
    }

    /// Agent 0 serves ana, and what they wrote is in doubt.
    fn doubtful() -> (World, MessageId, ParkedId) {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.attempted("ana", message, 0, 1, Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) });
        let parked = park(&mut world, "doubt", codes::IN_DOUBT, Some(message));
        (world, message, parked)
    }

    fn order(world: &mut World, parked: &[ParkedId], ruling: Ruling, reason: Option<&str>) -> Decision {
        let (parked, reason) = (parked.to_vec(), reason.map(str::to_owned));
        let mut command = world.command(1, Command::DecideParked { parked, ruling, reason });
        command.role = Role::Supervisor;
        world.carry_out(command)
    }

    fn code(decision: &Decision) -> Option<&str> {
        decision.refusal.as_ref().map(|refusal| refusal.code.as_str())
    }

    #[test]
    fn x_2_it_arrived_marks_the_message_as_sent_and_nothing_goes_out() {
        let (mut world, message, parked) = doubtful();
        let decision = order(&mut world, &[parked], Ruling::Arrived, None);
        assert_eq!((decision.why, decision.effects.len()), ("said_to_have_arrived", 0));
        assert_eq!(world.delivery(message).state, DeliveryState::Sent);
        assert!(!world.state.parked[&parked].is_listed());
        // A late receipt still moves it forward.
        world.accepted("ana", message, 0, 1, &["gs-1"]);
        world.receipt("ana", &["gs-1"], DeliveryState::Read);
        assert_eq!(world.delivery(message).state, DeliveryState::Read);
    }

    #[test]
    fn x_2_it_failed_keeps_the_reason_and_nothing_goes_out() {
        for ruling in [Ruling::Failed, Ruling::Discard] {
            let (mut world, message, parked) = doubtful();
            let decision = order(&mut world, &[parked], ruling, Some("she says so"));
            assert_eq!(decision.effects.len(), 0);
            let delivery = world.delivery(message);
            let failure = delivery.failure.unwrap();
            assert_eq!(delivery.state, DeliveryState::Failed);
            assert_eq!((failure.code, failure.reason.as_deref()), (codes::DISCARDED, Some("she says so")));
        }
    }

    #[test]
    fn x_2_again_goes_to_the_gate_even_after_the_conversation_was_closed() {
        let (mut world, message, parked) = doubtful();
        world.conclude(0, "ana");
        let decision = order(&mut world, &[parked], Ruling::Again, None);
        let [Effect::Reopen { .. }, Effect::RequestSend(request)] = &decision.effects[..] else {
            panic!("reopen, then ask")
        };
        assert_eq!((request.message, world.delivery(message).state), (message, DeliveryState::Queued));
        let doubt = Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) };
        let again = world.attempted("ana", message, 0, 1, doubt);
        assert!(matches!(&again.effects[..], [Effect::ParkSend { .. }]), "a person is asked again");
    }

    #[test]
    fn x_2_the_second_to_decide_hears_that_it_was_decided() {
        let (mut world, message, parked) = doubtful();
        assert_eq!(code(&order(&mut world, &[parked], Ruling::Arrived, None)), None);
        for ruling in [Ruling::Arrived, Ruling::Again, Ruling::Failed] {
            assert_eq!(code(&order(&mut world, &[parked], ruling, None)), Some("already_decided"));
        }
        assert_eq!(world.delivery(message).state, DeliveryState::Sent);
    }

    #[test]
    fn x_2_what_a_receipt_has_settled_only_ends() {
        let (mut world, message, parked) = doubtful();
        world.accepted("ana", message, 0, 1, &["gs-1"]);
        let decision = order(&mut world, &[parked], Ruling::Again, None);
        assert_eq!((decision.why, decision.effects.len()), ("in_doubt_no_longer", 0));
        assert_eq!(world.delivery(message).state, DeliveryState::Accepted);
        assert!(!world.state.parked[&parked].is_listed());
    }

    #[test]
    fn x_2_what_the_ledger_knows_is_told_whatever_a_person_says() {
        for ruling in [Ruling::Again, Ruling::Arrived, Ruling::Failed, Ruling::Discard] {
            let (mut world, message, parked) = doubtful();
            world.takes(message, 0, &["gs-1"]);
            let decision = order(&mut world, &[parked], ruling, Some("a reason"));
            assert_eq!((decision.why, decision.effects.len()), ("in_doubt_no_longer", 0), "{ruling:?}");
            assert_eq!(world.delivery(message).state, DeliveryState::Accepted, "{ruling:?}");
            assert!(!world.state.parked[&parked].is_listed());
            assert_eq!(world.receipt("ana", &["gs-1"], DeliveryState::Read).why, "matched");
        }
        // One part of two: the other is what the person decides about.
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        world.attempted("ana", message, 0, 2, Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) });
        let parked = park(&mut world, "doubt", codes::IN_DOUBT, Some(message));
        world.takes(message, 0, &["gs-1"]);
        assert_eq!(order(&mut world, &[parked], Ruling::Again, None).why, "tried_again");
        let states: Vec<_> = world.delivery(message).parts.iter().map(|part| part.state).collect();
        assert_eq!(states, [DeliveryState::Accepted, DeliveryState::Queued]);
    }

    #[test]
    fn x_2_what_the_ledger_knows_later_asks_nobody() {
        let (mut world, message, parked) = doubtful();
        let organization = world.organization();
        let recall = Event::Recall(Recall { organization, parked });
        let decision = world.decide(recall.clone());
        assert_eq!((decision.why, decision.changes.len()), ("still_in_doubt", 0), "nothing is known yet");
        let foreign = Recall { organization: OrganizationId::derive(&["stranger"]), parked };
        world.takes(message, 0, &["gs-1"]);
        assert_eq!(world.decide(Event::Recall(foreign)).changes.len(), 0);
        // A receipt came before anybody knew whose it was.
        world.receipt("ana", &["gs-1"], DeliveryState::Read);
        assert_eq!(world.decide(recall.clone()).why, "recalled");
        assert_eq!(world.delivery(message).state, DeliveryState::Read);
        assert_eq!(world.decide(recall).changes.len(), 0);
    }

    #[test]
    fn x_2_of_several_those_that_cannot_be_decided_are_left_out() {
        let (mut world, message, doubt) = doubtful();
        let [a, b] = ["a", "b"].map(|name| park(&mut world, name, codes::POISON, None));
        order(&mut world, &[a], Ruling::Redrive, None);
        let decision = order(&mut world, &[a, b, doubt, ParkedId::derive(&["none"])], Ruling::Redrive, None);
        let moved: Vec<_> = decision
            .changes
            .iter()
            .filter_map(
                |change| if let Change::Parked { decision, .. } = change { Some(decision.parked) } else { None },
            )
            .collect();
        assert_eq!(moved, [b]);
        assert_eq!(world.state.parked[&b].requested, Some(Ruling::Redrive));
        assert_eq!(world.delivery(message).state, DeliveryState::Parked);
        assert_eq!(code(&order(&mut world, &[a, b], Ruling::Arrived, None)), Some("bad_request"));
    }

    #[test]
    fn x_2_each_ruling_has_its_place() {
        let (mut world, _, doubt) = doubtful();
        let poison = park(&mut world, "poison", codes::POISON, None);
        for (parked, ruling, reason) in [
            (doubt, Ruling::Redrive, None),
            (poison, Ruling::Arrived, None),
            (poison, Ruling::Again, None),
            (poison, Ruling::Discard, Some(" ")),
        ] {
            assert_eq!(code(&order(&mut world, &[parked], ruling, reason)), Some("bad_request"), "{ruling:?}");
        }
        assert_eq!(code(&order(&mut world, &[poison], Ruling::Discard, Some("nobody needs it"))), None);
        assert_eq!(code(&order(&mut world, &[poison], Ruling::Redrive, None)), Some("already_decided"));
    }

    #[test]
    fn x_2_a_reply_that_was_parked_on_its_way_fails_when_it_is_discarded() {
        let mut world = World::serving("ana");
        let message = world.send(0, "ana", "bom dia");
        let parked = park(&mut world, "lost", codes::INTERNAL, Some(message));
        assert_eq!(code(&order(&mut world, &[parked], Ruling::Discard, Some("too late"))), None);
        assert_eq!(world.delivery(message).state, DeliveryState::Failed);
    }

    #[test]
    fn x_2_agents_and_other_organizations_decide_nothing() {
        let (mut world, _, parked) = doubtful();
        let decide = |parked| Command::DecideParked { parked: vec![parked], ruling: Ruling::Arrived, reason: None };
        let command = world.command(0, decide(parked));
        assert_eq!(code(&world.carry_out(command)), Some("not_permitted"));
        let mut command = world.command(0, decide(parked));
        command.role = Role::Administrator;
        command.organization = OrganizationId::derive(&["stranger"]);
        assert_eq!(code(&world.carry_out(command)), Some("not_found"));
        let organization = OrganizationId::derive(&["stranger"]);
        let asked = Decide { organization, parked, ruling: Ruling::Again, reason: None, by: None };
        assert_eq!(code(&world.decide(Event::Decide(asked))), Some("not_found"));
    }

    #[test]
    fn x_2_what_was_asked_at_the_command_line_is_decided_once() {
        let (mut world, _, parked) = doubtful();
        world.state.parked.get_mut(&parked).unwrap().requested = Some(Ruling::Again);
        let organization = world.organization();
        let asked = Decide { organization, parked, ruling: Ruling::Again, reason: None, by: None };
        assert_eq!(world.decide(Event::Decide(asked.clone())).why, "tried_again");
        assert_eq!(code(&world.decide(Event::Decide(asked))), Some("already_decided"));
    }
}
