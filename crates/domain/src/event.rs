//! What the desk hears: changes in an organization, numbered, so that a page resumes where it was.

use serde::{Deserialize, Serialize};

use crate::{Contact, Conversation, Message, OrganizationId, ParkedMoved, Seat, Timestamp};

/// A change with its place in the organization's order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeskEvent {
    /// The tenant.
    pub organization: OrganizationId,
    /// Its number: grows by one for each event of the organization; the cursor of a page. Zero before the commit.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub change: DeskChange,
}

/// The changes. Each carries the thing as it is now, or its id, so applying one twice is harmless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum DeskChange {
    /// A conversation was opened or is no longer as it was.
    Conversation(Box<Conversation>),
    /// A message was added or is no longer as it was.
    Message(Box<Message>),
    /// An agent came, paused, left, or has another load.
    Seat(Seat),
    /// A contact was saved.
    Contact(Box<Contact>),
    /// Messages were parked, or are parked no longer. Which board that leaves, a page reads anew.
    Parked(ParkedMoved),
}
