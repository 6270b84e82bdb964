//! Between a bus and its broker, and not always honest.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use afluente_adapter_rabbitmq::{RabbitBus, RabbitConfig};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
};

use super::{PATIENCE, bus};

/// Class and method of a frame.
pub type Method = (u16, u16);

pub const CHANNEL_OPEN_OK: Method = (20, 11);
pub const CHANNEL_CLOSE: Method = (20, 40);
pub const CHANNEL_CLOSE_OK: Method = (20, 41);
pub const EXCHANGE_DECLARE_OK: Method = (40, 11);
pub const QUEUE_DECLARE_OK: Method = (50, 11);
pub const QOS_OK: Method = (60, 11);
pub const CONSUME: Method = (60, 20);
pub const DELIVER: Method = (60, 60);
/// From a broker these are confirms, and nothing else.
pub const CONFIRMS: [Method; 2] = [(60, 80), (60, 120)];
const CONFIRM_SELECT_OK: Method = (85, 11);

/// What happens to the frames of one direction, on all connections.
#[derive(Default)]
pub struct Way {
    /// They vanish, with their content, and everything else passes.
    swallowed: Mutex<BTreeSet<Method>>,
    /// They, and what is behind them, wait so long.
    held: Mutex<BTreeMap<Method, Duration>>,
    /// How often they came by, swallowed or not.
    counts: Mutex<BTreeMap<Method, u64>>,
}

impl Way {
    pub fn swallow(&self, methods: &[Method]) {
        self.swallowed.lock().unwrap().extend(methods);
    }

    pub fn pass_all(&self) {
        self.swallowed.lock().unwrap().clear();
    }

    pub fn hold(&self, method: Method, time: Duration) {
        self.held.lock().unwrap().insert(method, time);
    }

    pub fn count(&self, method: Method) -> u64 {
        self.counts.lock().unwrap().get(&method).copied().unwrap_or(0)
    }

    /// Waits until so many of them have come by.
    pub async fn until(&self, method: Method, count: u64) {
        let wait = async {
            while self.count(method) < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("frames in time");
    }
}

pub struct Proxy {
    address: SocketAddr,
    pub from_broker: Arc<Way>,
    pub from_client: Arc<Way>,
    /// Connections made before it changed pass nothing more in either direction, and stay open.
    silent: watch::Sender<Silence>,
}

/// Which connections go silent.
#[derive(Clone, Copy)]
enum Silence {
    All,
    /// Those on which something was published.
    Publishing,
}

impl Proxy {
    pub async fn start(config: &RabbitConfig) -> Self {
        let (_, place) = config.url.rsplit_once('@').unwrap();
        let broker = place.split_once('/').unwrap().0.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (from_broker, from_client) = (Arc::<Way>::default(), Arc::<Way>::default());
        let (silent, silenced) = watch::channel(Silence::All);
        let ways = (from_broker.clone(), from_client.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&broker).await else { continue };
                for side in [&client, &server] {
                    side.set_nodelay(true).unwrap();
                }
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let mut silenced = silenced.clone();
                silenced.mark_unchanged();
                let publishes = Arc::<AtomicBool>::default();
                // A client begins with the protocol's name.
                let there = frames(from_client, to_server, 8, ways.1.clone(), publishes.clone());
                let back = frames(from_server, to_client, 0, ways.0.clone(), publishes.clone());
                tokio::spawn(async move {
                    let mut passing = std::pin::pin!(async { tokio::join!(there, back) });
                    tokio::select! {
                        _ = &mut passing => {}
                        // Both ends stay open.
                        () = until_silenced(silenced, &publishes) => std::future::pending().await,
                    }
                });
            }
        });
        Self { address, from_broker, from_client, silent }
    }

    pub fn url(&self, config: &RabbitConfig) -> String {
        let (_, place) = config.url.rsplit_once('@').unwrap();
        let (host, _) = place.split_once('/').unwrap();
        config.url.replace(host, &self.address.to_string())
    }

    /// The connections that there are say nothing more, and are told nothing.
    pub fn silence(&self) {
        self.silent.send_replace(Silence::All);
    }

    /// Those that publish.
    pub fn silence_publishing(&self) {
        self.silent.send_replace(Silence::Publishing);
    }
}

async fn until_silenced(mut silenced: watch::Receiver<Silence>, publishes: &AtomicBool) {
    while silenced.changed().await.is_ok() {
        if matches!(*silenced.borrow_and_update(), Silence::All) || publishes.load(Ordering::Acquire) {
            return;
        }
    }
}

/// Reads the frames one by one: type, channel, size, payload, end.
async fn frames(
    from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    before: usize,
    way: Arc<Way>,
    publishes: Arc<AtomicBool>,
) -> std::io::Result<()> {
    let mut from = BufReader::new(from);
    let mut vanishing = BTreeSet::new();
    let mut name = vec![0; before];
    from.read_exact(&mut name).await?;
    to.write_all(&name).await?;
    loop {
        let mut frame = vec![0; 7];
        from.read_exact(&mut frame).await?;
        let channel = u16::from_be_bytes([frame[1], frame[2]]);
        let size = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]) as usize;
        frame.resize(7 + size + 1, 0);
        from.read_exact(&mut frame[7..]).await?;
        if frame[0] == 1 {
            let method = (u16::from_be_bytes([frame[7], frame[8]]), u16::from_be_bytes([frame[9], frame[10]]));
            publishes.fetch_or(method == CONFIRM_SELECT_OK, Ordering::AcqRel);
            *way.counts.lock().unwrap().entry(method).or_default() += 1;
            let held = way.held.lock().unwrap().get(&method).copied();
            if let Some(time) = held {
                tokio::time::sleep(time).await;
            }
            // Its content follows in frames of its own.
            if way.swallowed.lock().unwrap().contains(&method) {
                vanishing.insert(channel);
            } else {
                vanishing.remove(&channel);
            }
        }
        if frame[0] == 8 || !vanishing.contains(&channel) {
            to.write_all(&frame).await?;
        }
    }
}

/// A bus through a proxy, with these changes to its settings, and one that has nothing to do with it.
pub async fn through_a_proxy(
    change: impl FnOnce(RabbitConfig, &Proxy) -> RabbitConfig,
) -> Option<(RabbitBus, RabbitBus, Proxy)> {
    let (direct, config) = bus().await?;
    let proxy = Proxy::start(&config).await;
    // A publish that only this ends would end none of the tests.
    let publish_deadline = Duration::from_secs(3_600);
    let config = RabbitConfig { url: proxy.url(&config), publish_deadline, ..config };
    Some((RabbitBus::connect(change(config, &proxy)).await.unwrap(), direct, proxy))
}
