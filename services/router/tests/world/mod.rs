//! A small mesh for the router's tests: the embedded store and bus in a temporary folder, the real session service as
//! the gate, a clock that the test moves. What a channel or the desk would do, the test does.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, unreachable_pub)]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use adapter_embedded::{Embedded, EmbeddedOptions};
use domain::{
    Account, AccountId, Address, Attempted, Command, Commanded, Content, Conversation, ConversationId, DeliveryState,
    Distribution, Done, EventId, Inbound, InboundBody, InboundMessage, Message, MessageId, Organization,
    OrganizationId, Outcome, Partition, Permitted, Presence, Profile, Queue as DeskQueue, QueueId, Receipt, Refusal,
    Role, Stage, Thread, Timestamp, UserId,
};
use ports::{
    Clock, ConversationFilter, ManualClock,
    apis::RouterApi,
    bus::{Envelope, Subscription, headers},
    topology::{Queue, Topic},
};
use runtime::{
    Drain, Env, Service,
    http::{Http, HttpPolicy},
    metrics::Metrics,
};
use service_session::SessionGate;
use tokio::task::JoinSet;
use wire::Wire as _;

pub const PARTITIONS: u16 = 4;
const SEED: &str = "4242424242424242424242424242424242424242424242424242424242424242";

pub struct World {
    pub env: Env,
    pub clock: Arc<ManualClock>,
    pub embedded: Embedded,
    folder: tempfile::TempDir,
    events: std::sync::atomic::AtomicU32,
}

/// A router and a session service at work.
pub struct Running {
    pub router: service_router_under_test::RouterHandle,
    drain: Drain,
    tasks: JoinSet<Result<(), String>>,
}

/// The crate under its own name.
pub use afluente_router as service_router_under_test;

impl World {
    pub async fn new(distribution: Distribution) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let embedded = Embedded::open(folder.path(), EmbeddedOptions::default()).await.unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let env = env(&embedded, &clock, folder.path());
        let world = Self { env, clock, embedded, folder, events: 0.into() };
        world.seed(distribution).await;
        world
    }

    async fn seed(&self, distribution: Distribution) {
        let directory = &self.env.directory;
        let organization = Organization { id: organization(), name: "Acme".into() };
        directory.save_organization(&organization).await.unwrap();
        let queue = DeskQueue {
            id: queue(),
            organization: organization.id,
            name: "fila".into(),
            distribution,
            inactive_after: 1_800,
            abandon_after: 172_800,
            members: (0..5).map(user).collect(),
            active: true,
        };
        directory.save_queue(&queue).await.unwrap();
        directory.save_account(&self.account("demo", account())).await.unwrap();
    }

    pub fn account(&self, name: &str, id: AccountId) -> Account {
        Account {
            id,
            organization: organization(),
            channel: "whatsapp".parse().unwrap(),
            name: name.into(),
            label: name.into(),
            queue: queue(),
            settings: BTreeMap::new(),
            secrets: BTreeMap::new(),
            active: true,
        }
    }

    /// Starts both services on this world.
    pub fn start(&self) -> Running {
        self.start_with(self.env.clone())
    }

    /// Starts both services; the router sees `env`.
    pub fn start_with(&self, env: Env) -> Running {
        self.start_as(env, |_| ())
    }

    /// Starts both services; the router sees `env` and a changed configuration.
    pub fn start_as(&self, env: Env, change: impl FnOnce(&mut service_router_under_test::Config)) -> Running {
        let session = service_session::Config::new(SEED);
        let gate = Arc::new(SessionGate::new(&session, self.env.clone()).unwrap());
        let mut config = service_router_under_test::Config {
            timer_millis: 50,
            sweep_millis: 200,
            rules_millis: 50,
            ..service_router_under_test::Config::default()
        };
        change(&mut config);
        let (service, router) = service_router_under_test::service(config, env, gate);
        let gate = service_session::service(session, self.env.clone()).unwrap();
        let drain = Drain::default();
        let mut tasks = JoinSet::new();
        for Service { tasks: of_service, .. } in [service, gate] {
            for task in of_service {
                tasks.spawn((task.run)(drain.clone()));
            }
        }
        Running { router, drain, tasks }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn next(&self) -> u32 {
        self.events.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
    }

    pub fn event(&self, name: &str, body: InboundBody) -> Inbound {
        Inbound {
            id: EventId::derive(&["event", &self.next().to_string()]),
            thread: thread(name),
            channel: "whatsapp".parse().unwrap(),
            at: self.now(),
            received_at: self.now(),
            body,
        }
    }

    pub fn message(&self, name: &str, text: &str) -> Inbound {
        let (content, reply_to) = (Content::text(text), None);
        let profile = Profile { name: Some(name.to_owned()), ..Profile::default() };
        let provider_id = format!("in-{}", self.next());
        self.event(name, InboundBody::Message(InboundMessage { provider_id, content, profile, reply_to }))
    }

    pub async fn publish(&self, inbound: &[Inbound]) {
        let envelope = |one: &Inbound| Envelope {
            id: one.id.to_string(),
            topic: Topic::Inbound(one.thread.partition(PARTITIONS)),
            kind: Inbound::KIND.to_owned(),
            correlation: None,
            headers: BTreeMap::from([(headers::ORGANIZATION.to_owned(), organization().to_string())]),
            body: wire::encode(one),
        };
        self.env.bus.publish(inbound.iter().map(envelope).collect()).await.unwrap();
    }

    pub async fn says(&self, name: &str, text: &str) {
        self.publish(&[self.message(name, text)]).await;
    }

    pub async fn attempted(&self, name: &str, message: MessageId, outcome: Outcome) {
        let attempted = Attempted { message, part: 0, planned: 1, outcome };
        self.publish(&[self.event(name, InboundBody::Attempted(attempted))]).await;
    }

    pub async fn accepted(&self, name: &str, message: MessageId, id: &str) {
        self.attempted(name, message, Outcome::Accepted { provider_ids: vec![id.to_owned()] }).await;
    }

    pub async fn receipt(&self, name: &str, id: &str, state: DeliveryState) {
        let receipt = Receipt { provider_ids: vec![id.to_owned()], state, at: self.now(), failure: None };
        self.publish(&[self.event(name, InboundBody::Receipt(receipt))]).await;
    }

    /// Conversations in these stages; all when none are named.
    pub async fn conversations(&self, stages: &[Stage]) -> Vec<Conversation> {
        let filter = ConversationFilter { stages: stages.to_vec(), limit: 5_000, ..ConversationFilter::default() };
        self.env.views.conversations(organization(), &filter).await.unwrap()
    }

    /// The open conversation of `name`, once it is there.
    pub async fn open(&self, name: &str) -> Conversation {
        self.until("the conversation", async || {
            let all = self.conversations(&[Stage::Waiting, Stage::Active, Stage::Inactive]).await;
            all.into_iter().find(|one| one.thread == thread(name))
        })
        .await
    }

    /// A claim on an attempt that nobody else has.
    pub fn claim(&self) -> ports::Claim {
        ports::Claim::new(self.next().to_string())
    }

    pub async fn messages(&self, conversation: ConversationId) -> Vec<Message> {
        self.env.views.messages(organization(), conversation, None, 5_000).await.unwrap()
    }

    /// The message, once its delivery is in `state`.
    pub async fn delivery(&self, conversation: ConversationId, message: MessageId, state: DeliveryState) -> Message {
        self.until(&format!("{state:?}"), async || {
            let all = self.messages(conversation).await;
            all.into_iter().find(|one| one.id == message && one.delivery.as_ref().is_some_and(|d| d.state == state))
        })
        .await
    }

    /// What the channel is asked to send to `name`.
    pub async fn outbound(&self, name: &str) -> Subscription {
        let queue = Queue::ChannelOutbound("whatsapp".parse().unwrap(), thread(name).partition(PARTITIONS));
        self.env.bus.subscribe(queue, 100).await.unwrap()
    }

    /// Waits until the router and the gate have taken everything.
    pub async fn quiet(&self) {
        self.until("quiet", async || {
            // Each place is looked at after those that fill it: router, outbox, gate, and the router again for refusals.
            let rests = self.rest(&[Queue::RouterInbound]).await
                && self.env.views.audit(None).await.unwrap().outbox == 0
                && self.rest(&[Queue::SessionInbound, Queue::SessionRequested, Queue::RouterInbound]).await
                && self.env.views.audit(None).await.unwrap().outbox == 0;
            rests.then_some(())
        })
        .await;
    }

    async fn rest(&self, queues: &[fn(Partition) -> Queue]) -> bool {
        for queue in queues {
            for p in (0..PARTITIONS).map(Partition) {
                let depth = self.env.bus.depth(&queue(p)).await.unwrap();
                if depth.ready + depth.unsettled > 0 {
                    return false;
                }
            }
        }
        true
    }

    /// Asks again and again until there is an answer, for at most half a minute.
    pub async fn until<T>(&self, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
        for _ in 0..1_500 {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("waited in vain for {what}");
    }

    /// What the store counts must hold after every test.
    pub async fn sound(&self) {
        let counts = self.env.views.audit(None).await.unwrap();
        assert_eq!((counts.unaccounted_in, counts.out_of_order, counts.seat_mismatch), (0, 0, 0), "{counts:?}");
    }
}

impl Running {
    pub async fn try_order(&self, world: &World, agent: usize, command: Command) -> Result<Done, Refusal> {
        self.router.command(commanded(world, agent, command)).await
    }

    pub async fn order(&self, world: &World, agent: usize, command: Command) -> Done {
        self.try_order(world, agent, command).await.unwrap()
    }

    pub async fn online(&self, world: &World, agent: usize, capacity: u16) {
        self.order(world, agent, Command::SetPresence { presence: Presence::Online, capacity }).await;
    }

    /// A conversation with `name` that agent 0 serves.
    pub async fn serve(&self, world: &World, name: &str) -> ConversationId {
        world.says(name, "oi").await;
        let conversation = world.open(name).await.id;
        self.online(world, 0, 80).await;
        self.order(world, 0, Command::Take { conversation }).await;
        conversation
    }

    /// Serves `name`, answers, and takes the answer as the channel does.
    pub async fn answered(&self, world: &World, channel: &mut Subscription, name: &str) -> (ConversationId, MessageId) {
        let conversation = self.serve(world, name).await;
        let message = self.send(world, conversation, "bom dia").await;
        permitted(channel).await;
        (conversation, message)
    }

    pub async fn send(&self, world: &World, conversation: ConversationId, text: &str) -> MessageId {
        let content = Content::text(text);
        self.order(world, 0, Command::Send { conversation, content, reply_to: None }).await.message.unwrap().id
    }

    /// Ends as SIGTERM does.
    pub async fn stop(mut self) {
        self.drain.0.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
    }

    /// Ends as kill -9 does: nothing that is under way goes on.
    pub async fn crash(mut self) {
        self.tasks.shutdown().await;
    }
}

pub fn commanded(world: &World, agent: usize, command: Command) -> Commanded {
    Commanded {
        id: EventId::derive(&["command", &world.next().to_string()]),
        organization: organization(),
        actor: user(agent),
        role: Role::Agent,
        at: world.now(),
        command,
    }
}

/// The next message for the channel.
pub async fn permitted(subscription: &mut Subscription) -> Permitted {
    let delivery = tokio::time::timeout(Duration::from_secs(30), subscription.next()).await.unwrap().unwrap();
    let permitted = wire::decode(&delivery.envelope.body).unwrap();
    delivery.ack();
    permitted
}

pub fn organization() -> OrganizationId {
    OrganizationId::derive(&["acme"])
}

pub fn account() -> AccountId {
    AccountId::derive(&["acme", "demo"])
}

pub fn queue() -> QueueId {
    QueueId::derive(&["acme", "fila"])
}

pub fn user(n: usize) -> UserId {
    UserId::derive(&["agent", &n.to_string()])
}

pub fn thread(name: &str) -> Thread {
    Thread { organization: organization(), account: account(), address: Address::new(name) }
}

pub fn env(embedded: &Embedded, clock: &Arc<ManualClock>, folder: &std::path::Path) -> Env {
    let store = &embedded.store;
    let metrics = Metrics::new();
    Env {
        replica: "replica-1".into(),
        partitions: PARTITIONS,
        public_url: "http://127.0.0.1".into(),
        data: Arc::new(folder.to_owned()),
        clock: Arc::clone(clock) as _,
        bus: Arc::clone(&embedded.bus) as _,
        journal: Arc::clone(store) as _,
        views: Arc::clone(store) as _,
        directory: Arc::clone(store) as _,
        ledger: Arc::clone(store) as _,
        windows: Arc::clone(store) as _,
        consents: Arc::clone(store) as _,
        buckets: Arc::clone(&embedded.buckets) as _,
        cursors: Arc::clone(store) as _,
        leases: Arc::clone(store) as _,
        blobs: Arc::clone(&embedded.blobs) as _,
        mailboxes: Arc::clone(store) as _,
        sign_ins: Arc::clone(store) as _,
        parking: Arc::clone(store) as _,
        templates: Arc::clone(store) as _,
        shelves: Arc::clone(store) as _,
        http: Http::new(HttpPolicy::default(), metrics.clone()).unwrap(),
        metrics,
    }
}
