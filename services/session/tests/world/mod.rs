//! The gate on the embedded mesh, and what the router does for it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use adapter_embedded::{Embedded, EmbeddedOptions};
use afluente_session::{Config, SessionGate, service};
use domain::{
    AccountId, Address, Author, ContactId, Content, Conversation, ConversationId, EventId, Inbound, InboundBody,
    InboundMessage, Message, MessageId, OrganizationId, Permitted, Profile, QueueId, SendRequest, Stage, Thread,
    Timestamp,
};
use ports::{
    Clock as _, ManualClock, Windows,
    bus::{Delivery, Depth, Envelope, Subscription},
    journal::Commit,
    topology::{Queue, Topic},
};
use runtime::{
    Drain, Env,
    http::{Http, HttpPolicy},
    metrics::Metrics,
};
use tokio::task::JoinSet;
use wire::Wire as _;

pub const SEED: &str = "4242424242424242424242424242424242424242424242424242424242424242";
pub const PARTITIONS: u16 = 2;

pub struct World {
    pub env: Env,
    pub clock: Arc<ManualClock>,
    pub gate: SessionGate,
    pub outbound: Subscription,
    pub refused: Subscription,
    pub tasks: JoinSet<Result<(), String>>,
    pub count: u32,
    pub conversation: Conversation,
    _folder: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::over(None).await
    }

    /// With windows kept elsewhere than in the embedded store.
    pub async fn over(windows: Option<Arc<dyn Windows>>) -> Self {
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

    pub fn start(&mut self) {
        self.start_tasks("");
    }

    /// Only the tasks with this in their names: what is told is not read while `inbound` is left out.
    pub fn start_tasks(&mut self, name: &str) {
        let tasks = service(Config::new(SEED), self.env.clone()).unwrap().tasks;
        for task in tasks.into_iter().filter(|task| task.name.contains(name)) {
            self.tasks.spawn((task.run)(Drain::default()));
        }
    }

    /// The session service has read nothing of it, or nothing more.
    pub async fn unread(&self) -> u64 {
        let depth = self.env.bus.depth(&Queue::SessionInbound(thread().partition(PARTITIONS))).await.unwrap();
        depth.ready + depth.unsettled
    }

    pub fn inbound(&mut self, body: InboundBody) -> Inbound {
        self.count += 1;
        let at = self.clock.now();
        let id = EventId::derive(&["event", &self.count.to_string()]);
        Inbound { id, thread: thread(), channel: "whatsapp".parse().unwrap(), at, received_at: at, body }
    }

    /// The contact writes; answers when.
    pub async fn says(&mut self, text: &str) -> Timestamp {
        self.clock.advance(Duration::from_millis(1));
        self.said(text, self.clock.now()).await
    }

    /// The contact's message as it comes now: they wrote it then.
    pub async fn said(&mut self, text: &str, at: Timestamp) -> Timestamp {
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
    pub async fn carried_out(&mut self, inbound: &Inbound) {
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
    pub async fn is_told(&self, inbound: &Inbound) {
        let topic = Topic::Consent(inbound.thread.partition(PARTITIONS));
        self.publish(inbound.id.to_string(), topic, Inbound::KIND, wire::encode(inbound)).await;
    }

    pub fn request(&mut self, content: Content, last_inbound_at: Option<Timestamp>) -> SendRequest {
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

    pub async fn ask(&self, request: &SendRequest) {
        let topic = Topic::Requested(request.thread.partition(PARTITIONS));
        self.publish(request.message.to_string(), topic, SendRequest::KIND, wire::encode(request)).await;
    }

    pub async fn publish(&self, id: String, topic: Topic, kind: &str, body: bytes::Bytes) {
        let headers = BTreeMap::new();
        let envelope = Envelope { id, topic, kind: kind.to_owned(), correlation: None, headers, body };
        self.env.bus.publish(vec![envelope]).await.unwrap();
    }

    pub async fn permitted(&mut self) -> Permitted {
        let delivery = next(&mut self.outbound).await;
        let permitted = wire::decode(&delivery.envelope.body).unwrap();
        delivery.ack();
        permitted
    }

    /// The code with which the next refused message comes back.
    pub async fn until_asked_is_settled(&self) {
        let queue = Queue::SessionRequested(thread().partition(PARTITIONS));
        let settled = async {
            while self.env.bus.depth(&queue).await.unwrap() != Depth::default() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), settled).await.expect("settled in time");
    }

    pub async fn refusal(&mut self) -> (MessageId, String) {
        let delivery = next(&mut self.refused).await;
        let inbound: Inbound = wire::decode(&delivery.envelope.body).unwrap();
        delivery.ack();
        let InboundBody::Refused(refusal) = inbound.body else { panic!("a refusal, not {:?}", inbound.body) };
        (refusal.message, refusal.failure.code.to_string())
    }
}

pub async fn next(subscription: &mut Subscription) -> Delivery {
    tokio::time::timeout(Duration::from_secs(30), subscription.next()).await.expect("a delivery").unwrap()
}

pub fn thread() -> Thread {
    Thread {
        organization: OrganizationId::derive(&["acme"]),
        account: AccountId::derive(&["demo"]),
        address: Address::new("5511999990000"),
    }
}

pub fn conversation() -> Conversation {
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

pub fn text() -> Content {
    Content::text("bom dia")
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
