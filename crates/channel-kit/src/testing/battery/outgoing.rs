//! Sends: in order, in parts, without a permit, too fast, with lost answers, with crashes at every step.

use std::sync::{Arc, Mutex};

use domain::{Account, Attempted, Content, Outcome, Permitted, Timestamp, error::codes};
use ports::Claim;
use tokio::sync::Notify;

use super::{SendFixture, sibling};
use crate::{
    http::NoAnswer,
    testing::{
        FakeProvider, Reply, Running, World,
        faulty::MumblingLedger,
        unruly::{PANIC_WORD, Unruly},
        world::until,
    },
};

struct Scene {
    world: World,
    provider: Arc<FakeProvider>,
    running: Running,
}

async fn scene(fixture: &SendFixture) -> Scene {
    let world = World::open().await;
    let provider = FakeProvider::new(Reply::Answer(fixture.accepted.clone()));
    let running = start(&world, fixture, &provider).await;
    Scene { world, provider, running }
}

/// Starts the channel; what it asks the provider before traffic is not counted.
async fn start(world: &World, fixture: &SendFixture, provider: &Arc<FakeProvider>) -> Running {
    let accounts = [(fixture.account.clone(), Arc::clone(provider))];
    world.start(Arc::new(Unruly(fixture.kind.clone())), world.config(), &accounts).await
}

impl Scene {
    fn write(&mut self, fixture: &SendFixture, text: &str) -> Permitted {
        self.world.permitted(&fixture.account, &fixture.address, Content::text(text))
    }

    /// Sends one message and answers what became of its first part.
    async fn send(&mut self, permitted: &Permitted) -> Outcome {
        self.world.send(permitted).await;
        self.first(permitted).await.outcome
    }

    async fn first(&mut self, permitted: &Permitted) -> Attempted {
        let attempted = self.world.attempted(1).await.remove(0);
        assert_eq!(attempted.message, permitted.request.message);
        attempted
    }
}

fn accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}

/// Text that the channel's plan splits in three.
fn three_parts(fixture: &SendFixture) -> String {
    let limit = usize::try_from(fixture.kind.capabilities().text).unwrap();
    "a".repeat(limit * 2 + limit / 2)
}

pub(super) async fn in_order_and_in_parts(fixture: &SendFixture) {
    let mut scene = scene(fixture).await;
    let long = scene.write(fixture, &three_parts(fixture));
    let short: Vec<_> = (0..4).map(|n| scene.write(fixture, &format!("number {n}"))).collect();
    scene.world.send(&long).await;
    for one in &short {
        scene.world.send(one).await;
    }
    let outcomes = scene.world.attempted(7).await;
    assert!(outcomes.iter().all(|attempted| accepted(&attempted.outcome)), "{outcomes:#?}");
    let parts: Vec<_> = outcomes[..3].iter().map(|one| (one.message, one.part, one.planned)).collect();
    assert_eq!(parts, [0, 1, 2].map(|part| (long.request.message, part, 3)), "the parts, in order");
    let rest: Vec<_> = outcomes[3..].iter().map(|one| one.message).collect();
    assert_eq!(rest, short.iter().map(|one| one.request.message).collect::<Vec<_>>(), "then the others, in order");
    // The broker gives it again: nothing goes out twice, and the same is reported.
    let before = scene.provider.asked().len();
    assert!(accepted(&scene.send(&short[0]).await));
    assert_eq!(scene.provider.asked().len(), before, "a redelivery is not sent again");
    scene.running.drain().await;
}

pub(super) async fn a_failing_part(fixture: &SendFixture) {
    let mut scene = scene(fixture).await;
    let long = scene.write(fixture, &three_parts(fixture));
    scene.provider.then([Reply::Answer(fixture.accepted.clone()), Reply::Answer(fixture.rejected.clone())]);
    let before = scene.provider.asked().len();
    scene.world.send(&long).await;
    let outcomes = scene.world.attempted(2).await;
    assert!(accepted(&outcomes[0].outcome));
    assert!(!accepted(&outcomes[1].outcome) && outcomes[1].part == 1, "{outcomes:#?}");
    let next = scene.write(fixture, "the next message");
    assert!(accepted(&scene.send(&next).await), "it goes on with the next message");
    assert_eq!(scene.provider.asked().len() - before, 3, "part 3 was never sent");
}

pub(super) async fn permits(fixture: &SendFixture) {
    let mut scene = scene(fixture).await;
    let before = scene.provider.asked().len();
    let mut forged = scene.write(fixture, "forged");
    forged.request.content = Content::text("something else");
    let mut late = scene.write(fixture, "late");
    late.permit.expires_at = Timestamp::from_secs(1);
    let late = scene.world.sign(late);
    for (permitted, code) in [(forged, codes::PERMIT_INVALID), (late, codes::PERMIT_EXPIRED)] {
        match scene.send(&permitted).await {
            Outcome::Rejected { failure } => assert_eq!(failure.code, code),
            other => panic!("sent with a bad permit: {other:?}"),
        }
    }
    assert_eq!(scene.provider.asked().len(), before, "nothing reached the provider");
}

/// 429 with Retry-After, and requests that surely were not sent, go out again; once.
pub(super) async fn tried_again(fixture: &SendFixture) {
    let mut scene = scene(fixture).await;
    let before = scene.provider.asked().len();
    scene.provider.then([
        Reply::Answer(fixture.throttled.clone()),
        Reply::Silence(NoAnswer::NotSent("no connection".to_owned())),
    ]);
    let message = scene.write(fixture, "again");
    assert!(accepted(&scene.send(&message).await));
    assert_eq!(scene.provider.asked().len() - before, 3);
}

/// The process dies before the request, within it, and after it.
pub(super) async fn crashes(fixture: &SendFixture) {
    let mut scene = scene(fixture).await;
    let before = scene.provider.asked().len();
    let ledger = scene.world.env.ledger.clone();
    let now = scene.world.env.clock.now();

    let died = Claim::new("a process that died");
    let begun = scene.write(fixture, "begun, then died");
    ledger.begin(begun.request.message, 0, &died, now).await.unwrap();
    assert!(matches!(scene.send(&begun).await, Outcome::InDoubt { .. }), "nobody knows, so nobody sends");

    let done = scene.write(fixture, "sent, then died before the report");
    let outcome = Outcome::Accepted { provider_ids: vec!["id-1".to_owned()] };
    ledger.begin(done.request.message, 0, &died, now).await.unwrap();
    ledger.finish(done.request.message, 0, &died, &outcome).await.unwrap();
    assert_eq!(scene.send(&done).await, outcome, "the report comes after all");
    assert_eq!(scene.provider.asked().len(), before, "and nothing went out");

    scene.provider.then([Reply::Hang]);
    let within = scene.write(fixture, "died within the request");
    scene.world.send(&within).await;
    until("the request is out", async || scene.provider.asked().len() == before + 1).await;
    let Scene { world, provider, running } = scene;
    running.crash().await;
    let running = start(&world, fixture, &provider).await;
    let mut scene = Scene { world, provider, running };
    assert!(matches!(scene.first(&within).await.outcome, Outcome::InDoubt { .. }));
    assert_eq!(scene.provider.asked().len(), before + 1, "it is not sent again");
}

/// The store notes the attempt and its answer is lost: the channel finds its own mark, and sends.
pub(super) async fn a_lost_answer_of_the_ledger(fixture: &SendFixture) {
    let mut world = World::open().await;
    let inner = Arc::clone(&world.env.ledger);
    world.env.ledger = Arc::new(MumblingLedger { inner, asked: Mutex::default() });
    let provider = FakeProvider::new(Reply::Answer(fixture.accepted.clone()));
    let running = start(&world, fixture, &provider).await;
    let before = provider.asked().len();
    let mut scene = Scene { world, provider, running };
    let message = scene.write(fixture, "noted twice");
    assert!(accepted(&scene.send(&message).await));
    assert_eq!(scene.provider.asked().len() - before, 1);
}

/// The connection to the broker is lost while a part is on its way: what is next belongs to whom the broker gives it.
pub(super) async fn taken_back(fixture: &SendFixture) {
    let mut scene = scene(fixture).await;
    let before = scene.provider.asked().len();
    let bell = Arc::new(Notify::new());
    scene.provider.then([Reply::When(Arc::clone(&bell), fixture.accepted.clone())]);
    let long = scene.write(fixture, &three_parts(fixture));
    let next = scene.write(fixture, "the next message");
    scene.world.send(&long).await;
    scene.world.send(&next).await;
    until("the first part is out", async || scene.provider.asked().len() == before + 1).await;
    scene.world.bus.take_back();
    bell.notify_one();
    let seen = scene.world.attempted(5).await.into_iter().map(|one| (one.message, one.part)).collect::<Vec<_>>();
    let part = |part| (long.request.message, part);
    assert_eq!(seen, [part(0), part(0), part(1), part(2), (next.request.message, 0)], "the first is told twice");
    assert_eq!(scene.provider.asked().len() - before, 4, "nothing went out twice");
    scene.running.drain().await;
    scene.world.quiet().await;
}

/// A lost answer and a panic leave a doubt, and the lane goes on.
pub(super) async fn panics_and_doubts(fixture: &SendFixture) {
    let mut scene = scene(fixture).await;
    scene.provider.then([Reply::Silence(NoAnswer::Unknown("the answer was lost".to_owned()))]);
    let lost = scene.write(fixture, "lost answer");
    assert!(matches!(scene.send(&lost).await, Outcome::InDoubt { .. }));
    let panics = scene.write(fixture, PANIC_WORD);
    assert!(matches!(scene.send(&panics).await, Outcome::InDoubt { .. }));
    let fine = scene.write(fixture, "fine");
    assert!(accepted(&scene.send(&fine).await));
}

/// A revoked token sets that account apart, and no other. Answers what was told and kept.
pub(super) async fn revoked(fixture: &SendFixture) -> String {
    let mut world = World::open().await;
    let other: Account = sibling(&fixture.account);
    let bad = FakeProvider::new(Reply::Answer(fixture.revoked.clone()));
    let good = FakeProvider::new(Reply::Answer(fixture.accepted.clone()));
    let accounts = [(fixture.account.clone(), Arc::clone(&bad)), (other.clone(), good)];
    let running = world.start(Arc::new(Unruly(fixture.kind.clone())), world.config(), &accounts).await;
    let mut told = String::new();
    for _ in 0..2 {
        let message = world.permitted(&fixture.account, &fixture.address, Content::text("to the revoked account"));
        world.send(&message).await;
        let outcome = world.attempted(1).await.remove(0).outcome;
        told.push_str(&format!("{outcome:?}\n"));
        assert!(matches!(outcome, Outcome::Misconfigured { .. }), "{outcome:?}");
    }
    assert_eq!(bad.asked().len(), 1, "the account is left alone for a while");
    let message = world.permitted(&other, &fixture.address, Content::text("to its sibling"));
    world.send(&message).await;
    assert!(accepted(&world.attempted(1).await.remove(0).outcome), "its sibling works");
    told + &running.transcripts()
}
