//! A backlog: webhooks as fast as a channel takes them, with nobody at work behind it. Each connection has customers of its
//! own and waits for its answers, so what one customer wrote has an order, which the number in each text tells.

use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use crate::{http::Connection, mesh::webhook};

/// What to send where.
#[derive(Args, Clone)]
pub(crate) struct Backlog {
    /// `host:port` of the channel.
    #[arg(long)]
    host: String,
    /// Path of the WhatsApp hook.
    #[arg(long, default_value = "/hooks/whatsapp/demo-whatsapp")]
    hook: String,
    /// The hook's Authorization header.
    #[arg(long)]
    secret: String,
    /// Webhooks in all.
    #[arg(long, default_value_t = 100_000)]
    messages: u32,
    /// Connections.
    #[arg(long, default_value_t = 256)]
    connections: u32,
    /// Customers of each connection, who write in turn.
    #[arg(long, default_value_t = 20)]
    customers: u32,
    /// Start of the customers' numbers, to tell runs apart.
    #[arg(long, default_value_t = 70_000_000)]
    first: u64,
}

pub(crate) async fn run(plan: Backlog) -> Result<Value, String> {
    let begun = Instant::now();
    let workers: Vec<_> = (0..plan.connections).map(|one| tokio::spawn(send(plan.clone(), one))).collect();
    let (mut accepted, mut refused) = (0, 0);
    for worker in workers {
        let (yes, no) = worker.await.map_err(|problem| problem.to_string())??;
        accepted += yes;
        refused += no;
    }
    let took = begun.elapsed().as_secs_f64();
    Ok(json!({
        "messages": plan.messages, "accepted": accepted, "refused": refused, "seconds": took,
        "accepted_per_second": f64::from(accepted) / took,
    }))
}

/// Sends the share of one connection. A webhook that is refused goes again, as a provider's would, before the next.
async fn send(plan: Backlog, connection: u32) -> Result<(u32, u32), String> {
    let mut open = Connection::open(&plan.host).await.map_err(|problem| problem.to_string())?;
    let share = plan.messages / plan.connections + u32::from(connection < plan.messages % plan.connections);
    let (mut accepted, mut refused) = (0, 0);
    while accepted < share {
        let customer = u64::from(connection * plan.customers + accepted % plan.customers);
        let phone = format!("5511{}", plan.first + customer);
        let turn = accepted / plan.customers;
        let body = webhook(&format!("wamid.backlog.{phone}.{turn}"), &phone, &format!("backlog {turn}"));
        match open.post(&plan.hook, ("Authorization", &plan.secret), &body).await {
            Ok((200..=299, _)) => accepted += 1,
            Ok(_) => refused += 1,
            Err(_) => {
                refused += 1;
                open = Connection::open(&plan.host).await.map_err(|problem| problem.to_string())?;
            }
        }
    }
    Ok((accepted, refused))
}
