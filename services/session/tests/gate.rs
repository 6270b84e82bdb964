//! The gate on the embedded mesh: permits, refusals, and opt-outs that are faster than the next send.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::disallowed_methods)]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use adapter_embedded::{Embedded, EmbeddedOptions};
use adapter_redis::RedisStore;
use afluente_session::{Config, SessionGate, service};
use domain::{
    AccountId, Address, Author, ConsentChange, ConsentEntry, ContactId, Content, Conversation, ConversationId, EventId,
    Inbound, InboundBody, InboundMessage, Message, MessageId, OrganizationId, Permitted, Profile, QueueId, SendRequest,
    Stage, TemplateCall, Thread, Timestamp, error::codes,
};
use ports::{
    Clock as _, ManualClock, Windows,
    apis::{GateApi as _, Verdict},
    bus::{Delivery, Depth, Envelope, Subscription},
    journal::Commit,
    topology::{Queue, Topic},
};
use ring::signature::{ED25519, UnparsedPublicKey};
use runtime::{
    Drain, Env,
    http::{Http, HttpPolicy},
    metrics::Metrics,
};
use tokio::task::JoinSet;
use wire::Wire as _;

const SEED: &str = "4242424242424242424242424242424242424242424242424242424242424242";
const PARTITIONS: u16 = 2;

struct World {
    env: Env,
    clock: Arc<ManualClock>,
    gate: SessionGate,
    outbound: Subscription,
    refused: Subscription,
    tasks: JoinSet<Result<(), String>>,
    count: u32,
    conversation: Conversation,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::over(None).await
    }

    /// With windows kept elsewhere than in the embedded store.
    async fn over(windows: Option<Arc<dyn Windows>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let embedded = Embedded::open(folder.path(), EmbeddedOptions::default()).await.unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let mut env = env(&embedded, &clock, folder.path());
        env.windows = windows.unwrap_or(env.windows);
        let gate = SessionGate::new(&Config::new(SEED), env.clone()).unwrap();
        let partition = thread().partition(PARTITIONS);
        let channel = "whatsapp".parse().unwrap();
        let outbound = env.bus.subscribe(Queue::ChannelOutbound(channel, partition), 100).await.unwrap();
        let refused = env.bus.subscribe(Queue::RouterInbound(partition), 100).await.unwrap();
        let tasks = JoinSet::new();
        Self { env, clock, gate, outbound, refused, tasks, count: 0, conversation: conversation(), _folder: folder }
    }

    fn start(&mut self) {
        self.start_tasks("");
    }

    /// Only the tasks with this in their names: what is told is not read while `inbound` is left out.
    fn start_tasks(&mut self, name: &str) {
        let tasks = service(Config::new(SEED), self.env.clone()).unwrap().tasks;
        for task in tasks.into_iter().filter(|task| task.name.contains(name)) {
            self.tasks.spawn((task.run)(Drain::default()));
        }
    }

    /// The session service has read nothing of it, or nothing more.
    async fn unread(&self) -> u64 {
        let depth = self.env.bus.depth(&Queue::SessionInbound(thread().partition(PARTITIONS))).await.unwrap();
        depth.ready + depth.unsettled
    }

    fn inbound(&mut self, body: InboundBody) -> Inbound {
        self.count += 1;
        let at = self.clock.now();
        let id = EventId::derive(&["event", &self.count.to_string()]);
        Inbound { id, thread: thread(), channel: "whatsapp".parse().unwrap(), at, received_at: at, body }
    }

    /// The contact writes; answers when.
    async fn says(&mut self, text: &str) -> Timestamp {
        self.clock.advance(Duration::from_millis(1));
        self.said(text, self.clock.now()).await
    }

    /// The contact's message as it comes now: they wrote it then.
    async fn said(&mut self, text: &str, at: Timestamp) -> Timestamp {
        let (content, profile) = (Content::text(text), Profile::default());
        let said = InboundMessage { provider_id: format!("in-{}", self.count), content, profile, reply_to: None };
        let opens = self.conversation.next_sequence == 1;
        let bears = opens || sessions::bears_on_consent(sessions::policy_of("whatsapp"), &said.content);
        let inbound = Inbound { at, ..self.inbound(InboundBody::Message(said)) };
        self.carried_out(&inbound).await;
        if bears {
            self.is_told(&inbound).await;
        }
        inbound.at
    }

    /// What the router does with the contact's message.
    async fn carried_out(&mut self, inbound: &Inbound) {
        let InboundBody::Message(said) = &inbound.body else { panic!("a message") };
        let message = Message {
            id: MessageId::derive(&["said", &inbound.id.to_string()]),
            organization: inbound.thread.organization,
            conversation: self.conversation.id,
            sequence: self.conversation.next_sequence,
            author: Author::Contact,
            content: said.content.clone(),
            at: inbound.wrote_at(),
            provider_id: Some(said.provider_id.clone()),
            reply_to: None,
            delivery: None,
            cause: inbound.id,
            version: 0,
        };
        self.conversation.next_sequence += 1;
        self.conversation.last_inbound_at = self.conversation.last_inbound_at.max(Some(message.at));
        let conversations = vec![self.conversation.clone()];
        let commit = Commit { conversations, messages: vec![message], ..Commit::default() };
        self.env.journal.commit(&commit).await.unwrap();
        self.conversation.version += 1;
    }

    /// What the router passes on.
    async fn is_told(&self, inbound: &Inbound) {
        let topic = Topic::Consent(inbound.thread.partition(PARTITIONS));
        self.publish(inbound.id.to_string(), topic, Inbound::KIND, wire::encode(inbound)).await;
    }

    fn request(&mut self, content: Content, last_inbound_at: Option<Timestamp>) -> SendRequest {
        self.count += 1;
        SendRequest {
            message: MessageId::derive(&["message", &self.count.to_string()]),
            conversation: ConversationId::derive(&["conversation"]),
            thread: thread(),
            channel: "whatsapp".parse().unwrap(),
            content,
            reply_to: None,
            author: None,
            at: self.clock.now(),
            last_inbound_at,
        }
    }

    async fn ask(&self, request: &SendRequest) {
        let topic = Topic::Requested(request.thread.partition(PARTITIONS));
        self.publish(request.message.to_string(), topic, SendRequest::KIND, wire::encode(request)).await;
    }

    async fn publish(&self, id: String, topic: Topic, kind: &str, body: bytes::Bytes) {
        let headers = BTreeMap::new();
        let envelope = Envelope { id, topic, kind: kind.to_owned(), correlation: None, headers, body };
        self.env.bus.publish(vec![envelope]).await.unwrap();
    }

    async fn permitted(&mut self) -> Permitted {
        let delivery = next(&mut self.outbound).await;
        let permitted = wire::decode(&delivery.envelope.body).unwrap();
        delivery.ack();
        permitted
    }

    /// The code with which the next refused message comes back.
    async fn until_asked_is_settled(&self) {
        let queue = Queue::SessionRequested(thread().partition(PARTITIONS));
        let settled = async {
            while self.env.bus.depth(&queue).await.unwrap() != Depth::default() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), settled).await.expect("settled in time");
    }

    async fn refusal(&mut self) -> (MessageId, String) {
        let delivery = next(&mut self.refused).await;
        let inbound: Inbound = wire::decode(&delivery.envelope.body).unwrap();
        delivery.ack();
        let InboundBody::Refused(refusal) = inbound.body else { panic!("a refusal, not {:?}", inbound.body) };
        (refusal.message, refusal.failure.code.to_string())
    }
}

async fn next(subscription: &mut Subscription) -> Delivery {
    tokio::time::timeout(Duration::from_secs(30), subscription.next()).await.expect("a delivery").unwrap()
}

fn thread() -> Thread {
    Thread {
        organization: OrganizationId::derive(&["acme"]),
        account: AccountId::derive(&["demo"]),
        address: Address::new("5511999990000"),
    }
}

fn conversation() -> Conversation {
    let at = Timestamp::from_secs(1_800_000_000);
    Conversation {
        id: ConversationId::derive(&["conversation"]),
        thread: thread(),
        channel: "whatsapp".parse().unwrap(),
        contact: ContactId::derive(&["contact"]),
        contact_name: None,
        contact_email: None,
        queue: QueueId::derive(&["queue"]),
        stage: Stage::Waiting,
        agent: None,
        assignment: None,
        opened_at: at,
        waiting_since: at,
        last_inbound_at: None,
        last_activity_at: at,
        closed_at: None,
        close_reason: None,
        unread: 0,
        preview: String::new(),
        preview_kind: String::new(),
        next_sequence: 1,
        version: 0,
    }
}

fn text() -> Content {
    Content::text("bom dia")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_11_a_permit_is_signed_and_ends_with_the_window() {
    let mut world = World::new().await;
    world.start();
    let wrote = world.says("oi").await;
    let request = world.request(text(), Some(wrote));
    world.ask(&request).await;
    let Permitted { request: sent, permit } = world.permitted().await;
    assert_eq!(sent, request);
    assert_eq!((permit.message, permit.ground.as_str()), (request.message, "window"));
    assert_eq!(permit.expires_at, world.clock.now() + Duration::from_secs(20 * 60));
    let key = UnparsedPublicKey::new(&ED25519, world.gate.public_key());
    key.verify(&wire::permit_bytes(&sent, &permit), &permit.signature).unwrap();
    let forged = SendRequest { content: Content::text("outra coisa"), ..sent };
    assert!(key.verify(&wire::permit_bytes(&forged, &permit), &permit.signature).is_err());

    // Shortly before the end of the window a permit ends with it.
    world.clock.advance(Duration::from_secs(24 * 3600 - 60));
    let request = world.request(text(), Some(wrote));
    world.ask(&request).await;
    let permit = world.permitted().await.permit;
    assert_eq!(permit.expires_at, wrote + Duration::from_secs(24 * 3600));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_1_what_may_not_go_comes_back_and_the_order_stays() {
    let mut world = World::new().await;
    let wrote = world.says("oi").await;
    world.clock.advance(Duration::from_secs(25 * 3600));
    let (id, language, preview) = ("t".to_owned(), "pt_BR".to_owned(), "Olá".to_owned());
    let template = Content::Template(TemplateCall { id, language, params: Vec::new(), preview });
    let first = world.request(template.clone(), Some(wrote));
    let second = world.request(text(), Some(wrote));
    let third = world.request(template, Some(wrote));
    for request in [&first, &second, &third] {
        world.ask(request).await;
    }
    world.start();
    let permitted = [world.permitted().await, world.permitted().await];
    assert_eq!(permitted.each_ref().map(|one| one.request.message), [first.message, third.message]);
    assert!(permitted.iter().all(|one| one.permit.ground == "template"));
    assert_eq!(world.refusal().await, (second.message, "window_closed".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_4_who_never_wrote_and_never_agreed_is_not_written_to() {
    let mut world = World::new().await;
    world.start();
    let request = world.request(text(), None);
    world.ask(&request).await;
    assert_eq!(world.refusal().await, (request.message, "no_opt_in".to_owned()));
    let change = ConsentChange { granted: true, source: "import".into(), evidence: "form 12".into() };
    let inbound = world.inbound(InboundBody::Consent(change));
    world.is_told(&inbound).await;
    // Agreed, but the window never was open: only a template may begin.
    for _ in 0..1_500 {
        if world.env.consents.last(&[thread()]).await.unwrap()[0].is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(matches!(
        world.gate.check(&request).await.unwrap(),
        Verdict::Refuse { code, window_closed_at: None } if code == codes::WINDOW_CLOSED
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_5_an_opt_out_takes_effect_before_the_next_send() {
    let mut world = World::new().await;
    // The contact wrote STOP, the router has seen it, and the agent's answer overtakes it on the way to the gate.
    world.says("oi").await;
    let stopped = world.says(" Stop! ").await;
    let request = world.request(text(), Some(stopped));
    world.ask(&request).await;
    world.start();
    assert_eq!(world.refusal().await, (request.message, "opted_out".to_owned()));
    let history = world.env.consents.history(&thread()).await.unwrap();
    let changes: Vec<_> = history.iter().map(|one| (one.change.source.as_str(), one.change.granted)).collect();
    assert_eq!(changes, [("started_chat", true), ("keyword", false)]);
    assert_eq!(history[1].change.evidence, "Stop!");

    // Other words do not undo it, START does.
    let wrote = world.says("oi?").await;
    let request = world.request(text(), Some(wrote));
    assert!(
        matches!(world.gate.check(&request).await.unwrap(), Verdict::Refuse { code, .. } if code == codes::OPTED_OUT)
    );
    let wrote = world.says("START").await;
    let request = world.request(text(), Some(wrote));
    assert!(matches!(world.gate.check(&request).await.unwrap(), Verdict::Permit { .. }));
}

/// The pump that hears what bears on consent stands still. Whatever it has not read, the gate reads for itself, also what
/// the provider says is as old as, or older than, what was read: nothing reaches the provider.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_5_a_stop_that_nobody_has_read_yet_is_heard_before_the_send() {
    for late in [0, 1, 30_000] {
        let mut world = World::new().await;
        let wrote = world.says("oi").await;
        // What the pump did with it before it stood still.
        let change = ConsentChange { granted: true, source: "started_chat".into(), evidence: "message in-1".into() };
        let (cause, channel) = (EventId::derive(&["event", "1"]), "whatsapp".parse().unwrap());
        let entry = ConsentEntry { cause, thread: thread(), channel, change, at: wrote };
        world.env.consents.append(&[entry]).await.unwrap();
        world.env.windows.note(&[(thread(), wrote)], Duration::from_secs(86_400)).await.unwrap();

        world.said("STOP", Timestamp::from_millis(wrote.millis() - late)).await;
        assert_eq!(world.unread().await, 2);
        world.start_tasks("requested");
        let requests = [world.request(text(), Some(wrote)), world.request(text(), Some(wrote))];
        for request in &requests {
            world.ask(request).await;
        }
        for request in &requests {
            assert_eq!(world.refusal().await, (request.message, "opted_out".to_owned()));
        }
        let partition = thread().partition(PARTITIONS);
        let sent = world.env.bus.depth(&Queue::ChannelOutbound("whatsapp".parse().unwrap(), partition)).await.unwrap();
        assert_eq!((sent.ready, sent.unsettled, world.unread().await), (0, 0, 2));

        // The pump comes to the same words later, and notes them once.
        world.start_tasks("inbound");
        while world.unread().await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let history = world.env.consents.history(&thread()).await.unwrap();
        let changes: Vec<_> = history.iter().map(|one| (one.change.source.as_str(), one.change.granted)).collect();
        assert_eq!(changes, [("started_chat", true), ("keyword", false)]);
    }
}

/// On Telegram a contact who writes has unblocked the bot. Nobody is told of ordinary words, and the agent answers long
/// after the window store has forgotten them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_7_a_word_after_a_block_lifts_it_however_old_both_are() {
    let mut world = World::new().await;
    let begun = world.says("oi").await;
    let change = ConsentChange { granted: false, source: "provider_event".into(), evidence: "blocked".into() };
    let (cause, channel) = (EventId::derive(&["blocked"]), "telegram".parse().unwrap());
    let entry = ConsentEntry { cause, thread: thread(), channel, change, at: begun + Duration::from_secs(60) };
    world.env.consents.append(&[entry]).await.unwrap();
    world.clock.advance(Duration::from_secs(120));
    let request = SendRequest { channel: "telegram".parse().unwrap(), ..world.request(text(), Some(begun)) };
    let refused = world.gate.check(&request).await.unwrap();
    assert!(matches!(refused, Verdict::Refuse { code, .. } if code == codes::OPTED_OUT));
    world.says("voltei").await;
    world.clock.advance(Duration::from_secs(8 * 86_400));
    assert!(matches!(world.gate.check(&request).await.unwrap(), Verdict::Permit { .. }));
}

/// In a conversation that is over, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_5_a_stop_is_heard_after_its_conversation_was_closed() {
    let mut world = World::new().await;
    world.says("stop").await;
    world.conversation.stage = Stage::Closed;
    let commit = Commit { conversations: vec![world.conversation.clone()], ..Commit::default() };
    world.env.journal.commit(&commit).await.unwrap();
    world.conversation = Conversation { id: ConversationId::derive(&["another"]), ..conversation() };
    let wrote = world.says("oi").await;
    world.start_tasks("requested");
    let request = world.request(text(), Some(wrote));
    world.ask(&request).await;
    assert_eq!(world.refusal().await, (request.message, "opted_out".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_1_an_emptied_window_store_heals_from_what_the_router_committed() {
    let mut world = World::new().await;
    heals(&mut world).await;
}

/// Redis with nothing in it, while the consent ledger and the router's store have everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_1_an_emptied_redis_heals_from_what_the_router_committed() {
    let Some(url) = ports::conformance::server("AFLUENTE_TEST_REDIS") else { return };
    let namespace = |n| format!("gate-{}-{n}:", std::process::id());
    let redis = RedisStore::connect(&url, namespace(1)).await.unwrap();
    let mut world = World::over(Some(Arc::new(redis))).await;
    heals(&mut world).await;
    // Emptied again, and the contact has said STOP meanwhile: the new one opens no window over it. What was answered is
    // acknowledged first; else it would come again, and be refused too.
    world.until_asked_is_settled().await;
    world.tasks.shutdown().await;
    let stopped = world.says("STOP").await;
    world.env.windows = Arc::new(RedisStore::connect(&url, namespace(2)).await.unwrap());
    world.start_tasks("requested");
    let request = world.request(text(), Some(stopped));
    world.ask(&request).await;
    assert_eq!(world.refusal().await, (request.message, "opted_out".to_owned()));
    assert_eq!(world.env.windows.last(&[thread()]).await.unwrap(), [Some(stopped)]);
}

/// A Redis that nobody started: what contacts write is heard, and what agents write goes out or not as it should.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_1_the_gate_decides_while_redis_is_away() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let redis = RedisStore::open(&format!("redis://{closed}"), "gate:").unwrap();
    let mut world = World::over(Some(Arc::new(redis))).await;
    let wrote = world.says("oi").await;
    world.start();
    let request = world.request(text(), None);
    world.ask(&request).await;
    let permit = world.permitted().await.permit;
    assert_eq!(permit.ground, "window");
    assert!(permit.expires_at <= wrote + Duration::from_secs(24 * 3_600));
    world.says("STOP").await;
    let request = world.request(text(), None);
    world.ask(&request).await;
    assert_eq!(world.refusal().await, (request.message, "opted_out".to_owned()));
    // The pump waits for no Redis either: what it alone hears, as a provider's word of an opt-out, would wait with it.
    let read = async {
        while world.unread().await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), read).await.expect("read in time");
    assert_eq!(world.env.consents.history(&thread()).await.unwrap().len(), 2);
}

async fn heals(world: &mut World) {
    let wrote = world.says("oi").await;
    world.clock.advance(Duration::from_secs(7_200));
    world.start_tasks("requested");
    let request = world.request(text(), Some(wrote));
    world.ask(&request).await;
    assert_eq!(world.permitted().await.permit.ground, "window");
    assert_eq!(world.env.windows.last(&[thread()]).await.unwrap(), [Some(wrote)]);
    // Ordinary words are told to nobody. The next send finds the window that they opened again.
    world.clock.advance(Duration::from_secs(30 * 3_600));
    let wrote = world.says("ainda aí?").await;
    let request = world.request(text(), None);
    world.ask(&request).await;
    assert_eq!(world.permitted().await.permit.ground, "window");
    assert_eq!(world.env.windows.last(&[thread()]).await.unwrap(), [Some(wrote)]);
}

#[test]
fn a_key_that_is_none_is_refused_and_not_quoted() {
    let error = afluente_session::InvalidKey.to_string();
    assert!(error.starts_with("session signing_key"), "{error}");
    assert!(!format!("{:?}", Config::new(SEED)).contains("4242"));
}

fn env(embedded: &Embedded, clock: &Arc<ManualClock>, folder: &std::path::Path) -> Env {
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
