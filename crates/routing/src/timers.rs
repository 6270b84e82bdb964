//! Timers: the contact has been silent for the queue's time (T-1), or inactive for too long (T-2).

use domain::{CloseReason, Conversation, Stage, Timestamp};

use crate::{Decision, Due, Rules, State, Timer, conclude};

/// A timer is a reason to look, not an order: what is done depends on how the conversation stands now. So messages
/// need not move the inactivity timer each time; it looks when the contact wrote last and is set again.
pub(crate) fn decide(rules: &Rules, state: &State, due: &Due, now: Timestamp) -> Decision {
    let Some(conversation) = state.conversation_of(due.organization, due.conversation) else {
        return Decision::unchanged("unknown_conversation");
    };
    match (due.timer, conversation.stage) {
        (Timer::Inactive, Stage::Active) => silent(rules, conversation, now),
        (Timer::Abandon, Stage::Inactive) => {
            let mut decision = Decision::unchanged("abandoned");
            conclude::close(&mut decision, rules, state, conversation, CloseReason::Abandoned, now);
            decision.conversation = Some(conversation.id);
            decision
        }
        // Whatever led here took this timer back in its own commit. Taking it back once more, with nothing that
        // guards the commit, could meet the next assignment and take back the timer that it sets.
        (Timer::Inactive, Stage::Waiting | Stage::Inactive) => Decision::unchanged("no_longer_due"),
        _ => {
            let mut decision = Decision::unchanged("no_longer_due");
            decision.timer(conversation, due.timer, None);
            decision
        }
    }
}

fn silent(rules: &Rules, conversation: &Conversation, now: Timestamp) -> Decision {
    let assigned = conversation.assignment.as_ref().map(|assignment| assignment.at);
    let since = conversation.last_inbound_at.max(assigned).unwrap_or(conversation.opened_at);
    let due_at = since + rules.inactive_after(conversation.queue);
    if due_at > now {
        let mut decision = Decision::unchanged("still_active");
        decision.timer(conversation, Timer::Inactive, Some(due_at));
        return decision;
    }
    let mut decision = Decision::unchanged("inactive");
    decision.timer(conversation, Timer::Inactive, None);
    decision.timer(conversation, Timer::Abandon, Some(now + rules.abandon_after(conversation.queue)));
    decision.conversation = Some(conversation.id);
    decision.conversation(Conversation { stage: Stage::Inactive, ..conversation.clone() });
    decision
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::{Change, sample::World};

    #[test]
    fn t_1_silence_makes_it_inactive_at_the_agent() {
        let mut world = World::serving("ana");
        world.pass(1_799);
        assert_eq!(world.due("ana", Timer::Inactive).why, "still_active");
        world.pass(1);
        assert_eq!(world.due("ana", Timer::Inactive).why, "inactive");
        let conversation = world.open("ana");
        assert_eq!((conversation.stage, conversation.agent), (Stage::Inactive, Some(world.user(0))));
        assert_eq!(world.load(0), 1);
        assert_eq!(world.due("ana", Timer::Inactive).why, "no_longer_due", "it fires once");
    }

    #[test]
    fn t_1_a_message_in_between_sets_the_timer_again() {
        let mut world = World::serving("ana");
        world.pass(1_000);
        world.says("ana", "ainda aqui");
        world.pass(800);
        let decision = world.due("ana", Timer::Inactive);
        assert_eq!(decision.why, "still_active");
        let due = world.now + std::time::Duration::from_secs(1_000);
        assert!(matches!(&decision.changes[..], [Change::Timer { due_at, .. }] if *due_at == Some(due)));
    }

    #[test]
    fn t_2_it_is_abandoned_after_the_queues_time() {
        let mut world = World::serving("ana");
        world.pass(1_800);
        world.due("ana", Timer::Inactive);
        let id = world.open("ana").id;
        world.pass(172_800);
        assert_eq!(world.due("ana", Timer::Abandon).why, "abandoned");
        let closed = &world.state.conversations[&id];
        assert_eq!((closed.stage, closed.close_reason.clone()), (Stage::Closed, Some(CloseReason::Abandoned)));
        assert_eq!(world.load(0), 0);
    }

    #[test]
    fn a_timer_that_lost_its_reason_is_taken_back() {
        let mut world = World::serving("ana");
        assert_eq!(world.due("ana", Timer::Abandon).why, "no_longer_due");
        assert_eq!(world.open("ana").stage, Stage::Active);
    }
}
