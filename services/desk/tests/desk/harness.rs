//! A desk of its own on a spare port with its data in a temporary folder, and two organizations.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use adapter_embedded::{Embedded, EmbeddedOptions};
use afluente_desk::Config;
use argon2::{Argon2, Params, PasswordHasher as _};
use domain::{
    Account, AccountId, Address, Author, Contact, ContactId, Content, Conversation, ConversationId, DeskChange,
    DeskEvent, Distribution, EventId, Language, Message, MessageId, Organization, OrganizationId, Queue, QueueId,
    Refusal, Role, Secret, SendRequest, Stage, Template, TemplateCategory, TemplateStatus, Thread, Timestamp, User,
    UserId,
};
use ports::{
    Clock as _, Directory as _, Journal as _,
    apis::{GateApi, Verdict},
    bus::Bus as _,
    bus::Envelope,
    journal::Commit,
    topology::Topic,
};
use runtime::{Drain, Env, clock::SystemClock, metrics::Metrics};
use service_router::Config as RouterConfig;

pub(crate) const PASSWORD: &str = "Senha123!";

/// A running desk.
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) base: String,
    pub(crate) drain: Drain,
    pub(crate) store: Embedded,
    served: Option<tokio::task::JoinHandle<()>>,
    _data: tempfile::TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Config { poll_millis: 200, names_millis: 0, ..Config::default() }).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Embedded::open(data.path(), EmbeddedOptions::default()).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let env = env(&store, data.path(), &base);
        let (router, handle) = service_router::service(RouterConfig::default(), env.clone(), Arc::new(Gate));
        let desk = afluente_desk::service(config, env.clone(), Arc::new(handle));
        let drain = Drain::default();
        let (metrics, stop) = (env.metrics.clone(), drain.clone());
        let served = tokio::spawn(async move {
            runtime::serve::serve(vec![router, desk], listener, metrics, stop, Duration::from_secs(5)).await.unwrap();
        });
        let world = Self { env, base, drain, store, served: Some(served), _data: data };
        seed(&world).await;
        world
    }

    pub(crate) async fn stop(mut self) {
        self.drain.0.cancel();
        self.served.take().unwrap().await.unwrap();
        self.store.close().await;
    }

    /// Signs in and answers a client that carries the token.
    pub(crate) async fn signed_in(&self, email: &str) -> Client {
        let body = serde_json::json!({ "email": email, "password": PASSWORD });
        let answer = http().post(format!("{}/api/v1/sessions", self.base)).json(&body).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 201);
        let body: serde_json::Value = answer.json().await.unwrap();
        Client { base: self.base.clone(), token: body["token"].as_str().unwrap().to_owned() }
    }

    /// The provider has listed these templates for the organization's account.
    pub(crate) async fn templates(&self, organization: &str, list: &[Template]) {
        let account = AccountId::derive(&[organization, "whatsapp"]);
        self.env.templates.replace(org(organization), account, list, self.env.clock.now()).await.unwrap();
    }

    /// A conversation that waits in `queue`, as the router would have written it.
    pub(crate) async fn conversation(&self, organization: &str, queue: &str, who: &str) -> Conversation {
        let conversation = waiting(organization, queue, who, self.env.clock.now());
        let commit = Commit { conversations: vec![conversation.clone()], ..Commit::default() };
        self.store.write(commit, DeskChange::Conversation(Box::new(conversation.clone())), true).await;
        Conversation { version: 1, ..conversation }
    }
}

/// An approved template in Portuguese.
pub(crate) fn template_of(id: &str, body: &str) -> Template {
    Template {
        id: id.to_owned(),
        name: format!("aviso_{id}"),
        language: "pt_BR".to_owned(),
        category: TemplateCategory::Utility,
        status: TemplateStatus::Approved,
        header: None,
        body: body.to_owned(),
        footer: None,
        buttons: Vec::new(),
    }
}

/// The gate's own rules, without its ledger.
struct Gate;

#[async_trait::async_trait]
impl GateApi for Gate {
    async fn check(&self, request: &SendRequest) -> Result<Verdict, Refusal> {
        let policy = sessions::policy_of(request.channel.as_str());
        let standing = sessions::Standing { last_inbound: request.last_inbound_at, consent: None };
        Ok(match sessions::decide(policy, &request.content, standing, SystemClock.now()) {
            sessions::Verdict::Permit { window_closes_at, .. } => Verdict::Permit { window_closes_at },
            sessions::Verdict::Refuse { code, window_closed_at } => Verdict::Refuse { code, window_closed_at },
        })
    }
}

/// Writes as the router does.
pub(crate) trait Write {
    /// Commits with one event, and announces it or lets the announcement be lost.
    async fn write(&self, commit: Commit, change: DeskChange, announced: bool);

    /// Commits with one event, and announces it in this way.
    async fn write_for(&self, commit: Commit, change: DeskChange, announced: Announced);
}

/// How an event is announced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announced {
    /// Not: it was lost.
    Never,
    /// In a page.
    Paged,
    /// By itself, as the release before pages did.
    Alone,
}

impl Write for Embedded {
    async fn write(&self, commit: Commit, change: DeskChange, announced: bool) {
        self.write_for(commit, change, if announced { Announced::Paged } else { Announced::Never }).await;
    }

    async fn write_for(&self, mut commit: Commit, change: DeskChange, announced: Announced) {
        let organization = organization_of(&change);
        let change = newer(change);
        commit.events = vec![DeskEvent { organization, sequence: 0, at: SystemClock.now(), change }];
        let events = self.store.commit(&commit).await.unwrap();
        for event in events {
            let (kind, body) = match announced {
                Announced::Never => continue,
                Announced::Alone => ("afluente.router.v1.DeskEvent", wire::encode(&event)),
                Announced::Paged => {
                    let pages = domain::DeskPage::of(vec![event], 64);
                    ("afluente.router.v1.DeskPage", wire::encode(pages.first().unwrap()))
                }
            };
            let envelope = Envelope {
                id: organization.to_string(),
                topic: Topic::Events,
                kind: kind.into(),
                correlation: None,
                headers: BTreeMap::from([(ports::bus::headers::ORGANIZATION.to_owned(), organization.to_string())]),
                body,
            };
            self.bus.publish(vec![envelope]).await.unwrap();
        }
    }
}

fn organization_of(change: &DeskChange) -> OrganizationId {
    match change {
        DeskChange::Conversation(conversation) => conversation.organization(),
        DeskChange::Message(message) => message.organization,
        DeskChange::Seat(seat) => seat.organization,
        DeskChange::Contact(contact) => contact.thread.organization,
        DeskChange::Parked(_) => panic!("the router alone writes these"),
    }
}

/// The event carries the version that the commit writes.
fn newer(change: DeskChange) -> DeskChange {
    match change {
        DeskChange::Conversation(mut conversation) => {
            conversation.version += 1;
            DeskChange::Conversation(conversation)
        }
        DeskChange::Message(mut message) => {
            message.version += 1;
            DeskChange::Message(message)
        }
        DeskChange::Seat(mut seat) => {
            seat.version += 1;
            DeskChange::Seat(seat)
        }
        moved @ DeskChange::Parked(_) => moved,
        DeskChange::Contact(mut contact) => {
            contact.version += 1;
            DeskChange::Contact(contact)
        }
    }
}

pub(crate) fn org(name: &str) -> OrganizationId {
    OrganizationId::derive(&[name])
}

pub(crate) fn queue(organization: &str, name: &str) -> QueueId {
    QueueId::derive(&[organization, name])
}

pub(crate) fn user(email: &str) -> UserId {
    UserId::derive(&[email])
}

pub(crate) fn waiting(organization: &str, in_queue: &str, who: &str, now: Timestamp) -> Conversation {
    let thread = Thread {
        organization: org(organization),
        account: AccountId::derive(&[organization, "whatsapp"]),
        address: Address::new(format!("5511{who}")),
    };
    Conversation {
        id: ConversationId::derive(&[organization, in_queue, who]),
        channel: "whatsapp".parse().unwrap(),
        contact: ContactId::derive(&[organization, who]),
        contact_name: Some(who.to_owned()),
        contact_email: None,
        queue: queue(organization, in_queue),
        stage: Stage::Waiting,
        agent: None,
        assignment: None,
        opened_at: now,
        waiting_since: now,
        last_inbound_at: Some(now),
        last_activity_at: now,
        closed_at: None,
        close_reason: None,
        unread: 1,
        preview: "oi".into(),
        preview_kind: "text".into(),
        next_sequence: 1,
        version: 0,
        thread,
    }
}

/// A message of the contact.
pub(crate) fn said(conversation: &Conversation, sequence: u64, content: Content) -> Message {
    let cause = EventId::derive(&[&conversation.id.to_string(), &sequence.to_string()]);
    Message {
        id: MessageId::derive(&[&cause.to_string()]),
        organization: conversation.organization(),
        conversation: conversation.id,
        sequence,
        author: Author::Contact,
        content,
        at: conversation.opened_at,
        provider_id: Some(format!("wamid.{cause}")),
        reply_to: None,
        delivery: None,
        cause,
        version: 0,
    }
}

pub(crate) fn contact(conversation: &Conversation) -> Contact {
    Contact {
        id: conversation.contact,
        thread: conversation.thread.clone(),
        channel: conversation.channel.clone(),
        name: conversation.contact_name.clone(),
        email: None,
        phone: None,
        created_at: conversation.opened_at,
        version: 0,
    }
}

fn env(store: &Embedded, data: &std::path::Path, base: &str) -> Env {
    let metrics = Metrics::new();
    let sql = &store.store;
    Env {
        replica: "desk-test".into(),
        partitions: 4,
        public_url: base.into(),
        data: Arc::new(data.to_owned()),
        clock: Arc::new(SystemClock),
        bus: store.bus.clone(),
        journal: sql.clone(),
        views: sql.clone(),
        directory: sql.clone(),
        ledger: sql.clone(),
        windows: sql.clone(),
        consents: sql.clone(),
        buckets: store.buckets.clone(),
        cursors: sql.clone(),
        leases: sql.clone(),
        blobs: store.blobs.clone(),
        mailboxes: sql.clone(),
        sign_ins: sql.clone(),
        parking: sql.clone(),
        templates: sql.clone(),
        shelves: sql.clone(),
        http: runtime::http::Http::new(runtime::http::HttpPolicy::default(), metrics.clone()).unwrap(),
        metrics,
    }
}

/// Ana and Bia serve a queue each at acme, Sol supervises; Zoe administers another organization.
async fn seed(world: &World) {
    let directory = &world.store.store;
    for name in ["acme", "other"] {
        let organization = Organization { id: org(name), name: name.to_owned() };
        directory.save_organization(&organization).await.unwrap();
    }
    let people = [
        ("acme", "ana@acme.test", Role::Agent),
        ("acme", "bia@acme.test", Role::Agent),
        ("acme", "sol@acme.test", Role::Supervisor),
        ("other", "zoe@other.test", Role::Administrator),
    ];
    for (organization, email, role) in people {
        let hashing = Argon2::new(
            argon2::Algorithm::Argon2id,
            argon2::Version::V0x13,
            // As cheap as it gets: what is tested is not the price.
            Params::new(8, 1, 1, None).unwrap(),
        );
        let person = User {
            id: user(email),
            organization: org(organization),
            email: email.to_owned(),
            name: email.split('@').next().unwrap().to_owned(),
            role,
            language: Language::PtBr,
            password: Secret::new(hashing.hash_password(PASSWORD.as_bytes()).unwrap().to_string()),
            capacity: 5,
            active: true,
        };
        directory.save_user(&person).await.unwrap();
    }
    seed_queues(world).await;
}

async fn seed_queues(world: &World) {
    let directory = &world.store.store;
    let queues = [
        ("acme", "sales", vec![user("ana@acme.test")]),
        ("acme", "support", vec![user("bia@acme.test")]),
        ("other", "sales", vec![user("zoe@other.test")]),
    ];
    for (organization, name, members) in queues {
        let queue = Queue {
            id: queue(organization, name),
            organization: org(organization),
            name: name.to_owned(),
            distribution: Distribution::Manual,
            inactive_after: 1_800,
            abandon_after: 172_800,
            members,
            active: true,
        };
        directory.save_queue(&queue).await.unwrap();
    }
    for organization in ["acme", "other"] {
        let account = Account {
            id: AccountId::derive(&[organization, "whatsapp"]),
            organization: org(organization),
            channel: "whatsapp".parse().unwrap(),
            name: format!("{organization}-whatsapp"),
            label: "WhatsApp".into(),
            queue: queue(organization, "sales"),
            settings: BTreeMap::new(),
            secrets: BTreeMap::from([("api_key".to_owned(), Secret::new("very-secret-key"))]),
            active: true,
        };
        directory.save_account(&account).await.unwrap();
    }
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) base: String,
    pub(crate) token: String,
}

impl Client {
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        http().request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(&self.token)
    }

    /// Status and body of a call.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<serde_json::Value>,
    ) -> (u16, serde_json::Value) {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(serde_json::Value::Null))
    }

    /// Sits down.
    pub(crate) async fn online(&self) {
        let (status, seat) = self.call("PUT", "/me/presence", Some(serde_json::json!({ "presence": "online" }))).await;
        assert_eq!((status, &seat["presence"]), (200, &serde_json::json!("online")));
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, serde_json::Value) {
        self.call("GET", path, None).await
    }
}

/// Asks again until it holds; fails after 20 seconds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A client without cookies of its own.
pub(crate) fn http() -> reqwest::Client {
    // Already there when another test was faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "the far side of the desk: a browser or a program")]
    reqwest::Client::new()
}
