//! Who is given the conversations of which queues: the rules, turned round for distribution.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{QueueId, UserId};

use crate::Rules;

/// The active circular queues of one organization and their members, by queue and by agent. Made once for each reading
/// of the rules: with 10,000 agents it costs as much as many looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    queues: BTreeMap<QueueId, Vec<UserId>>,
    agents: HashMap<UserId, Vec<QueueId>>,
}

impl Roster {
    /// The roster of these rules.
    pub fn new(rules: &Rules) -> Self {
        let mut roster = Self::default();
        for queue in rules.queues.values().filter(|queue| rules.distributes(queue.id)) {
            for user in queue.members.iter().collect::<BTreeSet<_>>() {
                roster.agents.entry(*user).or_default().push(queue.id);
            }
            roster.queues.insert(queue.id, queue.members.clone());
        }
        roster
    }

    /// The queues that hand out.
    pub fn queues(&self) -> impl Iterator<Item = QueueId> {
        self.queues.keys().copied()
    }

    /// Who serves `queue`; nobody when it does not hand out.
    pub fn members(&self, queue: QueueId) -> &[UserId] {
        self.queues.get(&queue).map(Vec::as_slice).unwrap_or_default()
    }

    /// The queues that may hand a conversation to `user`.
    pub fn served_by(&self, user: UserId) -> &[QueueId] {
        self.agents.get(&user).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample::World;

    #[test]
    fn only_queues_that_hand_out_are_in_it() {
        let mut world = World::manual();
        assert_eq!(Roster::new(&world.rules), Roster::default());
        let second = world.add_circular_queue("second");
        let third = world.add_circular_queue("third");
        world.rules.queues.get_mut(&third).unwrap().members = vec![world.user(0), world.user(0)];
        let roster = Roster::new(&world.rules);
        assert_eq!(roster.queues().collect::<BTreeSet<_>>(), [second, third].into());
        assert_eq!(roster.members(second).len(), 5);
        assert_eq!(roster.members(world.queue()), []);
        assert_eq!(roster.served_by(world.user(0)).len(), 2, "each queue once");
        assert_eq!(roster.served_by(world.user(1)), [second]);
        assert_eq!(roster.served_by(world.user(9)), []);
        world.rules.queues.get_mut(&second).unwrap().active = false;
        assert_eq!(Roster::new(&world.rules).queues().collect::<Vec<_>>(), [third]);
    }
}
