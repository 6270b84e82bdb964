//! Where a process lives: its name, its disk, its way to the others. It dies and comes back; these stay.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use axum::Extension;
use channel_kit::{KitConfig, channel_service_over};
use domain::Account;
use ports::Clock;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use runtime::{
    Env, Service,
    bus::BundledBus,
    http::{Http, HttpPolicy},
    metrics::Metrics,
};
use service_router::RouterHandle;
use service_session::SessionGate;
use tokio::sync::Notify;

use crate::{
    air::Air,
    channel::Phone,
    door::{Door, door},
    life::Life,
    mutation,
    plan::{Place, Role},
    process::Process,
    provider,
    world::{PARTITIONS, World, house_of},
};

/// The gate's key.
pub(crate) const KEY: [u8; 32] = [7; 32];
/// How long a drained process may take.
const DRAIN: Duration = Duration::from_secs(8);

/// A process at work.
#[derive(Clone)]
pub(crate) struct Running {
    /// Its tasks.
    pub process: Arc<Process>,
    /// Its name and which of its lives this is.
    pub life: String,
    /// Whether that has ended.
    pub alive: Life,
    /// Its routes.
    pub http: axum::Router,
    /// Where connections come in that stay open.
    pub door: Door,
    /// The router's commands, of a router.
    pub router: Option<RouterHandle>,
}

/// What somebody asks of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Drain and start anew.
    Restart,
    /// Drain, and stay away: the world ends.
    End,
}

/// A place for a process.
pub(crate) struct Site {
    /// Which.
    pub place: Place,
    /// The way to the broker.
    pub to_broker: Air,
    /// The way to the stores.
    pub to_store: Air,
    disk: PathBuf,
    running: Mutex<Option<Running>>,
    order: Mutex<Option<Order>>,
    ordered: Notify,
    rest: Mutex<Duration>,
}

impl Site {
    /// A place with its disk below `disk`.
    pub(crate) fn new(place: Place, to_broker: Air, to_store: Air, disk: PathBuf) -> Self {
        Self {
            place,
            to_broker,
            to_store,
            disk,
            running: Mutex::default(),
            order: Mutex::default(),
            ordered: Notify::new(),
            rest: Mutex::new(Duration::ZERO),
        }
    }

    /// Who lives there now.
    pub(crate) fn running(&self) -> Option<Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, running: Option<Running>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }

    /// Has it die after `steps`, and come back after `rest`.
    pub(crate) fn crash(&self, steps: u32, rest: Duration) {
        *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = rest;
        if let Some(running) = self.running() {
            running.process.die_after(steps);
        }
    }

    /// Has it drained and started anew.
    pub(crate) fn restart(&self) {
        self.give(Order::Restart);
    }

    /// Has it drained for good.
    pub(crate) fn end(&self) {
        self.give(Order::End);
    }

    fn give(&self, order: Order) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = Some(order);
        self.ordered.notify_one();
    }

    fn take_order(&self) -> Option<Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps a process alive there, life after life, until the world ends.
    pub(crate) async fn keep(&self, world: &Arc<World>) {
        for life in 1.. {
            let running = self.start(world, life);
            self.set(Some(running.clone()));
            let order = tokio::select! {
                () = running.process.death() => None,
                () = self.ordered.notified() => self.take_order(),
            };
            self.set(None);
            let panics = match order {
                None => running.process.bury().await,
                Some(_) => running.process.stop(DRAIN).await,
            };
            // What it had in hand goes to others, whoever of its tasks holds it.
            world.broker.blip(Some(&self.place.to_string()));
            world.record.note(|| format!("{} {}", running.life, if order.is_none() { "is dead" } else { "has ended" }));
            world.record.known().problems.extend(panics.into_iter().map(|panic| format!("panic: {panic}")));
            if order == Some(Order::End) {
                return;
            }
            drop(running);
            let rest = std::mem::take(&mut *self.rest.lock().unwrap_or_else(PoisonError::into_inner));
            tokio::time::sleep(rest.max(Duration::from_millis(50))).await;
        }
    }

    fn start(&self, world: &Arc<World>, life: u32) -> Running {
        let name = self.place.to_string();
        let alive = Life::default();
        let env = mutation::apply(world.mutation, self.place.role, self.env(world, &name, &alive));
        let (service, router) = match self.place.role {
            Role::Channel => (channel(world, env, &alive), None),
            Role::Router => {
                let (service, handle) = router(env);
                (service, Some(handle))
            }
            Role::Session => (session(env), None),
        };
        let Service { tasks, http, .. } = service;
        let life = format!("{name}.{life}");
        world.record.note(|| format!("{life} is alive"));
        let process = Process::start(tasks, alive.clone());
        let (door, doorkeeper) = door();
        process.answer(doorkeeper, http.clone().layer(Extension(process.drain())));
        Running { process, life, alive, http, door, router }
    }

    fn env(&self, world: &World, name: &str, life: &Life) -> Env {
        let store = Arc::new(world.store.through(self.to_store.of(life)));
        let (http, metrics) = chassis();
        Env {
            replica: name.into(),
            partitions: PARTITIONS,
            public_url: "http://127.0.0.1".into(),
            data: Arc::new(self.disk.clone()),
            clock: Arc::clone(&world.clock) as Arc<dyn Clock>,
            // As in production, messages that wait for the same route travel together.
            bus: Arc::new(BundledBus::new(Arc::new(world.broker.through(name, self.to_broker.of(life))))),
            journal: store.clone(),
            views: store.clone(),
            directory: store.clone(),
            ledger: store.clone(),
            windows: store.clone(),
            consents: store.clone(),
            buckets: store.clone(),
            cursors: store.clone(),
            leases: store.clone(),
            blobs: store.clone(),
            mailboxes: store.clone(),
            sign_ins: store.clone(),
            templates: store.clone(),
            shelves: store.clone(),
            parking: store,
            http,
            metrics,
        }
    }
}

/// A client that nobody calls, and counters that nobody reads: made once, because they are dear.
#[expect(clippy::expect_used, reason = "the default policy is sound, and there is nobody to tell")]
pub(crate) fn chassis() -> (Http, Metrics) {
    static CHASSIS: OnceLock<(Http, Metrics)> = OnceLock::new();
    CHASSIS
        .get_or_init(|| {
            let metrics = Metrics::new();
            (Http::new(HttpPolicy::default(), metrics.clone()).expect("a client"), metrics)
        })
        .clone()
}

/// The pair of the gate's key.
#[expect(clippy::expect_used, reason = "any 32 bytes are a seed")]
pub(crate) fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&KEY).expect("a key")
}

fn channel(world: &Arc<World>, env: Env, life: &Life) -> Service {
    let mut public = [0; 32];
    public.copy_from_slice(key().public_key().as_ref());
    let config = KitConfig {
        prefetch: 16,
        // The smallest share: whoever has two messages on their way in a partition has a shelf there.
        share: 1,
        hold: Duration::from_secs(40),
        first_pause: Duration::from_millis(200),
        longest_pause: Duration::from_secs(5),
        send_deadline: Duration::from_secs(15),
        quarantine: Duration::from_secs(10),
        drain: Duration::from_secs(5),
        ..KitConfig::new(public, *b"a media secret of at least 32 by")
    };
    let (providers, life) = (world.providers.clone(), life.clone());
    let exchanges = Arc::new(move |account: &Account| {
        let house = house_of(account.organization).unwrap_or(usize::MAX);
        provider::of_house(&providers, house, &life)
    });
    channel_service_over(Arc::new(Phone), config, env, exchanges)
}

fn router(env: Env) -> (Service, RouterHandle) {
    let gate = gate(&env);
    service_router::service(service_router::Config::default(), env, gate)
}

#[expect(clippy::expect_used, reason = "the key is one")]
fn gate(env: &Env) -> Arc<SessionGate> {
    Arc::new(SessionGate::new(&session_config(), env.clone()).expect("the gate's key"))
}

fn session_config() -> service_session::Config {
    service_session::Config::new(hex::encode(KEY))
}

#[expect(clippy::expect_used, reason = "the key is one")]
fn session(env: Env) -> Service {
    service_session::service(session_config(), env).expect("the gate's key")
}
