//! What one account has in one partition's hands. Decides, and does nothing itself.
//!
//! Up to its share goes straight to the lanes. What comes beyond it is put on the account's shelf in the store, in order,
//! and acknowledged, except for the newest: that delivery stays unsettled as the *marker*, so that the broker brings it to
//! whoever is the partition's consumer next, who then knows that it is the shelf's turn. What is on the shelf comes before
//! whatever comes after the marker; what the broker brings again before the marker is older than all of the shelf.

use std::collections::{HashSet, VecDeque};

use domain::{AccountId, OrganizationId, Permitted};
use ports::{
    Put,
    bus::{Delivery, Envelope},
};

/// The most messages that go to the shelf at once.
const BATCH: usize = 64;

/// Whose messages are counted together. A permit that is not genuine may name any account: by organization too.
pub(super) type Holder = (OrganizationId, AccountId);

/// Where a message came from.
pub(super) enum Source {
    /// From the broker, which wants to know when it is done.
    Delivered(Delivery),
    /// From the shelf: its position there.
    Shelved(i64, Envelope),
}

/// A message on its way.
pub(super) struct Job {
    pub(super) source: Source,
    pub(super) permitted: Permitted,
}

impl Job {
    pub(super) const fn envelope(&self) -> &Envelope {
        match &self.source {
            Source::Delivered(delivery) => &delivery.envelope,
            Source::Shelved(_, envelope) => envelope,
        }
    }

    pub(super) fn holder(&self) -> Holder {
        let thread = &self.permitted.request.thread;
        (thread.organization, thread.account)
    }
}

/// A delivery that waits for its turn, and what it says.
struct Arrived {
    delivery: Delivery,
    permitted: Permitted,
}

impl Arrived {
    fn into_job(self) -> Job {
        Job { source: Source::Delivered(self.delivery), permitted: self.permitted }
    }
}

/// Something to ask of the store.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Whether this message lies on the shelf.
    Find(String),
    /// What lies there after a position, at most so many. As known, the newest lies at `newest`.
    Page { after: i64, limit: u32, newest: i64 },
    /// Put these behind what lies there, then take away what was carried out.
    Write { put: Vec<Envelope>, done: Vec<i64> },
}

/// What the store said.
pub(super) enum Answer {
    /// To [`Call::Find`].
    Found(bool),
    /// To [`Call::Page`]: the messages, and up to where nothing is left to read.
    Page { jobs: Vec<Job>, read: i64 },
    /// To [`Call::Write`]: what was put, and how many were taken away.
    Written { put: Option<Put>, removed: usize },
}

/// What follows.
#[derive(Default)]
pub(super) struct Steps {
    /// To the lanes, in this order.
    pub(super) run: Vec<Job>,
    /// To the store.
    pub(super) calls: Vec<Call>,
}

/// See the module.
pub(super) struct Holding {
    share: usize,
    /// Its messages in lanes, from the broker and from the shelf.
    in_lanes: usize,
    /// Ids of what was delivered, and is neither done nor on the shelf.
    in_hand: HashSet<String>,
    /// Delivered, in order, and neither in a lane nor on the shelf.
    arrived: VecDeque<Arrived>,
    /// On their way to the shelf, in order.
    putting: Vec<Delivery>,
    /// The newest that lies on the shelf; unsettled while anything lies there.
    marker: Option<Delivery>,
    /// The position of the newest on the shelf.
    newest: i64,
    /// Up to here what lay on the shelf was given to the lanes.
    read: i64,
    /// What was given and is not carried out.
    rows: usize,
    /// What was carried out and still lies there.
    done: Vec<i64>,
    /// Everything that is older than the shelf has come.
    met: bool,
    reading: bool,
    writing: bool,
    /// How many lie on the shelf.
    count: u64,
}

impl Holding {
    /// Of an account with an empty shelf.
    pub(super) fn new(share: usize) -> Self {
        Self {
            share,
            in_lanes: 0,
            in_hand: HashSet::new(),
            arrived: VecDeque::new(),
            putting: Vec::new(),
            marker: None,
            newest: 0,
            read: 0,
            rows: 0,
            done: Vec::new(),
            met: true,
            reading: false,
            writing: false,
            count: 0,
        }
    }

    /// Of an account on whose shelf a former consumer left something.
    pub(super) fn laden(share: usize, count: u64, newest: i64) -> Self {
        Self { newest, count, met: false, ..Self::new(share) }
    }

    /// How many messages lie on its shelf.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_idle(&self) -> bool {
        self.in_lanes == 0 && self.arrived.is_empty() && self.is_bare() && !self.reading
    }

    /// Whether nothing lies on the shelf, and nothing is on its way there.
    const fn is_bare(&self) -> bool {
        self.read >= self.newest && self.rows == 0 && self.done.is_empty() && !self.writing
    }

    /// A delivery came. One that was published twice has a twin in hand, which is not settled before it is done: on the
    /// shelf it would say of that one that it lies there, and have it wait for what is newer.
    pub(super) fn arrive(&mut self, delivery: Delivery, permitted: Permitted) {
        if self.in_hand.insert(delivery.envelope.id.clone()) {
            self.arrived.push_back(Arrived { delivery, permitted });
        } else {
            delivery.ack();
        }
    }

    /// The message with this id left its lane. `row`: it lay at this position.
    pub(super) fn finished(&mut self, id: &str, row: Option<i64>) {
        self.in_lanes = self.in_lanes.saturating_sub(1);
        if row.is_none() {
            self.in_hand.remove(id);
        }
        if let Some(position) = row {
            self.rows = self.rows.saturating_sub(1);
            self.done.push(position);
        }
    }

    /// What was carried out and can leave the shelf. The newest leaves last: the marker is known by its lying there.
    pub(super) fn take_done(&mut self) -> Vec<i64> {
        let all = self.read >= self.newest && self.rows == 0 && self.putting.is_empty() && !self.writing;
        let newest = self.newest;
        let (kept, gone) = std::mem::take(&mut self.done).into_iter().partition(|row| *row == newest && !all);
        self.done = kept;
        gone
    }

    /// The store has answered. What may go to the lanes now.
    pub(super) fn answered(&mut self, answer: Answer) -> Vec<Job> {
        match answer {
            Answer::Found(found) => {
                self.reading = false;
                let Some(front) = self.arrived.pop_front() else { return Vec::new() };
                if !found {
                    // Older than the shelf, and the former consumer had it in hand: its share does not count here.
                    self.in_lanes += 1;
                    return vec![front.into_job()];
                }
                self.met = true;
                let id = front.delivery.envelope.id.clone();
                self.mark(front.delivery, &id);
                Vec::new()
            }
            Answer::Page { jobs, read } => {
                self.reading = false;
                self.read = self.read.max(read);
                self.in_lanes += jobs.len();
                self.rows += jobs.len();
                jobs
            }
            Answer::Written { put, removed } => {
                self.writing = false;
                self.count = self.count.saturating_sub(removed as u64);
                if let Some(put) = put {
                    self.newest = self.newest.max(put.last);
                    self.count += put.added;
                    for delivery in std::mem::take(&mut self.putting) {
                        self.mark(delivery, &put.newest);
                    }
                }
                Vec::new()
            }
        }
    }

    /// The delivery lies on the shelf. The marker is the one of the newest there, or the best that there is.
    fn mark(&mut self, delivery: Delivery, newest: &str) {
        self.in_hand.remove(&delivery.envelope.id);
        if delivery.envelope.id == newest || self.marker.is_none() {
            if let Some(former) = self.marker.replace(delivery) {
                former.ack();
            }
        } else {
            delivery.ack();
        }
    }

    /// What can be done now.
    pub(super) fn advance(&mut self) -> Steps {
        let mut steps = Steps::default();
        if self.is_bare() {
            if let Some(marker) = self.marker.take() {
                marker.ack();
            }
            (self.met, self.count) = (true, 0);
            while self.in_lanes < self.share
                && let Some(next) = self.arrived.pop_front()
            {
                self.in_lanes += 1;
                steps.run.push(next.into_job());
            }
        }
        while !self.met
            && let Some(front) = self.arrived.front()
        {
            // What was never delivered before is newer than anything that was: the marker must have come before it, or
            // is lost, and the shelf's turn has come all the same.
            if front.delivery.attempt > 1 {
                if !self.reading {
                    self.reading = true;
                    steps.calls.push(Call::Find(front.delivery.envelope.id.clone()));
                }
                break;
            }
            self.met = true;
        }
        if self.met {
            steps.calls.extend(self.page());
            steps.calls.extend(self.write());
        }
        steps
    }

    /// The next of the shelf, when there is room for it.
    fn page(&mut self) -> Option<Call> {
        let room = self.share.saturating_sub(self.in_lanes);
        if self.reading || self.read >= self.newest || room == 0 {
            return None;
        }
        self.reading = true;
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        Some(Call::Page { after: self.read, limit, newest: self.newest })
    }

    /// What has no room goes to the shelf, what was carried out leaves it.
    fn write(&mut self) -> Option<Call> {
        if self.writing {
            return None;
        }
        let batch = self.arrived.len().min(BATCH);
        self.putting = self.arrived.drain(..batch).map(|one| one.delivery).collect();
        let put: Vec<_> = self.putting.iter().map(|delivery| delivery.envelope.clone()).collect();
        let done = self.take_done();
        self.writing = !put.is_empty() || !done.is_empty();
        self.writing.then_some(Call::Write { put, done })
    }
}

#[cfg(test)]
mod tests;
