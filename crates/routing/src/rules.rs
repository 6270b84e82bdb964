//! The company's rules, as data.

use std::{collections::BTreeMap, time::Duration};

use domain::{AccountId, Distribution, Queue, QueueId, UserId};

/// Silence after which a conversation is inactive when its queue is not known: 30 minutes (T-1).
pub const DEFAULT_INACTIVE_AFTER: Duration = Duration::from_secs(1_800);
/// Inactivity after which it is abandoned when its queue is not known: 48 hours (T-2).
pub const DEFAULT_ABANDON_AFTER: Duration = Duration::from_secs(172_800);

/// What a decision needs of the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Where an account's conversations begin.
    pub accounts: BTreeMap<AccountId, QueueId>,
    /// The queues.
    pub queues: BTreeMap<QueueId, Queue>,
}

impl Rules {
    /// How long the contact may be silent before a conversation of `queue` is inactive.
    pub fn inactive_after(&self, queue: QueueId) -> Duration {
        self.queues
            .get(&queue)
            .map_or(DEFAULT_INACTIVE_AFTER, |queue| Duration::from_secs(u64::from(queue.inactive_after)))
    }

    /// How long a conversation of `queue` may be inactive before it is abandoned.
    pub fn abandon_after(&self, queue: QueueId) -> Duration {
        self.queues
            .get(&queue)
            .map_or(DEFAULT_ABANDON_AFTER, |queue| Duration::from_secs(u64::from(queue.abandon_after)))
    }

    /// Whether `queue` hands out its conversations by itself.
    pub fn distributes(&self, queue: QueueId) -> bool {
        self.queues.get(&queue).is_some_and(|queue| queue.active && queue.distribution == Distribution::Circular)
    }

    /// Whether `user` serves `queue`.
    pub fn is_member(&self, queue: QueueId, user: UserId) -> bool {
        self.queues.get(&queue).is_some_and(|queue| queue.members.contains(&user))
    }

    /// Whether some queue may hand a conversation to `user`.
    pub fn may_be_given(&self, user: UserId) -> bool {
        self.queues.values().any(|queue| self.distributes(queue.id) && queue.members.contains(&user))
    }
}
