//! Customers who write by a provider that calls us.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use rand::{RngExt as _, rngs::StdRng};
use serde_json::json;

use super::{
    AGAIN, RHYTHM, Target, client,
    customers::{Channel, Customer},
};
use crate::{ledger::Way, mesh::SECRET};

/// A customer writes; the provider repeats a webhook until it is taken, and now and then without need.
pub(super) async fn write(target: Target, customer: Arc<Customer>, mut random: StdRng) -> Result<()> {
    let http = client()?;
    let mut n = 0;
    while !target.stop.load(Ordering::Acquire) {
        let words = customer.says(n);
        let call = webhook(&target, &customer, n, &customer.writes(&target.ledger, n));
        target.ledger.begin(Way::In, customer.channel, &words);
        let doubled = random.random_ratio(1, 10);
        let mut taken = 0;
        while taken <= u32::from(doubled) {
            let request = http.post(call.url).header(call.header, &call.secret);
            match request.header("content-type", "application/json").body(call.body.clone()).send().await {
                Ok(answer) if answer.status().is_success() => {
                    taken += 1;
                    target.ledger.accepted(Way::In, &words);
                }
                Ok(answer) => {
                    target.ledger.count(if answer.status() == 503 { "webhooks 503" } else { "webhooks refused" });
                    tokio::time::sleep(AGAIN).await;
                }
                Err(_) => {
                    target.ledger.count("webhooks unanswered");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        n += 1;
        tokio::time::sleep(RHYTHM.mul_f64(random.random_range(0.5..1.5))).await;
    }
    Ok(())
}

/// A provider's call.
struct Call<'a> {
    url: &'a str,
    /// The header with the secret.
    header: &'static str,
    secret: String,
    body: String,
}

/// The customer's message `n`, of which this is the text.
fn webhook<'a>(target: &'a Target, customer: &Customer, n: u32, text: &str) -> Call<'a> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = u64::try_from(now).unwrap_or(0);
    let from = customer.name.as_str();
    if customer.channel == Channel::Telegram {
        let chat: u64 = from.parse().unwrap_or_default();
        let body = json!({
            // Telegram numbers the updates of a bot; here each customer has a range.
            "update_id": chat * 1_000_000 + u64::from(n),
            "message": {
                "message_id": n + 1, "date": now / 1_000, "text": text,
                "chat": {"id": chat, "type": "private", "first_name": "Maria"},
                "from": {"id": chat, "is_bot": false, "first_name": "Maria"}
            }
        });
        let (url, header) = (target.telegram.as_str(), "x-telegram-bot-api-secret-token");
        return Call { url, header, secret: SECRET.to_owned(), body: body.to_string() };
    }
    let body = json!({
        "app": "LojaDemo", "timestamp": now, "version": 2, "type": "message",
        "payload": {
            "id": format!("wamid.{}", customer.says(n).replace(' ', ".")), "source": from, "type": "text",
            "payload": {"text": text},
            "sender": {"phone": from, "name": "Maria", "country_code": "55", "dial_code": ""}
        }
    });
    let (url, header) = (target.whatsapp.as_str(), "authorization");
    Call { url, header, secret: format!("Bearer {SECRET}"), body: body.to_string() }
}
