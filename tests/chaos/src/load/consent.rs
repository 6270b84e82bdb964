//! Customers who take their agreement back in the middle of everything, are written to all the same, and agree again.
//!
//! The word must be all that the message says, or it is none to the gate. So what numbers the message is written as
//! punctuation behind it, which the gate takes no notice of.

use crate::ledger::{Ledger, Way};

/// How often agents write to a customer whose opt-out the desk shows.
const TRIES: usize = 4;
/// The message by which a customer opts out for the first time, and how many come between an opt-in and the next opt-out.
const PEACE: u32 = 12;
/// Taken for an opt-out by every channel with such words (`crates/sessions/src/words.rs`).
const STOP: &str = "STOP";
/// Takes it back.
const START: &str = "START";
/// What the digits are written as.
const MARKS: [char; 10] = ['.', '!', '?', '*', '-', '_', '+', '=', '~', ':'];
/// How many digits the customer's number has, and the message's.
const DIGITS: (usize, usize) = (4, 6);

/// Where a customer stands who opts out now and then.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// The opt-out that counts, as the ledger knows it.
    refusal: Option<String>,
    /// The replies that were asked for since the desk shows it.
    barred: Vec<String>,
    /// The message from which on they may opt out.
    not_before: u32,
}

impl Standing {
    /// What is written as the message `n` of the customer with this number, `words` in the ledger. Asked once for each.
    pub(super) fn writes(&mut self, ledger: &Ledger, number: u32, n: u32, words: String) -> String {
        if self.refusal.is_some() {
            // Who agrees again before all that is barred has ended would let it pass.
            let tried = self.barred.len() >= TRIES && self.barred.iter().all(|one| ledger.is_heard(Way::Out, one));
            if !tried {
                return words;
            }
            *self = Self { not_before: n + PEACE, ..Self::default() };
            return spoken(START, number, n);
        }
        if n < self.not_before.max(PEACE / 2) {
            return words;
        }
        ledger.count("opt-outs");
        self.refusal = Some(words);
        spoken(STOP, number, n)
    }

    /// Whether the reply `words` is to be asked for, and whether it is barred; None when there were tries enough.
    pub(super) fn asks(&mut self, ledger: &Ledger, words: &str) -> Option<bool> {
        let shown = self.refusal.as_ref().is_some_and(|stop| ledger.is_heard(Way::In, stop));
        if !shown {
            return Some(false);
        }
        if self.barred.len() >= TRIES {
            return None;
        }
        self.barred.push(words.to_owned());
        Some(true)
    }
}

/// A word on consent, with the numbers behind it.
fn spoken(word: &str, number: u32, n: u32) -> String {
    let (first, second) = DIGITS;
    let digits = format!("{number:0first$}{n:0second$}");
    let marks = digits.chars().filter_map(|digit| MARKS.get(usize::try_from(digit.to_digit(10)?).ok()?));
    format!("{word} {}", marks.collect::<String>())
}

/// Whose word on consent a text is, by number, and which message of theirs; None for other texts.
pub(super) fn understood(text: &str) -> Option<(u32, u32)> {
    let marks = text.strip_prefix(STOP).or_else(|| text.strip_prefix(START))?.strip_prefix(' ')?;
    let digit = |mark| u32::try_from(MARKS.iter().position(|known| *known == mark)?).ok();
    let digits: String = marks.chars().map(|mark| char::from_digit(digit(mark)?, 10)).collect::<Option<String>>()?;
    if digits.len() != DIGITS.0 + DIGITS.1 {
        return None;
    }
    let (number, n) = digits.split_at_checked(DIGITS.0)?;
    Some((number.parse().ok()?, n.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Channel;

    #[test]
    fn a_word_on_consent_tells_whose_it_is_and_which() {
        for (number, n) in [(0, 0), (4, 123_456), (9_871, 50)] {
            assert_eq!(understood(&spoken(STOP, number, n)), Some((number, n)));
            assert_eq!(understood(&spoken(START, number, n)), Some((number, n)));
        }
        for other in ["STOP", "STOP it", "STOP ...", "START ..........!", "bom dia", "5511900000004 i 000012"] {
            assert_eq!(understood(other), None, "{other}");
        }
    }

    #[test]
    fn who_opted_out_agrees_again_only_once_all_that_is_barred_has_ended() {
        let (ledger, mut standing) = (Ledger::default(), Standing::default());
        let write = |standing: &mut Standing, n: u32| standing.writes(&ledger, 3, n, format!("in {n}"));
        let stop = PEACE / 2;
        assert_eq!(write(&mut standing, 0), "in 0");
        assert!(write(&mut standing, stop).starts_with("STOP"));
        ledger.begin(Way::In, Channel::Whatsapp, &format!("in {stop}"));
        assert_eq!(standing.asks(&ledger, "early"), Some(false), "the desk does not show it yet");
        ledger.heard(Way::In, &format!("in {stop}"), "", "");
        for n in 0..TRIES {
            ledger.begin(Way::Out, Channel::Whatsapp, &format!("out {n}"));
            assert_eq!(standing.asks(&ledger, &format!("out {n}")), Some(true));
            assert_eq!(write(&mut standing, 20), "in 20", "{n} are still open");
        }
        assert_eq!(standing.asks(&ledger, "one more"), None);
        for n in 0..TRIES {
            assert_eq!(write(&mut standing, 30), "in 30", "{n} have ended");
            ledger.turned_away(&format!("out {n}"), "opted_out");
        }
        assert!(write(&mut standing, 40).starts_with("START"));
        assert_eq!(standing.asks(&ledger, "after"), Some(false));
        assert_eq!(write(&mut standing, 41), "in 41");
        assert!(write(&mut standing, 40 + PEACE).starts_with("STOP"));
    }
}
