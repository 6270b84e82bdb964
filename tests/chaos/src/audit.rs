//! What the operator's `afluente audit` says when everything is over, set beside what the load knows was accepted.
//!
//! What was accepted and is lost cannot be told from what is on its way before the store has proof, minutes later (ADR 6).
//! So the audit is asked until nothing is on its way any more: a clean run has that within seconds, and in one that lost
//! something the proof comes within the time.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    charges::Charge,
    ledger::{Ledger, Way},
    mesh::Mesh,
};

/// How long the audit may find something on its way. Proof of a loss takes 10 s of skew, two minutes of grace, and three
/// rounds of the router's audit of 30 s each.
const PATIENCE: Duration = Duration::from_secs(240);
/// Channels note every 5 s how far they have come: before that, what they accepted last is in no list.
const NOTED: Duration = Duration::from_secs(7);
/// Between two questions.
const AGAIN: Duration = Duration::from_secs(1);

/// What passes: it is waited for, and charged when it does not.
const PASSING: [(&str, &str); 3] = [
    ("/intake/on_its_way", "accepted by a channel, and neither carried out nor parked"),
    ("/queued_out", "submitted, and neither delivered nor failed nor parked"),
    ("/outbox", "committed and never published"),
];
/// What must never be.
const WRONG: [(&str, &str); 5] = [
    ("/intake/unaccounted", "accepted by a channel and lost"),
    ("/unaccounted_out", "submitted long ago, and nowhere"),
    ("/unaccounted_in", "events that brought more than one message"),
    ("/out_of_order", "conversations whose numbers have a gap or a double"),
    ("/seat_mismatch", "agents whose seat's load is not what they serve"),
];
/// What becomes of what channels accept: together it is all that they accepted.
const FATES: [&str; 5] = ["carried_out", "duplicates", "parked", "on_its_way", "unaccounted"];

/// What the load knows was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Messages of customers.
    came: u64,
    /// Replies that the desk took.
    went: u64,
}

impl Known {
    /// By the ledger.
    pub(crate) fn of(ledger: &Ledger) -> Self {
        let accepted = |way| {
            let entries = ledger.of(way);
            u64::try_from(entries.values().filter(|one| one.accepted.is_some()).count()).unwrap_or(u64::MAX)
        };
        Self { came: accepted(Way::In), went: accepted(Way::Out) }
    }
}

/// An answer of the audit.
#[derive(Debug)]
pub(crate) struct Audit(Value);

/// Asks until nothing is on its way and all that is known is counted, or for as long as it may take.
pub(crate) async fn settled(mesh: &Mesh, known: Known) -> Result<Audit> {
    let begun = Instant::now();
    tokio::time::sleep(NOTED).await;
    loop {
        let answer = mesh.afluente(&["audit", "--json"], Some("administrator")).await?;
        let audit = Audit(serde_json::from_str(&answer).context("the audit's answer")?);
        if audit.open(known).is_empty() || begun.elapsed() > PATIENCE {
            return Ok(audit);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

impl Audit {
    /// What is charged of the last answer: one count of what did not end, one of what is wrong.
    pub(crate) fn charges(&self, known: Known) -> [Charge; 2] {
        let mut wrong = self.named(&WRONG);
        wrong.extend(self.missing());
        let fates: Option<u64> = FATES.iter().map(|fate| self.count(&format!("/intake/{fate}"))).sum();
        if fates != self.count("/intake/accepted") {
            wrong.push(format!(
                "{:?} accepted by channels, and {fates:?} by what became of it",
                self.count("/intake/accepted")
            ));
        }
        [
            Charge { what: "not accounted for by the audit", found: self.open(known) },
            Charge { what: "found wrong by the audit", found: wrong },
        ]
    }

    /// As one may print it.
    pub(crate) fn summary(&self) -> String {
        let of = |name: &str| format!("{name} {}", self.0["intake"][name]);
        let intake: Vec<String> = ["accepted", "unconfirmed"].into_iter().chain(FATES).map(of).collect();
        format!(
            "{}; messages in {}, submitted {} {}",
            intake.join(", "),
            self.0["messages_in"],
            self.0["sends"]["submitted"],
            self.0["sends"]["states"],
        )
    }

    /// What passes and has not, and where the totals differ from what the load knows.
    fn open(&self, known: Known) -> Vec<String> {
        let mut found = self.named(&PASSING);
        // Channels number all that they accept, receipts too: what was carried out of it without a number is in no list.
        let numbered = self.count("/intake/carried_out");
        let carried = self.count("/messages_in").map(|messages| messages + self.receipts());
        if numbered < carried {
            found.push(format!("{carried:?} messages and receipts were carried out, and {numbered:?} have a number"));
        }
        for (path, what, count) in [
            ("/messages_in", "messages were accepted", known.came),
            ("/sends/submitted", "replies were taken", known.went),
        ] {
            let stored = self.count(path);
            if stored != Some(count) {
                found.push(format!("{count} {what}, and {stored:?} are in the store"));
            }
        }
        found
    }

    /// Those of `counts` that are not zero. What the audit does not say is none.
    fn named(&self, counts: &[(&str, &str)]) -> Vec<String> {
        let told = |path: &str, what: &str| match self.count(path) {
            Some(0) => None,
            Some(count) => Some(format!("{count} {what}")),
            None => Some(format!("the audit does not say how many are {what}")),
        };
        counts.iter().filter_map(|(path, what)| told(path, what)).collect()
    }

    /// The lost messages by name.
    fn missing(&self) -> Vec<String> {
        let all = self.0.pointer("/intake/missing").and_then(Value::as_array);
        all.into_iter().flatten().map(|one| format!("lost: {one}")).collect()
    }

    /// How many receipts were carried out.
    fn receipts(&self) -> u64 {
        let kinds = self.0["processed"].as_array();
        let of = |one: &Value| (one[0] == "receipt").then(|| one[1].as_u64()).flatten();
        kinds.into_iter().flatten().find_map(of).unwrap_or(0)
    }

    fn count(&self, path: &str) -> Option<u64> {
        self.0.pointer(path)?.as_u64()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KNOWN: Known = Known { came: 10, went: 4 };

    /// Ten messages and three receipts came, one of them twice; four replies went.
    fn clean() -> Value {
        json!({
            "intake": {
                "accepted": 14, "carried_out": 13, "duplicates": 1, "parked": 0, "on_its_way": 0, "unaccounted": 0,
                "unconfirmed": 2, "missing": []
            },
            "sends": {"submitted": 4, "states": [["delivered", 3], ["parked", 1]], "failed": []},
            "processed": [["command", 9], ["receipt", 3]], "messages_in": 10, "queued_out": 0, "outbox": 0, "unaccounted_in": 0, "unaccounted_out": 0,
            "out_of_order": 0, "seat_mismatch": 0
        })
    }

    /// What is charged once `change` is made to a clean answer.
    fn charged(change: impl Fn(&mut Value)) -> [Vec<String>; 2] {
        let mut answer = clean();
        change(&mut answer);
        Audit(answer).charges(KNOWN).map(|charge| charge.found)
    }

    #[test]
    fn a_clean_answer_is_not_charged_and_does_not_wait() {
        assert_eq!(charged(|_| ()), [Vec::<String>::new(), Vec::new()]);
    }

    #[test]
    fn what_is_lost_is_charged_by_name() {
        let [open, wrong] = charged(|answer| {
            answer["intake"]["unaccounted"] = json!(1);
            answer["intake"]["accepted"] = json!(15);
            answer["intake"]["missing"] = json!([{"range": [5, 5]}]);
        });
        assert!(open.is_empty(), "there is nothing to wait for: {open:?}");
        assert_eq!(wrong, ["1 accepted by a channel and lost", "lost: {\"range\":[5,5]}"]);
    }

    #[test]
    fn what_does_not_pass_is_charged() {
        for (path, what) in PASSING {
            let [open, _] = charged(|answer| *answer.pointer_mut(path).unwrap() = json!(2));
            assert_eq!(open, [format!("2 {what}")]);
        }
    }

    #[test]
    fn what_is_never_right_is_charged_and_so_is_an_audit_that_does_not_say() {
        for (path, what) in WRONG {
            let [_, wrong] = charged(|answer| *answer.pointer_mut(path).unwrap() = json!(2));
            assert!(wrong.contains(&format!("2 {what}")), "{wrong:?}");
            let [_, wrong] = charged(|answer| *answer.pointer_mut(path).unwrap() = Value::Null);
            assert!(wrong.contains(&format!("the audit does not say how many are {what}")), "{wrong:?}");
        }
    }

    #[test]
    fn totals_that_do_not_add_up_are_charged() {
        let [_, wrong] = charged(|answer| answer["intake"]["accepted"] = json!(15));
        assert_eq!(wrong, ["Some(15) accepted by channels, and Some(14) by what became of it"]);
    }

    #[test]
    fn less_or_more_than_the_load_knows_is_charged() {
        for count in [9, 11] {
            let [open, _] = charged(|answer| {
                answer["messages_in"] = json!(count);
                answer["intake"]["carried_out"] = json!(count + 3);
            });
            assert_eq!(open, [format!("10 messages were accepted, and Some({count}) are in the store")]);
        }
        let [open, _] = charged(|answer| answer["sends"]["submitted"] = json!(3));
        assert_eq!(open, ["4 replies were taken, and Some(3) are in the store"]);
        let [open, _] = charged(|answer| answer["intake"]["carried_out"] = json!(12));
        assert_eq!(open, ["Some(13) messages and receipts were carried out, and Some(12) have a number"]);
    }

    #[test]
    fn a_reply_that_was_turned_away_is_not_expected_in_the_store() {
        use crate::load::Channel;
        let ledger = Ledger::default();
        for (n, words) in ["one", "two"].into_iter().enumerate() {
            ledger.begin(Way::Out, Channel::Whatsapp, words);
            if n == 0 { ledger.accepted(Way::Out, words) } else { ledger.turned_away(words, "opted_out") }
        }
        assert_eq!(Known::of(&ledger), Known { came: 0, went: 1 });
    }
}
