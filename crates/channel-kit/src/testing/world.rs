//! A mesh of one channel: the embedded adapters in a temporary folder, a broker that can go away, a gate's key, and the
//! channel's service running on them.

use std::{
    any::Any,
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use adapter_embedded::{Embedded, EmbeddedOptions};
use axum::{
    body::Body,
    http::{Request, Response, StatusCode},
};
use domain::{
    Account, AccountId, Address, Attempted, Channel, Content, ConversationId, Inbound, InboundBody, MessageId,
    Partition, Permit, Permitted, SendRequest, Thread,
};
use futures_util::future::BoxFuture;
use ports::{
    Bus, Directory as _, Shelves as _,
    bus::{Delivery, Depth, Envelope, Subscription},
    topology::{Queue, Topic},
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use runtime::{
    Drain, Env,
    clock::SystemClock,
    http::{Http, HttpPolicy},
    metrics::Metrics,
};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;
use wire::Wire as _;

use super::{FakeProvider, FaultyBus, Reply};
use crate::{
    config::KitConfig,
    contract::ChannelType,
    http::Exchange,
    kit::{Exchanges, Kit},
    service,
};

/// Something that is held for as long as the answer lives.
pub type Hold = BoxFuture<'static, Box<dyn Any + Send>>;

/// How long anything may take before a check fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
const PARTITIONS: u16 = 2;

/// The world below a channel.
pub struct World {
    /// Everything that the service is given.
    pub env: Env,
    /// The broker's switch.
    pub bus: Arc<FaultyBus>,
    /// What the router would receive, oldest first.
    inbound: Vec<Subscription>,
    parked: Subscription,
    gate: Ed25519KeyPair,
    messages: u64,
    embedded: Embedded,
    _folder: tempfile::TempDir,
}

impl World {
    /// A new, empty world.
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let embedded = Embedded::open(folder.path(), EmbeddedOptions::default()).await.unwrap();
        let bus = FaultyBus::new(embedded.bus.clone());
        let metrics = Metrics::new();
        let store = embedded.store.clone();
        let env = Env {
            replica: "test".into(),
            partitions: PARTITIONS,
            public_url: "http://127.0.0.1:1".into(),
            data: Arc::new(folder.path().to_owned()),
            clock: Arc::new(SystemClock),
            bus: bus.clone(),
            journal: store.clone(),
            views: store.clone(),
            directory: store.clone(),
            ledger: store.clone(),
            windows: store.clone(),
            consents: store.clone(),
            buckets: embedded.buckets.clone(),
            cursors: store.clone(),
            leases: store.clone(),
            blobs: embedded.blobs.clone(),
            mailboxes: store.clone(),
            sign_ins: store.clone(),
            parking: store.clone(),
            templates: store.clone(),
            shelves: store,
            http: Http::new(HttpPolicy::default(), metrics.clone()).unwrap(),
            metrics,
        };
        let mut inbound = Vec::new();
        for p in 0..PARTITIONS {
            inbound.push(bus.subscribe(Queue::RouterInbound(Partition(p)), 256).await.unwrap());
        }
        let parked = bus.subscribe(Queue::RouterParked, 256).await.unwrap();
        let gate = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        Self { env, bus, inbound, parked, gate, messages: 0, embedded, _folder: folder }
    }

    /// The turn to write at the store, which nobody else has while it is held.
    pub fn turn_to_write(&self) -> Hold {
        let store = self.embedded.store.clone();
        Box::pin(async move { Box::new(store.begin().await.unwrap()) as Box<dyn Any + Send> })
    }

    /// The kit's settings for tests: short pauses, and this world's gate.
    pub fn config(&self) -> KitConfig {
        let mut key = [0; 32];
        key.copy_from_slice(self.gate.public_key().as_ref());
        KitConfig {
            first_pause: Duration::from_millis(10),
            longest_pause: Duration::from_millis(200),
            publish_bound: Duration::from_secs(5),
            quarantine: Duration::from_secs(30),
            reload: Duration::from_millis(100),
            drain: Duration::from_millis(200),
            ..KitConfig::new(key, *b"a media secret of at least 32 by")
        }
    }

    /// Starts the channel with these accounts, each with its own provider.
    pub async fn start(
        &self,
        kind: Arc<dyn ChannelType>,
        config: KitConfig,
        accounts: &[(Account, Arc<FakeProvider>)],
    ) -> Running {
        let mut providers: HashMap<AccountId, Arc<FakeProvider>> = HashMap::new();
        for (account, provider) in accounts {
            self.embedded.store.save_account(account).await.unwrap();
            providers.insert(account.id, Arc::clone(provider));
        }
        let exchanges: Exchanges = Arc::new(move |account: &Account| {
            providers.get(&account.id).cloned().unwrap_or_else(|| FakeProvider::new(Reply::Hang)) as Arc<dyn Exchange>
        });
        let channel = kind.name().parse().unwrap();
        let kit = Arc::new(Kit::new(kind, channel, config, self.env.clone(), exchanges));
        let running = Running::of(kit);
        until("the accounts are open", async || running.kit.accounts.loaded()).await;
        running
    }

    /// The next inbound events, of any partition; waits until there are `count`.
    pub async fn arrived(&mut self, count: usize) -> Vec<Inbound> {
        let mut events = Vec::new();
        let waiting = async {
            while events.len() < count {
                let (one, two) = self.inbound.split_at_mut(1);
                let delivery: Option<Delivery> = tokio::select! {
                    delivery = one[0].next() => delivery,
                    delivery = two[0].next() => delivery,
                };
                let delivery = delivery.expect("the bus is open");
                events.push(wire::decode::<Inbound>(&delivery.envelope.body).unwrap());
                delivery.ack();
            }
        };
        let got = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(got.is_ok(), "{} of {count} events arrived: {events:#?}", events.len());
        events
    }

    /// The next outcomes of sends; other events on the way are left out.
    pub async fn attempted(&mut self, count: usize) -> Vec<Attempted> {
        let mut found = Vec::new();
        while found.len() < count {
            let event = self.arrived(1).await.remove(0);
            if let InboundBody::Attempted(attempted) = event.body {
                found.push(attempted);
            }
        }
        found
    }

    /// Nothing is on its way to the router.
    pub async fn quiet(&self) {
        for p in 0..PARTITIONS {
            let depth = self.bus.depth(&Queue::RouterInbound(Partition(p))).await.unwrap();
            assert_eq!(depth.ready + depth.unsettled, 0, "nothing should have been published");
        }
    }

    /// The next parked message.
    pub async fn parked(&mut self) -> domain::Parked {
        let delivery = tokio::time::timeout(PATIENCE, self.parked.next()).await.expect("something is parked").unwrap();
        let parked = wire::decode(&delivery.envelope.body).unwrap();
        delivery.ack();
        parked
    }

    /// A message to `address`, with a genuine permit.
    pub fn permitted(&mut self, account: &Account, address: &Address, content: Content) -> Permitted {
        self.messages += 1;
        let request = SendRequest {
            message: MessageId::derive(&["battery", &self.messages.to_string()]),
            conversation: ConversationId::derive(&["battery"]),
            thread: Thread { organization: account.organization, account: account.id, address: address.clone() },
            channel: account.channel.clone(),
            content,
            reply_to: None,
            author: None,
            at: self.env.clock.now(),
            last_inbound_at: None,
        };
        let permit = Permit {
            message: request.message,
            organization: account.organization,
            account: account.id,
            expires_at: self.env.clock.now() + Duration::from_secs(600),
            ground: "window".to_owned(),
            signature: Vec::new(),
        };
        self.sign(Permitted { request, permit })
    }

    /// Signs what the gate would sign.
    pub fn sign(&self, mut permitted: Permitted) -> Permitted {
        let bytes = wire::permit_bytes(&permitted.request, &permitted.permit);
        permitted.permit.signature = self.gate.sign(&bytes).as_ref().to_vec();
        permitted
    }

    /// Hands it to the channel, as the gate does.
    pub async fn send(&self, permitted: &Permitted) {
        self.send_all(std::slice::from_ref(permitted)).await;
    }

    /// Hands them to the channel in one batch, in their order.
    pub async fn send_all(&self, permitted: &[Permitted]) {
        self.bus.publish(permitted.iter().map(outgoing).collect()).await.unwrap();
    }

    /// What waits for the channel, and what it has in hand, by partition.
    pub async fn outbound(&self, channel: &Channel) -> Vec<Depth> {
        let mut depths = Vec::new();
        for p in 0..PARTITIONS {
            depths.push(self.bus.depth(&Queue::ChannelOutbound(channel.clone(), Partition(p))).await.unwrap());
        }
        depths
    }

    /// How many messages lie on the shelves of the channel. Whoever serves it loses its turn by the question.
    pub async fn shelved(&self, channel: &Channel) -> u64 {
        let mut count = 0;
        for p in 0..PARTITIONS {
            let (_, laden) = self.embedded.store.take_over(channel, Partition(p)).await.unwrap();
            count += laden.iter().map(|one| one.count).sum::<u64>();
        }
        count
    }
}

fn outgoing(permitted: &Permitted) -> Envelope {
    let request = &permitted.request;
    Envelope {
        id: format!("{}-out", request.message),
        topic: Topic::Outbound(request.channel.clone(), request.thread.partition(PARTITIONS)),
        kind: Permitted::KIND.to_owned(),
        correlation: None,
        headers: Default::default(),
        body: wire::encode(permitted),
    }
}

/// A channel's service at work.
pub struct Running {
    pub(crate) kit: Arc<Kit>,
    /// Its routes.
    pub http: axum::Router,
    tasks: Vec<JoinHandle<()>>,
    drain: Drain,
    /// Begins before `drain`, as in a process: connections end first.
    process: Drain,
}

impl Running {
    fn of(kit: Arc<Kit>) -> Self {
        let service = service::build(Arc::clone(&kit));
        let (drain, process) = (Drain::default(), Drain::default());
        let start = |task: runtime::Task| {
            let drain = drain.clone();
            tokio::spawn(async move {
                while let Err(reason) = (task.run)(drain.clone()).await {
                    tracing::warn!(task = task.name, reason, "restarted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        };
        let http = service.http.layer(axum::Extension(process.clone()));
        Self { kit, http, tasks: service.tasks.into_iter().map(start).collect(), drain, process }
    }

    /// Calls a webhook.
    pub async fn post(&self, account: &str, headers: &[(String, String)], body: impl Into<Body>) -> Response<Body> {
        let mut request = Request::post(format!("/hooks/{}/{account}", self.kit.channel));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.http.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap()
    }

    /// Calls a webhook and expects `status`.
    pub async fn expect(&self, status: u16, account: &str, headers: &[(String, String)], body: &[u8], why: &str) {
        let answer = self.post(account, headers, body.to_vec()).await;
        assert_eq!(answer.status(), StatusCode::from_u16(status).unwrap(), "{why}");
        if status == 503 {
            assert!(answer.headers().contains_key("retry-after"), "{why}: says when to come again");
        }
    }

    /// Gets a page: its status and its text.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = self.http.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 10 << 20).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// What is kept of the exchanges of all accounts, secrets removed.
    pub fn transcripts(&self) -> String {
        self.kit.accounts.all().iter().map(|live| format!("{:?}", live.transcripts.all())).collect()
    }

    /// The first half of a drain: connections are told to end, tasks are not.
    pub(crate) fn close(&self) {
        self.process.0.cancel();
    }

    /// Drains, as SIGTERM does.
    pub async fn drain(mut self) {
        self.close();
        self.drain.0.cancel();
        for task in std::mem::take(&mut self.tasks) {
            tokio::time::timeout(PATIENCE, task).await.expect("the drain ends").unwrap();
        }
    }

    /// Dies on the spot, as `kill -9` does: no drain, nothing settled.
    pub async fn crash(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            let _ = task.await;
        }
        // A process that is gone holds no lock: wait for what its tasks had started.
        let spool = self.kit.intake.spool.clone();
        drop(self);
        until("the process is gone", async || spool.holders() == 1).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Waits until `holds`, and fails after [`PATIENCE`].
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "it never came to pass: {what}");
}

/// Everything that this process logs from [`Logs::listen`] on, on every thread. What other tests of the same binary log
/// meanwhile is heard too, and must be as clean.
///
/// One subscriber for the whole process: which log lines are on is decided once for all threads, so one that listens on
/// a single thread hears almost nothing when another test comes to a line first.
pub struct Logs {
    from: usize,
}

/// What the process logged since the first [`Logs::listen`].
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

impl Logs {
    /// Listens from now on.
    ///
    /// # Panics
    /// When something else listens for the whole process.
    pub fn listen() -> Self {
        static SUBSCRIBED: std::sync::Once = std::sync::Once::new();
        SUBSCRIBED.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::DEBUG)
                .with_ansi(false)
                .with_writer(|| Ear)
                .finish();
            tracing::subscriber::set_global_default(subscriber).expect("nobody else listens");
        });
        Self { from: logged().len() }
    }

    /// What was logged.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(logged().get(self.from..).unwrap_or_default()).into_owned()
    }
}

/// A test that failed leaves what was logged as it is.
fn logged() -> std::sync::MutexGuard<'static, Vec<u8>> {
    LOGGED.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct Ear;

impl io::Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        logged().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
