//! The bus on RabbitMQ: quorum queues with one active consumer each, publisher confirms, retries through TTL queues.
//!
//! It is the adapter of `ports::Bus` and the only crate that knows lapin. It is not a place for decisions about
//! messages: what is published where stands in `ports::topology`, and what a delivery means is the consumer's affair.
//!
//! Read [`RabbitBus`] first, then `pump` and `round` (a subscription's life), `lane` (whose confirm is whose), `link`
//! (a connection's life) and `live` (what is asked over it). lapin's own recovery is not used: publishes fail and
//! consumers may stay silent while it runs, so each connection and each consumer here is supervised, and made anew
//! after any error.
//!
//! Rights in the broker: [`rights`] says what each service's user needs; `write` on `afluente.outbound` is the session
//! service's alone, and nobody publishes to the default exchange. Where users may not declare
//! ([`RabbitConfig::declare`]), an administrator declares once by [`set_up`].

mod lane;
mod link;
mod live;
mod names;
mod notes;
mod properties;
mod publisher;
mod pump;
mod rights;
mod round;
mod tags;
mod tidy;
mod vigil;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::Channel;
use ports::{
    Bus,
    bus::{BusError, Depth, Envelope, Subscription},
    topology::{Queue, Topic},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    link::{Link, Purpose},
    live::Live,
    names::Names,
    publisher::Publisher,
    pump::Census,
};

pub use rights::{Rights, rights};

/// The longest that [`set_up`] takes.
const SET_UP: Duration = Duration::from_secs(120);

/// How to reach the broker, and what to declare there.
#[derive(Clone)]
pub struct RabbitConfig {
    /// `amqp://` or `amqps://` address with user, password and virtual host. Never shown by `Debug`.
    pub url: String,
    /// How many partitions the mesh has.
    pub partitions: u16,
    /// The channels whose queues are declared.
    pub channels: Vec<Channel>,
    /// Who publishes, for people who look at messages in the broker (AMQP `app_id`).
    pub app_id: String,
    /// How long a publish may wait for its confirms.
    pub publish_deadline: Duration,
    /// Put before every exchange and queue name; empty in production. Lets tests share a broker.
    pub namespace: String,
    /// Whether to declare exchanges and durable queues. Without it they must be there.
    pub declare: bool,
    /// Told when a consumer of this topic had gone silent and was made anew.
    pub revived: Arc<dyn Fn(&Topic) + Send + Sync>,
}

impl RabbitConfig {
    /// The usual settings: a publish waits at most 10 seconds, no namespace, everything is declared.
    pub fn new(url: impl Into<String>, partitions: u16, channels: Vec<Channel>, app_id: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            partitions,
            channels,
            app_id: app_id.into(),
            publish_deadline: Duration::from_secs(10),
            namespace: String::new(),
            declare: true,
            revived: Arc::new(|_| ()),
        }
    }
}

impl fmt::Debug for RabbitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitConfig")
            .field("partitions", &self.partitions)
            .field("channels", &self.channels)
            .field("app_id", &self.app_id)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// The bus. Two connections, because a broker that is short of memory stops those that publish, and acks must go on.
/// Dropping it closes both and ends its subscriptions.
pub struct RabbitBus {
    names: Arc<Names>,
    publisher: Arc<Publisher>,
    consuming: Link,
    census: Arc<Census>,
    patience: Duration,
    declare: bool,
    revived: Arc<dyn Fn(&Topic) + Send + Sync>,
    stop: CancellationToken,
    _guard: DropGuard,
}

impl RabbitBus {
    /// Starts to connect and returns at once. Until the broker is there, calls answer [`BusError::Unavailable`].
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`BusError::Forbidden`] when the address cannot be read.
    pub fn open(config: RabbitConfig) -> Result<Self, BusError> {
        let stop = CancellationToken::new();
        let names = Arc::new(Names::new(&config.namespace));
        let uri = link::read(&config.url)?;
        let topology = config.declare.then(|| names.topology(config.partitions, &config.channels, false));
        let publishing = Link::open(Purpose::Publish, uri.clone(), &config.app_id, topology, stop.clone());
        let consuming = Link::open(Purpose::Consume, uri, &config.app_id, None, stop.clone());
        let publisher = Publisher::new(publishing, names.clone(), config.app_id, config.publish_deadline);
        Ok(Self {
            names,
            publisher: Arc::new(publisher),
            consuming,
            census: Arc::default(),
            patience: config.publish_deadline,
            declare: config.declare,
            revived: config.revived,
            _guard: stop.clone().drop_guard(),
            stop,
        })
    }

    /// Connects, declares the topology and returns when both stand.
    ///
    /// # Errors
    /// [`BusError`] when that is not so within the publish deadline.
    pub async fn connect(config: RabbitConfig) -> Result<Self, BusError> {
        let bus = Self::open(config)?;
        bus.publisher.link().within(bus.patience).await?;
        bus.consuming.within(bus.patience).await?;
        Ok(bus)
    }

    /// How often this process has connected to the broker to publish; more than 1 means that it was lost.
    pub fn connections(&self) -> u64 {
        self.publisher.link().number()
    }

    async fn count(&self, live: &Live, queue: &Queue) -> Result<Depth, BusError> {
        let name = self.names.queue(queue);
        let ready = live.passive_count(&name).await?.ok_or_else(|| BusError::Unroutable(name.clone()))?;
        let mut waiting = 0;
        for retry in self.names.retry_queues(&queue.party()) {
            let count = live.passive_count(retry.name()).await?;
            if count.is_none() && self.declare {
                // Each look for one that is missing uses up the number of a channel.
                let channel = live.channel().await?;
                if retry.declare(&channel).await.is_ok() {
                    drop(channel.close(200, "declared".into()).await);
                }
            }
            waiting += count.unwrap_or(0);
        }
        Ok(Depth { ready: ready + waiting, unsettled: self.census.unsettled(&name) })
    }
}

/// Declares the whole map, places for retries included, as an administrator's user may, and returns when it stands.
/// What is there already stays as it is. Must be called inside a Tokio runtime.
///
/// # Errors
/// [`BusError`] with what is wrong.
pub async fn set_up(config: RabbitConfig) -> Result<(), BusError> {
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    administer(&config, stop).await.map(drop)
}

/// Takes away what releases before this one bound, once no process of theirs runs: the same user as for [`set_up`].
///
/// # Errors
/// [`BusError`] with what is wrong.
pub async fn tidy(config: RabbitConfig) -> Result<(), BusError> {
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let (link, live) = administer(&config, stop).await?;
    link.during(&live, tidy::tidy(&live, &Names::new(&config.namespace), config.partitions)).await
}

/// A connection behind which the whole map stands.
async fn administer(config: &RabbitConfig, stop: CancellationToken) -> Result<(Link, Arc<Live>), BusError> {
    let topology = Names::new(&config.namespace).topology(config.partitions, &config.channels, true);
    let link = Link::open(Purpose::Publish, link::read(&config.url)?, &config.app_id, Some(topology), stop);
    let live = link.within(SET_UP).await?;
    Ok((link, live))
}

impl fmt::Debug for RabbitBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitBus").finish_non_exhaustive()
    }
}

#[async_trait]
impl Bus for RabbitBus {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        self.publisher.publish(&batch).await
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError> {
        let pump = pump::Pump {
            queue,
            prefetch: prefetch.max(1),
            declare: self.declare,
            names: self.names.clone(),
            link: self.consuming.clone(),
            publisher: self.publisher.clone(),
            census: self.census.clone(),
            revived: self.revived.clone(),
        };
        pump.start(self.patience, self.stop.clone()).await
    }

    /// `ready` is the broker's count. AMQP does not tell how many deliveries other processes hold, so `unsettled` counts
    /// those of this process. Retries wait together with those of the service's other queues, and are counted with them.
    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
        let live = self.consuming.within(self.patience).await?;
        self.consuming.during(&live, self.count(&live, queue)).await
    }

    async fn waiting(&self, queue: &Queue) -> Result<u64, BusError> {
        let live = self.consuming.within(self.patience).await?;
        let name = self.names.queue(queue);
        let count = self.consuming.during(&live, live.passive_count(&name)).await?;
        count.ok_or(BusError::Unroutable(name))
    }

    async fn check(&self) -> Result<(), BusError> {
        self.publisher.link().current()?.takes_publishes()?;
        self.consuming.current().map(|_| ())
    }
}
