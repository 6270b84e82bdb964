//! Commands: finding what they speak of, who may ask, and what their answer shows.

use domain::{Class, Command, Commanded, Conversation, ConversationId, EventId, MessageId, Timestamp, error::codes};

use crate::{
    Decision, Rules, State, conclude, give_back, mark_read, parked, presence, retry, save_contact, send, take, transfer,
};

/// A command with what it is decided on.
pub(crate) struct Order<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) state: &'a State,
    pub(crate) by: &'a Commanded,
    pub(crate) now: Timestamp,
}

pub(crate) fn decide(rules: &Rules, state: &State, by: &Commanded, now: Timestamp) -> Decision {
    let (about, message) = subject(by);
    let mut decision = if state.processed.contains(&by.id) {
        Decision::unchanged("duplicate")
    } else {
        let order = Order { rules, state, by, now };
        let decision = order.carry_out();
        // A command that changes nothing needs no mark: carried out again, it changes nothing again.
        if decision.changes.is_empty() { decision } else { decision.processed(by.id, by.organization, "command", now) }
    };
    if decision.refusal.is_none() {
        decision.conversation = about;
        decision.message = message;
    }
    decision
}

/// What the answer shows: derived from the command alone, so the same command answers the same.
fn subject(by: &Commanded) -> (Option<ConversationId>, Option<MessageId>) {
    match &by.command {
        Command::Take { conversation }
        | Command::Transfer { conversation, .. }
        | Command::Return { conversation }
        | Command::Conclude { conversation }
        | Command::MarkRead { conversation }
        | Command::SaveContact { conversation, .. } => (Some(*conversation), None),
        Command::Send { conversation, .. } => (Some(*conversation), Some(message_of(by.id))),
        Command::Retry { conversation, message } => (Some(*conversation), Some(*message)),
        Command::DecideParked { .. } | Command::SetPresence { .. } => (None, None),
    }
}

/// The id of the message that a send command writes.
pub fn message_of(command: EventId) -> MessageId {
    MessageId::derive(&[&command.to_string()])
}

impl Order<'_> {
    fn carry_out(&self) -> Decision {
        match &self.by.command {
            Command::SetPresence { presence, capacity } => presence::decide(self, *presence, *capacity),
            Command::DecideParked { parked, ruling, reason } => {
                parked::commanded(self, parked, *ruling, reason.as_deref())
            }
            Command::Take { conversation } => self.on(*conversation, take::decide),
            Command::Transfer { conversation, to } => {
                self.on(*conversation, |order, found| transfer::decide(order, found, *to))
            }
            Command::Return { conversation } => self.on(*conversation, give_back::decide),
            Command::Conclude { conversation } => self.on(*conversation, conclude::decide),
            Command::Send { conversation, content, reply_to } => {
                self.on(*conversation, |order, found| send::decide(order, found, content, *reply_to))
            }
            Command::Retry { conversation, message } => {
                self.on(*conversation, |order, found| retry::decide(order, found, *message))
            }
            Command::MarkRead { conversation } => self.on(*conversation, mark_read::decide),
            Command::SaveContact { conversation, card } => {
                self.on(*conversation, |order, found| save_contact::decide(order, found, card))
            }
        }
    }

    /// Decides on a conversation of the actor's organization, or says that there is none.
    fn on(&self, id: ConversationId, decide: impl FnOnce(&Self, &Conversation) -> Decision) -> Decision {
        match self.state.conversation_of(self.by.organization, id) {
            Some(found) => decide(self, found),
            None => Decision::refused(Class::NotFound, codes::NOT_FOUND, "there is no such conversation"),
        }
    }

    /// The refusal when `conversation` is closed, or the actor neither serves it nor supervises.
    pub(crate) fn unless_serving(&self, conversation: &Conversation) -> Option<Decision> {
        if !conversation.is_open() {
            return Some(closed());
        }
        if conversation.agent == Some(self.by.actor) || self.by.role.supervises() {
            return None;
        }
        Some(Decision::refused(Class::Forbidden, codes::NOT_YOURS, "another agent serves this conversation, or none"))
    }
}

pub(crate) fn closed() -> Decision {
    Decision::refused(Class::Conflict, codes::CONVERSATION_CLOSED, "the conversation is closed")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{Content, OrganizationId};

    use super::*;
    use crate::sample::World;

    #[test]
    fn x_8_the_same_command_again_changes_nothing_and_answers_the_same() {
        let mut world = World::serving("ana");
        let conversation = world.open("ana").id;
        let command = world.command(0, Command::Send { conversation, content: Content::text("a"), reply_to: None });
        let first = world.carry_out(command.clone());
        let before = world.state.clone();
        let again = world.carry_out(command);
        assert_eq!((again.why, again.changes.len(), again.effects.len()), ("duplicate", 0, 0));
        assert_eq!((again.conversation, again.message), (first.conversation, first.message));
        assert_eq!(world.state, before);
    }

    #[test]
    fn another_organizations_conversation_does_not_exist() {
        let mut world = World::serving("ana");
        let conversation = world.open("ana").id;
        let mut command = world.command(0, Command::Conclude { conversation });
        command.organization = OrganizationId::derive(&["other"]);
        let decision = world.carry_out(command);
        assert_eq!(decision.refusal.map(|refusal| refusal.code), Some(codes::NOT_FOUND));
    }
}
