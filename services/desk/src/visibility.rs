//! Who may see which conversation. Everything else answers 404, so that nobody learns what exists elsewhere.

use std::collections::HashSet;

use domain::{Conversation, QueueId, User, UserId};

use crate::names::Names;

/// Whose eyes: agents see the conversations of the queues that they serve and those that they serve themselves;
/// supervisors and administrators see all of their organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Viewer {
    user: UserId,
    supervises: bool,
    queues: HashSet<QueueId>,
}

/// What of a conversation decides who sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    queue: QueueId,
    /// Who serves it; once it is closed, who served it last.
    agent: Option<UserId>,
    /// Who handed it over.
    handed_by: Option<UserId>,
}

impl From<&Conversation> for Facts {
    fn from(conversation: &Conversation) -> Self {
        let handed_by = conversation.assignment.as_ref().and_then(|assignment| assignment.by);
        Self { queue: conversation.queue, agent: conversation.agent, handed_by }
    }
}

impl Viewer {
    pub(crate) fn new(user: &User, names: &Names) -> Self {
        Self {
            user: user.id,
            supervises: user.role.supervises(),
            queues: names.queues_of(user.id).into_iter().collect(),
        }
    }

    /// Sees everything of the organization.
    pub(crate) fn supervises(&self) -> bool {
        self.supervises
    }

    pub(crate) fn sees(&self, facts: &Facts) -> bool {
        self.supervises || self.serves(facts.queue) || facts.agent == Some(self.user)
    }

    /// Hears of a change: also of the one by which they themselves gave it away.
    pub(crate) fn hears(&self, facts: &Facts) -> bool {
        self.sees(facts) || facts.handed_by == Some(self.user)
    }

    /// Has it in hand now.
    pub(crate) fn holds(&self, facts: &Facts) -> bool {
        facts.agent == Some(self.user)
    }

    pub(crate) fn serves(&self, queue: QueueId) -> bool {
        self.queues.contains(&queue)
    }

    /// The queues to ask the store for; none means all.
    pub(crate) fn queues(&self) -> Option<Vec<QueueId>> {
        (!self.supervises).then(|| self.queues.iter().copied().collect())
    }
}
