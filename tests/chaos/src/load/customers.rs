//! Who writes, and by which channel.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::page::Page;

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

/// One of those who write.
pub(crate) struct Customer {
    pub(crate) channel: Channel,
    /// What each of their messages begins with, and nobody else's.
    pub(crate) name: String,
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
        let name = match channel {
            Channel::Whatsapp => format!("551190000{number:04}"),
            Channel::Telegram => format!("7000{number:04}"),
            Channel::Polled => format!("7100{number:04}"),
            Channel::Webchat => format!("visitor-{number:04}"),
        };
        let address = OnceLock::new();
        if channel != Channel::Webchat {
            address.get_or_init(|| name.clone());
        }
        Self { channel, name, address, page: Mutex::default() }
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

    /// Their message `n`.
    pub(crate) fn says(&self, n: u32) -> String {
        format!("{} i {n:06}", self.name)
    }

    /// The answer `n` to them.
    pub(crate) fn is_told(&self, n: u32) -> String {
        format!("{} o {n:06}", self.name)
    }
}
