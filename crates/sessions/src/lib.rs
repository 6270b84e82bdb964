//! Who may be written to, when, and with what: the rules of each channel as a table, and the words by which contacts
//! take their agreement back (SES-1, SES-4, SES-5, SES-7).
//!
//! [`decide`] answers whether one send may pass; [`heard`] reads a change of consent out of a contact's words, and
//! [`bears_on_consent`] tells which words may be one. All are pure: no I/O, no clock, no async. It is not the gate
//! itself, which is `services/session`: it keeps windows and the consent ledger and signs the permits. Read `policy.rs` first: a channel's rule is one row there.

mod gate;
mod policy;
mod words;

pub use gate::{Ground, Standing, Verdict, decide};
pub use policy::{Consent, HUMAN_AGENT, Outside, Policy, StopWords, WINDOW, policy_of};
pub use words::{bears_on_consent, heard};
