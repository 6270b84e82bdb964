//! `afluente audit`: what was accepted, and what became of it.

use serde_json::json;

use super::store;
use crate::{
    Place,
    exit::{Problem, say},
};

/// Prints the counts. Exits with 1 when something is unaccounted for.
pub(crate) async fn run(place: &Place, as_json: bool) -> Result<(), Problem> {
    let (_, stores) = store(place).await?;
    let counts = stores.views.audit(None).await?;
    if as_json {
        say(json!(counts));
    } else {
        say("carried out:");
        for (kind, count) in &counts.processed {
            say(format_args!("  {kind:<16} {count:>10}"));
        }
        say(format_args!("messages in        {:>10}", counts.messages_in));
        for (state, count) in &counts.messages_out {
            say(format_args!("messages out {state:<9} {count:>6}"));
        }
        say(format_args!("to be published    {:>10}", counts.outbox));
        say(format_args!("receipts held      {:>10}", counts.held_receipts));
        say(format_args!("parked             {:>10}", counts.parked));
        say(format_args!("unaccounted for    {:>10}", counts.unaccounted_in));
        say(format_args!("out of order       {:>10}", counts.out_of_order));
        say(format_args!("seats that are off {:>10}", counts.seat_mismatch));
    }
    if counts.unaccounted_in > 0 || counts.out_of_order > 0 || counts.seat_mismatch > 0 {
        return Err(Problem::failed("something is unaccounted for, out of order, or a seat's load is off"));
    }
    Ok(())
}
