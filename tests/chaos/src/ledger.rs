//! What was sent, accepted and heard, with times: the measure of everything else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::load::Channel;

/// The state of a reply that the desk did not take, since the gate refuses it: it is written nowhere.
const TURNED_AWAY: &str = "turned away";

/// One message of the load, by its words, which are unique: `<customer> <way> <number>`.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) channel: Channel,
    /// The first try.
    pub(crate) begun: Instant,
    /// When it was answered that it is taken.
    pub(crate) accepted: Option<Instant>,
    /// When the visitor's page showed it; other channels tell of that by the desk's state.
    pub(crate) arrived: Option<Instant>,
    /// When the desk showed it; for a reply, when it showed its end, and to a visitor it arrived.
    pub(crate) heard: Option<Instant>,
    /// What the desk called a reply's end.
    pub(crate) state: String,
    /// Why it failed, was parked or was turned away.
    pub(crate) code: String,
    /// Asked for while the desk showed that the customer had opted out: the gate must refuse it.
    pub(crate) barred: bool,
}

impl Entry {
    /// Whether the desk answered that the gate refuses it.
    pub(crate) fn was_turned_away(&self) -> bool {
        self.state == TURNED_AWAY
    }

    /// Whether the desk told the end of a reply, and it came where it is said to be.
    fn has_ended(&self) -> bool {
        match self.state.as_str() {
            "failed" | "parked" => true,
            // A page tells of what it shows once, without an answer: that may be lost.
            "accepted" | "delivered" | "read" if self.channel == Channel::Webchat => self.arrived.is_some(),
            "delivered" | "read" => true,
            // Telegram tells a bot of no receipts: what it has taken is all that is ever known.
            "accepted" => matches!(self.channel, Channel::Telegram | Channel::Polled),
            _ => false,
        }
    }
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// From the customer.
    In,
    /// From the desk.
    Out,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: Mutex<BTreeMap<(Way, String), Entry>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    noted: Mutex<BTreeMap<&'static str, BTreeSet<String>>>,
}

impl Ledger {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<(Way, String), Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is tried for the first time.
    pub(crate) fn begin(&self, way: Way, channel: Channel, words: &str) {
        let entry = Entry {
            channel,
            begun: Instant::now(),
            accepted: None,
            arrived: None,
            heard: None,
            state: String::new(),
            code: String::new(),
            barred: false,
        };
        self.entries().insert((way, words.to_owned()), entry);
    }

    /// Somebody answered for it.
    pub(crate) fn accepted(&self, way: Way, words: &str) {
        if let Some(entry) = self.entries().get_mut(&(way, words.to_owned())) {
            entry.accepted.get_or_insert_with(Instant::now);
        }
    }

    /// A reply that was begun must not pass the gate.
    pub(crate) fn bar(&self, words: &str) {
        if let Some(entry) = self.entries().get_mut(&(Way::Out, words.to_owned())) {
            entry.barred = true;
        }
    }

    /// The desk answered that the gate refuses a reply, and that is its end.
    pub(crate) fn turned_away(&self, words: &str, code: &str) {
        if let Some(entry) = self.entries().get_mut(&(Way::Out, words.to_owned())) {
            TURNED_AWAY.clone_into(&mut entry.state);
            code.clone_into(&mut entry.code);
            entry.heard.get_or_insert_with(Instant::now);
        }
    }

    /// It was refused for good, and is nobody's any more.
    pub(crate) fn refused(&self, way: Way, words: &str) {
        self.entries().remove(&(way, words.to_owned()));
    }

    /// The desk shows it; a reply with its state. Only the end of a reply counts as heard.
    pub(crate) fn heard(&self, way: Way, words: &str, state: &str, code: &str) {
        if let Some(entry) = self.entries().get_mut(&(way, words.to_owned())) {
            state.clone_into(&mut entry.state);
            code.clone_into(&mut entry.code);
            if way == Way::In || entry.has_ended() {
                entry.heard.get_or_insert_with(Instant::now);
            }
        }
    }

    /// A visitor's page shows a reply.
    pub(crate) fn arrived(&self, words: &str) {
        if let Some(entry) = self.entries().get_mut(&(Way::Out, words.to_owned())) {
            entry.arrived.get_or_insert_with(Instant::now);
            if entry.has_ended() {
                entry.heard.get_or_insert_with(Instant::now);
            }
        }
    }

    /// Whether the desk showed it; of a reply, its end.
    pub(crate) fn is_heard(&self, way: Way, words: &str) -> bool {
        self.entries().get(&(way, words.to_owned())).is_some_and(|one| one.heard.is_some())
    }

    /// Counts something that happened.
    pub(crate) fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes something of some kind, once.
    pub(crate) fn note_down(&self, kind: &'static str, what: String) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default().insert(what);
    }

    /// What was noted of some kind.
    pub(crate) fn noted(&self, kind: &str) -> Vec<String> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.get(kind).into_iter().flatten().cloned().collect()
    }

    /// All entries of one way.
    pub(crate) fn of(&self, way: Way) -> BTreeMap<String, Entry> {
        let entries = self.entries();
        entries
            .iter()
            .filter(|((found, _), _)| *found == way)
            .map(|((_, words), one)| (words.clone(), one.clone()))
            .collect()
    }

    /// Those that were begun before `until` and are not yet accepted and heard, as one may print them.
    pub(crate) fn open(&self, until: Instant) -> Vec<String> {
        let has_come = |one: &Entry| one.heard.is_some() && (one.accepted.is_some() || one.was_turned_away());
        let is_open = |one: &Entry| one.begun < until && !has_come(one);
        let taken = |one: &Entry| if one.accepted.is_some() { "accepted" } else { "not accepted" };
        let entries = self.entries();
        let open = entries.iter().filter(|(_, one)| is_open(one));
        open.map(|((_, words), one)| format!("{words} ({}, '{}')", taken(one), one.state)).collect()
    }

    /// The longest that a message of one way, begun in this time, was not heard after `mended`: what a person at the
    /// desk, or a customer, waited for nothing. None when there was none.
    pub(crate) fn longest(&self, way: Way, from: Instant, until: Instant, mended: Instant) -> Option<Duration> {
        let now = Instant::now();
        let entries = self.entries();
        let some = entries.iter().filter(|((found, _), one)| *found == way && one.begun >= from && one.begun < until);
        some.map(|(_, one)| one.heard.unwrap_or(now).saturating_duration_since(one.begun.max(mended))).max()
    }
}
