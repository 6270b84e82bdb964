//! Percentiles of what was measured.

use std::time::Duration;

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
