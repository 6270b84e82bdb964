//! What the parts of one channel service share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use domain::{Account, Capabilities, Channel, Code, Inbound, Timestamp};
use ports::Claim;
use runtime::{Env, names::label};

use crate::{
    accounts::{Accounts, Limits, Live},
    backlog::Backlog,
    config::KitConfig,
    contract::ChannelType,
    http::Exchange,
    intake::Intake,
    link::Sockets,
    signed::Signer,
    spool::Spool,
    stamps::Stamps,
};

/// What carries the requests of an account out: the runtime's client in production, a script in tests.
pub type Exchanges = Arc<dyn Fn(&Account) -> Arc<dyn Exchange> + Send + Sync>;

/// One channel service at work.
pub(crate) struct Kit {
    pub(crate) kind: Arc<dyn ChannelType>,
    pub(crate) channel: Channel,
    pub(crate) can: Capabilities,
    pub(crate) config: KitConfig,
    pub(crate) env: Env,
    pub(crate) accounts: Accounts,
    pub(crate) intake: Intake,
    pub(crate) sockets: Sockets,
    /// Signs links to media.
    pub(crate) media: Signer,
    /// Slots for webhook calls in work.
    pub(crate) calls: Arc<tokio::sync::Semaphore>,
    claims: AtomicU64,
}

impl Kit {
    pub(crate) fn new(
        kind: Arc<dyn ChannelType>,
        channel: Channel,
        config: KitConfig,
        env: Env,
        exchanges: Exchanges,
    ) -> Self {
        let folder = env.data.join("spool").join(channel.as_str());
        let spool = Spool::open(folder, config.spool_limit, env.metrics.clone());
        let backlog = Backlog::new(config.inbound_backlog, config.inbound_look, env.partitions);
        let (bus, stamps) = (Arc::clone(&env.bus), Stamps::new(&channel));
        Self {
            can: kind.capabilities(),
            accounts: Accounts::new(Arc::clone(&kind), channel.clone(), exchanges, Limits::from(&config)),
            intake: Intake::new(bus, spool, stamps, backlog, config.publish_bound),
            sockets: Sockets::new(config.links),
            media: Signer::new(&config.media_secret, format!("media:{channel}")),
            calls: Arc::new(tokio::sync::Semaphore::new(config.webhooks_in_flight)),
            claims: AtomicU64::new(0),
            kind,
            channel,
            config,
            env,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.env.clock.now()
    }

    /// Whether to accept more of the account, for all that waits at the routers. Who asks and is told no asks again in a
    /// few seconds, and nothing of it was accepted meanwhile.
    pub(crate) fn admits(&self, live: &Live) -> bool {
        self.intake.backlog.admits(live.account.id)
    }

    /// The claim of whoever sends a part now, which no other has, of this process or any other.
    pub(crate) fn claim(&self) -> Claim {
        Claim::new(format!("{}/{}", self.intake.stamps.source(), self.claims.fetch_add(1, Ordering::Relaxed)))
    }

    /// Counts `metric` under this channel.
    pub(crate) fn count(&self, metric: &str, labels: &[(&str, &str)]) {
        let mut all = vec![(label::CHANNEL, self.channel.as_str())];
        all.extend_from_slice(labels);
        self.env.metrics.count(metric, &all, 1);
    }

    /// Counts several of `metric` under this channel.
    pub(crate) fn count_many(&self, metric: &str, count: u64) {
        self.env.metrics.count(metric, &[(label::CHANNEL, self.channel.as_str())], count);
    }

    /// Counts a message parked at `place`.
    pub(crate) fn count_parked(&self, place: &str, code: &Code) {
        let labels = [(label::PLACE, place), (label::CODE, code.as_str())];
        self.env.metrics.count(runtime::names::metric::PARKED, &labels, 1);
    }

    /// Sets a gauge of this channel.
    pub(crate) fn gauge(&self, metric: &str, value: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge beyond 2^53 may be off by one")]
        self.env.metrics.gauge(metric, &[(label::CHANNEL, self.channel.as_str())], value as f64);
    }

    /// The envelope of an inbound event, for the partition of its thread.
    pub(crate) fn envelope(&self, inbound: &Inbound) -> ports::bus::Envelope {
        crate::codec::inbound(inbound, self.env.partitions)
    }

    /// A link to a blob, good until `KitConfig::media_link` from now.
    pub(crate) fn media_url(&self, key: &str) -> String {
        format!("{}{}", self.env.public_url, self.media_path(key))
    }

    /// The same without the host, for pages that reached us anyhow.
    pub(crate) fn media_path(&self, key: &str) -> String {
        let token = self.media.seal(&key, Some(self.now() + self.config.media_link));
        format!("/media/{}/{token}", self.channel)
    }

    /// The address at which the provider calls us for `account`.
    pub(crate) fn hook_url(&self, account: &Account) -> String {
        hook_url(&self.env.public_url, account)
    }
}

/// `{public_url}/hooks/{channel}/{name}`: where a provider calls us for `account`.
pub fn hook_url(public_url: &str, account: &Account) -> String {
    format!("{public_url}/hooks/{}/{}", account.channel, account.name)
}
