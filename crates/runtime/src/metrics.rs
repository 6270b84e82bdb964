//! Counters, histograms and gauges, declared in [`crate::names::metric`], scraped at `/metrics`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry, TextEncoder, core::Collector};
use smallvec::SmallVec;

use crate::names::{self, Declared, Shape, metric};

/// The numbers of one process. Cheap to clone; nothing is static, so two of them in one process do not mix.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

/// A moment that durations are measured from: tokio's, which tests can pause, or the standard library's.
pub trait Started {
    /// How long ago it was.
    fn ago(&self) -> Duration;
}

impl Started for tokio::time::Instant {
    fn ago(&self) -> Duration {
        self.elapsed()
    }
}

impl Started for std::time::Instant {
    fn ago(&self) -> Duration {
        self.elapsed()
    }
}

struct Inner {
    registry: Registry,
    families: HashMap<&'static str, (&'static Declared, Family)>,
}

enum Family {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// All declared metrics, at nothing.
    pub fn new() -> Self {
        let registry = Registry::new();
        let mut families = HashMap::new();
        for declared in metric::ALL {
            match family(declared, &registry) {
                Ok(family) => {
                    families.insert(declared.name, (declared, family));
                }
                Err(error) => debug_assert!(false, "metric {}: {error}", declared.name),
            }
        }
        let metrics = Self { inner: Arc::new(Inner { registry, families }) };
        metrics.gauge(metric::BUILD_INFO, &[(names::label::VERSION, env!("CARGO_PKG_VERSION"))], 1.0);
        metrics
    }

    /// Adds `by` to a counter.
    pub fn count(&self, name: &str, labels: &[(&str, &str)], by: u64) {
        if let Some((declared, Family::Counter(family))) = self.find(name) {
            #[expect(clippy::cast_precision_loss, reason = "a counter beyond 2^53 may be off by one")]
            family.with_label_values(&values(declared, labels)).inc_by(by as f64);
        } else {
            debug_assert!(false, "{name} is not declared as a counter in names.rs");
        }
    }

    /// Notes a size in a histogram: seconds, where its name says so.
    pub fn observe(&self, name: &str, labels: &[(&str, &str)], size: f64) {
        if let Some((declared, Family::Histogram(family))) = self.find(name) {
            family.with_label_values(&values(declared, labels)).observe(size);
        } else {
            debug_assert!(false, "{name} is not declared as a histogram in names.rs");
        }
    }

    /// Notes a duration in a histogram of seconds.
    pub fn took(&self, name: &str, labels: &[(&str, &str)], took: Duration) {
        self.observe(name, labels, took.as_secs_f64());
    }

    /// Notes the time since `started` in a histogram of seconds.
    pub fn since(&self, name: &str, labels: &[(&str, &str)], started: impl Started) {
        self.took(name, labels, started.ago());
    }

    /// Sets a gauge.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        if let Some((declared, Family::Gauge(family))) = self.find(name) {
            family.with_label_values(&values(declared, labels)).set(value);
        } else {
            debug_assert!(false, "{name} is not declared as a gauge in names.rs");
        }
    }

    /// Adds to a gauge; `by` may be negative.
    pub fn gauge_add(&self, name: &str, labels: &[(&str, &str)], by: f64) {
        if let Some((declared, Family::Gauge(family))) = self.find(name) {
            family.with_label_values(&values(declared, labels)).add(by);
        } else {
            debug_assert!(false, "{name} is not declared as a gauge in names.rs");
        }
    }

    /// All of them in Prometheus' text form.
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.inner.registry.gather(), &mut text) {
            tracing::warn!(%error, "the metrics cannot be rendered");
        }
        text
    }

    /// The sum of a counter over the series that carry these labels. For audits and tests.
    pub fn total(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let Some((_, Family::Counter(family))) = self.find(name) else { return 0.0 };
        let carries = |series: &prometheus::proto::Metric| {
            labels.iter().all(|(label, value)| {
                series.get_label().iter().any(|pair| pair.name() == *label && pair.value() == *value)
            })
        };
        let all = family.collect();
        all.iter()
            .flat_map(|one| one.get_metric())
            .filter(|series| carries(series))
            .map(|series| series.get_counter().get_value())
            .sum()
    }

    fn find(&self, name: &str) -> Option<&(&'static Declared, Family)> {
        self.inner.families.get(name)
    }
}

fn family(declared: &Declared, registry: &Registry) -> prometheus::Result<Family> {
    let help = declared.help.trim();
    Ok(match declared.shape {
        Shape::Counter => {
            let family = CounterVec::new(Opts::new(declared.name, help), declared.labels)?;
            registry.register(Box::new(family.clone()))?;
            Family::Counter(family)
        }
        Shape::Gauge => {
            let family = GaugeVec::new(Opts::new(declared.name, help), declared.labels)?;
            registry.register(Box::new(family.clone()))?;
            Family::Gauge(family)
        }
        Shape::Histogram(bounds) => {
            let options = HistogramOpts::new(declared.name, help).buckets(bounds.to_vec());
            let family = HistogramVec::new(options, declared.labels)?;
            registry.register(Box::new(family.clone()))?;
            Family::Histogram(family)
        }
    })
}

/// As many labels as need no place on the heap; more of them work, too.
const LABELS: usize = 6;

/// The values in the declared order; a label that the call leaves out is empty.
fn values<'a>(declared: &Declared, labels: &[(&str, &'a str)]) -> SmallVec<[&'a str; LABELS]> {
    debug_assert!(
        labels.iter().all(|(label, _)| declared.labels.contains(label)),
        "{} has the labels {:?}, not {labels:?}",
        declared.name,
        declared.labels
    );
    let value = |label: &&str| labels.iter().find(|(given, _)| given == label).map_or("", |(_, value)| *value);
    declared.labels.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::label;

    #[test]
    fn op_metrics_are_rendered_with_their_labels() {
        let metrics = Metrics::new();
        metrics.count(metric::WEBHOOK_REJECTED, &[(label::CHANNEL, "telegram"), (label::REASON, "signature")], 2);
        metrics.observe(metric::MESSAGING_PROCESS, &[(label::OPERATION, "process")], 0.02);
        let text = metrics.render();
        assert!(
            text.contains("afluente_webhook_rejected_total{channel=\"telegram\",reason=\"signature\"} 2"),
            "{text}"
        );
        assert!(text.contains("messaging_process_duration_seconds_bucket"), "{text}");
        assert!((metrics.total(metric::WEBHOOK_REJECTED, &[(label::CHANNEL, "telegram")]) - 2.0).abs() < 0.1);
    }

    #[test]
    fn every_declared_metric_is_usable() {
        let metrics = Metrics::new();
        assert_eq!(metrics.inner.families.len(), metric::ALL.len());
        for declared in metric::ALL {
            assert!(declared.name.is_ascii() && !declared.help.trim().is_empty(), "{}", declared.name);
            let is_counter = declared.shape == Shape::Counter;
            assert_eq!(is_counter, declared.name.ends_with("_total"), "{}", declared.name);
        }
    }

    #[test]
    #[should_panic(expected = "not declared")]
    fn an_undeclared_metric_is_a_mistake() {
        Metrics::new().count("afluente_nothing_total", &[], 1);
    }
}
