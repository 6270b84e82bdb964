//! Customers who write without a pause and an agent who answers each of them, while something happens to the mesh; and
//! what came through of it, on both sides.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    harness::{desk::Desk, eventually},
    post,
    processes::Mesh,
};

/// How long a customer waits before writing again.
const WRITES: Duration = Duration::from_millis(150);
/// How long the agent waits before the next answer to the same customer: for four of them below the provider's 20 in a
/// second.
const ANSWERS: Duration = Duration::from_millis(250);

/// One customer and the conversation with them: 0, 1, 2... both ways.
struct Line {
    address: String,
    conversation: Value,
    /// How many the hook accepted.
    written: Arc<AtomicUsize>,
    /// How many the desk accepted.
    answered: Arc<AtomicUsize>,
}

/// Traffic that goes on until it is stopped.
pub(crate) struct Traffic {
    lines: Vec<Line>,
    stopped: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// A conversation as it ended.
pub(crate) struct Ended {
    /// What the customer wrote, as the desk shows it.
    pub(crate) heard: Vec<usize>,
    /// How many they wrote.
    pub(crate) written: usize,
    /// The agent's answers with the state of each, as the desk shows them.
    pub(crate) said: Vec<(usize, String)>,
    /// How many there were.
    pub(crate) answered: usize,
    /// The answers on the customer's phone.
    pub(crate) received: Vec<usize>,
}

impl Traffic {
    /// Four customers, each with a conversation that Ana has taken.
    pub(crate) async fn start(mesh: &Mesh, ana: &Desk<'_>, desk: &str) -> Self {
        // A connection for each call: each goes to another replica.
        let http =
            reqwest::Client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(10)).build().unwrap();
        let mut traffic = Self { lines: Vec::new(), stopped: Arc::default(), tasks: JoinSet::new() };
        for customer in 0..4 {
            let address = format!("551199988000{customer}");
            post(&http, &mesh.hook(), &format!("wamid.{address}.0"), &address, "0").await;
            let conversation = ana.take(&ana.conversation(&address, "waiting").await).await;
            let line = Line { address, conversation, written: Arc::new(AtomicUsize::new(1)), answered: Arc::default() };
            traffic.writes(&line, http.clone(), mesh.hook());
            traffic.answers(&line, http.clone(), desk, ana.token());
            traffic.lines.push(line);
        }
        traffic
    }

    fn writes(&mut self, line: &Line, http: reqwest::Client, hook: String) {
        let (address, written, stopped) = (line.address.clone(), Arc::clone(&line.written), Arc::clone(&self.stopped));
        self.tasks.spawn(async move {
            while !stopped.load(Ordering::SeqCst) {
                let number = written.load(Ordering::SeqCst);
                post(&http, &hook, &format!("wamid.{address}.{number}"), &address, &number.to_string()).await;
                written.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(WRITES).await;
            }
        });
    }

    fn answers(&mut self, line: &Line, http: reqwest::Client, desk: &str, token: &str) {
        let id = line.conversation["id"].as_str().unwrap();
        let (url, token) = (format!("{desk}/conversations/{id}/messages"), token.to_owned());
        let (address, answered, stopped) =
            (line.address.clone(), Arc::clone(&line.answered), Arc::clone(&self.stopped));
        self.tasks.spawn(async move {
            while !stopped.load(Ordering::SeqCst) {
                let number = answered.load(Ordering::SeqCst);
                // Again with the same key until it is accepted, as the page does it.
                let (key, content) =
                    (format!("{address}-{number}"), json!({"type": "text", "text": number.to_string()}));
                eventually("the desk accepts", || async {
                    let call = http.post(&url).bearer_auth(&token).header("idempotency-key", &key);
                    let answer = call.json(&json!({"content": content})).send().await.ok()?;
                    (answer.status() == 201).then_some(())
                })
                .await;
                answered.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(ANSWERS).await;
            }
        });
    }

    /// Waits until everyone has written and was answered a few times more, and all that was accepted until then has come
    /// through: whoever is there now does the work.
    pub(crate) async fn comes_through(&self, ana: &Desk<'_>) {
        for line in &self.lines {
            let target = |count: &AtomicUsize, more| count.load(Ordering::SeqCst) + more;
            let (written, answered) = (target(&line.written, 3), target(&line.answered, 2));
            let path = format!("/conversations/{}/messages?limit=50", line.conversation["id"].as_str().unwrap());
            eventually(&format!("{} goes on", line.address), || async {
                // Now and then: whoever asks takes from the mesh what it needs for its work.
                tokio::time::sleep(Duration::from_millis(200)).await;
                let (status, page) = ana.try_get(&path).await;
                let (heard, said) = parted(page["items"].as_array().filter(|_| status == 200)?);
                let ended = said.iter().filter(|(_, state)| state != "queued").map(|(number, _)| number + 1).max();
                (heard.iter().max().map(|number| number + 1) >= Some(written) && ended >= Some(answered)).then_some(())
            })
            .await;
        }
    }

    /// Ends it, and answers what came of it once every message has an outcome.
    pub(crate) async fn stop(mut self, mesh: &Mesh, ana: &Desk<'_>) -> Vec<Ended> {
        self.stopped.store(true, Ordering::SeqCst);
        while let Some(task) = self.tasks.join_next().await {
            task.unwrap();
        }
        let mut all = Vec::new();
        for line in &self.lines {
            let (written, answered) = (line.written.load(Ordering::SeqCst), line.answered.load(Ordering::SeqCst));
            let (heard, said) = eventually(&format!("all of {}", line.address), || async {
                let (heard, said) = told(ana, &line.conversation).await?;
                let ended = said.iter().all(|(_, state)| state != "queued");
                (heard.len() >= written && said.len() >= answered && ended).then_some((heard, said))
            })
            .await;
            let phone = mesh.provider(&format!("/sim/customers/whatsapp/{}", line.address)).await;
            let bubbles = phone["bubbles"].as_array().unwrap().iter().filter(|bubble| bubble["mine"] == false);
            let received = bubbles.map(|bubble| number(&bubble["says"]["text"])).collect();
            all.push(Ended { heard, written, said, answered, received });
        }
        all
    }

    /// Looks at every answer's state again and again, and answers each that went back.
    pub(crate) fn watch(&mut self, desk: &str, token: &str) -> tokio::task::JoinHandle<Watched> {
        let (token, stopped) = (token.to_owned(), Arc::clone(&self.stopped));
        let of = |line: &Line| {
            format!("{desk}/conversations/{}/messages?limit=60", line.conversation["id"].as_str().unwrap())
        };
        let urls: Vec<String> = self.lines.iter().map(of).collect();
        tokio::spawn(async move {
            let (http, mut watched) = (reqwest::Client::new(), Watched::default());
            while !stopped.load(Ordering::SeqCst) {
                for url in &urls {
                    let Ok(answer) = http.get(url).bearer_auth(&token).send().await else { continue };
                    let page: Value = answer.json().await.unwrap_or_default();
                    page["items"].as_array().into_iter().flatten().for_each(|message| watched.see(message));
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            watched
        })
    }
}

/// How far each message was seen to have come.
#[derive(Default)]
pub(crate) struct Watched {
    furthest: BTreeMap<String, String>,
    /// Every state that was seen.
    pub(crate) states: BTreeSet<String>,
    /// What went back: it must be empty.
    pub(crate) back: Vec<String>,
}

impl Watched {
    fn see(&mut self, message: &Value) {
        const ORDER: [&str; 7] = ["queued", "parked", "accepted", "sent", "failed", "delivered", "read"];
        let (Some(id), Some(state)) = (message["id"].as_str(), message["delivery"]["state"].as_str()) else { return };
        let rank = |state: &str| ORDER.iter().position(|known| *known == state).expect("a known state");
        let before = self.furthest.insert(id.to_owned(), state.to_owned());
        self.states.insert(state.to_owned());
        if let Some(before) = before.filter(|before| rank(before) > rank(state)) {
            self.back.push(format!("{id} went from {before} to {state}"));
        }
    }
}

/// What was said so far; none while the desk is away.
async fn told(ana: &Desk<'_>, conversation: &Value) -> Option<(Vec<usize>, Vec<(usize, String)>)> {
    Some(parted(&ana.try_messages(conversation).await?))
}

/// The numbers that the customer wrote, and those of the agent with their states.
fn parted(messages: &[Value]) -> (Vec<usize>, Vec<(usize, String)>) {
    let (heard, said): (Vec<_>, Vec<_>) = messages.iter().partition(|message| message["direction"] == "in");
    let heard = heard.iter().map(|message| number(&message["content"]["text"])).collect();
    let state = |message: &Value| message["delivery"]["state"].as_str().unwrap_or_default().to_owned();
    let said = said.iter().map(|message| (number(&message["content"]["text"]), state(message))).collect();
    (heard, said)
}

fn number(text: &Value) -> usize {
    text.as_str().unwrap().parse().unwrap()
}
