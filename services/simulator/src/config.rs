//! What is simulated.

use domain::Secret;
use serde::{Deserialize, Serialize};

/// The simulator's configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the simulator is reached, without a trailing slash: the links of customers' media are made from it.
    pub base_url: String,
    /// The accounts that it plays the provider for.
    pub accounts: Vec<SimulatedAccount>,
    /// How fast receipts come.
    #[serde(default)]
    pub pace: Pace,
    /// Fixes the ids that it makes up. None takes the time of the start, so that ids differ after a restart: a mesh
    /// that kept its store would take repeated ids for duplicates.
    #[serde(default)]
    pub seed: Option<u64>,
}

/// One account at a provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedAccount {
    /// The account's name in the mesh (`demo-whatsapp`).
    pub name: String,
    /// What customers see.
    pub label: String,
    /// The provider and what it knows of the account.
    pub provider: Provider,
}

/// The providers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// WhatsApp through Gupshup. The account's `base_url` is `<simulator>/sim/gupshup`.
    Gupshup {
        /// The app's name (`src.name`).
        app_name: String,
        /// The app's number, digits.
        source: String,
        /// What the caller must send as `apikey`.
        api_key: Secret,
        /// Where events go; none keeps them.
        hook_url: Option<String>,
        /// Goes along as `Authorization: Bearer <secret>`.
        webhook_secret: Secret,
        /// The form of the events.
        #[serde(default)]
        envelope: Envelope,
    },
    /// Telegram. The account's `base_url` is `<simulator>/sim/telegram`; the bot tells its webhook itself.
    Telegram {
        /// The bot's token.
        token: Secret,
    },
}

/// The two envelopes of Gupshup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// Gupshup's own.
    #[default]
    V2,
    /// Meta's, passed through.
    V3,
}

/// Milliseconds from acceptance to each receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// To `enqueued`.
    pub enqueued_ms: u64,
    /// To `sent`.
    pub sent_ms: u64,
    /// To `delivered`.
    pub delivered_ms: u64,
    /// To `read`, by customers who read at once.
    pub read_ms: u64,
    /// Between two tries of a webhook that was not answered with 2xx; doubles, up to ten times this.
    pub retry_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { enqueued_ms: 60, sent_ms: 250, delivered_ms: 700, read_ms: 2_000, retry_ms: 500 }
    }
}

impl SimulatedAccount {
    /// `whatsapp` or `telegram`.
    pub fn channel(&self) -> &'static str {
        match self.provider {
            Provider::Gupshup { .. } => "whatsapp",
            Provider::Telegram { .. } => "telegram",
        }
    }
}

/// The id that Gupshup has given the app of this name.
pub fn app_id(app_name: &str) -> String {
    domain::EventId::derive(&["gupshup", app_name]).uuid().to_string()
}
