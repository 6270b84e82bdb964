//! Messages that wait for the same route travel in one: the broker's cost per message falls as load grows, and a message
//! that is alone travels as itself, at once.
//!
//! Each route has at most one publish on its way, and all routes to queues together have few. Whoever publishes meanwhile
//! waits for them, and then goes out together with all others who waited; so nothing is held back for company, and order
//! holds. Only topics whose consumers are services of the mesh are bundled: what a channel reads may be read by a
//! program in another language. What a bundle becomes on the other side is in `opened.rs`.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use ports::{
    Bus,
    bus::{BusError, Depth, Envelope, Subscription},
    topology::{Queue, Topic},
};
use tokio::sync::{Semaphore, oneshot};
use wire::{Bundle, Bundled, Wire as _};

use super::opened::opener;

/// The most messages in a bundle.
const MOST: usize = 64;
/// The most bytes of bodies in a bundle, but for a body that is larger by itself. Times the prefetch and the partitions
/// it bounds what a consumer holds.
const MOST_BYTES: usize = 32 << 10;
/// The most messages that go out at once on one route.
const AT_ONCE: usize = 512;
/// The most publishes to queues on their way: enough to keep a broker busy, and few enough that busy routes gather company.
pub const ON_THEIR_WAY: usize = 4;
/// How long a publish holds its place. A queue that confirms nothing (it has lost its majority) would hold it to the
/// deadline of the broker's adapter, and a few of them all places; the other queues go on beside it.
const HOLDS: Duration = Duration::from_secs(1);
/// A subscription's prefetch counts bundles; this many messages of the caller's prefetch make one.
const PER_BUNDLE: u16 = 8;

/// A bus whose busy routes carry bundles.
pub struct BundledBus {
    inner: Arc<dyn Bus>,
    routes: Arc<Routes>,
    packs: bool,
}

struct Routes {
    waiting: Mutex<HashMap<Topic, Route>>,
    places: Semaphore,
}

/// Who waits for a route. A route that is not in the map is idle.
type Route = VecDeque<Waiting>;

struct Waiting {
    envelopes: Vec<Envelope>,
    answer: oneshot::Sender<Result<(), BusError>>,
}

impl BundledBus {
    /// Over an adapter.
    pub fn new(inner: Arc<dyn Bus>) -> Self {
        let routes = Routes { waiting: Mutex::default(), places: Semaphore::new(ON_THEIR_WAY) };
        Self { inner, routes: Arc::new(routes), packs: true }
    }

    /// Over an adapter, for a mesh in which some processes cannot read bundles yet: it takes apart what comes, and packs
    /// nothing.
    pub fn that_packs_nothing(inner: Arc<dyn Bus>) -> Self {
        Self { packs: false, ..Self::new(inner) }
    }

    /// Puts the messages of one route in line. The answer comes when they are confirmed.
    fn line_up(&self, topic: Topic, envelopes: Vec<Envelope>) -> oneshot::Receiver<Result<(), BusError>> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { envelopes, answer };
        let mut routes = self.routes.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = routes.get_mut(&topic) {
            route.push_back(waiting);
        } else {
            routes.insert(topic.clone(), VecDeque::from([waiting]));
            // In a task of its own: a caller that gives up does not take the others along.
            tokio::spawn(carry(Arc::clone(&self.inner), Arc::clone(&self.routes), topic));
        }
        answered
    }
}

impl Routes {
    /// Those who wait, as many as go at once. The route is idle when there is nobody.
    fn take(&self, topic: &Topic) -> Vec<Waiting> {
        let mut routes = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(route) = routes.get_mut(topic) else { return Vec::new() };
        let mut taken = Vec::new();
        let mut count = 0;
        while count < AT_ONCE
            && let Some(waiting) = route.pop_front()
        {
            count += waiting.envelopes.len();
            taken.push(waiting);
        }
        if taken.is_empty() {
            routes.remove(topic);
        }
        taken
    }
}

/// A route that is being served. When its carrier ends in a panic the route is idle again: who waits hears of an error,
/// and the next one to publish starts another carrier.
struct Served {
    routes: Arc<Routes>,
    topic: Topic,
    idle: bool,
}

impl Drop for Served {
    fn drop(&mut self) {
        if !self.idle {
            tracing::error!(topic = self.topic.destination(), "who publishes on a route broke off");
            let mut routes = self.routes.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = routes.remove(&self.topic);
            drop(routes);
            drop(waiting);
        }
    }
}

/// Publishes what waits for a route until nothing does.
async fn carry(bus: Arc<dyn Bus>, routes: Arc<Routes>, topic: Topic) {
    let mut served = Served { routes, topic, idle: false };
    loop {
        // Never closed. Taken before those who wait are: they gather until it is there. What goes to everybody is one
        // route, waits for no disk, and somebody looks at a page that waits for it.
        let place = if served.topic.is_fanout() { None } else { served.routes.places.acquire().await.ok() };
        let waiting = served.routes.take(&served.topic);
        if waiting.is_empty() {
            served.idle = true;
            return;
        }
        let (envelopes, answers): (Vec<_>, Vec<_>) = waiting.into_iter().map(|one| (one.envelopes, one.answer)).unzip();
        let mut publishing = bus.publish(bundles(envelopes.into_iter().flatten()));
        let published = match tokio::time::timeout(HOLDS, &mut publishing).await {
            Ok(published) => published,
            Err(_) => {
                drop(place);
                publishing.await
            }
        };
        for answer in answers {
            // Who gave up does not hear it.
            drop(answer.send(published.clone()));
        }
    }
}

/// Packs messages of one route, in order. What is a bundle already (a parked one that goes again) travels alone.
fn bundles(envelopes: impl Iterator<Item = Envelope>) -> Vec<Envelope> {
    let mut packed = Vec::new();
    let mut open: Vec<Envelope> = Vec::new();
    let mut bytes = 0;
    for envelope in envelopes {
        let is_bundle = envelope.kind == Bundle::KIND;
        let is_full = open.len() == MOST || bytes + envelope.body.len() > MOST_BYTES;
        if !open.is_empty() && (is_full || is_bundle) {
            packed.push(pack(std::mem::take(&mut open)));
            bytes = 0;
        }
        if is_bundle {
            packed.push(envelope);
            continue;
        }
        bytes += envelope.body.len();
        open.push(envelope);
    }
    if !open.is_empty() {
        packed.push(pack(open));
    }
    packed
}

fn pack(mut envelopes: Vec<Envelope>) -> Envelope {
    if envelopes.len() == 1
        && let Some(alone) = envelopes.pop()
    {
        return alone;
    }
    let topic = envelopes.first().map_or(Topic::Parked, |first| first.topic.clone());
    let id = envelopes.first().map_or_else(String::new, |first| format!("bundle/{}", first.id));
    let bundled = envelopes
        .into_iter()
        .map(|one| Bundled {
            id: one.id,
            kind: one.kind,
            correlation: one.correlation,
            headers: one.headers,
            body: one.body,
        })
        .collect();
    Envelope {
        id,
        topic,
        kind: Bundle::KIND.to_owned(),
        correlation: None,
        headers: std::collections::BTreeMap::new(),
        body: wire::encode(&Bundle(bundled)),
    }
}

#[async_trait]
impl Bus for BundledBus {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        let mut alone = Vec::new();
        let mut groups: Vec<(Topic, Vec<Envelope>)> = Vec::new();
        for envelope in batch {
            if !self.packs || !envelope.topic.is_bundled() {
                alone.push(envelope);
            } else if let Some((_, group)) = groups.iter_mut().find(|(topic, _)| *topic == envelope.topic) {
                group.push(envelope);
            } else {
                groups.push((envelope.topic.clone(), vec![envelope]));
            }
        }
        let lines: Vec<_> = groups.into_iter().map(|(topic, group)| self.line_up(topic, group)).collect();
        let mut published = if alone.is_empty() { Ok(()) } else { self.inner.publish(alone).await };
        for line in lines {
            let answered = line.await.unwrap_or_else(|_| Err(BusError::Unavailable("publishing broke off".to_owned())));
            published = published.and(answered);
        }
        published
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Subscription, BusError> {
        if !queue.topic().is_bundled() {
            return self.inner.subscribe(queue, prefetch).await;
        }
        let bundles = (prefetch / PER_BUNDLE).max(PER_BUNDLE.min(prefetch));
        let subscription = self.inner.subscribe(queue.clone(), bundles).await?;
        Ok(subscription.opening(opener(Arc::clone(&self.inner), queue)))
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BusError> {
        self.inner.depth(queue).await
    }

    async fn waiting(&self, queue: &Queue) -> Result<u64, BusError> {
        self.inner.waiting(queue).await
    }

    async fn check(&self) -> Result<(), BusError> {
        self.inner.check().await
    }
}
