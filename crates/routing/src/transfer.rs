//! A conversation goes to a colleague or to a queue.

use domain::{Class, Code, Conversation, Presence, Target, error::codes};

use crate::{
    Decision,
    order::Order,
    ownership::{self, Grant},
    take,
};

pub(crate) fn decide(order: &Order<'_>, conversation: &Conversation, to: Target) -> Decision {
    if let Some(refusal) = order.unless_serving(conversation) {
        return refusal;
    }
    match to {
        Target::User(user) => to_user(order, conversation, user),
        Target::Queue(queue) => to_queue(order, conversation, queue),
    }
}

fn to_user(order: &Order<'_>, conversation: &Conversation, user: domain::UserId) -> Decision {
    if conversation.agent == Some(user) {
        return Decision::unchanged("already_there");
    }
    // Agents in pause are not given conversations; a queue that permits it is a later rule.
    let available = |seat: &&domain::Seat| seat.presence == Presence::Online;
    let Some(seat) = order.state.seat(order.by.organization, user).filter(available) else {
        return Decision::refused(Class::Conflict, codes::AGENT_UNAVAILABLE, "the agent is paused or offline");
    };
    if let Some(refusal) = take::full(seat) {
        return refusal;
    }
    let mut decision = Decision::unchanged("transferred");
    let mut conversation = conversation.clone();
    ownership::release(&mut decision, order.rules, order.state, &mut conversation);
    let grant = Grant { ground: Code::new("transferred"), by: Some(order.by.actor), considered: Vec::new() };
    ownership::give(&mut decision, order.rules, &mut conversation, seat.clone(), grant, order.now);
    decision.conversation(conversation);
    decision
}

fn to_queue(order: &Order<'_>, conversation: &Conversation, queue: domain::QueueId) -> Decision {
    let ours = order.rules.queues.get(&queue).filter(|found| found.organization == order.by.organization);
    if !ours.is_some_and(|found| found.active) {
        return Decision::refused(Class::NotFound, codes::NOT_FOUND, "there is no such queue");
    }
    if conversation.agent.is_none() && conversation.queue == queue {
        return Decision::unchanged("already_there");
    }
    let mut decision = Decision::unchanged("transferred");
    let mut conversation = conversation.clone();
    ownership::release(&mut decision, order.rules, order.state, &mut conversation);
    // The contact keeps the age of their wait: being passed on is not a reason to wait from the start again.
    conversation.queue = queue;
    ownership::wait(&mut decision, order.rules, &mut conversation);
    decision.conversation(conversation);
    decision
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{Command, QueueId, Stage};

    use super::*;
    use crate::{Effect, sample::World};

    fn to_user(world: &World, agent: usize) -> impl Fn(domain::ConversationId) -> Command + use<> {
        let user = world.user(agent);
        move |conversation| Command::Transfer { conversation, to: Target::User(user) }
    }

    #[test]
    fn a_colleague_gets_it_and_the_loads_move() {
        let mut world = World::serving("ana");
        world.seat_online(1, 1);
        let command = to_user(&world, 1)(world.open("ana").id);
        assert_eq!(world.order(0, command).why, "transferred");
        let conversation = world.open("ana");
        assert_eq!((conversation.agent, conversation.stage), (Some(world.user(1)), Stage::Active));
        assert_eq!((world.load(0), world.load(1)), (0, 1));
        assert_eq!(conversation.assignment.unwrap().ground.as_str(), "transferred");
    }

    #[test]
    fn q_9_a_colleague_who_is_away_or_full_does_not_get_it() {
        let mut world = World::serving("ana");
        let command = to_user(&world, 1);
        assert_eq!(world.refusal(0, &command, "ana"), "agent_unavailable");
        world.seat(1, Presence::Paused, 5);
        assert_eq!(world.refusal(0, &command, "ana"), "agent_unavailable");
        world.seat(1, Presence::Online, 0);
        assert_eq!(world.refusal(0, &command, "ana"), "at_capacity");
        assert_eq!(world.load(0), 1);
    }

    #[test]
    fn a_queue_gets_it_with_its_age() {
        let mut world = World::serving("ana");
        let since = world.open("ana").waiting_since;
        let queue = world.add_circular_queue("second");
        world.pass(60);
        let conversation = world.open("ana").id;
        let decision = world.order(0, Command::Transfer { conversation, to: Target::Queue(queue) });
        assert!(decision.effects.contains(&Effect::Distribute(world.organization())));
        let conversation = world.open("ana");
        assert_eq!((conversation.stage, conversation.agent), (Stage::Waiting, None));
        assert_eq!((conversation.queue, conversation.waiting_since), (queue, since));
        assert_eq!(world.load(0), 0);
    }

    #[test]
    fn only_to_queues_that_exist_and_only_by_who_serves_it() {
        let mut world = World::serving("ana");
        let nowhere = |conversation| Command::Transfer { conversation, to: Target::Queue(QueueId::derive(&["none"])) };
        assert_eq!(world.refusal(0, nowhere, "ana"), "not_found");
        world.seat_online(1, 1);
        let command = to_user(&world, 1);
        assert_eq!(world.refusal(1, command, "ana"), "not_yours");
    }
}
