//! `afluente audit`: what was accepted, and what became of it.

use std::time::Duration;

use ports::{AuditCounts, Clock as _, Unaccounted};
use runtime::clock::SystemClock;
use serde_json::json;

use super::store;
use crate::{
    Place,
    exit::{Problem, say},
};

/// How long an outgoing message may be queued and nowhere in the store before it is called unaccounted for: it is on
/// its way through a broker that the store cannot see into.
const QUEUED_FOR: Duration = Duration::from_secs(10 * 60);

/// What the counts look at, said with them...
const CHECKED: &str = "checked: what was carried out has its message, in order; no send is queued for long without an \
    attempt, an outbox row or, on the embedded bus, anything of its conversation";
/// ...and what they cannot see.
const NOT_CHECKED: &str = "not checked: that all that a webhook accepted was carried out; for that, compare messages in, \
    to be carried out and parked with what the provider sent";

/// Prints the counts. Exits with 1 when something is unaccounted for.
pub(crate) async fn run(place: &Place, as_json: bool) -> Result<(), Problem> {
    let (_, stores) = store(place, false).await?;
    let counts = stores.views.audit(None).await?;
    let millis = i64::try_from(QUEUED_FOR.as_millis()).unwrap_or(i64::MAX);
    let before = domain::Timestamp::from_millis(SystemClock.now().millis().saturating_sub(millis));
    let lost = stores.views.unaccounted_out(None, before).await?;
    if as_json {
        let mut all = json!(counts);
        all["unaccounted_out"] = json!(lost.count);
        all["unaccounted_messages"] = json!(lost.messages);
        all["queued_for_minutes"] = json!(QUEUED_FOR.as_secs() / 60);
        all["scope"] = json!([CHECKED, NOT_CHECKED]);
        say(all);
    } else {
        print(&counts, &lost);
    }
    if lost.count > 0 || counts.unaccounted_in > 0 || counts.out_of_order > 0 || counts.seat_mismatch > 0 {
        return Err(Problem::failed("something is unaccounted for, out of order, or a seat's load is off"));
    }
    Ok(())
}

fn print(counts: &AuditCounts, lost: &Unaccounted) {
    say("carried out:");
    for (kind, count) in &counts.processed {
        say(format_args!("  {kind:<16} {count:>10}"));
    }
    let row = |name: &str, count: u64| say(format_args!("{name:<22} {count:>10}"));
    row("messages in", counts.messages_in);
    for (state, count) in &counts.messages_out {
        row(&format!("messages out {state}"), *count);
    }
    row("sends not yet ended", counts.queued_out);
    row("to be published", counts.outbox);
    match counts.in_broker {
        Some(waiting) => row("to be carried out", waiting),
        None => say(format_args!("{:<22} {:>10}", "to be carried out", "see broker")),
    }
    row("receipts held", counts.held_receipts);
    row("parked", counts.parked);
    row("events unaccounted for", counts.unaccounted_in);
    row("sends unaccounted for", lost.count);
    for id in &lost.messages {
        say(format_args!("  {id}"));
    }
    let unnamed = lost.count.saturating_sub(lost.messages.len() as u64);
    if unnamed > 0 {
        say(format_args!("  and {unnamed} more"));
    }
    if lost.count > 0 {
        let minutes = QUEUED_FOR.as_secs() / 60;
        say(format_args!(
            "  (queued for more than {minutes} minutes, no attempt begun, and nothing of their conversation to be published)"
        ));
        if counts.in_broker.is_none() {
            say("  (they may still wait in the broker: look at its queues before you call them lost)");
        }
    }
    row("out of order", counts.out_of_order);
    row("seats that are off", counts.seat_mismatch);
    say(CHECKED);
    say(NOT_CHECKED);
}
