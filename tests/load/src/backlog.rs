//! A backlog: webhooks as fast as a channel takes them, with nobody at work behind it. Each connection has customers of its
//! own and waits for its answers, so what one customer wrote has an order, which the number in each text tells.

use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use crate::{
    http::Connection,
    mesh::webhook,
    pace::{self, Sent},
};

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
    let Sent { accepted, refused, seconds } = pace::all(workers, begun).await?;
    Ok(json!({
        "messages": plan.messages, "accepted": accepted, "refused": refused, "seconds": seconds,
        "accepted_per_second": f64::from(accepted) / seconds,
    }))
}

/// Sends the share of one connection. A webhook that is refused goes again, as a provider's would, before the next.
async fn send(plan: Backlog, connection: u32) -> Result<Sent, String> {
    let mut open = Connection::open(&plan.host).await.map_err(|problem| problem.to_string())?;
    let share = plan.messages / plan.connections + u32::from(connection < plan.messages % plan.connections);
    let mut sent = Sent::default();
    while sent.accepted < share {
        let customer = u64::from(connection * plan.customers + sent.accepted % plan.customers);
        let phone = format!("5511{}", plan.first + customer);
        let turn = sent.accepted / plan.customers;
        let body = webhook(&format!("wamid.backlog.{phone}.{turn}"), &phone, &format!("backlog {turn}"));
        let taken = open.taken(&plan.hook, &[("Authorization", &plan.secret)], &body).await;
        sent.count(taken.map_err(|problem| problem.to_string())?);
    }
    Ok(sent)
}
