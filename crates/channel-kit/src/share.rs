//! Who is refused while more waits at the routers than they work off in a moment. Pure: it is told what was accepted,
//! how much waits, and what time it is.
//!
//! A partition has something of every account, so what one account adds to the queues all others wait behind. The
//! routers cannot take turns with what is in a queue in order already: whose turn it is, is decided at the door. The rule:
//!
//! - Up to the limit everything is accepted, and an account with less than [`FLOOR`] always is.
//! - At the limit no account may have more than half of what is accepted, at twice the limit no more than a quarter, and
//!   so on, but always as much as an equal share among the accounts that wrote lately.
//! - At [`UTMOST`] limits even an account that is alone may have no more than the floor.
//!
//! Why not an equal share at once: it counts those too who write once in a while. Among a hundred of them an account
//! with the business of an ordinary day is far above it, and would be refused for another's flood; and as what is refused
//! is not accepted, the share would sink with it. A part of the whole comes to rest where the flood is no larger than
//! all others together, and does not reach those. Several noisy accounts are below half each; they are reached as more
//! waits.
//!
//! An account that is alone has nobody whom it slows. While the broker or the routers were away it has made a long
//! backlog by doing nothing wrong, and its customers are not turned away for it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::AccountId;
use tokio::time::Instant;

/// Messages per second, on average over [`WINDOW`] and in one replica, below which an account is never refused. A router
/// on two cores works off thousands, and no contact centre writes so much: whoever is above it sends by machine.
const FLOOR: f64 = 50.0;
/// Over how long it is averaged: what was accepted this long ago counts for e⁻¹ (0.37) of what is accepted now. Ten
/// times the floor at once is no noise yet: a provider that was away brings what it kept.
const WINDOW: Duration = Duration::from_secs(10);
/// Who was heard this long ago still has a share: those who write seldom are those who must not wait.
const ACTIVE: Duration = Duration::from_secs(10 * 60);
/// The part of all that is accepted which one account may have at the limit.
const HALF: f64 = 0.5;
/// Shares go up and down by chance, and whoever has an equal one is not to be refused half of the time.
const SLACK: f64 = 1.1;
/// How many limits even an account that is alone may not pass. A million messages were worked off by one router with
/// nothing lost (docs/performance.md), so this is twice that by the default limit: it is the broker's disk that it saves.
const UTMOST: u64 = 100;

/// A count that fades.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fading {
    count: f64,
    at: Instant,
}

impl Fading {
    /// Nothing yet.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { count: 0.0, at: now }
    }

    /// What is left of it, when `window` leaves e⁻¹.
    pub(crate) fn left(&self, now: Instant, window: Duration) -> f64 {
        let age = now.saturating_duration_since(self.at);
        self.count * (-age.as_secs_f64() / window.as_secs_f64()).exp()
    }

    /// Adds to it; always with the same `window`.
    pub(crate) fn add(&mut self, more: f64, now: Instant, window: Duration) {
        self.count = self.left(now, window) + more;
        self.at = now.max(self.at);
    }
}

/// What each account had accepted lately.
struct Book {
    accounts: HashMap<AccountId, Fading>,
    /// The sum: fading is the same for all of them, so it needs no adding up.
    all: Fading,
}

/// The accounts of one channel in one replica.
pub(crate) struct Shares {
    limit: u64,
    book: Mutex<Book>,
}

/// A number of messages, to be set in proportion to others.
pub(crate) fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

impl Shares {
    /// With this many messages waiting accounts are looked at; never when it is 0.
    pub(crate) fn new(limit: u64, now: Instant) -> Self {
        Self { limit, book: Mutex::new(Book { accounts: HashMap::new(), all: Fading::new(now) }) }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many messages of `account` were accepted.
    pub(crate) fn accepted(&self, account: AccountId, messages: u64, now: Instant) {
        let messages = number(messages);
        let mut book = self.book();
        book.all.add(messages, now, WINDOW);
        book.accounts.entry(account).or_insert(Fading::new(now)).add(messages, now, WINDOW);
    }

    /// Forgets who has not been heard for long, and answers whether anybody is above the floor: if nobody is, nobody is
    /// refused, however much waits.
    pub(crate) fn is_anyone_loud(&self, now: Instant) -> bool {
        let mut book = self.book();
        book.accounts.retain(|_, lately| now.saturating_duration_since(lately.at) < ACTIVE);
        self.limit > 0 && book.accounts.values().any(|lately| is_loud(lately.left(now, WINDOW)))
    }

    /// Whether so many messages are more than the routers work off in a moment.
    pub(crate) const fn is_too_much(&self, waiting: u64) -> bool {
        self.limit > 0 && waiting > self.limit
    }

    /// Whether to accept more of `account` while so many messages wait.
    pub(crate) fn admits(&self, account: AccountId, waiting: u64, now: Instant) -> bool {
        if !self.is_too_much(waiting) {
            return true;
        }
        let book = self.book();
        let Some(own) = book.accounts.get(&account).map(|lately| lately.left(now, WINDOW)) else { return true };
        if !is_loud(own) {
            return true;
        }
        if waiting > self.limit.saturating_mul(UTMOST) {
            return false;
        }
        let equal = 1.0 / number(book.accounts.len() as u64);
        let part = HALF * number(self.limit) / number(waiting);
        own <= book.all.left(now, WINDOW) * part.max(equal) * SLACK
    }
}

fn is_loud(lately: f64) -> bool {
    lately > FLOOR * WINDOW.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 20_000;
    const SECOND: Duration = Duration::from_secs(1);

    fn account(name: &str) -> AccountId {
        AccountId::derive(&[name])
    }

    /// What accounts want to have accepted, each second, and what becomes of it.
    struct Town {
        shares: Shares,
        now: Instant,
    }

    impl Town {
        fn new() -> Self {
            let now = Instant::now();
            Self { shares: Shares::new(LIMIT, now), now }
        }

        /// So many seconds with so much waiting; answers how many messages of each account were accepted in a second.
        fn goes_on(&mut self, seconds: u64, waiting: u64, wanted: &[(&str, u64)]) -> Vec<u64> {
            let mut accepted = vec![0; wanted.len()];
            // In small steps, as calls come.
            for _ in 0..seconds * 20 {
                self.now += SECOND / 20;
                for ((name, each_second), count) in wanted.iter().zip(&mut accepted) {
                    if self.shares.admits(account(name), waiting, self.now) {
                        self.shares.accepted(account(name), each_second / 20, self.now);
                        *count += each_second / 20;
                    }
                }
            }
            accepted.iter().map(|count| count / seconds).collect()
        }

        fn admits(&self, name: &str, waiting: u64) -> bool {
            self.shares.admits(account(name), waiting, self.now)
        }
    }

    #[test]
    fn up_to_the_limit_everybody_is_accepted() {
        let mut town = Town::new();
        assert_eq!(town.goes_on(20, LIMIT, &[("noisy", 10_000), ("quiet", 20)]), [10_000, 20]);
    }

    #[test]
    fn beyond_the_limit_the_noisy_one_is_refused_and_others_are_not() {
        let mut town = Town::new();
        let wanted = [("noisy", 10_000), ("busy", 100), ("quiet", 20)];
        town.goes_on(5, 0, &wanted);
        assert_eq!(town.goes_on(1, LIMIT * 2, &wanted), [0, 100, 20]);
        // It comes to rest well below what routers work off, and above nothing.
        town.goes_on(100, LIMIT + 1, &wanted);
        let [noisy, busy, quiet] = town.goes_on(100, LIMIT + 1, &wanted)[..] else { panic!("three of them") };
        assert!((1..=500).contains(&noisy), "{noisy}");
        assert_eq!((busy, quiet), (100, 20));
        assert_eq!(town.goes_on(1, LIMIT, &wanted), [10_000, 100, 20], "the backlog has sunk");
    }

    #[test]
    fn those_who_write_seldom_are_no_reason_to_refuse_who_is_busy() {
        let mut town = Town::new();
        let names: Vec<String> = (0..200).map(|n| format!("seldom {n}")).collect();
        let seldom: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 20)).collect();
        town.goes_on(1, 0, &seldom);
        let wanted = [("noisy", 10_000), ("busy", 100), ("busy too", 80), ("busier", 120)];
        for _ in 0..100 {
            let accepted = town.goes_on(1, LIMIT * 6 / 5, &wanted);
            assert_eq!(accepted[1..], [100, 80, 120]);
        }
    }

    #[test]
    fn an_account_that_wrote_minutes_ago_still_has_its_share() {
        let mut town = Town::new();
        town.goes_on(1, 0, &[("quiet", 20)]);
        town.goes_on(300, 0, &[("noisy", 10_000)]);
        assert!(!town.admits("noisy", LIMIT * 3 / 2));
        assert!(town.admits("quiet", LIMIT * 3 / 2));
        town.goes_on(400, 0, &[("noisy", 10_000)]);
        assert!(town.shares.is_anyone_loud(town.now), "and the quiet one is forgotten");
        assert!(town.admits("noisy", LIMIT * 3 / 2));
    }

    #[test]
    fn one_that_is_alone_may_have_a_long_backlog_and_not_an_endless_one() {
        let mut town = Town::new();
        let wanted = [("alone", 10_000)];
        assert_eq!(town.goes_on(60, LIMIT * UTMOST, &wanted), [10_000]);
        assert_eq!(town.goes_on(1, LIMIT * UTMOST + 1, &wanted), [0]);
        let wanted = [("alone", 1_000)];
        town.goes_on(60, LIMIT * UTMOST + 1, &wanted);
        let accepted = town.goes_on(60, LIMIT * UTMOST + 1, &wanted);
        assert!((1..=100).contains(&accepted[0]), "the floor is left: {accepted:?}");
    }

    #[test]
    fn several_noisy_ones_are_refused_when_more_waits() {
        let mut town = Town::new();
        let wanted = [("one", 3_000), ("two", 3_000), ("three", 3_000), ("quiet", 20)];
        town.goes_on(10, 0, &wanted);
        assert!(town.admits("one", LIMIT * 5 / 4), "a third is less than half");
        for name in ["one", "two", "three"] {
            assert!(!town.admits(name, LIMIT * 5 / 2), "{name}");
        }
        assert!(town.admits("quiet", LIMIT * 5 / 2));
    }

    #[test]
    fn equals_do_not_refuse_each_other() {
        let mut town = Town::new();
        let wanted = [("one", 500), ("two", 500), ("three", 500)];
        town.goes_on(10, 0, &wanted);
        assert_eq!(town.goes_on(60, LIMIT * 50, &wanted), [500, 500, 500]);
    }

    #[test]
    fn nobody_is_refused_below_the_floor_or_without_a_limit() {
        let mut town = Town::new();
        let wanted = [("small", 40), ("smaller", 20)];
        assert_eq!(town.goes_on(60, LIMIT * 1_000, &wanted), [40, 20]);
        assert!(!town.shares.is_anyone_loud(town.now));
        town.goes_on(10, 0, &[("noisy", 10_000)]);
        assert!(town.shares.is_anyone_loud(town.now));
        town.shares.limit = 0;
        assert!(!town.shares.is_anyone_loud(town.now), "nobody needs to look");
        assert_eq!(town.goes_on(10, LIMIT * 1_000, &[("noisy", 10_000)]), [10_000]);
    }
}
