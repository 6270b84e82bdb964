//! From a configuration to the world of a service: the only crate that sees the adapters.
//!
//! It is not a place for behaviour: it opens what is configured and hands out ports. Read [`Config`], then [`world`].

mod config;

use std::{path::Path, sync::Arc, time::Duration};

use adapter_embedded::{Embedded, EmbeddedOptions, FileBlobs, MemoryBuckets, store_path};
use adapter_rabbitmq::{RabbitBus, RabbitConfig};
use adapter_redis::RedisStore;
use adapter_sql::{SqlStore, SqliteOptions, Synchronous};
use ports::{
    Blobs, Buckets, Bus, Clock, Consents, Cursors, Directory, Journal, Leases, Ledger, Mailboxes, Parking, Shelves,
    SignIns, Templates, Views, Windows, topology::Party,
};
use runtime::{
    Env,
    bus::{BundledBus, TracedBus},
    clock::SystemClock,
    http::{Http, HttpPolicy},
    metrics::Metrics,
    names::{label, metric},
};

pub use adapter_rabbitmq::Rights;
pub use config::{Config, Invalid};

/// Why the world could not be opened: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(String);

fn open_error(problem: impl std::fmt::Display) -> OpenError {
    OpenError(problem.to_string())
}

/// The ports of the SQL store, for a service or for the command line.
#[derive(Clone)]
pub struct Stores {
    /// The router's store.
    pub journal: Arc<dyn Journal>,
    /// Read models.
    pub views: Arc<dyn Views>,
    /// Organizations, accounts, queues, people.
    pub directory: Arc<dyn Directory>,
    /// Send attempts.
    pub ledger: Arc<dyn Ledger>,
    /// Session windows.
    pub windows: Arc<dyn Windows>,
    /// Consent.
    pub consents: Arc<dyn Consents>,
    /// Places in providers' streams.
    pub cursors: Arc<dyn Cursors>,
    /// Named leases.
    pub leases: Arc<dyn Leases>,
    /// Mailboxes of link channels.
    pub mailboxes: Arc<dyn Mailboxes>,
    /// Sign-ins.
    pub sign_ins: Arc<dyn SignIns>,
    /// Parked messages.
    pub parking: Arc<dyn Parking>,
    /// Templates as the providers listed them.
    pub templates: Arc<dyn Templates>,
    /// What accounts have beyond their share.
    pub shelves: Arc<dyn Shelves>,
}

impl Stores {
    fn of(store: &Arc<SqlStore>) -> Self {
        Self {
            journal: Arc::clone(store) as _,
            views: Arc::clone(store) as _,
            directory: Arc::clone(store) as _,
            ledger: Arc::clone(store) as _,
            windows: Arc::clone(store) as _,
            consents: Arc::clone(store) as _,
            cursors: Arc::clone(store) as _,
            leases: Arc::clone(store) as _,
            mailboxes: Arc::clone(store) as _,
            sign_ins: Arc::clone(store) as _,
            parking: Arc::clone(store) as _,
            templates: Arc::clone(store) as _,
            shelves: Arc::clone(store) as _,
        }
    }
}

fn sqlite(config: &Config) -> SqliteOptions {
    let synchronous = if config.sync { Synchronous::Full } else { Synchronous::Normal };
    SqliteOptions { synchronous, ..SqliteOptions::default() }
}

/// The store alone, beside a running mesh: what the command line works on. With `create` it may be the first to come;
/// without, a folder with no store is refused, so that a mistyped folder does not read as "all is well".
///
/// # Errors
/// [`OpenError`] in plain words.
pub async fn stores(config: &Config, create: bool) -> Result<Stores, OpenError> {
    let store = match &config.postgres_url {
        Some(url) => SqlStore::postgres(url, 2).await.map_err(open_error)?,
        None => {
            let options = SqliteOptions { create, ..sqlite(config) };
            SqlStore::sqlite(store_path(&config.data), options).await.map_err(open_error)?
        }
    };
    Ok(Stores::of(&Arc::new(store)))
}

fn rabbit(config: &Config, partitions: u16, url: &str, app_id: &str) -> Result<RabbitConfig, OpenError> {
    let channels = config.channels.iter().map(|name| name.parse()).collect::<Result<_, _>>().map_err(open_error)?;
    let mut rabbit = RabbitConfig::new(url, partitions, channels, app_id);
    rabbit.namespace.clone_from(&config.namespace);
    rabbit.declare = config.amqp_declare;
    Ok(rabbit)
}

/// Declares the broker's map as the configured user, who must be an administrator's, and answers how that went.
///
/// # Errors
/// [`OpenError`] in plain words.
pub async fn declare_broker(config: &Config) -> Result<(), OpenError> {
    let url = config.amqp_url.as_ref().ok_or_else(|| open_error("mesh.amqp_url: no broker is configured"))?;
    adapter_rabbitmq::set_up(rabbit(config, partitions(config).await?, url, "setup")?).await.map_err(open_error)
}

/// Takes away what earlier releases bound on the broker, as the same user as [`declare_broker`].
///
/// # Errors
/// [`OpenError`] in plain words.
pub async fn tidy_broker(config: &Config) -> Result<(), OpenError> {
    let url = config.amqp_url.as_ref().ok_or_else(|| open_error("mesh.amqp_url: no broker is configured"))?;
    adapter_rabbitmq::tidy(rabbit(config, partitions(config).await?, url, "tidy")?).await.map_err(open_error)
}

/// How many partitions the mesh has: what is configured, for an administrator who may not open the store, or what it says.
///
/// # Errors
/// [`OpenError`] in plain words.
pub async fn partitions(config: &Config) -> Result<u16, OpenError> {
    if let Some(count) = config.partitions {
        return Ok(count);
    }
    let url = config.postgres_url.as_ref().ok_or_else(|| open_error("mesh.postgres_url: no store is configured"))?;
    let told = adapter_sql::partitions_at(url).await;
    told.map_err(|problem| OpenError(format!("{problem}; who may not open it sets mesh.partitions")))
}

/// What each service's broker user may do: the service's name, and the three expressions.
///
/// # Errors
/// [`OpenError`] when a channel's name is none.
pub fn broker_rights(config: &Config) -> Result<Vec<(String, Rights)>, OpenError> {
    let channels: Vec<_> =
        config.channels.iter().map(|name| name.parse()).collect::<Result<_, _>>().map_err(open_error)?;
    let parties = Party::all(&channels).into_iter();
    Ok(parties.map(|party| (party.to_string(), adapter_rabbitmq::rights(&party, &config.namespace))).collect())
}

/// An open world. Dropping it lets go of the data folder and the connections.
pub struct World {
    /// What services are given.
    pub env: Env,
    embedded: Option<Embedded>,
}

impl World {
    /// Ends the bus and the store in order, after the services have drained.
    pub async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.close().await;
        }
    }
}

/// What stands below a world.
struct Opened {
    stores: Stores,
    partitions: u16,
    bus: Arc<dyn Bus>,
    blobs: Arc<dyn Blobs>,
    buckets: Arc<dyn Buckets>,
    embedded: Option<Embedded>,
}

async fn on_servers(config: &Config, amqp: &str, app: &str, metrics: &Metrics) -> Result<Opened, OpenError> {
    let url = config.postgres_url.as_deref().unwrap_or_default();
    let store = patiently("PostgreSQL", || SqlStore::postgres(url, config.postgres_connections)).await?;
    let partitions = store.partitions(config.partitions).await.map_err(open_error)?;
    let mut rabbit = rabbit(config, partitions, amqp, app)?;
    let revivals = metrics.clone();
    rabbit.revived = Arc::new(move |topic| {
        revivals.count(metric::CONSUMER_REVIVED, &[(label::DESTINATION, &topic.destination())], 1);
    });
    let bus = RabbitBus::open(rabbit).map_err(open_error)?;
    let blobs = FileBlobs::open(&config.data.join("blobs")).map_err(|problem| unwritable(&config.data, &problem))?;
    Ok(Opened {
        stores: Stores::of(&Arc::new(store)),
        partitions,
        bus: Arc::new(bus),
        blobs: Arc::new(blobs),
        buckets: Arc::new(MemoryBuckets::default()),
        embedded: None,
    })
}

async fn on_files(config: &Config) -> Result<Opened, OpenError> {
    let options = EmbeddedOptions { sqlite: sqlite(config) };
    let embedded = Embedded::open(&config.data, options).await.map_err(open_error)?;
    Ok(Opened {
        stores: Stores::of(&embedded.store),
        partitions: embedded.store.partitions(config.partitions).await.map_err(open_error)?,
        bus: Arc::clone(&embedded.bus) as _,
        blobs: Arc::clone(&embedded.blobs) as _,
        buckets: Arc::clone(&embedded.buckets) as _,
        embedded: Some(embedded),
    })
}

/// Opens everything that the configuration names. `app` is who asks, for people who look into the broker.
///
/// # Errors
/// [`OpenError`] in plain words: folder not writable or in use, store newer than the binary, server not reachable.
pub async fn world(config: &Config, app: &str, metrics: Metrics) -> Result<World, OpenError> {
    let policy = HttpPolicy { allow: config.http_allow.clone(), max_response: config.http_max_response };
    let http = Http::new(policy, metrics.clone()).map_err(open_error)?;
    let Opened { stores, partitions, bus, blobs, mut buckets, embedded } = match &config.amqp_url {
        Some(amqp) => on_servers(config, amqp, app, &metrics).await?,
        None => on_files(config).await?,
    };
    let mut windows = Arc::clone(&stores.windows);
    if let Some(url) = &config.redis_url {
        let redis = Arc::new(RedisStore::open(url, format!("{}afluente:", config.namespace)).map_err(open_error)?);
        windows = Arc::clone(&redis) as _;
        buckets = redis;
    }
    let bundled = if config.bundles { BundledBus::new } else { BundledBus::that_packs_nothing };
    let env = Env {
        replica: config.replica.clone().unwrap_or_else(|| replica(app)).into(),
        partitions,
        public_url: config.public_url.as_str().into(),
        data: Arc::new(config.data.clone()),
        clock: Arc::new(SystemClock) as Arc<dyn Clock>,
        bus: Arc::new(TracedBus::new(Arc::new(bundled(bus)), metrics.clone())),
        journal: stores.journal,
        views: stores.views,
        directory: stores.directory,
        ledger: stores.ledger,
        windows,
        consents: stores.consents,
        buckets,
        cursors: stores.cursors,
        leases: stores.leases,
        blobs,
        mailboxes: stores.mailboxes,
        sign_ins: stores.sign_ins,
        parking: stores.parking,
        templates: stores.templates,
        shelves: stores.shelves,
        http,
        metrics,
    };
    Ok(World { env, embedded })
}

fn unwritable(folder: &Path, problem: &std::io::Error) -> OpenError {
    OpenError(format!("the folder {} cannot be written: {problem}", folder.display()))
}

/// Servers start in any order: the store is tried again for a minute before the process gives up.
async fn patiently<T, R>(what: &str, mut open: impl FnMut() -> R) -> Result<T, OpenError>
where
    R: Future<Output = Result<T, adapter_sql::OpenError>>,
{
    for _ in 0..60 {
        match open().await {
            Err(adapter_sql::OpenError::Unreachable(problem)) => {
                tracing::warn!(%problem, "{what} is not there yet");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            done => return done.map_err(open_error),
        }
    }
    open().await.map_err(open_error)
}

/// Unique in the mesh: the host's name, the process id and what runs in it.
fn replica(app: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "host" } else { host };
    format!("{host}-{}-{app}", std::process::id())
}
