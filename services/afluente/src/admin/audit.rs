//! `afluente audit`: what was accepted, and what became of it.

use std::time::Duration;

use clap::Args;
use domain::{AccountId, Timestamp};
use ports::{
    AuditCounts, Clock as _, Unaccounted,
    conservation::{IntakeCounts, Period, SendCounts},
};
use runtime::clock::SystemClock;
use serde_json::json;

use super::{store, when::moment};
use crate::{
    Place,
    exit::{Problem, say},
};

/// How long an outgoing message may be queued and nowhere in the store before it is called unaccounted for: it is on
/// its way through a broker that the store cannot see into.
const QUEUED_FOR: Duration = Duration::from_secs(10 * 60);

/// What the counts look at, said with them...
const CHECKED: &str = "checked: what channels accepted was carried out, known already or parked; each \
    message came by one event, and they are in order; no send is queued for long without an attempt, an outbox row or, on the embedded bus, \
    anything of its conversation";
/// ...and what they cannot see.
const NOT_CHECKED: &str = "not checked: the last seconds of a channel process that was killed, until a later message \
    of it is heard; whether a provider has what it accepted from us";

/// What to count.
#[derive(Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    place: Place,
    /// Only this account, by name or id. What is accepted and sent is counted by account; the rest always for all.
    #[arg(long)]
    account: Option<String>,
    /// Only what was accepted or sent since: 2h, 7d, 2026-11-28, 2026-11-28T09:30:00Z. What is accepted is kept for 30
    /// days, in slots of ten minutes.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what was accepted or sent before.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the counts. Exits with 1 when something is unaccounted for.
pub(crate) async fn run(audit: &Audit) -> Result<(), Problem> {
    let (_, stores) = store(&audit.place, false).await?;
    let now = SystemClock.now();
    let time =
        |text: &Option<String>| text.as_deref().map(|text| moment(text, now)).transpose().map_err(Problem::usage);
    let account = match &audit.account {
        Some(wanted) => Some(account(&stores, wanted).await?),
        None => None,
    };
    let period = Period { account, since: time(&audit.since)?, until: time(&audit.until)? };
    let counts = stores.views.audit(None).await?;
    let millis = i64::try_from(QUEUED_FOR.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp::from_millis(now.millis().saturating_sub(millis));
    let lost = stores.views.unaccounted_out(None, before).await?;
    let intake = stores.views.intake(&period).await?;
    let sends = stores.views.sends(&period).await?;
    if audit.json {
        let mut all = json!(counts);
        all["intake"] = json!(intake);
        all["sends"] = json!(sends);
        all["unaccounted_out"] = json!(lost.count);
        all["unaccounted_messages"] = json!(lost.messages);
        all["queued_for_minutes"] = json!(QUEUED_FOR.as_secs() / 60);
        all["scope"] = json!([CHECKED, NOT_CHECKED]);
        say(all);
    } else {
        print_intake(&intake);
        print_sends(&sends);
        print(&counts, &lost);
    }
    let wrong = intake.unaccounted + lost.count + counts.unaccounted_in + counts.out_of_order + counts.seat_mismatch;
    if wrong > 0 {
        return Err(Problem::failed("something is unaccounted for, out of order, or a seat's load is off"));
    }
    Ok(())
}

async fn account(stores: &bootstrap::Stores, wanted: &str) -> Result<AccountId, Problem> {
    let all = stores.directory.accounts(None).await?;
    let found: Vec<_> = all.iter().filter(|one| one.name == wanted || one.id.to_string() == wanted).collect();
    match found.as_slice() {
        [one] => Ok(one.id),
        [] => Err(Problem::usage(format!("there is no account '{wanted}'; `afluente account list` shows them"))),
        _ => Err(Problem::usage(format!("several channels have an account '{wanted}': say its id"))),
    }
}

fn row(name: &str, count: u64) {
    say(format_args!("{name:<24} {count:>10}"));
}

fn print_intake(intake: &IntakeCounts) {
    row("accepted", intake.accepted);
    row("  carried out", intake.carried_out);
    row("  duplicates", intake.duplicates);
    row("  parked", intake.parked);
    row("  on its way", intake.on_its_way);
    row("  unaccounted for", intake.unaccounted);
    row("not confirmed", intake.unconfirmed);
    for one in &intake.missing {
        let (stream, (first, last)) = (&one.stream, one.range);
        let slot = stream.slot.millis() / 1_000;
        say(format_args!(
            "    account {}, numbers {first} to {last} of {} in partition {}, accepted in the ten minutes from {slot} s",
            stream.account, stream.source, stream.partition.0
        ));
    }
    if intake.missing.len() >= IntakeCounts::NAMED {
        say("    and perhaps more");
    }
}

fn print_sends(sends: &SendCounts) {
    row("submitted", sends.submitted);
    for (state, count) in &sends.states {
        row(&format!("  {state}"), *count);
        if state == "failed" {
            for (code, count) in &sends.failed {
                row(&format!("    {code}"), *count);
            }
        }
    }
}

fn print(counts: &AuditCounts, lost: &Unaccounted) {
    say("events carried out:");
    for (kind, count) in &counts.processed {
        row(&format!("  {kind}"), *count);
    }
    row("messages in", counts.messages_in);
    row("sends not yet ended", counts.queued_out);
    row("to be published", counts.outbox);
    match counts.in_broker {
        Some(waiting) => row("to be carried out", waiting),
        None => say(format_args!("{:<24} {:>10}", "to be carried out", "see broker")),
    }
    row("receipts held", counts.held_receipts);
    row("parked", counts.parked);
    row("discarded", counts.discarded);
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
