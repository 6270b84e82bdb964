//! Load on a running mesh: Gupshup webhooks in, desk events out, and the time between.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use clap::Args;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::{
    doors::Doors,
    http::Connection,
    pace::{self, Pace, Sent, Work},
    stats::{Latencies, Series},
};

/// What to send where.
#[derive(Args, Clone)]
pub(crate) struct Mesh {
    #[command(flatten)]
    doors: Doors,
    /// Path of the WhatsApp hook.
    #[arg(long, default_value = "/hooks/whatsapp/demo-whatsapp")]
    hook: String,
    /// Webhooks in all.
    #[arg(long, default_value_t = 10_000)]
    messages: u32,
    /// Webhooks per second; 0 means as fast as the answers come.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Different customers.
    #[arg(long, default_value_t = 1_000)]
    customers: u32,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds to wait for the last desk event.
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// Start of the customers' numbers, to tell runs apart.
    #[arg(long, default_value_t = 10_000_000)]
    first: u64,
    /// Which run with the same customers this is: their messages have other ids in each.
    #[arg(long, default_value_t = 0)]
    turn: u32,
    /// How far the next customer is from the one before.
    #[arg(long, default_value_t = 1)]
    stride: u64,
    /// A file for a line of each tenth of a second in which one was heard: when, how many were heard, their median and their slowest, in
    /// milliseconds. It shows whether a tail is everywhere or one stall.
    #[arg(long)]
    series: Option<PathBuf>,
}

pub(crate) async fn run(plan: Mesh) -> Result<Value, String> {
    let token = plan.doors.sign_in().await?;
    let start = Instant::now();
    let (seen, mut heard) = mpsc::unbounded_channel();
    let doors = plan.doors.clone();
    let listener = tokio::spawn(async move {
        let hear = |event: &Value| {
            if let Some(latency) = latency(event, start) {
                // Nobody listens once the last one is there.
                let _ = seen.send(latency);
            }
        };
        doors.hear(&token, hear).await
    });
    // The subscription must stand before the first webhook.
    heard.recv().await.ok_or("the event stream ended before it began")?;
    let begun = Instant::now();
    let settled_from = first_writes(&plan);
    let pace = Pace { count: plan.messages, rate: plan.rate, workers: plan.connections };
    let sending = plan.clone();
    let sender = tokio::spawn(pace::run(pace, move |one, work| send(sending.clone(), one, work, start)));
    let (mut latencies, mut settled) = (Latencies::default(), Latencies::default());
    let mut series = Series::default();
    let mut last = begun;
    let patience = Duration::from_secs(plan.patience);
    while latencies.len() < usize::try_from(plan.messages).unwrap_or(usize::MAX) {
        match tokio::time::timeout(patience, heard.recv()).await {
            Ok(Some(latency)) => {
                latencies.add(latency);
                last = Instant::now();
                if last.duration_since(begun) > settled_from + latency {
                    settled.add(latency);
                }
                if plan.series.is_some() {
                    series.add(last.duration_since(begun), latency);
                }
            }
            _ => break,
        }
    }
    let Sent { accepted, refused, seconds } = sender.await.map_err(|problem| problem.to_string())??;
    listener.abort();
    if let Some(file) = &plan.series {
        std::fs::write(file, series.lines()).map_err(|problem| format!("{}: {problem}", file.display()))?;
    }
    let took = last.duration_since(begun).as_secs_f64();
    let heard_all = latencies.len();
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    Ok(json!({
        "messages": plan.messages, "rate": plan.rate, "accepted": accepted, "refused": refused, "heard": heard_all,
        "seconds": took, "per_second": heard_all as f64 / took, "accepted_per_second": f64::from(accepted) / seconds,
        "p50_ms": latencies.percentile(0.50), "p99_ms": latencies.percentile(0.99), "max_ms": latencies.percentile(1.0),
        "settled_p50_ms": settled.percentile(0.50), "settled_p99_ms": settled.percentile(0.99),
    }))
}

/// How long it takes until everybody has written once, and a second more. In a run of a steady rate all customers write for
/// the first time at its beginning, which opens as many conversations at once as a company has in hours.
fn first_writes(plan: &Mesh) -> Duration {
    let writing = if plan.rate == 0 { 0.0 } else { f64::from(plan.customers) / f64::from(plan.rate) };
    Duration::from_secs_f64(writing + 1.0)
}

/// The latency of an event that tells of one of our messages; zero for the greeting, with which the stream stands.
fn latency(event: &Value, start: Instant) -> Option<Duration> {
    if event["type"] == "hello" {
        return Some(Duration::ZERO);
    }
    if event["type"] != "message" || event["data"]["direction"] != "in" {
        return None;
    }
    let micros = event["data"]["content"]["text"].as_str()?.strip_prefix("bench ")?.parse().ok()?;
    Some(start.elapsed().saturating_sub(Duration::from_micros(micros)))
}

/// Sends webhooks, each once.
async fn send(plan: Mesh, one: usize, work: Work<u32>, start: Instant) -> Result<Sent, String> {
    let mut connection = Connection::open(plan.doors.hooks(one)).await.map_err(|problem| problem.to_string())?;
    let mut sent = Sent::default();
    while let Some(number) = work.next().await {
        let phone = format!("5511{}", plan.first + u64::from(number) * plan.stride % u64::from(plan.customers.max(1)));
        let id = format!("wamid.bench.{}.{}.{number}", plan.first, plan.turn);
        let body = webhook(&id, &phone, &format!("bench {}", start.elapsed().as_micros()));
        let taken = connection.taken(&plan.hook, &[("Authorization", &plan.doors.secret)], &body).await;
        sent.count(taken.map_err(|problem| problem.to_string())?);
    }
    Ok(sent)
}

/// A text message as Gupshup posts it, of this moment: one that is older than the last changes less in the store.
pub(crate) fn webhook(id: &str, phone: &str, text: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    json!({
        "app": "LojaDemo", "timestamp": u64::try_from(now).unwrap_or_default(), "version": 2, "type": "message",
        "payload": {
            "id": id, "source": phone, "type": "text", "payload": {"text": text},
            "sender": {"phone": phone, "name": "Bench", "country_code": "55", "dial_code": ""}
        }
    })
    .to_string()
}

/// Keeps a bounded number of publishes in flight.
pub(crate) fn window(size: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(size))
}
