//! What the router knows while it decides: the slice of the store that a batch of events needs.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AccountId, Author, Contact, Conversation, ConversationId, EventId, HeldReceipt, Message, MessageId, OrganizationId,
    ParkedEntry, ParkedId, Ruling, Seat, Thread, UserId,
};

use crate::Change;

/// The slice. The shell fills it from the store, and the core folds its own changes into it, so that the second event
/// of a batch sees what the first one did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Events and commands that were already carried out: those with a mark, and those whose message is there.
    pub processed: BTreeSet<EventId>,
    /// The open conversation of each thread.
    pub open: BTreeMap<Thread, ConversationId>,
    /// The contact of each thread.
    pub contacts: BTreeMap<Thread, Contact>,
    /// Conversations, open or closed.
    pub conversations: BTreeMap<ConversationId, Conversation>,
    /// Messages.
    pub messages: BTreeMap<MessageId, Message>,
    /// Outgoing messages by the ids that providers gave them.
    pub by_provider_id: BTreeMap<(AccountId, String), MessageId>,
    /// Receipts that wait for their message.
    pub held: Vec<HeldReceipt>,
    /// Seats.
    pub seats: BTreeMap<(OrganizationId, UserId), Seat>,
    /// Parked messages, without their bodies.
    pub parked: BTreeMap<ParkedId, ParkedEntry>,
    /// What a provider took, by the send ledger, whether somebody told of it or not: parts, and the provider's ids of
    /// them. Known of messages that are in doubt or refused.
    pub taken: BTreeMap<MessageId, BTreeMap<u16, Vec<String>>>,
}

impl State {
    /// The open conversation of a thread.
    pub fn open_conversation(&self, thread: &Thread) -> Option<&Conversation> {
        self.open.get(thread).and_then(|id| self.conversations.get(id)).filter(|found| found.is_open())
    }

    /// A conversation of this organization.
    pub fn conversation_of(&self, organization: OrganizationId, id: ConversationId) -> Option<&Conversation> {
        self.conversations.get(&id).filter(|found| found.organization() == organization)
    }

    /// The seat of `user`.
    pub fn seat(&self, organization: OrganizationId, user: UserId) -> Option<&Seat> {
        self.seats.get(&(organization, user))
    }

    /// Applies a change.
    pub fn evolve(&mut self, change: &Change) {
        match change {
            Change::Processed { event, .. } => {
                self.processed.insert(*event);
            }
            Change::Conversation(conversation) => {
                if conversation.is_open() {
                    self.open.insert(conversation.thread.clone(), conversation.id);
                } else if self.open.get(&conversation.thread) == Some(&conversation.id) {
                    self.open.remove(&conversation.thread);
                }
                self.conversations.insert(conversation.id, (**conversation).clone());
            }
            Change::Message(message) => {
                if message.author == Author::Contact {
                    self.processed.insert(message.cause);
                }
                self.messages.insert(message.id, (**message).clone());
            }
            Change::Contact(contact) => {
                self.contacts.insert(contact.thread.clone(), (**contact).clone());
            }
            Change::Seat(seat) => {
                self.seats.insert((seat.organization, seat.user), seat.clone());
            }
            Change::ProviderId { account, id, message, .. } => {
                self.by_provider_id.insert((*account, id.clone()), *message);
            }
            Change::Hold(receipt) => self.held.push(receipt.clone()),
            Change::Release(event) => self.held.retain(|held| held.event != *event),
            Change::Parked { decision, .. } => {
                if let Some(entry) = self.parked.get_mut(&decision.parked) {
                    entry.requested = (decision.ruling == Ruling::Redrive).then_some(decision.ruling);
                    match decision.ruling {
                        Ruling::Redrive => {}
                        Ruling::Again => entry.parked.redriven_at = Some(decision.at),
                        Ruling::Arrived | Ruling::Failed | Ruling::Discard => entry.closed_at = Some(decision.at),
                    }
                }
            }
            // Timers live in the store only: a decision never asks when one is due.
            Change::Timer { .. } => {}
        }
    }

    /// Applies all changes of a decision.
    pub fn evolve_all(&mut self, changes: &[Change]) {
        for change in changes {
            self.evolve(change);
        }
    }
}
