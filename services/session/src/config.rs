//! What an operator may set.

use std::time::Duration;

use domain::Secret;

/// The settings of the session service. [`Config::new`] has the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// The Ed25519 private key that signs permits, in hex: the seed of 32 bytes, or a PKCS#8 document.
    pub signing_key: Secret,
    /// How many workers share the partitions.
    pub workers: usize,
    /// The most unsettled deliveries for each partition.
    pub prefetch: u16,
    /// The most deliveries that are handled in one round trip to the stores.
    pub batch: usize,
    /// How long a permit is good: a little more than a channel holds a message back for its provider (15 minutes), and
    /// no longer, for the contact may opt out meanwhile; never beyond the end of the window that it rests on.
    pub permit_for: Duration,
    /// How long a window is remembered. More than the longest time that any channel's rule looks back.
    pub keep_windows: Duration,
}

impl Config {
    /// The defaults, with the key that has none.
    pub fn new(signing_key: impl Into<String>) -> Self {
        Self {
            signing_key: Secret::new(signing_key),
            workers: 2,
            prefetch: 256,
            batch: 256,
            permit_for: Duration::from_secs(20 * 60),
            keep_windows: sessions::HUMAN_AGENT + Duration::from_secs(3600),
        }
    }
}
