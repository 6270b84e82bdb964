//! Circular distribution: who gets the conversations that wait, and why each other agent does not.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use domain::{Code, Considered, Conversation, Presence, Queue, QueueId, Seat, Stage, Timestamp, UserId};

use crate::{Proposal, Rules};

/// The most agents that one proposal explains. A queue of 10,000 agents must not write 10,000 reasons with each
/// conversation: the chosen one and the first of the others by name of their id tell the story.
pub const CONSIDERED_AT_MOST: usize = 64;

/// The free agents of a queue, the one who has waited longest since their last assignment on top. An agent of several
/// queues stands in several heaps; an entry that is no longer true is set right when it comes up.
type Circle = BinaryHeap<Reverse<(Timestamp, UserId)>>;

/// Proposes an agent for each conversation of `waiting` that can have one: the oldest first, and of the free members
/// of its queue the one who was least recently given anything. Only active circular queues hand out.
///
/// All conversations and seats are of one organization. With W conversations and M memberships the cost is
/// O((W + M) log M), reasons aside.
pub fn distribute(rules: &Rules, waiting: &[Conversation], seats: &[Seat], now: Timestamp) -> Vec<Proposal> {
    let mut seats: BTreeMap<UserId, Seat> = seats.iter().map(|seat| (seat.user, seat.clone())).collect();
    let mut oldest: Vec<&Conversation> =
        waiting.iter().filter(|one| one.stage == Stage::Waiting && rules.distributes(one.queue)).collect();
    oldest.sort_by_key(|one| (one.waiting_since, one.id));
    let mut circles: BTreeMap<QueueId, Circle> = BTreeMap::new();
    let mut proposals = Vec::new();
    for conversation in oldest {
        let Some(queue) = rules.queues.get(&conversation.queue) else { continue };
        let circle = circles.entry(queue.id).or_insert_with(|| free_members(queue, &seats));
        let Some(user) = next(circle, &seats) else { continue };
        let considered = explain(queue, user, &seats);
        if let Some(seat) = seats.get_mut(&user) {
            seat.load = seat.load.saturating_add(1);
            seat.last_assigned_at = now;
            if seat.is_free() {
                circle.push(Reverse((now, user)));
            }
        }
        let organization = conversation.organization();
        proposals.push(Proposal { organization, conversation: conversation.id, user, considered });
    }
    proposals
}

fn free_members(queue: &Queue, seats: &BTreeMap<UserId, Seat>) -> Circle {
    let members: BTreeSet<UserId> = queue.members.iter().copied().collect();
    let free = members.iter().filter_map(|user| seats.get(user)).filter(|seat| seat.is_free());
    free.map(|seat| Reverse((seat.last_assigned_at, seat.user))).collect()
}

/// Takes the next free agent from the circle.
fn next(circle: &mut Circle, seats: &BTreeMap<UserId, Seat>) -> Option<UserId> {
    while let Some(Reverse((since, user))) = circle.pop() {
        let Some(seat) = seats.get(&user).filter(|seat| seat.is_free()) else { continue };
        if seat.last_assigned_at == since {
            return Some(user);
        }
        // Another queue gave them one meanwhile: to their new place.
        circle.push(Reverse((seat.last_assigned_at, user)));
    }
    None
}

fn explain(queue: &Queue, chosen: UserId, seats: &BTreeMap<UserId, Seat>) -> Vec<Considered> {
    let mut considered = vec![Considered { user: chosen, verdict: Code::new("chosen") }];
    let others = queue.members.iter().filter(|user| **user != chosen).take(CONSIDERED_AT_MOST - 1);
    considered.extend(others.map(|user| Considered { user: *user, verdict: Code::new(verdict(seats.get(user))) }));
    considered
}

fn verdict(seat: Option<&Seat>) -> &'static str {
    match seat {
        None => "offline",
        Some(seat) => match seat.presence {
            Presence::Offline => "offline",
            Presence::Paused => "paused",
            Presence::Online if seat.load >= seat.capacity => "at_capacity",
            Presence::Online => "assigned_more_recently",
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::sample::{World, at};

    fn users(world: &World, proposals: &[Proposal]) -> Vec<usize> {
        let index = |user| (0..10).find(|n| world.user(*n) == user).unwrap();
        proposals.iter().map(|proposal| index(proposal.user)).collect()
    }

    #[test]
    fn q_1_the_circle_goes_round_and_the_oldest_goes_first() {
        let mut world = World::circular();
        for name in ["a", "b", "c", "d"] {
            world.pass(1);
            world.says(name, "oi");
        }
        for (agent, seconds) in [(0, 30), (1, 10), (2, 20)] {
            world.seat_online(agent, 5);
            world.set_last_assigned(agent, at(seconds));
        }
        let proposals = world.distribute();
        assert_eq!(users(&world, &proposals), [1, 2, 0, world.first_of(&[0, 1, 2])]);
        let names: Vec<_> = proposals.iter().map(|proposal| proposal.conversation).collect();
        let oldest: Vec<_> = ["a", "b", "c", "d"].map(|name| world.open(name).id).to_vec();
        assert_eq!(names, oldest);
    }

    #[test]
    fn x_6_each_other_agent_has_a_reason() {
        let mut world = World::circular();
        world.says("ana", "oi");
        world.seat_online(0, 1);
        world.set_last_assigned(0, at(50));
        world.seat_online(1, 1);
        world.set_last_assigned(1, at(10));
        world.seat(2, Presence::Paused, 1);
        world.seat_online(3, 0);
        let proposals = world.distribute();
        let reasons: BTreeMap<UserId, String> =
            proposals[0].considered.iter().map(|one| (one.user, one.verdict.to_string())).collect();
        let reason = |agent| reasons.get(&world.user(agent)).map(String::as_str);
        assert_eq!(reason(1), Some("chosen"));
        assert_eq!(reason(0), Some("assigned_more_recently"));
        assert_eq!(reason(2), Some("paused"));
        assert_eq!(reason(3), Some("at_capacity"));
        assert_eq!(reason(4), Some("offline"));
    }

    #[test]
    fn q_3_nobody_gets_more_than_their_capacity() {
        let mut world = World::circular();
        for name in ["a", "b", "c", "d", "e"] {
            world.says(name, "oi");
        }
        world.seat_online(0, 2);
        world.seat_online(1, 1);
        let mut given = users(&world, &world.distribute());
        given.sort_unstable();
        assert_eq!(given, [0, 0, 1]);
    }

    #[test]
    fn an_agent_of_two_queues_takes_turns_between_them() {
        let mut world = World::circular();
        let second = world.add_circular_queue("second");
        for name in ["a", "b", "c", "d"] {
            world.pass(1);
            world.says(name, "oi");
        }
        for name in ["b", "d"] {
            world.move_to(name, second);
        }
        world.seat_online(0, 2);
        world.seat_online(1, 2);
        let proposals = world.distribute();
        let given = users(&world, &proposals);
        assert_eq!(given.len(), 4);
        for agent in [0, 1] {
            assert_eq!(given.iter().filter(|user| **user == agent).count(), 2);
        }
        assert_ne!(given[0], given[1]);
    }

    #[test]
    fn a_manual_queue_and_an_inactive_one_hand_out_nothing() {
        let mut world = World::manual();
        world.says("ana", "oi");
        world.seat_online(0, 1);
        assert!(world.distribute().is_empty());
        let mut world = World::circular();
        world.says("ana", "oi");
        world.seat_online(0, 1);
        let queue = world.queue();
        world.rules.queues.get_mut(&queue).unwrap().active = false;
        assert!(world.distribute().is_empty());
    }

    #[test]
    fn ten_thousand_agents_explain_themselves_briefly() {
        let mut world = World::circular();
        let queue = world.queue();
        world.rules.queues.get_mut(&queue).unwrap().members =
            (0..10_000).map(|n| UserId::derive(&["many", &n.to_string()])).collect();
        world.says("ana", "oi");
        let mut seats = Vec::new();
        for user in &world.rules.queues[&queue].members {
            seats.push(Seat {
                organization: world.organization(),
                user: *user,
                presence: Presence::Online,
                load: 0,
                capacity: 1,
                last_assigned_at: at(0),
                version: 1,
            });
        }
        let proposals = distribute(&world.rules, &[world.open("ana")], &seats, at(9));
        assert_eq!(proposals.len(), 1);
        assert_eq!(proposals[0].considered.len(), CONSIDERED_AT_MOST);
    }
}
