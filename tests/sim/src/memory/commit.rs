//! The commit: everything is compared before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Conversation, DeskEvent, Message, Outcome, Seat, Thread, invariants};
use ports::journal::{Commit, CommitError, Reopened, TimerChange};

use super::tables::{Tables, Timer};

fn conflict(what: &str) -> CommitError {
    CommitError::Conflict(what.to_owned())
}

fn check(holds: bool, otherwise: &str) -> Result<(), CommitError> {
    if holds { Ok(()) } else { Err(conflict(otherwise)) }
}

impl Tables {
    pub(super) fn commit(&mut self, commit: &Commit) -> Result<Vec<DeskEvent>, CommitError> {
        self.compare(commit)?;
        self.watch(commit);
        self.write(commit);
        Ok(commit.events.iter().map(|event| self.number(event)).collect())
    }

    fn compare(&self, commit: &Commit) -> Result<(), CommitError> {
        let marks: BTreeSet<_> = commit.processed.iter().map(|mark| mark.event).collect();
        let fresh = marks.len() == commit.processed.len() && !marks.iter().any(|id| self.processed.contains_key(id));
        check(fresh, "an event was already carried out")?;
        for one in &commit.conversations {
            let known = self.conversations.get(&one.id);
            let same = known.is_none_or(|known| known.organization() == one.organization());
            check(same && known.map_or(0, |known| known.version) == one.version, "a conversation moved on")?;
        }
        check(self.one_open_for_each_thread(commit), "a thread has an open conversation")?;
        for one in &commit.messages {
            let known = self.messages.get(&one.id);
            let same = known.is_none_or(|known| known.organization == one.organization);
            check(same && known.map_or(0, |known| known.version) == one.version, "a message moved on")?;
            let holder = self.places.get(&(one.conversation, one.sequence));
            check(holder.is_none_or(|holder| *holder == one.id), "a place is taken")?;
        }
        for one in &commit.contacts {
            let known = self.contacts.get(&one.id);
            let same = known.is_none_or(|known| known.thread.organization == one.thread.organization);
            check(same && known.map_or(0, |known| known.version) == one.version, "a contact moved on")?;
        }
        for one in &commit.seats {
            let known = self.seats.get(&(one.organization, one.user)).map_or(0, |known| known.version);
            check(known == one.version, "a seat moved on")?;
        }
        let free = commit.decided.iter().all(|(decision, version)| self.may_decide(decision, *version));
        check(free, "a parked message moved on")?;
        Ok(())
    }

    fn one_open_for_each_thread(&self, commit: &Commit) -> bool {
        let mut open: BTreeMap<&Thread, usize> = BTreeMap::new();
        for one in commit.conversations.iter().filter(|one| one.is_open()) {
            *open.entry(&one.thread).or_default() += 1;
        }
        let moved: BTreeSet<_> = commit.conversations.iter().map(|one| one.id).collect();
        let mut others = self.conversations.values().filter(|known| known.is_open() && !moved.contains(&known.id));
        open.values().all(|count| *count == 1) && !others.any(|known| open.contains_key(&known.thread))
    }

    /// The predicates of the invariants on what is about to be written; production counts the same.
    fn watch(&mut self, commit: &Commit) {
        let mut broken = Vec::new();
        for one in commit.conversations.iter().filter(|one| !invariants::owned_once(one)) {
            broken.push(format!("owned once: {} is {:?} with agent {:?}", one.id, one.stage, one.agent));
        }
        for after in &commit.seats {
            let before = self.seats.get(&(after.organization, after.user));
            if before.is_some_and(|before| !invariants::within_capacity(before, after)) {
                broken.push(format!("owned once: {} has {} of {}", after.user, after.load, after.capacity));
            }
        }
        for after in &commit.messages {
            let before = self.messages.get(&after.id).and_then(|before| before.delivery.as_ref());
            if let (Some(before), Some(after_it)) = (before, &after.delivery)
                && !invariants::parts_forward(before, after_it)
            {
                broken.push(format!("ordered: {} went back from {before:?} to {after_it:?}", after.id));
            }
        }
        self.broken.extend(broken);
    }

    fn write(&mut self, commit: &Commit) {
        self.processed.extend(commit.processed.iter().map(|mark| (mark.event, mark.clone())));
        for one in &commit.conversations {
            self.conversations.insert(one.id, Conversation { version: one.version + 1, ..one.clone() });
        }
        for one in &commit.messages {
            self.places.insert((one.conversation, one.sequence), one.id);
            self.messages.insert(one.id, Message { version: one.version + 1, ..one.clone() });
        }
        for one in &commit.contacts {
            self.contacts.insert(one.id, domain::Contact { version: one.version + 1, ..one.clone() });
        }
        for one in &commit.seats {
            let key = (one.organization, one.user);
            self.seats.insert(key, Seat { version: one.version + 1, ..one.clone() });
        }
        for one in &commit.provider_ids {
            self.provider_ids.entry((one.account, one.id.clone())).or_insert_with(|| one.clone());
        }
        for one in &commit.hold {
            self.held.entry(one.event).or_insert_with(|| one.clone());
        }
        self.held.retain(|event, _| !commit.release.contains(event));
        commit.timers.iter().for_each(|change| self.set(change));
        commit.decided.iter().for_each(|(decision, _)| self.decide(decision));
        self.settle(&commit.settled);
        for Reopened { message, failed } in &commit.reopened {
            self.attempts.retain(|(of, part), attempt| {
                let arrived = matches!(attempt.outcome, Some(Outcome::Accepted { .. })) && !failed.contains(part);
                of != message || arrived
            });
        }
        self.park(&commit.parked);
        self.heard.extend(commit.heard.iter().cloned());
        for outgoing in &commit.outbox {
            self.last_outgoing += 1;
            self.outbox.insert(self.last_outgoing, outgoing.clone());
        }
    }

    fn set(&mut self, change: &TimerChange) {
        let key = (change.conversation, change.kind);
        match change.due_at {
            Some(due_at) => {
                let TimerChange { organization, partition, .. } = *change;
                self.timers.insert(key, Timer { organization, partition, due_at });
            }
            None => {
                self.timers.remove(&key);
            }
        }
    }

    fn number(&mut self, event: &DeskEvent) -> DeskEvent {
        let last = self.last_event.entry(event.organization).or_default();
        *last += 1;
        let numbered = DeskEvent { sequence: *last, ..event.clone() };
        self.events.entry(event.organization).or_default().push(numbered.clone());
        numbered
    }
}
