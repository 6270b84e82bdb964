//! What is between a process and what it depends on: calls are slow, lost on the way there, or lost on the way back.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{dice::Dice, life::Life};

/// How bad it is, in thousandths of all calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Odds {
    /// Takes a while.
    pub slow: u64,
    /// Never arrives.
    pub lost: u64,
    /// Is carried out, and the caller does not hear of it.
    pub unheard: u64,
}

#[derive(Debug)]
struct State {
    dice: Dice,
    odds: Odds,
    /// Nothing gets through until then.
    away: Option<Instant>,
}

/// The way of one process to one dependency. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Air {
    state: Arc<Mutex<State>>,
    life: Life,
}

impl Air {
    /// Air that never moves, for the conformance suites and for whoever looks on.
    pub fn still() -> Self {
        Self::new(Dice::of(0, "still"), Odds::default())
    }

    /// Air that is as bad as `odds`.
    pub fn new(dice: Dice, odds: Odds) -> Self {
        Self { state: Arc::new(Mutex::new(State { dice, odds, away: None })), life: Life::default() }
    }

    /// The same way, for one life of the process: when it is over, nothing of it arrives any more.
    #[must_use]
    pub(crate) fn of(&self, life: &Life) -> Self {
        Self { state: Arc::clone(&self.state), life: life.clone() }
    }

    /// Whose way it is.
    pub(crate) const fn life(&self) -> &Life {
        &self.life
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing gets through for so long.
    pub fn cut(&self, pause: Duration) {
        self.state().away = Some(Instant::now() + pause);
    }

    /// From now on all is well.
    pub fn calm(&self) {
        let mut state = self.state();
        state.odds = Odds::default();
        state.away = None;
    }

    fn is_away(&self) -> bool {
        self.state().away.is_some_and(|until| Instant::now() < until)
    }

    /// Takes a while, now and then a long one.
    pub async fn rest(&self) {
        let pause = {
            let mut state = self.state();
            let State { dice, odds, .. } = &mut *state;
            dice.chance(odds.slow).then(|| if dice.chance(30) { dice.millis(500, 4_000) } else { dice.millis(1, 60) })
        };
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        self.life.goes_on();
    }

    fn falls(&self, odds: impl Fn(Odds) -> u64) -> bool {
        let mut state = self.state();
        let State { dice, odds: all, .. } = &mut *state;
        dice.chance(odds(*all))
    }

    /// The way there.
    ///
    /// # Errors
    /// It did not arrive.
    pub async fn there(&self) -> Result<(), String> {
        self.life.goes_on();
        if self.is_away() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            return Err("it is away".to_owned());
        }
        self.rest().await;
        if self.falls(|odds| odds.lost) { Err("the call was lost".to_owned()) } else { Ok(()) }
    }

    /// Whether the answer arrives.
    ///
    /// # Errors
    /// It was lost.
    pub fn hears(&self) -> Result<(), String> {
        if self.falls(|odds| odds.unheard) { Err("the answer was lost".to_owned()) } else { Ok(()) }
    }

    /// The way back.
    ///
    /// # Errors
    /// The answer was lost.
    pub async fn back(&self) -> Result<(), String> {
        self.rest().await;
        self.hears()
    }

    /// How much of `whole` a call that was not heard carried out.
    pub fn up_to(&self, whole: usize) -> usize {
        let end = u64::try_from(whole).unwrap_or(u64::MAX).saturating_add(1);
        usize::try_from(self.state().dice.below(end)).unwrap_or(whole)
    }
}
