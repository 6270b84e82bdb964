//! Crashes, restarts and order: nothing is lost, nothing happens twice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use domain::{
    Command, Contact, ContactId, Content, ConversationId, DeskEvent, Distribution, OrganizationId, Partition, QueueId,
    Seat, Stage, Timestamp, UserId, Waiting,
};
use ports::{
    Journal, StoreError,
    journal::{Commit, CommitError, DueTimer, Lookup, OutboxRow, Snapshot},
};
use world::{World, permitted};

/// The real store, with a script for its commits: what a crash or an outage looks like from the router.
struct Scripted {
    inner: Arc<dyn Journal>,
    /// Commits stand, but the router never hears of it: it is killed at that moment.
    silent: bool,
    /// Commits that touch this conversation are refused.
    refused: Mutex<Option<ConversationId>>,
    /// So many commits find the store away.
    away: AtomicU32,
    commits: AtomicU32,
}

#[async_trait]
impl Journal for Scripted {
    async fn load(&self, lookup: &Lookup) -> Result<Snapshot, StoreError> {
        self.inner.load(lookup).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Vec<DeskEvent>, CommitError> {
        if self.away.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(StoreError::Unavailable("a test".into()).into());
        }
        if commit.conversations.iter().any(|one| Some(one.id) == *self.refused.lock().unwrap()) {
            return Err(StoreError::Refused("a test".into()).into());
        }
        let events = self.inner.commit(commit).await;
        self.commits.fetch_add(1, Ordering::SeqCst);
        if self.silent {
            std::future::pending::<()>().await;
        }
        events
    }

    async fn outbox(&self, partitions: &[Partition], limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        self.inner.outbox(partitions, limit).await
    }

    async fn relayed(&self, sequences: &[i64]) -> Result<(), StoreError> {
        self.inner.relayed(sequences).await
    }

    async fn due(&self, partitions: &[Partition], now: Timestamp, limit: u32) -> Result<Vec<DueTimer>, StoreError> {
        self.inner.due(partitions, now, limit).await
    }

    async fn lease(
        &self,
        wanted: &[Partition],
        owner: &str,
        now: Timestamp,
        ttl_millis: u32,
    ) -> Result<Vec<Partition>, StoreError> {
        self.inner.lease(wanted, owner, now, ttl_millis).await
    }

    async fn waiting(
        &self,
        organization: OrganizationId,
        queues: &[QueueId],
        each: u32,
    ) -> Result<Vec<Waiting>, StoreError> {
        self.inner.waiting(organization, queues, each).await
    }

    async fn free(
        &self,
        organization: OrganizationId,
        among: Option<&[UserId]>,
        limit: u32,
    ) -> Result<Vec<Seat>, StoreError> {
        self.inner.free(organization, among, limit).await
    }

    async fn contact(&self, organization: OrganizationId, id: ContactId) -> Result<Option<Contact>, StoreError> {
        self.inner.contact(organization, id).await
    }

    async fn accepted(&self, streams: &[ports::conservation::Accepted]) -> Result<(), StoreError> {
        self.inner.accepted(streams).await
    }

    async fn fold_heard(&self, since: Timestamp) -> Result<(), StoreError> {
        self.inner.fold_heard(since).await
    }

    async fn said(&self, since: &[(domain::Thread, Timestamp)]) -> Result<Vec<ports::journal::Said>, StoreError> {
        self.inner.said(since).await
    }

    async fn known_after_all(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(OrganizationId, domain::ParkedId)>, StoreError> {
        self.inner.known_after_all(since, limit).await
    }

    async fn sweep(&self, events_before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.sweep(events_before, now).await
    }

    async fn survey(&self) -> Result<usize, StoreError> {
        self.inner.survey().await
    }
}

fn scripted(world: &World, silent: bool, away: u32) -> (Arc<Scripted>, runtime::Env) {
    let inner = Arc::clone(&world.env.journal);
    let journal = Arc::new(Scripted { inner, silent, refused: Mutex::default(), away: away.into(), commits: 0.into() });
    let env = runtime::Env { journal: Arc::clone(&journal) as _, ..world.env.clone() };
    (journal, env)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_commit_and_settle_repeats_nothing() {
    let world = World::new(Distribution::Manual).await;
    let (journal, env) = scripted(&world, true, 0);
    let running = world.start_with(env);
    for n in 0..20 {
        world.says("ana", &n.to_string()).await;
    }
    world.until("a commit", async || (journal.commits.load(Ordering::SeqCst) > 0).then_some(())).await;
    running.crash().await;
    let before = world.open("ana").await;

    let running = world.start();
    world.quiet().await;
    let after = world.open("ana").await;
    assert_eq!(after.id, before.id);
    texts_in_order(&world, after.id, 20).await;
    world.sound().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_the_relay_sends_what_was_committed() {
    let world = World::new(Distribution::Manual).await;
    let mut channel = world.outbound("ana").await;
    let running = world.start();
    let conversation = running.serve(&world, "ana").await;
    world.quiet().await;
    running.crash().await;

    // A router whose commits stand and who dies with the answer on its lips.
    let (journal, env) = scripted(&world, true, 0);
    let running = world.start_with(env);
    let send = Command::Send { conversation, content: Content::text("bom dia"), reply_to: None };
    let command = world::commanded(&world, 0, send);
    let router = running.router.clone();
    let clicked = command.clone();
    let click = tokio::spawn(async move { ports::apis::RouterApi::command(&router, clicked).await });
    world.until("a commit", async || (journal.commits.load(Ordering::SeqCst) > 0).then_some(())).await;
    click.abort();
    running.crash().await;

    let running = world.start();
    let sent = permitted(&mut channel).await;
    // The desk asks again with the same key: the same message, not another one.
    let done = ports::apis::RouterApi::command(&running.router, command).await.unwrap();
    assert_eq!(done.message.map(|message| message.id), Some(sent.request.message));
    world.quiet().await;
    assert_eq!(world.messages(conversation).await.len(), 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_nothing_is_lost_or_reordered() {
    let world = World::new(Distribution::Manual).await;
    let (_, env) = scripted(&world, false, 6);
    let running = world.start_with(env);
    for n in 0..50 {
        world.says("ana", &n.to_string()).await;
    }
    let conversation = world.open("ana").await.id;
    world.quiet().await;
    texts_in_order(&world, conversation, 50).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_the_store_refuses_does_not_leave_the_others_waiting() {
    let world = World::new(Distribution::Circular).await;
    let (journal, env) = scripted(&world, false, 0);
    let running = world.start_with(env);
    for name in ["ana", "bia", "caio"] {
        world.says(name, "oi").await;
        world.open(name).await;
    }
    world.quiet().await;
    // The one that has waited longest goes first.
    let refused = world.open("ana").await.id;
    *journal.refused.lock().unwrap() = Some(refused);
    running.online(&world, 0, 3).await;
    for name in ["bia", "caio"] {
        world.until("the others", async || (world.open(name).await.stage == Stage::Active).then_some(())).await;
    }
    assert_eq!(world.open("ana").await.stage, Stage::Waiting);
    *journal.refused.lock().unwrap() = None;
    world.until("it too", async || (world.open("ana").await.stage == Stage::Active).then_some(())).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_where_it_was() {
    let world = World::new(Distribution::Circular).await;
    let running = world.start();
    world.says("ana", "0").await;
    let conversation = world.open("ana").await.id;
    world.quiet().await;
    running.stop().await;
    for n in 1..10 {
        world.says("ana", &n.to_string()).await;
    }
    let running = world.start();
    world.quiet().await;
    texts_in_order(&world, conversation, 10).await;
    // Distribution's memory is the store: what waited before the restart is handed out after it.
    running.online(&world, 3, 1).await;
    world.until("the assignment", async || world.conversations(&[Stage::Active]).await.pop()).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_messages_of_one_contact_keep_their_order() {
    let world = World::new(Distribution::Manual).await;
    let running = world.start();
    for start in (0..1_000).step_by(50) {
        let batch: Vec<_> = (start..start + 50).map(|n| world.message("ana", &n.to_string())).collect();
        world.publish(&batch).await;
        if start == 500 {
            // A redelivery of what is long done does not disturb it.
            world.publish(&batch).await;
        }
    }
    let conversation = world.open("ana").await.id;
    world.quiet().await;
    texts_in_order(&world, conversation, 1_000).await;
    world.sound().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_share_the_work_and_one_goes_on_alone() {
    let world = World::new(Distribution::Manual).await;
    let mut channel = world.outbound("ana").await;
    let first = world.start();
    let conversation = first.serve(&world, "ana").await;
    let second = world.start_with(runtime::Env { replica: "replica-2".into(), ..world.env.clone() });
    // The second decides, and whoever has the lease relays.
    let message = second.send(&world, conversation, "da segunda").await;
    assert_eq!(permitted(&mut channel).await.request.message, message);
    // The first drains and gives its leases and its consumers away; the second relays and receives alone.
    first.stop().await;
    let message = second.send(&world, conversation, "sozinha").await;
    assert_eq!(permitted(&mut channel).await.request.message, message);
    world.says("ana", "ainda aqui").await;
    world.until("the message", async || (world.messages(conversation).await.len() == 4).then_some(())).await;
    world.sound().await;
    second.stop().await;
}

async fn texts_in_order(world: &World, conversation: ConversationId, count: usize) {
    let mut messages = world.messages(conversation).await;
    messages.sort_by_key(|message| message.sequence);
    let texts: Vec<_> = messages.iter().map(|message| message.content.preview(9)).collect();
    let expected: Vec<_> = (0..count).map(|n| n.to_string()).collect();
    assert_eq!(texts, expected);
    let sequences: Vec<_> = messages.iter().map(|message| message.sequence).collect();
    assert_eq!(sequences, (1..=u64::try_from(count).unwrap()).collect::<Vec<_>>());
}
