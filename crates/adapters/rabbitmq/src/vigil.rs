//! Whether a consumer that hears nothing should hear something: one that stopped silently looks like one with nothing
//! to do, and only the queue's own count tells them apart.

use std::time::Duration;

/// Between two looks.
const REST: Duration = Duration::from_secs(5);
/// Before the second look of one that is suspected.
const SECOND: Duration = Duration::from_secs(1);
/// How many looks one that stands by is suspected for: the active one elsewhere may just be slow.
const STANDING_BY: u32 = 4;

/// What was seen of one consumer.
#[derive(Debug, Default)]
pub(crate) struct Vigil {
    heard: bool,
    /// It has heard something, and the broker makes no other one active while it lives.
    active: bool,
    suspected: u32,
    ready: u64,
}

impl Vigil {
    /// A delivery came.
    pub(crate) const fn heard(&mut self) {
        (self.heard, self.active, self.suspected) = (true, true, 0);
    }

    /// When to look next.
    pub(crate) const fn rest(&self) -> Duration {
        if self.suspected > 0 && self.active { SECOND } else { REST }
    }

    /// Whether it was quiet since this was asked last, so that the queue is worth asking, or its answer of account.
    pub(crate) const fn is_quiet(&mut self, holds_nothing: bool) -> bool {
        let quiet = holds_nothing && !self.heard;
        self.heard = false;
        if !quiet {
            self.suspected = 0;
        }
        quiet
    }

    /// Whether it is deaf, when the queue of a quiet one has `ready` messages.
    pub(crate) const fn is_deaf(&mut self, ready: u64) -> bool {
        let falls = ready < self.ready;
        self.ready = ready;
        // Where another consumer is active, a count that falls says that it works.
        self.suspected = if ready == 0 || falls && !self.active { 0 } else { self.suspected + 1 };
        self.suspected >= if self.active { 2 } else { STANDING_BY }
    }

    /// Whether messages went past it, and not past another one.
    pub(crate) const fn is_active(&self) -> bool {
        self.active
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_active_one_is_deaf_at_the_second_look() {
        let mut vigil = Vigil::default();
        vigil.heard();
        assert!(!vigil.is_quiet(true), "it heard something since");
        assert!(vigil.is_quiet(true));
        assert!(!vigil.is_deaf(0));
        assert!(!vigil.is_deaf(7), "they may have come this moment");
        assert_eq!(vigil.rest(), SECOND);
        assert!(vigil.is_deaf(8));
    }

    #[test]
    fn one_that_is_busy_is_not_suspected() {
        let mut vigil = Vigil::default();
        vigil.heard();
        vigil.is_quiet(true);
        assert!(vigil.is_quiet(true) && !vigil.is_deaf(7));
        assert!(!vigil.is_quiet(false), "its prefetch is in hand");
        assert!(vigil.is_quiet(true) && !vigil.is_deaf(7));
        vigil.heard();
        assert_eq!(vigil.rest(), REST);
    }

    #[test]
    fn one_that_stands_by_waits_for_the_other_as_long_as_the_queue_falls() {
        let mut vigil = Vigil::default();
        for ready in [50, 40, 30, 20, 10, 5, 1] {
            assert!(vigil.is_quiet(true) && !vigil.is_deaf(ready));
        }
        let looks: Vec<bool> = (0..4).map(|_| vigil.is_deaf(9)).collect();
        assert_eq!(looks, [false, false, false, true]);
    }
}
