//! Percentiles of what was measured.

use std::{collections::BTreeMap, time::Duration};

/// Latencies of one run.
#[derive(Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn add(&mut self, one: Duration) {
        self.0.push(one);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The latency below which `share` (0 to 1) of the samples are, in milliseconds.
    pub(crate) fn percentile(&mut self, share: f64) -> f64 {
        if self.0.is_empty() {
            return f64::NAN;
        }
        self.0.sort_unstable();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let at = ((self.0.len() - 1) as f64 * share).round() as usize;
        self.0.get(at).map_or(f64::NAN, |found| found.as_secs_f64() * 1_000.0)
    }
}

/// Latencies by the tenth of a second in which they were heard.
#[derive(Default)]
pub(crate) struct Series(BTreeMap<u64, Latencies>);

impl Series {
    /// A latency that was heard `since` the begin.
    pub(crate) fn add(&mut self, since: Duration, latency: Duration) {
        let tenth = since.as_secs() * 10 + u64::from(since.subsec_millis() / 100);
        self.0.entry(tenth).or_default().add(latency);
    }

    /// A line each: seconds, how many, median, slowest.
    pub(crate) fn lines(self) -> String {
        self.0
            .into_iter()
            .map(|(tenth, mut one)| {
                let (median, slowest) = (one.percentile(0.5), one.percentile(1.0));
                format!("{}.{}\t{}\t{median:.1}\t{slowest:.1}\n", tenth / 10, tenth % 10, one.len())
            })
            .collect()
    }
}
