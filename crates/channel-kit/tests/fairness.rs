//! One noisy account does not slow another of its channel, and loses nothing itself.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

extern crate afluente_channel_kit as channel_kit;

// Other tests use the rest of it.
#[allow(dead_code)]
mod echo;
mod stage;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use channel_kit::{
    ChannelType, KitConfig, Misconfigured, OpenAccount,
    http::{ProviderRequest, ProviderResponse, RequestBody},
    testing::{FakeProvider, Reply, Running, World, answer, until},
};
use domain::{
    Account, AccountId, Address, Attempted, Capabilities, Channel, Content, InboundBody, MessageId, Outcome, Permitted,
    error::codes,
};
use echo::{Echo, account, call};
use serde_json::json;
use stage::{Stage, Step};
use tokio::sync::Notify;

/// Echo without a speed limit of its own.
struct Fast;

impl ChannelType for Fast {
    fn name(&self) -> &'static str {
        Echo.name()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { account_rate: 0, ..Echo.capabilities() }
    }

    fn open(&self, account: &Account) -> Result<OpenAccount, Misconfigured> {
        Echo.open(account)
    }
}

fn quiet_account() -> Account {
    Account { id: AccountId::derive(&["quiet"]), name: "quiet-echo".into(), ..account() }
}

fn channel() -> Channel {
    account().channel
}

fn fine() -> Reply {
    Reply::Answer(answer(200, &json!({ "ok": true })))
}

fn too_fast() -> Reply {
    let retry_after = Some(Duration::from_millis(50));
    Reply::Answer(ProviderResponse { retry_after, ..answer(429, &json!({})) })
}

/// The mesh, a noisy account whose provider throttles, and a quiet one.
struct Scene {
    world: World,
    stage: Arc<Stage>,
    noisy: Arc<FakeProvider>,
    quiet: Arc<FakeProvider>,
    share: u16,
}

impl Scene {
    async fn new(share: u16) -> Self {
        let mut world = World::open().await;
        let stage = Stage::new(world.env.shelves.clone());
        world.env.shelves = stage.clone();
        Self { world, stage, noisy: FakeProvider::new(too_fast()), quiet: FakeProvider::new(fine()), share }
    }

    async fn start(&self) -> Running {
        self.start_with(self.world.config()).await
    }

    async fn start_with(&self, config: KitConfig) -> Running {
        let config = KitConfig { prefetch: 16, share: self.share, ..config };
        let accounts = [(account(), self.noisy.clone()), (quiet_account(), self.quiet.clone())];
        self.world.start(Arc::new(Fast), config, &accounts).await
    }

    /// `count` messages of the account to each of `threads` contacts, in turns.
    fn messages(&mut self, account: &Account, threads: usize, count: usize) -> Vec<Permitted> {
        let all = (0..count).flat_map(|n| (0..threads).map(move |thread| (thread, n)));
        let mut messages = Vec::new();
        for (thread, n) in all {
            let address = Address::new(format!("5511{thread:04}"));
            messages.push(self.world.permitted(account, &address, Content::text(format!("{n:05}"))));
        }
        messages
    }

    /// Everything has been taken from the broker, but for what is in hand.
    async fn taken(&self) {
        let ready = async || self.world.outbound(&channel()).await.iter().map(|depth| depth.ready).sum::<u64>();
        until("the broker has handed it all out", async || ready().await == 0).await;
    }

    /// Of each partition no more is in hand than the share and one.
    async fn is_bounded(&self) {
        until("what has no room is on the shelf", async || self.has_room().await).await;
    }

    async fn has_room(&self) -> bool {
        let bound = u64::from(self.share) + 1;
        self.world.outbound(&channel()).await.iter().all(|depth| depth.ready == 0 && depth.unsettled <= bound)
    }

    /// The broker has nothing left, and so the shelves neither.
    async fn is_empty(&self) {
        until("nothing is left at the broker", async || {
            self.world.outbound(&channel()).await.iter().all(|depth| depth.ready + depth.unsettled == 0)
        })
        .await;
        assert_eq!(self.world.shelved(&channel()).await, 0);
    }

    /// Every message has been reported; answers the first report of each.
    async fn reported(&mut self, messages: &[Permitted]) -> BTreeMap<MessageId, Attempted> {
        let mut left: BTreeSet<MessageId> = messages.iter().map(|one| one.request.message).collect();
        let mut reports = BTreeMap::new();
        while !left.is_empty() {
            for event in self.world.arrived(1).await {
                let InboundBody::Attempted(attempted) = event.body else { panic!("{:?}", event.body) };
                left.remove(&attempted.message);
                reports.entry(attempted.message).or_insert(attempted);
            }
        }
        reports
    }

    /// The noisy account's provider took each message once, those of each contact in order. Answers how many.
    fn took_in_order(&self) -> usize {
        let mut threads: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let took = self.noisy.took();
        for request in &took {
            let (to, text) = told(request);
            threads.entry(to).or_default().push(text);
        }
        for (to, texts) in &threads {
            assert!(texts.is_sorted_by(|a, b| a < b), "to {to}: {texts:?}");
        }
        took.len()
    }

    /// All came out: accepted, or in doubt where the crash came within the request.
    async fn all_came_out(&mut self, messages: &[Permitted], doubts: usize, when: &str) {
        let reports = self.reported(messages).await;
        let doubted = reports.values().filter(|one| matches!(one.outcome, Outcome::InDoubt { .. })).count();
        let accepted = reports.values().filter(|one| matches!(one.outcome, Outcome::Accepted { .. })).count();
        assert_eq!(doubted + accepted, messages.len(), "{when}: {reports:#?}");
        assert!(doubted <= doubts, "{when}: {doubted} in doubt");
        let took = self.took_in_order();
        assert!((accepted..=messages.len()).contains(&took), "{when}: {took} of {}", messages.len());
        self.is_empty().await;
    }
}

/// Whom a request is for, and what it says.
fn told(request: &ProviderRequest) -> (String, String) {
    let RequestBody::Json(body) = &request.body else { panic!("{request:?}") };
    let Content::Text { text } = serde_json::from_value(body["content"].clone()).unwrap() else { panic!("{body}") };
    (body["to"].as_str().unwrap().to_owned(), text)
}

#[tokio::test]
async fn a_throttled_account_delays_no_other_and_keeps_its_order() {
    let mut scene = Scene::new(4).await;
    let running = scene.start().await;
    let noise = scene.messages(&account(), 100, 20);
    scene.world.send_all(&noise).await;
    scene.taken().await;
    scene.is_bounded().await;

    let calls = scene.messages(&quiet_account(), 10, 3);
    scene.world.send_all(&calls).await;
    let reports = scene.reported(&calls).await;
    assert_eq!(reports.len(), calls.len(), "nothing else was reported meanwhile");
    assert!(reports.values().all(|one| matches!(one.outcome, Outcome::Accepted { .. })), "{reports:#?}");
    assert_eq!((scene.quiet.took().len(), scene.noisy.took().len()), (calls.len(), 0));

    scene.noisy.turn(fine());
    scene.all_came_out(&noise, 0, "after the throttling").await;
    assert_eq!(scene.noisy.took().len(), noise.len());
    scene.world.quiet().await;
    running.drain().await;
}

#[tokio::test]
async fn an_account_whose_provider_hangs_leaves_slots_for_the_others() {
    let mut scene = Scene::new(4).await;
    scene.noisy.turn(Reply::Hang);
    let config = KitConfig { lanes: 4, lanes_per_account: 2, share: 4, ..scene.world.config() };
    let accounts = [(account(), scene.noisy.clone()), (quiet_account(), scene.quiet.clone())];
    let running = scene.world.start(Arc::new(Fast), config, &accounts).await;
    let noise = scene.messages(&account(), 20, 1);
    scene.world.send_all(&noise).await;
    scene.taken().await;
    until("it has its slots", async || scene.noisy.asked().len() == 2).await;
    let calls = scene.messages(&quiet_account(), 10, 2);
    scene.world.send_all(&calls).await;
    assert_eq!(scene.reported(&calls).await.len(), calls.len());
    assert_eq!(scene.noisy.asked().len(), 2);
    running.crash().await;
}

#[tokio::test]
async fn whatever_step_a_crash_comes_at_everything_goes_out_once_and_in_order() {
    let steps = [
        (Step::BeforePut, 0),
        (Step::AfterPut, 0),
        (Step::AfterPut, 1),
        (Step::AfterPage, 0),
        (Step::AfterPage, 3),
        (Step::BeforeRemove, 2),
        (Step::AfterRemove, 2),
    ];
    for (step, passes) in steps {
        let mut scene = Scene::new(2).await;
        let running = scene.start().await;
        let putting = matches!(step, Step::BeforePut | Step::AfterPut);
        let mut noise = scene.messages(&account(), 3, 10);
        if putting {
            scene.stage.stop_at(step, passes);
            // In two goes, so that one shelf is written twice.
            let (first, rest) = noise.split_at(15);
            scene.world.send_all(first).await;
            until("the shelf was written", async || scene.stage.is_reached() || scene.has_room().await).await;
            scene.world.send_all(rest).await;
        } else {
            scene.world.send_all(&noise).await;
            scene.taken().await;
            scene.is_bounded().await;
            scene.stage.stop_at(step, passes);
            scene.noisy.turn(fine());
        }
        until("the step is reached", async || scene.stage.is_reached()).await;
        running.crash().await;
        scene.stage.go_on();
        scene.noisy.turn(fine());
        // What comes after the crash comes behind.
        let late = scene.messages(&account(), 3, 1);
        let late: Vec<_> = late.into_iter().map(|one| relabelled(&scene.world, one, "99999")).collect();
        scene.world.send_all(&late).await;
        noise.extend(late);
        let running = scene.start().await;
        scene.all_came_out(&noise, 4, &format!("{step:?} {passes}")).await;
        running.drain().await;
    }
}

/// The same message with another text.
fn relabelled(world: &World, mut message: Permitted, text: &str) -> Permitted {
    message.request.content = Content::text(text);
    world.sign(message)
}

#[tokio::test]
async fn a_crash_or_a_drain_with_a_laden_shelf_leaves_it_to_the_next() {
    let mut scene = Scene::new(2).await;
    let mut running = scene.start().await;
    let noise = scene.messages(&account(), 3, 12);
    scene.world.send_all(&noise).await;
    scene.taken().await;
    scene.is_bounded().await;
    for crash in [true, false, true] {
        if crash {
            running.crash().await
        } else {
            running.drain().await
        }
        running = scene.start().await;
        scene.taken().await;
    }
    scene.noisy.turn(fine());
    // Each crash may have come within a request of either lane.
    scene.all_came_out(&noise, 4, "after three lives").await;
    running.drain().await;
}

/// A call to the shelves is under way when the drain begins, and has the store's turn: what is out can note its outcome.
#[tokio::test]
async fn a_call_to_the_shelves_does_not_hold_up_the_drain() {
    let mut scene = Scene::new(1).await;
    let bell = Arc::new(Notify::new());
    scene.noisy.then([Reply::When(Arc::clone(&bell), answer(200, &json!({ "ok": true })))]);
    scene.noisy.turn(fine());
    let config = KitConfig { drain: Duration::from_secs(20), ..scene.world.config() };
    let running = scene.start_with(config).await;
    let messages = scene.messages(&account(), 1, 3);
    scene.world.send_all(&messages[..1]).await;
    until("the first is out", async || scene.noisy.asked().len() == 1).await;
    scene.stage.hold(scene.world.turn_to_write());
    scene.stage.stop_at(Step::BeforePut, 0);
    scene.world.send_all(&messages[1..]).await;
    until("the others are on their way to the shelf", async || scene.stage.is_reached()).await;
    bell.notify_one();
    running.drain().await;
    scene.stage.go_on();
    let running = scene.start().await;
    let reports = scene.reported(&messages).await;
    assert!(reports.values().all(|one| matches!(one.outcome, Outcome::Accepted { .. })), "{reports:#?}");
    assert_eq!(scene.noisy.asked().len(), messages.len(), "each once");
    scene.is_empty().await;
    running.drain().await;
}

#[tokio::test]
async fn a_replica_that_lost_its_turn_asks_the_broker_anew() {
    let mut scene = Scene::new(2).await;
    let running = scene.start().await;
    let noise = scene.messages(&account(), 3, 8);
    let (first, rest) = noise.split_at(18);
    scene.world.send_all(first).await;
    scene.taken().await;
    scene.is_bounded().await;
    assert!(scene.world.shelved(&channel()).await > 0, "and by the question it loses its turn");
    scene.world.send_all(rest).await;
    scene.noisy.turn(fine());
    scene.all_came_out(&noise, 0, "after its turn was lost").await;
    running.drain().await;
}

#[tokio::test]
async fn a_replica_that_lost_its_turn_and_the_broker_tells_what_it_sent() {
    let mut scene = Scene::new(1).await;
    let bell = Arc::new(Notify::new());
    scene.noisy.then([Reply::When(Arc::clone(&bell), answer(200, &json!({ "ok": true })))]);
    scene.noisy.turn(fine());
    scene.stage.set_away(true);
    let running = scene.start().await;
    let messages = scene.messages(&account(), 1, 3);
    scene.world.send_all(&messages).await;
    scene.taken().await;
    until("the first is out", async || scene.noisy.asked().len() == 1).await;
    scene.world.shelved(&channel()).await;
    scene.world.bus.set_away(true);
    scene.stage.set_away(false);
    // It asks the broker anew, and again: what is out has the time that it needs.
    until("it waits for the broker", async || scene.world.bus.refused() >= 3).await;
    bell.notify_one();
    scene.world.bus.set_away(false);
    let reports = scene.reported(&messages).await;
    assert!(reports.values().all(|one| matches!(one.outcome, Outcome::Accepted { .. })), "{reports:#?}");
    assert_eq!(scene.noisy.asked().len(), messages.len(), "each once");
    scene.is_empty().await;
    running.drain().await;
}

#[tokio::test]
async fn while_the_store_is_away_nothing_is_lost_and_others_have_what_is_left_of_the_prefetch() {
    let mut scene = Scene::new(2).await;
    scene.stage.set_away(true);
    let running = scene.start().await;
    let noise = scene.messages(&account(), 4, 2);
    scene.world.send_all(&noise).await;
    scene.taken().await;
    // One after another: what an account has beyond its share waits for the store.
    for call in scene.messages(&quiet_account(), 10, 1) {
        scene.world.send(&call).await;
        scene.reported(&[call]).await;
    }
    scene.stage.set_away(false);
    scene.is_bounded().await;
    scene.noisy.turn(fine());
    scene.all_came_out(&noise, 0, "after the store came back").await;
    running.drain().await;
}

#[tokio::test]
async fn what_expires_on_the_shelf_fails_with_its_reason_and_does_not_wait_for_the_provider() {
    let mut scene = Scene::new(1).await;
    // Every contact's own message, and one that was permitted for a moment only.
    let mut noise = scene.messages(&account(), 1, 10);
    for message in &mut noise[1..] {
        message.permit.expires_at = scene.world.env.clock.now();
        *message = scene.world.sign(message.clone());
    }
    let running = scene.start().await;
    scene.world.send_all(&noise).await;
    scene.taken().await;
    scene.is_bounded().await;
    scene.noisy.turn(fine());
    let reports = scene.reported(&noise).await;
    for (at, message) in noise.iter().enumerate() {
        match &reports[&message.request.message].outcome {
            Outcome::Accepted { .. } if at == 0 => {}
            Outcome::Rejected { failure } if at > 0 => assert_eq!(failure.code, codes::PERMIT_EXPIRED),
            other => panic!("{at}: {other:?}"),
        }
    }
    assert_eq!(scene.noisy.took().len(), 1);
    scene.is_empty().await;
    running.drain().await;
}

#[tokio::test]
async fn the_shelf_of_an_account_that_is_gone_ends_with_a_reason() {
    let mut scene = Scene::new(1).await;
    let noise = scene.messages(&account(), 2, 6);
    let running = scene.start().await;
    scene.world.send_all(&noise).await;
    scene.taken().await;
    scene.is_bounded().await;
    let gone = Account { active: false, ..account() };
    scene.world.env.directory.save_account(&gone).await.unwrap();
    running.drain().await;
    let config = KitConfig { prefetch: 16, share: 1, ..scene.world.config() };
    let running = scene.world.start(Arc::new(Fast), config, &[(quiet_account(), scene.quiet.clone())]).await;
    let reports = scene.reported(&noise).await;
    for report in reports.values() {
        let Outcome::Misconfigured { failure } = &report.outcome else { panic!("{report:?}") };
        assert_eq!(failure.code, codes::ACCOUNT_MISCONFIGURED);
    }
    scene.is_empty().await;
    running.drain().await;
}

fn headers() -> Vec<(String, String)> {
    vec![("x-echo-secret".to_owned(), "hook-secret-0123456789".to_owned())]
}

#[tokio::test]
async fn one_accounts_flood_of_calls_leaves_room_for_the_others() {
    let world = World::open().await;
    let config = KitConfig { webhooks_in_flight: 4, webhooks_per_account: 2, ..world.config() };
    let third = Account { id: AccountId::derive(&["third"]), name: "third-echo".into(), ..account() };
    let accounts = [account(), quiet_account(), third.clone()];
    let accounts = accounts.map(|account| (account, FakeProvider::new(fine())));
    let running = Arc::new(world.start(Arc::new(Fast), config, &accounts).await);
    let mut calls = tokio::task::JoinSet::new();
    let body = call(&json!({ "id": "1", "from": "55119", "text": "oi" }));
    // Calls whose bodies never end; `held` counts those that are being read, and so have their place.
    let held = Arc::new(AtomicUsize::new(0));
    let mut flood = async |account: Account, expected: usize| {
        for _ in 0..2 {
            let (running, name, held) = (running.clone(), account.name.clone(), held.clone());
            let endless = async move {
                held.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<Result<&[u8], std::io::Error>>().await
            };
            let endless = axum::body::Body::from_stream(futures_util::stream::once(endless));
            calls.spawn(async move { running.post(&name, &headers(), endless).await });
        }
        until("its calls are in work", async || held.load(Ordering::SeqCst) == expected).await;
        let refused = running.post(&account.name, &headers(), body.clone()).await;
        assert_eq!(refused.status(), 429, "it has its share");
        assert!(refused.headers().contains_key("retry-after"), "says when to come again");
    };
    flood(account(), 2).await;
    running.expect(200, &quiet_account().name, &headers(), &body, "another account").await;
    flood(quiet_account(), 4).await;
    running.expect(503, &third.name, &headers(), &body, "all is full").await;
}

#[tokio::test]
async fn a_call_whose_body_does_not_come_gives_its_place_back() {
    let world = World::open().await;
    let config = KitConfig { webhooks_per_account: 1, body_deadline: Duration::from_millis(50), ..world.config() };
    let running = world.start(Arc::new(Fast), config, &[(account(), FakeProvider::new(fine()))]).await;
    let endless = futures_util::stream::pending::<Result<&[u8], std::io::Error>>();
    let refused = running.post(&account().name, &headers(), axum::body::Body::from_stream(endless)).await;
    assert_eq!(refused.status(), 408);
    let body = call(&json!({ "id": "1", "from": "55119", "text": "oi" }));
    running.expect(200, &account().name, &headers(), &body, "the place is free again").await;
}
