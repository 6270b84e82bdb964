//! The API's own words: what goes over HTTP, described for OpenAPI, made from `domain`.
//!
//! Nothing of `domain` is serialized by itself, so a new field there cannot leak here.

mod content;
mod conversation;
mod message;
mod parked;
mod people;
mod template;

pub(crate) use content::{Card, Content, Draft, MediaDraft, MediaKind};
pub(crate) use conversation::{Conversation, ConversationList, CountItem};
pub(crate) use message::{Message, MessageList, SavedContact};
pub(crate) use parked::{
    BodyForm, Decision, ParkedBody, ParkedCause, ParkedCauses, ParkedDetail, ParkedItem, ParkedList, ParkedMoved,
    Redriven,
};
pub(crate) use people::{Account, Agent, AgentList, Language, Me, Presence, Queue, Seat, User};
pub(crate) use template::TemplateList;

use serde::Serialize;
use utoipa::ToSchema;

/// A thing with its name; the name is empty when it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Named {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
}

impl Named {
    pub(crate) fn new(id: impl ToString, name: impl Into<String>) -> Self {
        Self { id: id.to_string(), name: name.into() }
    }
}
