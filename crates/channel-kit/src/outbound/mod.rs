//! From `outbound.<channel>.<p>` to the provider: permits, lanes, tries, and what became of each part.

mod attempt;
mod permit;
mod rate;
mod report;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{Failure, Outcome, Partition, Permitted, Thread, error::codes, plan};
use ports::{
    bus::{Delivery, Subscription},
    topology::Queue,
};
use runtime::{names::attribute, service::Drain, trace};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::{accounts::Live, codec, kit::Kit};
pub(crate) use rate::Rates;

/// A message on its way, with the delivery that brought it.
struct Job {
    delivery: Delivery,
    permitted: Permitted,
    queue: Queue,
}

/// The lanes of one pump: the messages of one thread go one after another, those of different threads do not wait for
/// each other.
#[derive(Default)]
struct Lanes {
    waiting: Mutex<HashMap<Thread, VecDeque<Job>>>,
}

impl Lanes {
    fn waiting(&self) -> MutexGuard<'_, HashMap<Thread, VecDeque<Job>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a job at the end of its lane. True when the lane is new and needs a runner.
    fn push(&self, job: Job) -> bool {
        let thread = job.permitted.request.thread.clone();
        let mut waiting = self.waiting();
        let new = !waiting.contains_key(&thread);
        waiting.entry(thread).or_default().push_back(job);
        new
    }

    /// The next job of a lane; the lane ends when there is none.
    fn next(&self, thread: &Thread) -> Option<Job> {
        let mut waiting = self.waiting();
        let job = waiting.get_mut(thread).and_then(VecDeque::pop_front);
        if job.is_none() {
            waiting.remove(thread);
        }
        job
    }
}

/// Ends a lane when its runner ends for whatever reason; what still waits in it goes back to its queue.
struct Runner {
    lanes: Arc<Lanes>,
    thread: Thread,
    /// The lane ended empty: another of the same thread may have begun since, with a runner of its own.
    ended: bool,
}

impl Runner {
    const fn new(lanes: Arc<Lanes>, thread: Thread) -> Self {
        Self { lanes, thread, ended: false }
    }

    fn next(&mut self) -> Option<Job> {
        if self.ended {
            return None;
        }
        let job = self.lanes.next(&self.thread);
        self.ended = job.is_none();
        job
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let rest = self.lanes.waiting().remove(&self.thread);
        drop(rest);
    }
}

/// What sends share.
pub(crate) struct Shared {
    kit: Arc<Kit>,
    drain: Drain,
    rates: Rates,
    slots: tokio::sync::Semaphore,
}

/// Takes deliveries of all partitions until the drain begins, then ends what is in flight.
pub(crate) async fn run(kit: Arc<Kit>, drain: Drain) -> Result<(), String> {
    let mut changes = kit.accounts.changes();
    while !kit.accounts.loaded() {
        tokio::select! {
            changed = changes.changed() => changed.map_err(|error| error.to_string())?,
            () = drain.begun() => return Ok(()),
        }
    }
    let mut subscriptions = Vec::new();
    for partition in 0..kit.env.partitions.max(1) {
        let queue = Queue::ChannelOutbound(kit.channel.clone(), Partition(partition));
        subscriptions.push(kit.env.bus.subscribe(queue, kit.config.prefetch).await.map_err(|error| error.to_string())?);
    }
    let mut incoming = Subscription::merge(subscriptions);
    let lanes = Arc::new(Lanes::default());
    let mut runners = JoinSet::new();
    let shared = Arc::new(Shared {
        rates: Rates::default(),
        slots: tokio::sync::Semaphore::new(kit.config.lanes.max(1)),
        drain: drain.clone(),
        kit,
    });
    loop {
        tokio::select! {
            delivery = incoming.next() => {
                let Some(delivery) = delivery else { break };
                if let Some(job) = read(&shared.kit, delivery) {
                    let thread = job.permitted.request.thread.clone();
                    if lanes.push(job) {
                        let runner = Runner::new(Arc::clone(&lanes), thread);
                        runners.spawn(lane(Arc::clone(&shared), runner));
                    }
                }
            }
            Some(ended) = runners.join_next() => if let Err(error) = ended {
                tracing::error!(%error, "a lane ended; its messages go back to their queue");
            },
            () = drain.begun() => break,
        }
    }
    // What is in flight ends before the subscriptions do: a broker that sees them end gives it to the next replica,
    // which would find it begun and in doubt.
    let in_flight = async { while runners.join_next().await.is_some() {} };
    if tokio::time::timeout(shared.kit.config.drain, in_flight).await.is_err() {
        tracing::warn!("sends are still in flight at the end of the drain; nobody knows what becomes of them");
    }
    drop(incoming);
    if drain.has_begun() { Ok(()) } else { Err("the broker ended the subscriptions".to_owned()) }
}

fn read(kit: &Kit, delivery: Delivery) -> Option<Job> {
    match codec::read_permitted(&delivery.envelope) {
        Ok(permitted) => {
            let partition = permitted.request.thread.partition(kit.env.partitions);
            Some(Job { delivery, permitted, queue: Queue::ChannelOutbound(kit.channel.clone(), partition) })
        }
        Err(reason) => {
            kit.count_parked("outbound", &codes::POISON);
            tracing::error!(id = delivery.envelope.id, reason, "a permitted message cannot be read; parked");
            delivery.park(codes::POISON.as_str(), reason);
            None
        }
    }
}

async fn lane(shared: Arc<Shared>, mut runner: Runner) {
    while !shared.drain.has_begun() {
        let Some(job) = runner.next() else { break };
        if !job.delivery.is_current() {
            // The broker took it back and gives it again, to us or to another replica.
            continue;
        }
        let span = trace::process(&job.delivery.envelope, &job.queue);
        let started = tokio::time::Instant::now().into_std();
        let settled = message(&shared, &job).instrument(span).await;
        runtime::bus::processed(&shared.kit.env.metrics, &job.queue, started, "");
        // Else the drain came first, or the broker took it back: dropping it puts it back, and the ledger knows what was
        // done.
        if let Some(Reported) = settled {
            job.delivery.ack();
        }
    }
}

/// Every part that was tried has been reported, and the broker confirmed it.
struct Reported;

/// Carries one message out. None when the drain came first, or the broker took it back between two parts.
async fn message(shared: &Shared, Job { permitted, delivery, .. }: &Job) -> Option<Reported> {
    let request = &permitted.request;
    trace::note(attribute::CHANNEL, request.channel.to_string());
    trace::note(attribute::DIRECTION, "outbound");
    trace::note(attribute::MESSAGE_KIND, request.content.kind());
    let whole = |outcome| async move { report::report(shared, permitted, 0, 1, outcome).await };
    if let Err(reason) = permit::genuine(&shared.kit, permitted) {
        tracing::error!(message = %request.message, reason, "a message without a genuine permit was not sent");
        let failure = Failure { reason: Some(reason.to_owned()), ..Failure::of(codes::PERMIT_INVALID) };
        return whole(Outcome::Rejected { failure }).await;
    }
    let Some(live) = account(&shared.kit, permitted).await else {
        let reason = Some("the account is unknown or inactive".to_owned());
        let failure = Failure { reason, ..Failure::of(codes::ACCOUNT_MISCONFIGURED) };
        return whole(Outcome::Misconfigured { failure }).await;
    };
    let parts = match plan::parts(&request.content, &shared.kit.can) {
        Ok(parts) => parts,
        Err(cannot) => {
            let failure = Failure { reason: Some(cannot.detail), ..Failure::of(cannot.code) };
            return whole(Outcome::Rejected { failure }).await;
        }
    };
    let planned = u16::try_from(parts.len()).unwrap_or(u16::MAX);
    for (index, content) in (0..planned).zip(parts) {
        if !delivery.is_current() {
            return None;
        }
        let outcome = attempt::part(shared, &live, permitted, index, content).await?;
        let accepted = matches!(outcome, Outcome::Accepted { .. });
        report::report(shared, permitted, index, planned, outcome).await?;
        if !accepted {
            // Part 3 without part 2 would make no sense to the contact.
            break;
        }
    }
    Some(Reported)
}

/// The account of the message; read again once when it is not known yet.
async fn account(kit: &Kit, permitted: &Permitted) -> Option<Arc<Live>> {
    let thread = &permitted.request.thread;
    let mut found = kit.accounts.by_id(thread.account);
    if found.is_none() && kit.accounts.reload(kit.env.directory.as_ref()).await.is_ok() {
        found = kit.accounts.by_id(thread.account);
    }
    found.filter(|live| live.account.organization == thread.organization)
}

#[cfg(test)]
mod tests;
