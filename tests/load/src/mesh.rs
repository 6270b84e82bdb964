//! Load on a running mesh: Gupshup webhooks in, desk events out, and the time between.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use clap::Args;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use crate::{
    http::Connection,
    stats::{Latencies, Series},
};

/// What to send where.
#[derive(Args, Clone)]
pub(crate) struct Mesh {
    /// `host:port` of the desk and the hooks.
    #[arg(long)]
    host: String,
    /// Path of the WhatsApp hook.
    #[arg(long, default_value = "/hooks/whatsapp/demo-whatsapp")]
    hook: String,
    /// The hook's Authorization header.
    #[arg(long)]
    secret: String,
    /// Who signs in at the desk.
    #[arg(long)]
    email: String,
    /// Their password.
    #[arg(long)]
    password: String,
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
    let token = sign_in(&plan).await?;
    let start = Instant::now();
    let (seen, mut heard) = mpsc::unbounded_channel();
    let listener = tokio::spawn(listen(plan.host.clone(), token, start, seen));
    // The subscription must stand before the first webhook.
    heard.recv().await.ok_or("the event stream ended before it began")?;
    let begun = Instant::now();
    let settled_from = first_writes(&plan);
    let sender = tokio::spawn(send_all(plan.clone(), start));
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
    let (accepted, refused, sending) = sender.await.map_err(|problem| problem.to_string())??;
    listener.abort();
    if let Some(file) = &plan.series {
        std::fs::write(file, series.lines()).map_err(|problem| format!("{}: {problem}", file.display()))?;
    }
    let took = last.duration_since(begun).as_secs_f64();
    let heard_all = latencies.len();
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    Ok(json!({
        "messages": plan.messages, "rate": plan.rate, "accepted": accepted, "refused": refused, "heard": heard_all,
        "seconds": took, "per_second": heard_all as f64 / took, "accepted_per_second": f64::from(accepted) / sending,
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

async fn sign_in(plan: &Mesh) -> Result<String, String> {
    let mut connection = Connection::open(&plan.host).await.map_err(|problem| problem.to_string())?;
    let body = json!({"email": plan.email, "password": plan.password}).to_string();
    let (status, answer) = connection
        .post("/api/v1/sessions", ("Accept", "application/json"), &body)
        .await
        .map_err(|problem| problem.to_string())?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|problem| format!("sign-in {status}: {problem}"))?;
    answer["token"].as_str().map(str::to_owned).ok_or_else(|| format!("sign-in {status}: {answer}"))
}

/// Hears the desk's events and reports the latency of each of our messages; a first zero when the stream stands.
async fn listen(
    host: String,
    token: String,
    start: Instant,
    seen: mpsc::UnboundedSender<Duration>,
) -> Result<(), String> {
    let mut request =
        format!("ws://{host}/api/v1/events").into_client_request().map_err(|problem| problem.to_string())?;
    let bearer = format!("Bearer {token}").parse().map_err(|_| "a token that is no header".to_owned())?;
    request.headers_mut().insert("authorization", bearer);
    let stream = tokio::net::TcpStream::connect(&host).await.map_err(|problem| problem.to_string())?;
    let (mut socket, _) =
        tokio_tungstenite::client_async(request, stream).await.map_err(|problem| problem.to_string())?;
    while let Some(Ok(frame)) = socket.next().await {
        let Message::Text(text) = frame else { continue };
        let Ok(event) = serde_json::from_str::<Value>(&text) else { continue };
        if event["type"] == "hello" {
            let _ = seen.send(Duration::ZERO);
        }
        if event["type"] != "message" || event["data"]["direction"] != "in" {
            continue;
        }
        let stamp = event["data"]["content"]["text"].as_str().and_then(|text| text.strip_prefix("bench "));
        if let Some(micros) = stamp.and_then(|stamp| stamp.parse::<u64>().ok()) {
            let _ = seen.send(start.elapsed().saturating_sub(Duration::from_micros(micros)));
        }
    }
    Ok(())
}

/// Sends every webhook once; answers how many were accepted and refused, and the seconds it took.
async fn send_all(plan: Mesh, start: Instant) -> Result<(u32, u32, f64), String> {
    let begun = Instant::now();
    let (work, queue) = async_queue(plan.connections);
    let mut workers = Vec::new();
    for _ in 0..plan.connections {
        let (plan, queue) = (plan.clone(), Arc::clone(&queue));
        workers.push(tokio::spawn(async move {
            let mut connection = Connection::open(&plan.host).await.map_err(|problem| problem.to_string())?;
            let (mut accepted, mut refused) = (0u32, 0u32);
            loop {
                let next = queue.lock().await.recv().await;
                let Some(number) = next else { break };
                let phone =
                    format!("5511{}", plan.first + u64::from(number) * plan.stride % u64::from(plan.customers.max(1)));
                let id = format!("wamid.bench.{}.{}.{number}", plan.first, plan.turn);
                let body = webhook(&id, &phone, &format!("bench {}", start.elapsed().as_micros()));
                let sent = connection.post(&plan.hook, ("Authorization", &plan.secret), &body).await;
                match sent {
                    Ok((200..=299, _)) => accepted += 1,
                    Ok(_) => refused += 1,
                    Err(_) => {
                        refused += 1;
                        connection = Connection::open(&plan.host).await.map_err(|problem| problem.to_string())?;
                    }
                }
            }
            Ok::<_, String>((accepted, refused))
        }));
    }
    for number in 0..plan.messages {
        if plan.rate > 0 {
            let due = begun + Duration::from_secs_f64(f64::from(number) / f64::from(plan.rate));
            tokio::time::sleep_until(due.into()).await;
        }
        work.send(number).await.map_err(|_| "every connection failed".to_owned())?;
    }
    drop(work);
    let (mut accepted, mut refused) = (0, 0);
    for worker in workers {
        let (yes, no) = worker.await.map_err(|problem| problem.to_string())??;
        accepted += yes;
        refused += no;
    }
    Ok((accepted, refused, begun.elapsed().as_secs_f64()))
}

type Shared = Arc<tokio::sync::Mutex<mpsc::Receiver<u32>>>;

fn async_queue(room: usize) -> (mpsc::Sender<u32>, Shared) {
    let (sender, receiver) = mpsc::channel(room.max(1));
    (sender, Arc::new(tokio::sync::Mutex::new(receiver)))
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
