//! What the simulator does later: webhooks to the mesh, again until they are taken, and fetches of the media that the
//! mesh sends by link. Jobs of one chat run one after the other; those of different chats side by side.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use runtime::{
    BoxFuture, Drain,
    http::{HttpBody, HttpRequest},
};
use serde_json::Value;
use tokio::{
    sync::{Mutex, mpsc},
    time::Instant,
};

use crate::{
    gupshup, telegram,
    world::{ChatKey, Simulator, Tick},
};

/// How many times a webhook is tried.
const TRIES: u32 = 10;

/// A job and its time.
pub(crate) struct Due {
    pub(crate) at: Instant,
    pub(crate) job: Job,
}

/// The kinds of job.
#[derive(Clone)]
pub(crate) enum Job {
    /// Call the mesh.
    Hook(Hook),
    /// Fetch the media of a message that Gupshup took.
    Fetch(gupshup::Taken),
}

/// A webhook.
#[derive(Clone)]
pub(crate) struct Hook {
    /// Whose chat it is about.
    pub(crate) key: ChatKey,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
    /// The customer's message that it brings: its tick follows.
    pub(crate) bubble: Option<u64>,
    /// The update that it brings; it is confirmed by 2xx.
    pub(crate) update: Option<i64>,
}

impl Job {
    fn key(&self) -> &ChatKey {
        match self {
            Self::Hook(hook) => &hook.key,
            Self::Fetch(taken) => &taken.key,
        }
    }
}

/// Runs jobs until the drain.
pub(crate) async fn run(
    simulator: Arc<Simulator>,
    jobs: Arc<Mutex<mpsc::UnboundedReceiver<Due>>>,
    drain: Drain,
) -> Result<(), String> {
    let mut jobs = jobs.lock().await;
    let mut calendar: BinaryHeap<Reverse<(Instant, u64)>> = BinaryHeap::new();
    let mut waiting: HashMap<u64, Job> = HashMap::new();
    let mut lanes: HashMap<ChatKey, VecDeque<Job>> = HashMap::new();
    let mut running: FuturesUnordered<BoxFuture<ChatKey>> = FuturesUnordered::new();
    let mut number = 0_u64;
    loop {
        let next = calendar.peek().map_or_else(|| Instant::now() + Duration::from_secs(3600), |Reverse((at, _))| *at);
        tokio::select! {
            () = drain.begun() => return Ok(()),
            Some(due) = jobs.recv() => {
                number += 1;
                calendar.push(Reverse((due.at, number)));
                waiting.insert(number, due.job);
            }
            Some(key) = running.next(), if !running.is_empty() => {
                match lanes.get_mut(&key).and_then(VecDeque::pop_front) {
                    Some(job) => running.push(start(simulator.clone(), job)),
                    None => drop(lanes.remove(&key)),
                }
            }
            () = tokio::time::sleep_until(next), if !calendar.is_empty() => {
                let Some(job) = calendar.pop().and_then(|Reverse((_, id))| waiting.remove(&id)) else { continue };
                match lanes.get_mut(job.key()) {
                    Some(lane) => lane.push_back(job),
                    None => {
                        lanes.insert(job.key().clone(), VecDeque::new());
                        running.push(start(simulator.clone(), job));
                    }
                }
            }
        }
    }
}

fn start(simulator: Arc<Simulator>, job: Job) -> BoxFuture<ChatKey> {
    Box::pin(async move {
        let key = job.key().clone();
        match job {
            Job::Hook(hook) => deliver(&simulator, hook).await,
            Job::Fetch(taken) => gupshup::fetch(&simulator, taken).await,
        }
        key
    })
}

/// Calls the hook until it answers with 2xx, a few times, as providers do.
async fn deliver(simulator: &Simulator, hook: Hook) {
    let base = Duration::from_millis(simulator.config.pace.retry_ms.max(1));
    for attempt in 0..TRIES {
        let request = HttpRequest {
            headers: hook.headers.clone(),
            body: HttpBody::Json(hook.body.clone()),
            resend_count: attempt,
            ..HttpRequest::new(http::Method::POST, hook.url.clone(), "/hooks/{channel}/{account}")
        };
        match simulator.http.call(request).await {
            Ok(answer) if (200..300).contains(&answer.status) => {
                taken(simulator, &hook, &answer.body);
                return;
            }
            Ok(answer) => tracing::debug!(status = answer.status, attempt, "the webhook was not taken"),
            Err(error) => tracing::debug!(%error, attempt, "the webhook was not taken"),
        }
        let pause = base * 2_u32.pow(attempt.min(4));
        tokio::select! {
            () = tokio::time::sleep(pause.min(base * 10)) => {}
            () = simulator.stop.cancelled() => return,
        }
    }
    tracing::warn!(account = %hook.key.account, "a webhook was given up");
    if let Some(id) = hook.bubble {
        simulator.change(&hook.key, id, |bubble| bubble.tick = Tick::Failed);
    }
}

fn taken(simulator: &Simulator, hook: &Hook, answer: &[u8]) {
    if let Some(id) = hook.bubble {
        simulator.change(&hook.key, id, |bubble| bubble.tick = Tick::Delivered);
    }
    if let Some(update) = hook.update {
        telegram::confirmed(simulator, &hook.key.account, update, answer);
    }
}
