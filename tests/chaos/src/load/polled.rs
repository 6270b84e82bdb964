//! Customers of an account that is polled: they write to the provider, which keeps it until we ask.

use std::sync::{Arc, atomic::Ordering};

use anyhow::{Context as _, Result};
use rand::{RngExt as _, rngs::StdRng};
use serde_json::json;

use super::{RHYTHM, Target, client, customers::Customer};
use crate::{ledger::Way, mesh::POLLED};

/// A customer writes. The provider is harmed by nobody: it takes each message, once.
pub(super) async fn write(target: Target, customer: Arc<Customer>, mut random: StdRng) -> Result<()> {
    let http = client()?;
    let url = format!("{}/{}/messages?account={POLLED}", target.polled, customer.name);
    let mut n = 0;
    while !target.stop.load(Ordering::Acquire) {
        let (words, text) = (customer.says(n), customer.writes(&target.ledger, n));
        target.ledger.begin(Way::In, customer.channel, &words);
        let answer = http.post(&url).json(&json!({"type": "text", "text": text})).send().await;
        answer.and_then(reqwest::Response::error_for_status).with_context(|| format!("the provider and '{words}'"))?;
        target.ledger.accepted(Way::In, &words);
        n += 1;
        tokio::time::sleep(RHYTHM.mul_f64(random.random_range(0.5..1.5))).await;
    }
    Ok(())
}
