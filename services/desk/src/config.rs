//! The desk's settings.

use std::{collections::BTreeMap, time::Duration};

use domain::Capabilities;
use serde::{Deserialize, Serialize};

/// The desk's settings, with what holds when nothing is said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a sign-in lasts, in hours.
    pub session_hours: u32,
    /// Failed sign-ins that one e-mail may have in a minute.
    pub tries_per_email: u32,
    /// Failed sign-ins that one client address may have in a minute.
    pub tries_per_address: u32,
    /// Take the client's address from the last `X-Forwarded-For` entry: only behind a proxy that sets it.
    pub trust_forwarded_for: bool,
    /// Origins other than our own that may call with a cookie (`https://desk.example.com`).
    pub allowed_origins: Vec<String>,
    /// The largest file that an agent may upload, in bytes.
    pub max_upload_bytes: u64,
    /// Seconds without any live connection after which an agent is taken as offline.
    pub away_grace_secs: u32,
    /// Seconds without any live connection after which an agent's conversations go back to their queues (AG-6); 0 means
    /// that they stay.
    pub away_return_secs: u32,
    /// Seconds between two pings on a live connection.
    pub ping_secs: u32,
    /// Milliseconds between two looks into the store for events whose announcement was lost.
    pub poll_millis: u32,
    /// Milliseconds for which names of people, queues and accounts are kept.
    pub names_millis: u32,
    /// What the page must know of each channel.
    pub channels: BTreeMap<String, ChannelTraits>,
}

/// What the page must know of a channel: which ticks can come (CH-11), and whether files can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelTraits {
    /// Tells when a message was handed to the network.
    pub sent: bool,
    /// Tells when a message is on the contact's device.
    pub delivered: bool,
    /// Tells when a message was read.
    pub read: bool,
    /// Carries files.
    pub media: bool,
    /// Its provider has registered templates.
    #[serde(default)]
    pub templates: bool,
}

impl From<&Capabilities> for ChannelTraits {
    fn from(can: &Capabilities) -> Self {
        let receipts = can.receipts;
        Self {
            sent: receipts.sent,
            delivered: receipts.delivered,
            read: receipts.read,
            media: !can.media.is_empty(),
            templates: can.templates,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let all = ChannelTraits { sent: true, delivered: true, read: true, media: true, templates: false };
        let none = ChannelTraits { sent: false, delivered: false, read: false, ..all };
        let whatsapp = ChannelTraits { templates: true, ..all };
        Self {
            session_hours: 12,
            tries_per_email: 5,
            tries_per_address: 30,
            trust_forwarded_for: false,
            allowed_origins: Vec::new(),
            max_upload_bytes: 25 * 1024 * 1024,
            away_grace_secs: 30,
            away_return_secs: 300,
            ping_secs: 20,
            poll_millis: 2_000,
            names_millis: 3_000,
            channels: [("whatsapp", whatsapp), ("webchat", all), ("telegram", none)]
                .map(|(channel, traits)| (channel.to_owned(), traits))
                .into(),
        }
    }
}

impl Config {
    /// Takes a channel's traits from its own capabilities.
    #[must_use]
    pub fn with_channel(mut self, channel: &str, can: &Capabilities) -> Self {
        self.channels.insert(channel.to_owned(), ChannelTraits::from(can));
        self
    }

    /// What is wrong with the settings: one line that names the key.
    ///
    /// # Errors
    /// The line.
    pub fn check(&self) -> Result<(), String> {
        let positive = [
            ("session_hours", self.session_hours),
            ("tries_per_email", self.tries_per_email),
            ("tries_per_address", self.tries_per_address),
            ("ping_secs", self.ping_secs),
            ("poll_millis", self.poll_millis),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(format!("desk.{key}: must be at least 1")),
            // A page is noted as seen with each ping: a shorter grace would send people away who are there.
            None if self.away_grace_secs <= self.ping_secs => {
                Err("desk.away_grace_secs: must be more than desk.ping_secs".to_owned())
            }
            // Sooner, a circular queue could give them straight back to the agent who is not there.
            None if self.away_return_secs != 0 && self.away_return_secs < self.away_grace_secs => {
                Err("desk.away_return_secs: must be 0 or at least desk.away_grace_secs".to_owned())
            }
            None if self.max_upload_bytes == 0 => Err("desk.max_upload_bytes: must be at least 1".to_owned()),
            None => Ok(()),
        }
    }

    pub(crate) fn traits_of(&self, channel: &str) -> ChannelTraits {
        let unknown = ChannelTraits { sent: false, delivered: false, read: false, media: true, templates: false };
        self.channels.get(channel).copied().unwrap_or(unknown)
    }

    pub(crate) fn session(&self) -> Duration {
        Duration::from_secs(u64::from(self.session_hours) * 3_600)
    }

    pub(crate) fn ping(&self) -> Duration {
        Duration::from_secs(u64::from(self.ping_secs.max(1)))
    }

    pub(crate) fn poll(&self) -> Duration {
        Duration::from_millis(u64::from(self.poll_millis.max(1)))
    }

    pub(crate) fn away_grace(&self) -> Duration {
        Duration::from_secs(u64::from(self.away_grace_secs))
    }

    /// None when conversations stay with an agent who is away.
    pub(crate) fn away_return(&self) -> Option<Duration> {
        (self.away_return_secs > 0).then(|| Duration::from_secs(u64::from(self.away_return_secs)))
    }

    pub(crate) fn names(&self) -> Duration {
        Duration::from_millis(u64::from(self.names_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_setting_is_named() {
        assert_eq!(Config::default().check(), Ok(()));
        let bad = [
            (Config { session_hours: 0, ..Config::default() }, "desk.session_hours"),
            (Config { away_grace_secs: 20, ..Config::default() }, "desk.away_grace_secs"),
            (Config { away_return_secs: 29, ..Config::default() }, "desk.away_return_secs"),
            (Config { max_upload_bytes: 0, ..Config::default() }, "desk.max_upload_bytes"),
        ];
        for (config, key) in bad {
            assert!(config.check().is_err_and(|line| line.starts_with(key)), "{key}");
        }
    }
}
