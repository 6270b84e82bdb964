//! What happens next in a conversation: the router's decisions as pure functions.
//!
//! [`decide`] looks at the [`Rules`], the [`State`] and one stamped [`Event`] and answers a [`Decision`]: what changes,
//! what must be done outside, and why. [`State::evolve`] applies a change. Time is in the stamp, ids derive from the
//! event that caused them, so the same event decided twice says the same.
//!
//! It is not a place for I/O, clocks, async or generated code, and it keeps nothing: the shell in `services/router`
//! loads, decides, commits and relays. One file is one transition, with its tests. Read `event.rs`, `decision.rs` and
//! `state.rs` first, then `message.rs` and `take.rs`; [`distribute`] is the circular distribution.

mod attempted;
mod conclude;
mod decision;
mod distribute;
mod event;
mod give_back;
mod mark_read;
mod media;
mod message;
mod order;
mod ownership;
mod parked;
mod presence;
mod receipt;
mod refused;
mod retry;
mod roster;
mod rules;
#[cfg(test)]
mod sample;
mod save_contact;
mod send;
mod state;
mod take;
mod timers;
mod transfer;

pub use decision::{Change, Decision, Effect};
pub use distribute::{CONSIDERED_AT_MOST, PROPOSED_AT_MOST, considered, distribute};
pub use event::{Decide, Due, Event, Proposal, Recall, Stamped, Timer};
pub use message::brought_by;
pub use order::message_of;
pub use roster::Roster;
pub use rules::{DEFAULT_ABANDON_AFTER, DEFAULT_INACTIVE_AFTER, Rules};
pub use save_contact::saved_thread;
pub use state::State;

use domain::{Inbound, InboundBody};

/// Decides about one event. Never fails: a command that is not carried out has a refusal in its decision, an event
/// that was already carried out changes nothing.
pub fn decide(rules: &Rules, state: &State, stamped: &Stamped<Event>) -> Decision {
    match &stamped.event {
        Event::Inbound(inbound) => arrived(rules, state, inbound, stamped),
        Event::Command(command) => order::decide(rules, state, command, stamped.at),
        Event::Due(due) => timers::decide(rules, state, due, stamped.at),
        Event::Assign(proposal) => take::assigned(rules, state, proposal, stamped.at),
        Event::Decide(decide) => parked::asked(state, decide, stamped.at),
        Event::Recall(recall) => parked::recalled(state, recall, stamped.at),
    }
}

fn arrived(rules: &Rules, state: &State, inbound: &Inbound, stamped: &Stamped<Event>) -> Decision {
    if state.processed.contains(&inbound.id) {
        return Decision::unchanged("duplicate");
    }
    let (kind, decision) = match &inbound.body {
        // The message is the mark that it was carried out.
        InboundBody::Message(said) => return message::decide(rules, state, inbound, said, stamped.at),
        InboundBody::Receipt(receipt) => ("receipt", receipt::decide(state, inbound, receipt, stamped.at)),
        InboundBody::Attempted(attempted) => ("attempted", attempted::decide(state, inbound, attempted, stamped.at)),
        InboundBody::Refused(refusal) => ("refused", refused::decide(state, inbound, refusal, stamped.at)),
        InboundBody::MediaSettled(settled) => ("media", media::decide(state, settled)),
        // The session service keeps consent: the shell passes it on, and here it is only noted that it was seen.
        InboundBody::Consent(_) => ("consent", Decision::unchanged("consent")),
    };
    decision.processed(inbound.id, inbound.thread.organization, kind, stamped.at)
}
