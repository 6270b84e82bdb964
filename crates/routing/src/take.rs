//! An agent gets a waiting conversation: by picking it or by distribution.

use domain::{Class, Code, Conversation, Presence, Seat, Stage, Timestamp, UserId, error::codes};

use crate::{
    Decision, Proposal, Rules, State,
    order::{Order, closed},
    ownership::{self, Grant},
};

pub(crate) fn decide(order: &Order<'_>, conversation: &Conversation) -> Decision {
    let actor = order.by.actor;
    match conversation.stage {
        Stage::Closed => return closed(),
        Stage::Active | Stage::Inactive if conversation.agent == Some(actor) => {
            return Decision::unchanged("already_yours");
        }
        Stage::Active | Stage::Inactive => {
            return Decision::refused(Class::Conflict, codes::ALREADY_TAKEN, "another agent was quicker");
        }
        Stage::Waiting => {}
    }
    if !order.rules.is_member(conversation.queue, actor) && !order.by.role.supervises() {
        return Decision::refused(Class::Forbidden, codes::NOT_PERMITTED, "the actor does not serve this queue");
    }
    // A paused agent may still pick by hand; distribution leaves them alone.
    let present = |seat: &&Seat| seat.presence != Presence::Offline;
    let Some(seat) = order.state.seat(order.by.organization, actor).filter(present) else {
        let detail = "the agent is offline: presence must be set first";
        return Decision::refused(Class::Conflict, codes::AGENT_UNAVAILABLE, detail);
    };
    if let Some(refusal) = full(seat) {
        return refusal;
    }
    let grant = Grant { ground: Code::new("taken"), by: Some(actor), considered: Vec::new() };
    let mut decision = Decision::unchanged("taken");
    let mut conversation = conversation.clone();
    ownership::give(&mut decision, order.rules, &mut conversation, seat.clone(), grant, order.now);
    decision.conversation(conversation);
    decision
}

/// The refusal when the seat has no place left.
pub(crate) fn full(seat: &Seat) -> Option<Decision> {
    (seat.load >= seat.capacity).then(|| {
        let detail = format!("the agent serves {} of {}", seat.load, seat.capacity);
        Decision::refused(Class::Conflict, codes::AT_CAPACITY, detail)
    })
}

/// A proposal of distribution. What is no longer true changes nothing: distribution looks again.
pub(crate) fn assigned(rules: &Rules, state: &State, proposal: &Proposal, now: Timestamp) -> Decision {
    let waiting = state
        .conversation_of(proposal.organization, proposal.conversation)
        .filter(|found| found.stage == Stage::Waiting && rules.distributes(found.queue));
    let Some(conversation) = waiting.filter(|found| rules.is_member(found.queue, proposal.user)) else {
        return Decision::unchanged("overtaken");
    };
    let Some(seat) = state.seat(proposal.organization, proposal.user).filter(|seat| seat.is_free()) else {
        return Decision::unchanged("overtaken");
    };
    let grant = Grant { ground: Code::new("circular"), by: None::<UserId>, considered: proposal.considered.clone() };
    let mut decision = Decision::unchanged("assigned");
    let mut conversation = conversation.clone();
    ownership::give(&mut decision, rules, &mut conversation, seat.clone(), grant, now);
    decision.conversation = Some(conversation.id);
    decision.conversation(conversation);
    decision
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{Command, Role};

    use super::*;
    use crate::{Event, sample::World};

    #[test]
    fn q_2_an_agent_picks_a_waiting_conversation() {
        let mut world = World::manual();
        world.says("ana", "oi");
        world.seat_online(0, 2);
        assert_eq!(world.take(0, "ana").why, "taken");
        let conversation = world.open("ana");
        assert_eq!((conversation.stage, conversation.agent), (Stage::Active, Some(world.user(0))));
        let assignment = conversation.assignment.clone().unwrap();
        assert_eq!((assignment.ground.as_str(), assignment.by), ("taken", Some(world.user(0))));
        assert_eq!(world.load(0), 1);
        assert_eq!(world.take(0, "ana").why, "already_yours");
        assert_eq!(world.load(0), 1);
    }

    #[test]
    fn what_cannot_be_taken_is_refused_with_its_code() {
        let mut world = World::manual();
        world.says("ana", "oi");
        world.says("bia", "oi");
        assert_eq!(world.refusal(0, |conversation| Command::Take { conversation }, "ana"), "agent_unavailable");
        world.seat_online(0, 1);
        world.seat_online(1, 1);
        world.take(0, "ana");
        assert_eq!(world.refusal(1, |conversation| Command::Take { conversation }, "ana"), "already_taken");
        assert_eq!(world.refusal(0, |conversation| Command::Take { conversation }, "bia"), "at_capacity");
        assert_eq!(world.refusal(9, |conversation| Command::Take { conversation }, "bia"), "not_permitted");
        let conversation = world.open("ana").id;
        world.conclude(0, "ana");
        let command = world.command(1, Command::Take { conversation });
        assert_eq!(world.carry_out(command).refusal.unwrap().code, codes::CONVERSATION_CLOSED);
    }

    #[test]
    fn a_supervisor_takes_from_a_queue_that_they_do_not_serve() {
        let mut world = World::manual();
        world.says("ana", "oi");
        world.seat_online(9, 1);
        let conversation = world.open("ana").id;
        let mut command = world.command(9, Command::Take { conversation });
        command.role = Role::SupervisorAgent;
        assert_eq!(world.carry_out(command).why, "taken");
    }

    #[test]
    fn a_paused_agent_picks_but_is_not_given() {
        let mut world = World::circular();
        world.says("ana", "oi");
        world.seat(0, Presence::Paused, 2);
        let proposal = Proposal {
            organization: world.organization(),
            conversation: world.open("ana").id,
            user: world.user(0),
            considered: Vec::new(),
        };
        assert_eq!(world.decide(Event::Assign(proposal)).why, "overtaken");
        assert_eq!(world.take(0, "ana").why, "taken");
    }

    #[test]
    fn q_1_a_proposal_assigns_with_its_reasons_and_only_once() {
        let mut world = World::circular();
        world.says("ana", "oi");
        world.seat_online(0, 2);
        let proposals = world.distribute();
        assert_eq!(proposals.len(), 1);
        assert_eq!(world.decide(Event::Assign(proposals[0].clone())).why, "assigned");
        let assignment = world.open("ana").assignment.unwrap();
        assert_eq!(assignment.ground.as_str(), "circular");
        assert_eq!(assignment.considered, proposals[0].considered);
        assert_eq!(world.decide(Event::Assign(proposals[0].clone())).why, "overtaken");
        assert_eq!(world.load(0), 1);
    }
}
