//! What an operator may set.

use serde::{Deserialize, Serialize};

/// The settings of the router. All have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many workers share the partitions.
    pub workers: usize,
    /// The most unsettled deliveries for each partition.
    pub prefetch: u16,
    /// The most deliveries in one commit.
    pub batch: usize,
    /// How long a batch that is not full waits for more at least, in milliseconds; 0 for not at all. A commit costs nearly
    /// the same for one message as for ten, and those of several partitions come at nearly the same time.
    pub linger_millis: u64,
    /// The most outbox rows that are published at a time.
    pub relay_batch: u32,
    /// How long the relay rests when nobody wakes it, in milliseconds.
    pub relay_rest_millis: u64,
    /// How long accounts and queues are remembered before they are read again, in milliseconds.
    pub rules_millis: u64,
    /// How long the right to relay and to fire timers lasts unless it is renewed, in milliseconds.
    pub lease_millis: u32,
    /// How often timers are looked at, in milliseconds.
    pub timer_millis: u64,
    /// How often every organization's distribution is looked at, in milliseconds, in case a nudge was lost.
    pub sweep_millis: u64,
    /// How many days the desk's events, and receipts that nobody claimed, are kept.
    pub events_days: u32,
    /// How often the audit's metrics are taken, in milliseconds.
    pub audit_millis: u64,
    /// How often a command is decided again when others are quicker, before it is refused as changed meanwhile.
    pub command_tries: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: 2,
            prefetch: 256,
            batch: 256,
            linger_millis: 1,
            relay_batch: 512,
            relay_rest_millis: 250,
            rules_millis: 3_000,
            lease_millis: 4_000,
            timer_millis: 1_000,
            sweep_millis: 5_000,
            events_days: 7,
            audit_millis: 30_000,
            command_tries: 12,
        }
    }
}
