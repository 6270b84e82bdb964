//! An event in the API's words, and who hears it. Done once for all pages of the process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use domain::{Conversation, ConversationId, DeskChange, DeskEvent, QueueId};
use ports::StoreError;
use serde::Serialize;

use super::feed::Feed;
use crate::{
    dto,
    names::Names,
    state::Desk,
    visibility::{Facts, Viewer},
};

/// More conversations than this and all are forgotten: they come back from the store.
const MOST: usize = 20_000;

/// Who sees which conversation, as of its newest version that was met.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<ConversationId, (u64, Facts)>>);

impl Known {
    fn learn(&self, conversation: &Conversation) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        let new = (conversation.version, Facts::from(conversation));
        let entry = known.entry(conversation.id).or_insert(new);
        if entry.0 <= new.0 {
            *entry = new;
        }
    }

    fn of(&self, id: ConversationId) -> Option<Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).map(|(_, facts)| *facts)
    }
}

/// Who hears an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// Everybody in the organization.
    All,
    /// Who sees the conversation, and who just gave it away.
    Conversation(ConversationId, Facts),
    /// Who sees the message's conversation; supervisors alone when it is not known.
    Message(Option<Facts>),
    /// Who supervises.
    Supervisors,
    /// Who serves the queue of the contact's account.
    Contact(Option<QueueId>),
}

/// An event ready to be sent.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) sequence: u64,
    /// `conversation`, `message`, `seat`, `contact`, `parked`.
    pub(super) kind: &'static str,
    /// The frame.
    pub(super) text: Utf8Bytes,
    audience: Audience,
}

/// A frame.
#[derive(Serialize)]
struct Frame<T> {
    sequence: u64,
    at: i64,
    #[serde(rename = "type")]
    kind: &'static str,
    data: T,
}

impl Live {
    pub(super) async fn of(desk: &Desk, feed: &Feed, event: &DeskEvent) -> Result<Self, StoreError> {
        let names = desk.book.of(event.organization).await?;
        let (kind, audience, text) = match &event.change {
            DeskChange::Conversation(conversation) => {
                feed.known.learn(conversation);
                let audience = Audience::Conversation(conversation.id, Facts::from(&**conversation));
                ("conversation", audience, frame(event, "conversation", desk.tell(conversation, &names).await))
            }
            DeskChange::Message(message) => {
                let audience = Audience::Message(facts(desk, feed, message.conversation).await?);
                ("message", audience, frame(event, "message", dto::Message::new(message, &names)))
            }
            DeskChange::Seat(seat) => ("seat", Audience::All, frame(event, "seat", dto::Seat::from(seat))),
            DeskChange::Contact(contact) => {
                desk.phones.learn(contact);
                let audience = Audience::Contact(queue_of(&names, contact.thread.account));
                ("contact", audience, frame(event, "contact", dto::SavedContact::from(&**contact)))
            }
            DeskChange::Parked(moved) => {
                ("parked", Audience::Supervisors, frame(event, "parked", dto::ParkedMoved::from(moved)))
            }
        };
        Ok(Self { sequence: event.sequence, kind, text, audience })
    }

    /// The conversation that this is about, and whether the viewer hears of it and has it in hand.
    pub(super) fn conversation(&self, viewer: &Viewer) -> Option<(ConversationId, bool, bool)> {
        match self.audience {
            Audience::Conversation(id, facts) => Some((id, viewer.hears(&facts), viewer.holds(&facts))),
            Audience::All | Audience::Message(_) | Audience::Contact(_) | Audience::Supervisors => None,
        }
    }

    pub(super) fn is_for(&self, viewer: &Viewer) -> bool {
        match self.audience {
            Audience::All => true,
            Audience::Supervisors => viewer.supervises(),
            Audience::Conversation(_, facts) => viewer.hears(&facts),
            Audience::Message(facts) => viewer.supervises() || facts.is_some_and(|facts| viewer.sees(&facts)),
            Audience::Contact(queue) => viewer.supervises() || queue.is_some_and(|queue| viewer.serves(queue)),
        }
    }
}

fn frame<T: Serialize>(event: &DeskEvent, kind: &'static str, data: T) -> Utf8Bytes {
    let frame = Frame { sequence: event.sequence, at: event.at.millis(), kind, data };
    // Strings, numbers and maps with string keys always become JSON.
    serde_json::to_string(&frame).unwrap_or_default().into()
}

async fn facts(desk: &Desk, feed: &Feed, id: ConversationId) -> Result<Option<Facts>, StoreError> {
    if let Some(facts) = feed.known.of(id) {
        return Ok(Some(facts));
    }
    let found = desk.env.views.conversation(feed.organization, id).await?;
    if let Some(conversation) = &found {
        feed.known.learn(conversation);
    }
    Ok(found.as_ref().map(Facts::from))
}

fn queue_of(names: &Names, account: domain::AccountId) -> Option<QueueId> {
    names.accounts.get(&account).map(|account| account.queue)
}
