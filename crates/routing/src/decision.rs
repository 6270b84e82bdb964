//! The answer to an event.

use domain::{
    AccountId, Class, Code, Contact, Conversation, ConversationId, EventId, Failure, HeldReceipt, Message, MessageId,
    OrganizationId, ParkedDecision, Refusal, Seat, SendRequest, Thread, Timestamp,
};

use crate::Timer;

/// One thing that is no longer as it was. Things are carried as they are from now on, with the version that was loaded.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The event or command was carried out; never again.
    Processed {
        /// Which.
        event: EventId,
        /// The tenant.
        organization: OrganizationId,
        /// `message`, `receipt`, `attempted`, `refused`, `media`, `consent`, `command`.
        kind: &'static str,
        /// When.
        at: Timestamp,
    },
    /// A conversation, new or changed.
    Conversation(Box<Conversation>),
    /// A message, new or changed.
    Message(Box<Message>),
    /// A contact, new or changed.
    Contact(Box<Contact>),
    /// A seat, new or changed.
    Seat(Seat),
    /// A provider knows an outgoing message by this id from now on.
    ProviderId {
        /// The account that sent it.
        account: AccountId,
        /// The provider's id.
        id: String,
        /// The message.
        message: MessageId,
        /// The tenant.
        organization: OrganizationId,
    },
    /// A receipt waits for its message.
    Hold(HeldReceipt),
    /// A held receipt was applied.
    Release(EventId),
    /// A parked message was decided about.
    Parked {
        /// What, by whom.
        decision: ParkedDecision,
        /// The entry's version as it was loaded.
        version: u64,
    },
    /// A timer is set, moved, or taken back.
    Timer {
        /// The conversation's thread: its partition owns the timer.
        thread: Thread,
        /// Whose timer.
        conversation: ConversationId,
        /// Which.
        timer: Timer,
        /// When it is due; none takes it back.
        due_at: Option<Timestamp>,
    },
}

/// Something that must be done outside. What comes of it returns as an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the gate to let this message pass.
    RequestSend(Box<SendRequest>),
    /// In the commit that the request above goes out with: forget the failed and doubtful attempts at this message. `failed` are the
    /// parts that the provider had accepted and reported as failed later; the ledger still has them as accepted.
    Reopen {
        /// The message.
        message: MessageId,
        /// Parts that failed after their acceptance.
        failed: Vec<u16>,
    },
    /// Park a message whose fate nobody knows; a person decides whether it goes again.
    ParkSend {
        /// What would be sent again.
        request: Box<SendRequest>,
        /// The part in doubt.
        part: u16,
        /// Why: the code, the provider's own code and words.
        failure: Failure,
    },
    /// Something waits or somebody is free: look at the organization's distribution again.
    Distribute(OrganizationId),
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// What changes, in order. Empty: nothing to commit.
    pub changes: Vec<Change>,
    /// What to do outside, in order.
    pub effects: Vec<Effect>,
    /// Why, as a low-cardinality word for traces and metrics (`opened`, `appended`, `duplicate`, `held`...).
    pub why: &'static str,
    /// Why a command or event is not carried out. Nothing changes then.
    pub refusal: Option<Refusal>,
    /// What the event is about may still be on its way: it is to be decided again later, and nothing changes now.
    pub too_early: bool,
    /// The conversation that the answer to a command shows.
    pub conversation: Option<ConversationId>,
    /// The message that the answer to a command shows.
    pub message: Option<MessageId>,
}

impl Decision {
    /// Nothing changes.
    pub(crate) fn unchanged(why: &'static str) -> Self {
        Self { why, ..Self::default() }
    }

    /// Not carried out.
    pub(crate) fn refused(class: Class, code: Code, detail: impl Into<String>) -> Self {
        Self { why: "refused", refusal: Some(Refusal::new(class, code, detail)), ..Self::default() }
    }

    /// Marks the event as carried out, unless it was refused or came too early.
    pub(crate) fn processed(
        mut self,
        event: EventId,
        organization: OrganizationId,
        kind: &'static str,
        at: Timestamp,
    ) -> Self {
        if self.refusal.is_none() && !self.too_early {
            self.changes.insert(0, Change::Processed { event, organization, kind, at });
        }
        self
    }

    pub(crate) fn conversation(&mut self, conversation: Conversation) {
        self.changes.push(Change::Conversation(Box::new(conversation)));
    }

    pub(crate) fn message(&mut self, message: Message) {
        self.changes.push(Change::Message(Box::new(message)));
    }

    pub(crate) fn timer(&mut self, conversation: &Conversation, timer: Timer, due_at: Option<Timestamp>) {
        let thread = conversation.thread.clone();
        self.changes.push(Change::Timer { thread, conversation: conversation.id, timer, due_at });
    }
}
