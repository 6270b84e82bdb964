//! Agents who answer: from the click at the desk to the provider, and to the tick that the desk shows.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    doors::Doors,
    fates::{Fates, Step},
    http::Connection,
    mesh::webhook,
    pace::{self, Pace, Sent, Work},
    provider,
};

/// Who answers whom.
#[derive(Args, Clone)]
pub(crate) struct Replies {
    #[command(flatten)]
    pub(crate) doors: Doors,
    /// `host:port` where the accounts' provider is played. The `base_url` of account N is `http://HOST:PORT/N`.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) provider: String,
    /// Path of the accounts' hooks, without the account's number at its end.
    #[arg(long, default_value = "/hooks/whatsapp/mesh-")]
    pub(crate) hook: String,
    /// How many accounts there are, numbered from 0 on. Each may send 20 messages a second: with too few, that is the limit.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    accounts: u32,
    /// Customers, each with a conversation. Each may be sent a message every 150 ms.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    customers: u32,
    /// The file with the ids of their conversations. Where it is not there, the customers write first, and it is made.
    #[arg(long)]
    conversations: PathBuf,
    /// Replies in all.
    #[arg(long, default_value_t = 10_000)]
    messages: u32,
    /// Replies per second; 0 means as fast as the desk answers.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Agents who write at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds to wait for the next news of a reply.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// Start of the customers' numbers.
    #[arg(long, default_value_t = 80_000_000)]
    first: u64,
    /// Which run this is: its replies have other texts than those of the others.
    #[arg(long, default_value_t = 0)]
    turn: u32,
}

impl Replies {
    /// What a reply of this run says, before its number.
    pub(crate) fn mark(&self) -> String {
        format!("reply.{}.{}.", self.first, self.turn)
    }
}

/// What is heard during a run.
pub(crate) enum News {
    /// The desk's event stream stands.
    Ready,
    /// The conversation of this customer.
    Open(u32, String),
    /// A reply came to this step.
    Reply(u32, Step, Instant),
}

pub(crate) async fn run(plan: Replies) -> Result<Value, String> {
    let plan = Arc::new(plan);
    let token = plan.doors.sign_in().await?;
    // It holds no more than what one run says.
    let (tell, mut news) = mpsc::unbounded_channel();
    provider::start(Arc::clone(&plan), tell.clone()).await?;
    let hearing = (Arc::clone(&plan), token.clone(), tell.clone());
    let listener = tokio::spawn(async move {
        let (plan, token, tell) = hearing;
        let hear = |event: &Value| {
            if let Some(one) = heard(&plan, event) {
                let _ = tell.send(one);
            }
        };
        plan.doors.hear(&token, hear).await
    });
    // The subscription must stand before anything happens.
    let ready = tokio::time::timeout(Duration::from_secs(plan.patience), news.recv()).await;
    ready.ok().flatten().ok_or("the event stream does not begin")?;
    let conversations = Arc::new(conversations(&plan, &mut news).await?);
    let begun = Instant::now();
    let pace = Pace { count: plan.messages, rate: plan.rate, workers: plan.connections };
    let writing = Arc::clone(&plan);
    let sender = tokio::spawn(pace::run(pace, move |one, work| {
        write(Arc::clone(&writing), one, work, (token.clone(), Arc::clone(&conversations)), tell.clone())
    }));
    let mut fates = Fates::of(plan.messages);
    while !fates.all_ended() {
        match tokio::time::timeout(Duration::from_secs(plan.patience), news.recv()).await {
            Ok(Some(News::Reply(number, step, at))) => fates.note(number, step, at),
            Ok(Some(News::Ready | News::Open(..))) => {}
            _ => break,
        }
    }
    let sent = sender.await.map_err(|problem| problem.to_string())??;
    listener.abort();
    let mut told = fates.told(begun);
    told["messages"] = json!(plan.messages);
    told["rate"] = json!(plan.rate);
    told["accepted"] = json!(sent.accepted);
    told["refused"] = json!(sent.refused);
    told["accepted_per_second"] = json!(f64::from(sent.accepted) / sent.seconds);
    Ok(told)
}

/// What an event of the desk says of this run.
fn heard(plan: &Replies, event: &Value) -> Option<News> {
    if event["type"] == "hello" {
        return Some(News::Ready);
    }
    let data = &event["data"];
    let text = data["content"]["text"].as_str().filter(|_| event["type"] == "message")?;
    if data["direction"] == "in" {
        let customer = text.strip_prefix("open ")?.parse().ok()?;
        return Some(News::Open(customer, data["conversation"].as_str()?.to_owned()));
    }
    let number = text.strip_prefix(&plan.mark())?.parse().ok()?;
    let step = match data["delivery"]["state"].as_str()? {
        "delivered" => Step::Delivered,
        "failed" | "parked" => Step::Failed,
        _ => return None,
    };
    Some(News::Reply(number, step, Instant::now()))
}

/// The conversation of each customer, from the file, or by having them all write.
async fn conversations(plan: &Arc<Replies>, news: &mut mpsc::UnboundedReceiver<News>) -> Result<Vec<String>, String> {
    let wanted = usize::try_from(plan.customers).unwrap_or(usize::MAX);
    if plan.conversations.exists() {
        let text =
            std::fs::read_to_string(&plan.conversations).map_err(|problem| about(&plan.conversations, problem))?;
        let known: Vec<String> = text.lines().map(str::to_owned).collect();
        if known.len() != wanted {
            return Err(about(&plan.conversations, "has not as many as there are customers"));
        }
        return Ok(known);
    }
    let pace = Pace { count: plan.customers, rate: 0, workers: plan.connections };
    let writing = Arc::clone(plan);
    let opened = pace::run(pace, move |one, work| open(Arc::clone(&writing), one, work)).await?;
    if opened.refused > 0 {
        return Err(format!("{} customers were not heard", opened.refused));
    }
    let mut known = vec![String::new(); wanted];
    let mut missing = wanted;
    while missing > 0 {
        let next = tokio::time::timeout(Duration::from_secs(plan.patience), news.recv()).await;
        let Ok(Some(one)) = next else { return Err(format!("{missing} customers have no conversation")) };
        if let News::Open(customer, id) = one
            && let Some(place) = known.get_mut(usize::try_from(customer).unwrap_or(usize::MAX))
        {
            missing -= usize::from(place.is_empty());
            *place = id;
        }
    }
    std::fs::write(&plan.conversations, known.join("\n")).map_err(|problem| about(&plan.conversations, problem))?;
    Ok(known)
}

fn about(file: &Path, problem: impl std::fmt::Display) -> String {
    format!("{}: {problem}", file.display())
}

/// Customers write, to have a conversation and an open window.
async fn open(plan: Arc<Replies>, one: usize, work: Work<u32>) -> Result<Sent, String> {
    let mut connection = Connection::open(plan.doors.hooks(one)).await.map_err(|problem| problem.to_string())?;
    let mut sent = Sent::default();
    while let Some(customer) = work.next().await {
        let phone = format!("5511{}", plan.first + u64::from(customer));
        let body = webhook(&format!("wamid.open.{phone}"), &phone, &format!("open {customer}"));
        let hook = format!("{}{}", plan.hook, customer % plan.accounts);
        let taken = connection.taken(&hook, &[("Authorization", &plan.doors.secret)], &body).await;
        sent.count(taken.map_err(|problem| problem.to_string())?);
    }
    Ok(sent)
}

/// An agent writes replies.
async fn write(
    plan: Arc<Replies>,
    one: usize,
    work: Work<u32>,
    (token, conversations): (String, Arc<Vec<String>>),
    tell: mpsc::UnboundedSender<News>,
) -> Result<Sent, String> {
    let mut connection = Connection::open(plan.doors.desk(one)).await.map_err(|problem| problem.to_string())?;
    let bearer = format!("Bearer {token}");
    let mut sent = Sent::default();
    while let Some(number) = work.next().await {
        let customer = usize::try_from(number % plan.customers).unwrap_or_default();
        let Some(id) = conversations.get(customer) else { break };
        let text = format!("{}{number}", plan.mark());
        let body = json!({"content": {"type": "text", "text": text}}).to_string();
        let path = format!("/api/v1/conversations/{id}/messages");
        // Nobody hears it after the run.
        let _ = tell.send(News::Reply(number, Step::Clicked, Instant::now()));
        let taken = connection.taken(&path, &[("Authorization", &bearer), ("Idempotency-Key", &text)], &body).await;
        let taken = taken.map_err(|problem| problem.to_string())?;
        sent.count(taken);
        let _ = tell.send(News::Reply(number, if taken { Step::Answered } else { Step::Refused }, Instant::now()));
    }
    Ok(sent)
}
