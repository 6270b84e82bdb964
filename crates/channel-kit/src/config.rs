//! What an operator may set about a channel service. The defaults serve a busy replica on two cores.

use std::time::Duration;

/// The settings of one channel service. [`KitConfig::new`] has the defaults; the fields are public to be changed.
#[derive(Clone)]
pub struct KitConfig {
    /// Ed25519 public key of the session service: the kit sends nothing without its signature.
    pub permit_public_key: [u8; 32],
    /// Signs media links; the same on all replicas, at least 32 random bytes.
    pub media_secret: Vec<u8>,
    /// The largest webhook body, in bytes.
    pub body_limit: usize,
    /// The most webhook calls in work at a time; more are answered 503 with `Retry-After`.
    pub webhooks_in_flight: usize,
    /// The most of them for one account; more are answered 429 with `Retry-After`, and leave room for the others.
    pub webhooks_per_account: usize,
    /// The most messages that wait at the routers, over all partitions and channels, before accounts are looked at. Beyond
    /// it an account that takes more than its share of what this replica accepts is refused until less waits: its
    /// webhook calls are answered 429 with `Retry-After`, its frames `throttled`, and it is not polled. Those within
    /// their share are accepted as ever, and so is every account below 50 messages per second (on average over ten
    /// seconds). One that is alone is refused at a hundred times as much. The default is what a router on two cores works
    /// off in some 3 to 5 seconds: that long the others wait for a flood. 0 refuses nobody.
    pub inbound_backlog: u64,
    /// How often that is counted, while an account is above 50 messages per second. Old after five times as long: what
    /// is not known refuses nobody.
    pub inbound_look: Duration,
    /// How long a caller may take to send the body of a webhook call: who is slower holds a place that others need.
    pub body_deadline: Duration,
    /// How long a publish may take before the arrival goes to the disk spool.
    pub publish_bound: Duration,
    /// The most bytes that the spool of one process may hold. Processes that share a data folder have one each, and what
    /// an ended one left is not counted: the disk needs this for each process.
    pub spool_limit: u64,
    /// The most sends at a time, over all conversations.
    pub lanes: usize,
    /// The most of them for one account, so that one whose provider hangs leaves room for the others.
    pub lanes_per_account: usize,
    /// The most unsettled deliveries for each partition, of all accounts.
    pub prefetch: u16,
    /// The most of them for one account, and one more. What an account has beyond this, while it is throttled or its
    /// provider is away, is kept in order on its shelf in the store, and the others do not wait. More than half of
    /// `prefetch` counts as half. An account that sends faster than this many at a time for each partition pays for the
    /// rest with a write to the store; the `prefetch` divided by this is how many noisy accounts a partition bears.
    pub share: u16,
    /// How long a message is held while its provider is away or throttles, before it fails.
    pub hold: Duration,
    /// The first pause after a failed try; it doubles up to [`KitConfig::longest_pause`].
    pub first_pause: Duration,
    /// The longest pause between two tries.
    pub longest_pause: Duration,
    /// How long one send may take before nobody knows.
    pub send_deadline: Duration,
    /// How long an account that the provider refused is left alone.
    pub quarantine: Duration,
    /// How often accounts are read again.
    pub reload: Duration,
    /// How long work in flight may go on after the drain has begun.
    pub drain: Duration,
    /// The largest media, in bytes, in and up from a widget.
    pub media_limit: usize,
    /// How many media jobs at a time.
    pub media_jobs: usize,
    /// How often a media job is tried before the media is lost.
    pub media_tries: u32,
    /// How long a media link is good.
    pub media_link: Duration,
    /// The most live links of one replica.
    pub links: usize,
    /// The largest frame of a link, in bytes.
    pub frame_limit: usize,
    /// Frames per second that one link may send; bursts of four times as many.
    pub frame_rate: u32,
    /// How long a lease on a polled account lasts, which is how long it waits when its replica is killed. Renewed while
    /// a poll goes on.
    pub poll_lease: Duration,
    /// How often an account's list of templates is read again without a reason.
    pub templates: Duration,
    /// Exchanges with the provider kept for each account, secrets removed.
    pub transcripts: usize,
}

impl KitConfig {
    /// The defaults with the two keys that have none.
    pub fn new(permit_public_key: [u8; 32], media_secret: impl Into<Vec<u8>>) -> Self {
        Self {
            permit_public_key,
            media_secret: media_secret.into(),
            body_limit: 1 << 20,
            webhooks_in_flight: 512,
            webhooks_per_account: 256,
            inbound_backlog: 20_000,
            inbound_look: Duration::from_secs(2),
            body_deadline: Duration::from_secs(10),
            publish_bound: Duration::from_secs(2),
            spool_limit: 256 << 20,
            lanes: 128,
            lanes_per_account: 64,
            prefetch: 64,
            share: 8,
            hold: Duration::from_secs(15 * 60),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            send_deadline: Duration::from_secs(120),
            quarantine: Duration::from_secs(60),
            reload: Duration::from_secs(3),
            drain: Duration::from_secs(20),
            media_limit: 100 << 20,
            media_jobs: 8,
            media_tries: 12,
            media_link: Duration::from_secs(24 * 3600),
            links: 10_000,
            frame_limit: 64 << 10,
            frame_rate: 10,
            poll_lease: Duration::from_secs(8),
            templates: Duration::from_secs(15 * 60),
            transcripts: 32,
        }
    }
}

impl std::fmt::Debug for KitConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KitConfig")
            .field("permit_public_key", &hex::encode(self.permit_public_key))
            .field("media_secret", &"[secret]")
            .field("spool_limit", &self.spool_limit)
            .field("lanes", &self.lanes)
            .finish_non_exhaustive()
    }
}
