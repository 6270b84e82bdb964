//! Giving a conversation to an agent and taking it from one: the only places where a seat's load moves.

use domain::{Assignment, Code, Considered, Conversation, Seat, Stage, Timestamp, UserId};

use crate::{Change, Decision, Effect, Rules, State, Timer};

/// How a conversation comes to an agent.
pub(crate) struct Grant {
    /// `taken`, `circular`, `transferred`.
    pub(crate) ground: Code,
    /// Who did it, when a person did.
    pub(crate) by: Option<UserId>,
    /// Who was considered, when a rule did.
    pub(crate) considered: Vec<Considered>,
}

/// `conversation` is served by `seat` from now on. It must not be in other hands: see [`release`].
pub(crate) fn give(
    decision: &mut Decision,
    rules: &Rules,
    conversation: &mut Conversation,
    mut seat: Seat,
    grant: Grant,
    now: Timestamp,
) {
    conversation.stage = Stage::Active;
    conversation.agent = Some(seat.user);
    conversation.assignment =
        Some(Assignment { user: seat.user, at: now, ground: grant.ground, by: grant.by, considered: grant.considered });
    seat.load = seat.load.saturating_add(1);
    seat.last_assigned_at = now;
    decision.changes.push(Change::Seat(seat));
    // Counted from now: the agent is not to blame for the time in the queue.
    decision.timer(conversation, Timer::Inactive, Some(now + rules.inactive_after(conversation.queue)));
    decision.timer(conversation, Timer::Abandon, None);
}

/// Nobody serves `conversation` from now on. The caller says what it becomes.
pub(crate) fn release(decision: &mut Decision, rules: &Rules, state: &State, conversation: &mut Conversation) {
    let Some(agent) = conversation.agent.take() else { return };
    decision.timer(conversation, Timer::Inactive, None);
    decision.timer(conversation, Timer::Abandon, None);
    let organization = conversation.organization();
    if let Some(seat) = state.seat(organization, agent) {
        let seat = Seat { load: seat.load.saturating_sub(1), ..seat.clone() };
        if seat.is_free() && rules.may_be_given(agent) {
            decision.effects.push(Effect::Distribute(organization));
        }
        decision.changes.push(Change::Seat(seat));
    }
}

/// `conversation` waits in its queue from now on; its age stays.
pub(crate) fn wait(decision: &mut Decision, rules: &Rules, conversation: &mut Conversation) {
    conversation.stage = Stage::Waiting;
    conversation.assignment = None;
    let nudge = Effect::Distribute(conversation.organization());
    if rules.distributes(conversation.queue) && !decision.effects.contains(&nudge) {
        decision.effects.push(nudge);
    }
}
