//! What a provider has ready for whoever asks. It forgets an update once it is asked for those after it, which is how it
//! learns that it was taken.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::ParkedId;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::record::{Accepted, Known};

/// The most updates of an answer.
const PAGE: usize = 4;
/// How long it waits for something to answer.
const WAIT: Duration = Duration::from_secs(9);

/// What the outside knows once an update was taken.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// That this was accepted.
    Told(Accepted),
    /// That something without sense was.
    Garbage(ParkedId),
}

#[derive(Debug)]
struct Update {
    number: u64,
    told: Value,
    kept: Kept,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    waiting: VecDeque<Update>,
}

/// The updates of one provider.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    state: Mutex<State>,
    came: Notify,
}

impl Updates {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `told` ready.
    pub(crate) fn offer(&self, told: Value, kept: Kept) {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        state.waiting.push_back(Update { number, told, kept });
        drop(state);
        self.came.notify_waiters();
    }

    /// How many nobody has taken.
    pub(crate) fn kept(&self) -> usize {
        self.state().waiting.len()
    }

    /// Forgets what whoever asks for those after `number` has taken.
    pub(crate) fn forget(&self, number: u64, known: &mut Known) {
        let mut state = self.state();
        while state.waiting.front().is_some_and(|update| update.number <= number) {
            match state.waiting.pop_front().map(|update| update.kept) {
                Some(Kept::Told(accepted)) => known.accepted.push(accepted),
                Some(Kept::Garbage(id)) => known.garbage.push(id),
                None => {}
            }
        }
    }

    fn after(&self, number: u64) -> Vec<Value> {
        let state = self.state();
        let later = state.waiting.iter().filter(|update| update.number > number).take(PAGE);
        later.map(|update| json!({ "number": update.number, "told": update.told })).collect()
    }

    /// The next ones after `number`; none when there are none for a while.
    pub(crate) async fn page(&self, number: u64) -> Vec<Value> {
        let wait = tokio::time::sleep(WAIT);
        tokio::pin!(wait);
        loop {
            let mut came = std::pin::pin!(self.came.notified());
            came.as_mut().enable();
            let page = self.after(number);
            if !page.is_empty() {
                return page;
            }
            tokio::select! {
                () = came => {}
                () = &mut wait => return page,
            }
        }
    }
}
