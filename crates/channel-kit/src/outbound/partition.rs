//! The deliveries of one partition: in lanes, so that the messages of one thread go one after another and those of
//! different threads do not wait for each other, and no more of one account than its share.

use std::{
    collections::{HashMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
};

use domain::{Failure, Outcome, Partition, Permitted, Thread, error::codes};
use futures_util::{FutureExt as _, StreamExt as _, TryFutureExt as _, future::BoxFuture, stream::FuturesUnordered};
use ports::{
    Shelf, Turn,
    bus::{BusError, Delivery, Subscription, Way},
    topology::Queue,
};
use runtime::{
    names::{label, metric},
    trace,
};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::{
    Reported, Shared,
    holding::{Answer, Holder, Holding, Job, Source, Steps},
    message, report,
    shelf::{self, Unanswered},
};
use crate::{backoff::Backoff, codec};

/// The time from the first delivery over one way to the broker until that way is gone. Meanwhile nobody else is the
/// partition's consumer, and what is known of its shelves stays true.
struct Tenure {
    number: u64,
    way: Way,
    turn: Turn,
}

/// A message that left its lane.
struct Finished {
    tenure: u64,
    job: Job,
    reported: Option<Reported>,
}

type Calls = FuturesUnordered<BoxFuture<'static, (Holder, Result<Answer, Unanswered>)>>;

/// What one partition has in hand.
struct Hands {
    shared: Arc<Shared>,
    queue: Queue,
    partition: Partition,
    share: usize,
    /// How many tenures there were.
    tenures: u64,
    tenure: Option<Tenure>,
    holdings: HashMap<Holder, Holding>,
    /// What waits behind the message of a thread that is on its way.
    lanes: HashMap<Thread, VecDeque<Job>>,
    running: JoinSet<Finished>,
    calls: Calls,
    /// What the drain came before. It goes back with the subscription, not before: alone it would be overtaken.
    returned: Vec<Delivery>,
    /// What this partition adds to [`Shared::shelved`].
    shelved: u64,
}

/// Serves a partition until the drain begins, then ends what is in flight.
///
/// # Errors
/// The broker ended the subscription, or a lane failed: what is in hand goes back.
pub(super) async fn run(shared: Arc<Shared>, partition: Partition) -> Result<(), String> {
    let mut hands = Hands::new(shared, partition);
    let Some(mut incoming) = subscribe(&hands.shared, &hands.queue).await? else { return Ok(()) };
    let drain = hands.shared.drain.clone();
    let ended = loop {
        tokio::select! {
            delivery = incoming.next() => match delivery {
                Some(delivery) => hands.take(delivery).await,
                None => break Err("the broker ended the subscription".to_owned()),
            },
            Some(finished) = hands.running.join_next() => match finished {
                Ok(finished) => hands.finished(finished),
                Err(error) => break Err(format!("a lane of {} failed: {error}", hands.queue)),
            },
            Some((holder, answer)) = hands.calls.next() => match answer {
                Ok(answer) => hands.answered(holder, answer),
                Err(Unanswered::Halted) => {}
                Err(Unanswered::TakenOver) => {
                    tracing::warn!(queue = %hands.queue, "another replica has the partition; asking the broker anew");
                    // Nobody drives those that are under way meanwhile, and they may hold the store's turn.
                    hands.calls = Calls::new();
                    match subscribe(&hands.shared, &hands.queue).await {
                        Ok(Some(anew)) => incoming = anew,
                        Ok(None) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                    hands.let_go();
                }
            },
            () = drain.begun() => break Ok(()),
        }
    };
    let ended = if drain.has_begun() { Ok(()) } else { ended };
    if ended.is_err() {
        drain.0.cancel();
    }
    // What is in flight ends before the subscription does: a broker that sees it end gives it to the next replica,
    // which would find it begun and in doubt.
    if tokio::time::timeout(hands.shared.kit.config.drain, hands.finish()).await.is_err() {
        tracing::warn!("sends are still in flight at the end of the drain; nobody knows what becomes of them");
    }
    drop(incoming);
    hands.let_go();
    ended
}

/// Waits for a broker that is away: to begin anew would cut short what is in flight, and what a provider has just accepted
/// might be told by nobody. None when the drain came first.
async fn subscribe(shared: &Shared, queue: &Queue) -> Result<Option<Subscription>, String> {
    let kit = &shared.kit;
    let mut backoff = Backoff::while_away();
    let subscribing = async {
        loop {
            match kit.env.bus.subscribe(queue.clone(), kit.config.prefetch).await {
                Err(error @ BusError::Unavailable(_)) => tracing::warn!(%queue, %error, "sends wait for the broker"),
                answer => return answer.map(Some).map_err(|error| error.to_string()),
            }
            tokio::time::sleep(backoff.pause()).await;
        }
    };
    tokio::select! {
        subscribed = subscribing => subscribed,
        () = shared.drain.begun() => Ok(None),
    }
}

impl Hands {
    fn new(shared: Arc<Shared>, partition: Partition) -> Self {
        let config = &shared.kit.config;
        Self {
            queue: Queue::ChannelOutbound(shared.kit.channel.clone(), partition),
            partition,
            // More than half of the prefetch, and two accounts could fill it.
            share: usize::from(config.share.min(config.prefetch / 2).max(1)),
            shared,
            tenures: 0,
            tenure: None,
            holdings: HashMap::new(),
            lanes: HashMap::new(),
            running: JoinSet::new(),
            calls: Calls::new(),
            returned: Vec::new(),
            shelved: 0,
        }
    }

    /// A delivery came.
    async fn take(&mut self, delivery: Delivery) {
        let lasts = self.tenure.as_ref().is_some_and(|tenure| tenure.way.is_current());
        if !lasts && !self.begin(delivery.way()).await {
            return self.returned.push(delivery);
        }
        // The store may have let us wait until the broker took it back.
        if !delivery.is_current() {
            return;
        }
        let kit = &self.shared.kit;
        match codec::read_permitted(&delivery.envelope) {
            Ok(permitted) => {
                let thread = &permitted.request.thread;
                let holder = (thread.organization, thread.account);
                let holding = self.holdings.entry(holder).or_insert_with(|| Holding::new(self.share));
                holding.arrive(delivery, permitted);
                self.advance(holder);
            }
            Err(reason) => {
                kit.count_parked("outbound", &codes::POISON);
                tracing::error!(id = delivery.envelope.id, reason, "a permitted message cannot be read; parked");
                delivery.park(codes::POISON.as_str(), reason);
            }
        }
    }

    /// Begins a tenure: takes the shelves over. False when the drain came first.
    async fn begin(&mut self, way: Way) -> bool {
        self.let_go();
        let kit = &self.shared.kit;
        let take_over = || kit.env.shelves.take_over(&kit.channel, self.partition).err_into();
        let Ok((turn, laden)) = shelf::patiently(&self.shared, take_over).await else { return false };
        for one in laden {
            let holding = Holding::laden(self.share, one.count, one.last);
            self.holdings.insert((one.shelf.organization, one.shelf.account), holding);
        }
        self.tenures += 1;
        self.tenure = Some(Tenure { number: self.tenures, way, turn });
        self.recount();
        true
    }

    /// Forgets what is in hand, for the broker to bring again in order; what is in flight goes on.
    fn let_go(&mut self) {
        self.tenure = None;
        self.calls = Calls::new();
        self.holdings.clear();
        self.lanes.values_mut().for_each(VecDeque::clear);
        self.returned.clear();
        self.recount();
    }

    /// Does what an account's holding says.
    fn advance(&mut self, holder: Holder) {
        let (Some(holding), Some(tenure)) = (self.holdings.get_mut(&holder), &self.tenure) else { return };
        let Steps { run, calls } = holding.advance();
        if holding.is_idle() && run.is_empty() && calls.is_empty() {
            self.holdings.remove(&holder);
        }
        let (organization, account) = holder;
        for call in calls {
            let (shared, turn) = (Arc::clone(&self.shared), tenure.turn);
            let channel = shared.kit.channel.clone();
            let shelf = Shelf { channel, partition: self.partition, organization, account };
            self.calls.push(async move { (holder, shelf::ask(&shared, turn, &shelf, call).await) }.boxed());
        }
        run.into_iter().for_each(|job| self.enter(job));
    }

    fn answered(&mut self, holder: Holder, answer: Answer) {
        let Some(holding) = self.holdings.get_mut(&holder) else { return };
        let run = holding.answered(answer);
        run.into_iter().for_each(|job| self.enter(job));
        self.advance(holder);
        self.recount();
    }

    /// Puts a message at the end of its thread's lane.
    fn enter(&mut self, job: Job) {
        match self.lanes.get_mut(&job.permitted.request.thread) {
            Some(lane) => lane.push_back(job),
            None => {
                self.lanes.insert(job.permitted.request.thread.clone(), VecDeque::new());
                self.start(job);
            }
        }
    }

    fn start(&mut self, job: Job) {
        let Some(Tenure { number, way, .. }) = &self.tenure else { return };
        let (shared, queue) = (Arc::clone(&self.shared), self.queue.clone());
        let (tenure, way) = (*number, way.clone());
        self.running.spawn(async move {
            let reported = carry(&shared, &queue, &job, &way).await;
            Finished { tenure, job, reported }
        });
    }

    /// A message left its lane: the next of the lane goes, and its account has room for another.
    fn finished(&mut self, Finished { tenure, job, reported }: Finished) {
        let (thread, holder) = (job.permitted.request.thread.clone(), job.holder());
        let id = job.envelope().id.clone();
        let row = match job.source {
            Source::Shelved(position, _) => Some(position),
            Source::Delivered(delivery) if reported.is_some() => {
                delivery.ack();
                None
            }
            // What the broker took back it has.
            Source::Delivered(delivery) => {
                self.returned.extend(Some(delivery).filter(Delivery::is_current));
                None
            }
        };
        let lasts = self.tenure.as_ref().is_some_and(|current| current.number == tenure);
        if lasts
            && reported.is_some()
            && let Some(holding) = self.holdings.get_mut(&holder)
        {
            holding.finished(&id, row);
        }
        if self.shared.drain.has_begun() {
            return;
        }
        match self.lanes.get_mut(&thread).and_then(VecDeque::pop_front) {
            Some(next) => self.start(next),
            None => drop(self.lanes.remove(&thread)),
        }
        self.advance(holder);
    }

    /// Ends what is in flight, and takes from the shelves what it carried out.
    async fn finish(&mut self) {
        // Nobody drives them any more: one that holds the store's turn would keep those in flight from ending. What they
        // were about is not settled.
        self.calls = Calls::new();
        while let Some(finished) = self.running.join_next().await {
            if let Ok(finished) = finished {
                self.finished(finished);
            }
        }
        let kit = &self.shared.kit;
        for ((organization, account), holding) in &mut self.holdings {
            let (organization, account) = (*organization, *account);
            let shelf = Shelf { channel: kit.channel.clone(), partition: self.partition, organization, account };
            if let Err(error) = kit.env.shelves.remove(&shelf, &holding.take_done()).await {
                tracing::debug!(%error, "what was carried out stays on its shelf; the ledger knows it");
            }
        }
    }

    /// Tells how much lies on the shelves.
    fn recount(&mut self) {
        let now = self.holdings.values().map(Holding::count).sum();
        let before = std::mem::replace(&mut self.shelved, now);
        if now != before {
            let total = &self.shared.shelved;
            total.fetch_add(now, Ordering::Relaxed);
            let rest = total.fetch_sub(before, Ordering::Relaxed).saturating_sub(before);
            self.shared.kit.gauge(metric::SHELF_MESSAGES, rest);
        }
    }
}

/// Carries one message out. None when the drain came first, or the broker took it back.
async fn carry(shared: &Shared, queue: &Queue, job: &Job, way: &Way) -> Option<Reported> {
    let span = trace::process(job.envelope(), queue);
    let started = tokio::time::Instant::now().into_std();
    let carried = AssertUnwindSafe(message(shared, &job.permitted, way).instrument(span)).catch_unwind().await;
    let reported = match carried {
        Ok(reported) => reported,
        Err(_) => broke_off(shared, &job.permitted).await,
    };
    runtime::bus::processed(&shared.kit.env.metrics, queue, started, "");
    reported
}

/// A message that made the kit panic would do so again: nobody knows how far it came, and a person decides.
async fn broke_off(shared: &Shared, permitted: &Permitted) -> Option<Reported> {
    shared.kit.env.metrics.count(metric::PANICS, &[(label::PLACE, "outbound")], 1);
    let reason = Some("carrying the message out panicked".to_owned());
    let failure = Failure { reason, ..Failure::of(codes::IN_DOUBT) };
    report::report(shared, permitted, 0, 1, Outcome::InDoubt { failure }).await
}
