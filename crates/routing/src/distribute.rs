//! Circular distribution: who gets the conversations that wait, and why each other agent does not.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use domain::{Code, Considered, Presence, QueueId, Seat, Timestamp, UserId, Waiting};

use crate::{Proposal, Roster};

/// The most proposals at once. To propose so many, distribution must know so many of each queue: the conversations that
/// have waited longest, and the free agents who were least recently given anything. What is beyond changes nothing.
pub const PROPOSED_AT_MOST: usize = 64;

/// The most agents that one proposal explains. A queue of 10,000 agents must not write 10,000 reasons with each
/// conversation: the chosen one and the first of the others by name of their id tell the story.
pub const CONSIDERED_AT_MOST: usize = 64;

/// The free agents of a queue, the one who has waited longest since their last assignment on top. An agent of several
/// queues stands in several heaps; an entry that is no longer true is set right when it comes up.
type Circle = BinaryHeap<Reverse<(Timestamp, UserId)>>;

/// Proposes an agent for each conversation of `waiting` that can have one: the oldest first, and of the free members
/// of its queue the one who was least recently given anything. At most [`PROPOSED_AT_MOST`] are proposed.
///
/// All conversations and seats are of one organization. With W conversations and S seats the cost is
/// O((W + S) log (W + S)), reasons aside, however many agents a queue has.
pub fn distribute(roster: &Roster, waiting: &[Waiting], seats: &[Seat], now: Timestamp) -> Vec<Proposal> {
    let mut circles = circles(roster, seats);
    let mut seats: HashMap<UserId, Seat> = seats.iter().map(|seat| (seat.user, seat.clone())).collect();
    let mut oldest = waiting.to_vec();
    oldest.sort_by_key(|one| (one.since, one.conversation));
    let mut proposals = Vec::new();
    for Waiting { organization, conversation, queue, .. } in oldest {
        if proposals.len() == PROPOSED_AT_MOST {
            break;
        }
        let Some(circle) = circles.get_mut(&queue) else { continue };
        let Some(user) = next(circle, &seats) else { continue };
        let considered = explain(roster.members(queue), user, &seats);
        if let Some(seat) = seats.get_mut(&user) {
            seat.load = seat.load.saturating_add(1);
            seat.last_assigned_at = now;
            if seat.is_free() {
                circle.push(Reverse((now, user)));
            }
        }
        proposals.push(Proposal { organization, conversation, user, considered });
    }
    proposals
}

/// The agents whose reasons a proposal for `queue` gives, whoever is chosen.
pub fn considered(roster: &Roster, queue: QueueId) -> &[UserId] {
    let members = roster.members(queue);
    &members[..members.len().min(CONSIDERED_AT_MOST)]
}

fn circles(roster: &Roster, seats: &[Seat]) -> HashMap<QueueId, Circle> {
    let mut circles: HashMap<QueueId, Circle> = HashMap::new();
    for seat in seats.iter().filter(|seat| seat.is_free()) {
        for queue in roster.served_by(seat.user) {
            circles.entry(*queue).or_default().push(Reverse((seat.last_assigned_at, seat.user)));
        }
    }
    circles
}

/// Takes the next free agent from the circle.
fn next(circle: &mut Circle, seats: &HashMap<UserId, Seat>) -> Option<UserId> {
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

fn explain(members: &[UserId], chosen: UserId, seats: &HashMap<UserId, Seat>) -> Vec<Considered> {
    let mut considered = vec![Considered { user: chosen, verdict: Code::new("chosen") }];
    let others = members.iter().filter(|user| **user != chosen).take(CONSIDERED_AT_MOST - 1);
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
    use std::collections::{BTreeMap, BTreeSet};

    use domain::{ConversationId, OrganizationId};

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

    /// Agents of one circular queue, all free, who were given something one after the other.
    fn crowd(count: usize) -> (Roster, Vec<Seat>, QueueId) {
        let mut world = World::circular();
        let queue = world.queue();
        let user = |n: usize| UserId::derive(&["many", &n.to_string()]);
        world.rules.queues.get_mut(&queue).unwrap().members = (0..count).map(user).collect();
        let organization = world.organization();
        let seat = |n: usize| Seat {
            organization,
            user: user(n),
            presence: Presence::Online,
            load: 0,
            capacity: 2,
            last_assigned_at: at(i64::try_from(n).unwrap()),
            version: 1,
        };
        (Roster::new(&world.rules), (0..count).map(seat).collect(), queue)
    }

    fn line(queue: QueueId, count: i64) -> Vec<Waiting> {
        let organization = OrganizationId::derive(&["acme"]);
        let one = |n: i64| Waiting {
            organization,
            conversation: ConversationId::derive(&["waits", &n.to_string()]),
            queue,
            since: at(n),
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn ten_thousand_agents_explain_themselves_briefly() {
        let (roster, seats, queue) = crowd(10_000);
        let proposals = distribute(&roster, &line(queue, 1), &seats, at(20_000));
        assert_eq!(proposals.len(), 1);
        assert_eq!(proposals[0].considered.len(), CONSIDERED_AT_MOST);
        let told: BTreeSet<_> = proposals[0].considered.iter().map(|one| one.user).collect();
        let asked: BTreeSet<_> = considered(&roster, queue).iter().copied().collect();
        assert!(told.is_subset(&asked.into_iter().chain([proposals[0].user]).collect()));
    }

    #[test]
    fn knowing_the_first_of_each_is_as_good_as_knowing_all() {
        let (roster, seats, queue) = crowd(500);
        let waiting = line(queue, 1_000);
        let all = distribute(&roster, &waiting, &seats, at(20_000));
        assert_eq!(all.len(), PROPOSED_AT_MOST);
        let (some, few) = (&waiting[..PROPOSED_AT_MOST], &seats[..PROPOSED_AT_MOST]);
        let chosen =
            |proposals: &[Proposal]| proposals.iter().map(|one| (one.conversation, one.user)).collect::<Vec<_>>();
        assert_eq!(chosen(&distribute(&roster, some, few, at(20_000))), chosen(&all));
    }
}
