//! What became of each reply, and how long that took.

use std::time::Instant;

use serde_json::{Value, json};

use crate::stats::Latencies;

/// How far a reply came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is asked for at the desk.
    Clicked,
    /// The desk has taken it.
    Answered,
    /// The desk has not.
    Refused,
    /// The provider has it.
    Taken,
    /// The desk shows that it is on the contact's device.
    Delivered,
    /// The desk shows that it will not get there.
    Failed,
}

/// One reply.
#[derive(Clone, Copy, Default)]
struct Fate {
    clicked: Option<Instant>,
    answered: Option<Instant>,
    taken: Option<Instant>,
    delivered: Option<Instant>,
    ended: bool,
}

/// All of them.
pub(crate) struct Fates {
    each: Vec<Fate>,
    ended: usize,
    failed: u32,
    /// How often the provider was given what it had.
    doubled: u32,
}

impl Fates {
    /// Of as many replies as that.
    pub(crate) fn of(count: u32) -> Self {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Self { each: vec![Fate::default(); count], ended: 0, failed: 0, doubled: 0 }
    }

    /// Whether nothing more will become of any.
    pub(crate) fn all_ended(&self) -> bool {
        self.ended == self.each.len()
    }

    /// Notes that a reply came to a step.
    pub(crate) fn note(&mut self, number: u32, step: Step, at: Instant) {
        let Some(fate) = self.each.get_mut(usize::try_from(number).unwrap_or(usize::MAX)) else { return };
        match step {
            Step::Clicked => fate.clicked = Some(at),
            Step::Answered => fate.answered = Some(at),
            Step::Taken if fate.taken.is_some() => self.doubled += 1,
            Step::Taken => fate.taken = Some(at),
            Step::Refused | Step::Delivered | Step::Failed if !fate.ended => {
                fate.ended = true;
                self.ended += 1;
                self.failed += u32::from(step == Step::Failed);
                fate.delivered = (step == Step::Delivered).then_some(at);
            }
            // A tick that comes again.
            Step::Refused | Step::Delivered | Step::Failed => {}
        }
    }

    /// The figures of a run that began at `begun`.
    pub(crate) fn told(&self, begun: Instant) -> Value {
        let [mut answered, mut taken, mut delivered] =
            [|one: &Fate| one.answered, |one: &Fate| one.taken, |one: &Fate| one.delivered]
                .map(|end| self.since_click(end));
        let last = self.each.iter().filter_map(|fate| fate.delivered).max().unwrap_or(begun);
        let took = last.duration_since(begun).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let per_second = delivered.len() as f64 / took;
        json!({
            "taken": taken.len(), "doubled": self.doubled, "delivered": delivered.len(), "failed": self.failed,
            "seconds": took, "per_second": per_second,
            "answered_p50_ms": answered.percentile(0.50), "answered_p99_ms": answered.percentile(0.99),
            "taken_p50_ms": taken.percentile(0.50), "taken_p99_ms": taken.percentile(0.99),
            "delivered_p50_ms": delivered.percentile(0.50), "delivered_p99_ms": delivered.percentile(0.99),
        })
    }

    fn since_click(&self, end: fn(&Fate) -> Option<Instant>) -> Latencies {
        let mut latencies = Latencies::default();
        for (click, end) in self.each.iter().filter_map(|fate| fate.clicked.zip(end(fate))) {
            latencies.add(end.saturating_duration_since(click));
        }
        latencies
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_reply_ends_once_and_a_second_copy_is_counted() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut fates = Fates::of(3);
        for (number, step, millis) in [
            (0, Step::Clicked, 0),
            (0, Step::Taken, 10),
            (0, Step::Taken, 11),
            (0, Step::Delivered, 20),
            (0, Step::Delivered, 21),
            (1, Step::Refused, 5),
            (2, Step::Clicked, 5),
            (9, Step::Failed, 5),
        ] {
            fates.note(number, step, at(millis));
        }
        assert!(!fates.all_ended());
        fates.note(2, Step::Failed, at(30));
        assert!(fates.all_ended());
        let told = fates.told(begun);
        assert_eq!(
            (&told["taken"], &told["doubled"], &told["delivered"], &told["failed"]),
            (&json!(1), &json!(1), &json!(1), &json!(1))
        );
        assert_eq!((&told["taken_p50_ms"], &told["delivered_p99_ms"]), (&json!(10.0), &json!(20.0)));
    }
}
