//! Pauses between tries: doubling, with jitter, up to a longest one.

use std::time::Duration;

/// The pauses of one series of tries.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    next: Duration,
    first: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, first, longest }
    }

    /// For broker and store while one is away. Short, since a message passes through several services, and each of them
    /// may just have begun its longest pause when the other is back.
    pub(crate) const fn while_away() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(1))
    }

    /// The next pause, between half and all of its nominal length, so that a crowd does not come back at once.
    pub(crate) fn pause(&mut self) -> Duration {
        let nominal = self.next.min(self.longest);
        self.next = (nominal * 2).min(self.longest);
        nominal.mul_f64(0.5 + rand::random::<f64>() / 2.0)
    }

    /// It worked: the next series starts small again.
    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }
}

/// The nominal pause after `tries` failed ones, without state.
pub(crate) fn after(tries: u32, first: Duration, longest: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(tries.min(20))).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let pauses: Vec<_> = (0..8).map(|_| backoff.pause()).collect();
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(1) && *pause >= Duration::from_millis(50)));
        assert!(pauses.iter().rev().take(3).all(|pause| *pause >= Duration::from_millis(500)));
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_millis(100));
        let mut away = Backoff::while_away();
        assert!((0..100).all(|_| away.pause() <= Duration::from_secs(1)));
        assert_eq!(after(3, Duration::from_secs(1), Duration::from_secs(60)), Duration::from_secs(8));
        assert_eq!(after(99, Duration::from_secs(1), Duration::from_secs(60)), Duration::from_secs(60));
    }
}
