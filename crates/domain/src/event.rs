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

/// Changes of one organization whose numbers follow each other: what a commit tells the desk, in one message.
#[derive(Debug, Clone, PartialEq)]
pub struct DeskPage {
    /// The tenant.
    pub organization: OrganizationId,
    /// The number of the first change.
    pub first: u64,
    /// When, and what. At least one.
    pub changes: Vec<(Timestamp, DeskChange)>,
}

impl DeskPage {
    /// Pages of numbered events, in their order, with at most `most` changes in each.
    pub fn of(events: Vec<DeskEvent>, most: usize) -> Vec<Self> {
        let mut pages: Vec<Self> = Vec::new();
        for DeskEvent { organization, sequence, at, change } in events {
            let goes_on = |page: &&mut Self| {
                let next = page.first + page.changes.len() as u64;
                page.organization == organization && next == sequence && page.changes.len() < most
            };
            match pages.iter_mut().rev().find(|page| page.organization == organization).filter(goes_on) {
                Some(page) => page.changes.push((at, change)),
                None => pages.push(Self { organization, first: sequence, changes: vec![(at, change)] }),
            }
        }
        pages
    }

    /// Its changes as numbered events.
    pub fn events(self) -> impl Iterator<Item = DeskEvent> {
        let Self { organization, first, changes } = self;
        (first..).zip(changes).map(move |(sequence, (at, change))| DeskEvent { organization, sequence, at, change })
    }

    /// Two pages with half of its changes each; the first has the one in the middle.
    pub fn halves(mut self) -> (Self, Self) {
        let at = self.changes.len().div_ceil(2);
        let changes = self.changes.split_off(at);
        let behind = Self { organization: self.organization, first: self.first + at as u64, changes };
        (self, behind)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Presence, UserId};

    fn event(organization: &str, sequence: u64) -> DeskEvent {
        let organization = OrganizationId::derive(&[organization]);
        let seat = Seat {
            organization,
            user: UserId::derive(&[&sequence.to_string()]),
            presence: Presence::Online,
            load: 0,
            capacity: 1,
            last_assigned_at: Timestamp::default(),
            version: 1,
        };
        DeskEvent { organization, sequence, at: Timestamp::from_secs(1), change: DeskChange::Seat(seat) }
    }

    #[test]
    fn pages_give_back_each_organizations_events_in_order() {
        // Two organizations in one commit, and a hole.
        let events: Vec<_> = [("a", 1), ("b", 7), ("a", 2), ("b", 8), ("b", 9), ("a", 4), ("b", 10)]
            .into_iter()
            .map(|(organization, sequence)| event(organization, sequence))
            .collect();
        let pages = DeskPage::of(events.clone(), 3);
        let shape: Vec<_> = pages.iter().map(|page| (page.first, page.changes.len())).collect();
        assert_eq!(shape, [(1, 2), (7, 3), (4, 1), (10, 1)]);
        let again: Vec<_> = pages.into_iter().flat_map(DeskPage::events).collect();
        for organization in ["a", "b"].map(|name| OrganizationId::derive(&[name])) {
            let of = |all: &[DeskEvent]| -> Vec<_> {
                all.iter().filter(|event| event.organization == organization).cloned().collect()
            };
            assert_eq!(of(&again), of(&events));
        }
    }

    #[test]
    fn halves_make_up_the_page() {
        let events: Vec<_> = (5..10).map(|sequence| event("a", sequence)).collect();
        let halves: Vec<_> = DeskPage::of(events.clone(), 100).into_iter().map(DeskPage::halves).collect();
        let sizes: Vec<_> = halves.iter().map(|(front, behind)| (front.changes.len(), behind.changes.len())).collect();
        assert_eq!(sizes, [(3, 2)]);
        let both = halves.into_iter().flat_map(|(front, behind)| front.events().chain(behind.events()));
        assert_eq!(both.collect::<Vec<_>>(), events);
    }
}
