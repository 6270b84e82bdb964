//! Who writes, and by which channel.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::{
    consent::{self, Standing},
    page::Page,
};
use crate::ledger::{Ledger, Way};

/// How a customer's messages come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Channel {
    /// Webhooks of WhatsApp's provider.
    Whatsapp,
    /// Webhooks of Telegram.
    Telegram,
    /// Telegram as well, by an account that is polled.
    Polled,
    /// The widget's WebSocket.
    Webchat,
}

/// The channels of each so many customers.
const SHARE: [Channel; 8] = [
    Channel::Whatsapp,
    Channel::Webchat,
    Channel::Whatsapp,
    Channel::Telegram,
    Channel::Whatsapp,
    Channel::Webchat,
    Channel::Whatsapp,
    Channel::Polled,
];

/// Of so many customers...
const CROWD: u32 = 16;
/// ...these opt out now and then: one by WhatsApp and one by Telegram. The widget knows no such words.
const OPT_OUT: [u32; 2] = [4, 11];

/// One of those who write.
pub(crate) struct Customer {
    pub(crate) channel: Channel,
    /// What each of their messages begins with, and nobody else's.
    pub(crate) name: String,
    number: u32,
    standing: Mutex<Standing>,
    /// Unset while a visitor of the website was not yet welcomed.
    address: OnceLock<String>,
    page: Mutex<Page>,
}

impl Customer {
    /// The customers `0..count`.
    pub(crate) fn all(count: u32) -> Vec<Arc<Self>> {
        SHARE.into_iter().cycle().zip(0..count).map(|(channel, number)| Arc::new(Self::new(channel, number))).collect()
    }

    fn new(channel: Channel, number: u32) -> Self {
        let name = named(channel, number);
        let address = OnceLock::new();
        if channel != Channel::Webchat {
            address.get_or_init(|| name.clone());
        }
        Self { channel, name, number, standing: Mutex::default(), address, page: Mutex::default() }
    }

    /// Where the desk and the provider know them.
    pub(crate) fn address(&self) -> Option<&str> {
        self.address.get().map(String::as_str)
    }

    /// What the widget calls a visitor. False when that is another name than before: then this is somebody new to it.
    pub(crate) fn is_called(&self, visitor: &str) -> bool {
        self.address.get_or_init(|| visitor.to_owned()) == visitor
    }

    /// A visitor's page.
    pub(crate) fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which of `found`, by address, is this one's.
    pub(crate) fn own<'a>(&self, found: &'a BTreeMap<String, String>) -> Option<&'a String> {
        found.get(self.address()?)
    }

    /// Whether they take their agreement back now and then.
    pub(crate) fn opts_out(&self) -> bool {
        OPT_OUT.contains(&(self.number % CROWD))
    }

    /// What they write as their message `n`: as a rule [`Customer::says`]. Asked once for each, before it is begun.
    pub(super) fn writes(&self, ledger: &Ledger, n: u32) -> String {
        let words = self.says(n);
        if self.opts_out() { self.standing().writes(ledger, self.number, n, words) } else { words }
    }

    /// Begins the reply `words` to them; false when it is not to be asked for now.
    pub(super) fn is_asked(&self, ledger: &Ledger, words: &str) -> bool {
        // One after the other with `writes`, or an opt-in could come between the look and the beginning.
        let mut standing = self.standing();
        let Some(barred) = standing.asks(ledger, words) else { return false };
        ledger.begin(Way::Out, self.channel, words);
        if barred {
            ledger.count("asked for after an opt-out");
            ledger.bar(words);
        }
        true
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Their message `n` in the ledger.
    pub(crate) fn says(&self, n: u32) -> String {
        said(&self.name, n)
    }

    /// The answer `n` to them.
    pub(crate) fn is_told(&self, n: u32) -> String {
        format!("{} o {n:06}", self.name)
    }
}

/// What the messages of the customer with this number begin with.
fn named(channel: Channel, number: u32) -> String {
    match channel {
        Channel::Whatsapp => format!("551190000{number:04}"),
        Channel::Telegram => format!("7000{number:04}"),
        Channel::Polled => format!("7100{number:04}"),
        Channel::Webchat => format!("visitor-{number:04}"),
    }
}

/// What a text that somebody wrote is in the ledger: itself, but for a word on consent.
pub(crate) fn in_ledger(text: &str) -> String {
    let known = consent::understood(text).and_then(|(number, n)| {
        let at = usize::try_from(number).ok()? % SHARE.len();
        Some(said(&named(*SHARE.get(at)?, number), n))
    });
    known.unwrap_or_else(|| text.to_owned())
}

fn said(name: &str, n: u32) -> String {
    format!("{name} i {n:06}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_on_consent_is_found_again_under_the_name_of_who_wrote_it() {
        let ledger = Ledger::default();
        let mut words = 0;
        for customer in Customer::all(2 * CROWD) {
            for n in 0..20 {
                let written = customer.writes(&ledger, n);
                words += u32::from(written != customer.says(n));
                assert_eq!(in_ledger(&written), customer.says(n));
            }
            assert!(!customer.opts_out() || customer.channel != Channel::Webchat);
        }
        assert_eq!(words, 4, "one opt-out of each of those who do");
        assert_eq!(in_ledger("bom dia"), "bom dia");
    }
}
