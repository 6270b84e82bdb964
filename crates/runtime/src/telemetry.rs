//! Logs and traces: JSON lines with the trace's id, and OTLP export by the standard environment variables.
//!
//! Traces are exported only when an endpoint is set; without one, ids are still made, so that logs and problem details
//! name them. Export goes through a bounded queue on a thread of its own: a collector that is away costs spans, never
//! time or memory.

mod line;

use std::time::Duration;

use opentelemetry::{InstrumentationScope, KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{
    SpanExporter, WithExportConfig as _, WithTonicConfig as _, tonic_types::transport::ClientTlsConfig,
};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use opentelemetry_semantic_conventions::attribute as resource;
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::names::{SCHEMA_URL, SCOPE};

/// What telemetry does.
#[derive(Debug, Clone)]
pub struct Options {
    /// `service.name`, unless `OTEL_SERVICE_NAME` says otherwise: `afluente-router`.
    pub service: String,
    /// `service.instance.id`: the replica.
    pub replica: String,
    /// Where traces go (OTLP over gRPC, `http://127.0.0.1:4317`); none exports nothing.
    pub endpoint: Option<String>,
    /// Makes no trace ids at all (`OTEL_SDK_DISABLED`).
    pub disabled: bool,
    /// Which log lines are written, in the form of `RUST_LOG`.
    pub filter: String,
    /// JSON lines, or text for a person at a terminal.
    pub json: bool,
}

impl Options {
    /// By the standard variables: `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`,
    /// `OTEL_SDK_DISABLED`, `RUST_LOG`; `LOG_FORMAT=text` for a terminal. The OpenTelemetry libraries read the others
    /// (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`...).
    #[expect(clippy::disallowed_methods, reason = "the standard variables of OpenTelemetry are read nowhere else")]
    pub fn from_environment(service: impl Into<String>, replica: impl Into<String>) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            service: service.into(),
            replica: replica.into(),
            endpoint: variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
                .or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT")),
            disabled: variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            filter: quieted(variable("RUST_LOG").unwrap_or_else(|| "info".to_owned())),
            json: variable("LOG_FORMAT").is_none_or(|value| value != "text"),
        }
    }
}

/// lapin logs each loss of a connection many times over as an error; its adapter says it once, in our words.
fn quieted(filter: String) -> String {
    if filter.contains("lapin") { filter } else { format!("{filter},lapin=off") }
}

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("telemetry: {0}")]
pub struct TelemetryError(String);

/// Keeps the exporter; shut it down before the process ends, or the last spans are lost.
#[derive(Debug, Clone)]
#[must_use]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Exports what is queued, and returns when the collector has it or the time is over. For tests and drains.
    pub async fn flush(&self) {
        if let Some(provider) = self.provider.clone() {
            // The SDK blocks the thread; a span lost here is not worth an error.
            let _ = tokio::task::spawn_blocking(move || provider.force_flush()).await;
        }
    }

    /// Exports what is queued and ends.
    pub async fn shut_down(self, within: Duration) {
        if let Some(provider) = self.provider {
            let _ = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(within)).await;
        }
    }
}

/// Sets up the logs and traces of the process. Call it inside the tokio runtime.
///
/// # Errors
/// When the endpoint or the filter makes no sense, or telemetry was set up before.
pub fn start(options: &Options) -> Result<Telemetry, TelemetryError> {
    let (subscriber, telemetry) = subscriber(options)?;
    subscriber.try_init().map_err(|error| TelemetryError(error.to_string()))?;
    Ok(telemetry)
}

/// The subscriber without installing it, for tests that want it for one thread only.
///
/// # Errors
/// When the endpoint or the filter makes no sense.
pub fn subscriber(options: &Options) -> Result<(impl Subscriber + Send + Sync + 'static, Telemetry), TelemetryError> {
    let filter = EnvFilter::try_new(&options.filter).map_err(|error| TelemetryError(format!("log filter: {error}")))?;
    let lines = if options.json {
        tracing_subscriber::fmt::layer()
            .event_format(line::JsonLine)
            .with_writer(std::io::stderr)
            .with_filter(filter)
            .boxed()
    } else {
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(filter).boxed()
    };
    let provider = if options.disabled { None } else { Some(provider(options)?) };
    let spans = provider.as_ref().map(|provider| {
        let scope = InstrumentationScope::builder(SCOPE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(SCHEMA_URL)
            .build();
        // Only this project's spans: those of libraries (h2, tower) would fill every trace with noise.
        let ours = tracing_subscriber::filter::filter_fn(|metadata| {
            metadata.is_span() && metadata.target().starts_with("afluente")
        });
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer_with_scope(scope))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_filter(ours)
    });
    Ok((Registry::default().with(spans).with(lines), Telemetry { provider }))
}

fn provider(options: &Options) -> Result<SdkTracerProvider, TelemetryError> {
    let detected = Resource::builder().build();
    let named = detected.get(&opentelemetry::Key::from_static_str(resource::SERVICE_NAME));
    let mut described = vec![
        KeyValue::new(resource::SERVICE_NAMESPACE, "afluente"),
        KeyValue::new(resource::SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
        KeyValue::new(resource::SERVICE_INSTANCE_ID, options.replica.clone()),
    ];
    let unnamed = named.is_none_or(|name| name.as_str().starts_with("unknown_service"));
    if unnamed {
        described.push(KeyValue::new(resource::SERVICE_NAME, options.service.clone()));
    }
    // What the environment says (OTEL_RESOURCE_ATTRIBUTES) wins over what is described here.
    let kept = detected.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let kept = kept.filter(|pair| !(unnamed && pair.key.as_str() == resource::SERVICE_NAME));
    let resource =
        Resource::builder_empty().with_attributes(described).with_attributes(kept.collect::<Vec<_>>()).build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = &options.endpoint else {
        return Ok(builder.with_sampler(Sampler::AlwaysOff).build());
    };
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint.clone());
    // The exporter's own choice for https trusts nobody: those that the system trusts are meant.
    let exporter = if endpoint.starts_with("https://") {
        exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots())
    } else {
        exporter
    };
    let exporter =
        exporter.build().map_err(|error| TelemetryError(format!("the OTLP endpoint cannot be used: {error}")))?;
    Ok(builder.with_batch_exporter(exporter).build())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::collections::BTreeMap;

    use super::*;
    use crate::trace;

    fn options(disabled: bool) -> Options {
        Options {
            service: "afluente-sample".to_owned(),
            replica: "r1".to_owned(),
            endpoint: None,
            disabled,
            filter: "error".to_owned(),
            json: true,
        }
    }

    #[test]
    fn op_3_without_an_endpoint_traces_still_have_ids_and_go_on() {
        let (subscriber, _telemetry) = subscriber(&options(false)).unwrap();
        let _installed = tracing::subscriber::set_default(subscriber);
        assert_eq!(trace::trace_id(), None);
        let outer = trace::webhook("/hooks/{channel}/{account}", "POST");
        let id = outer.in_scope(|| {
            // The server's span is entered again by the handler that asks for one.
            let same = trace::webhook("/hooks/{channel}/{account}", "POST");
            same.in_scope(trace::trace_id)
        });
        assert!(id.is_some());
        assert_eq!(outer.in_scope(trace::trace_id), id);
        let mut headers = BTreeMap::new();
        trace::inject_from(&outer, &mut headers);
        assert!(headers["traceparent"].ends_with("-00"), "not sampled: {headers:?}");
    }

    #[test]
    fn a_disabled_sdk_leaves_headers_alone() {
        let (subscriber, _telemetry) = subscriber(&options(true)).unwrap();
        let _installed = tracing::subscriber::set_default(subscriber);
        let mut headers = BTreeMap::from([("traceparent".to_owned(), "as it was".to_owned())]);
        trace::inject_from(&trace::webhook("/x", "GET"), &mut headers);
        assert_eq!(headers["traceparent"], "as it was");
    }

    #[test]
    fn a_filter_that_makes_no_sense_is_said() {
        let wrong = Options { filter: "afluente=loud=er".to_owned(), ..options(true) };
        assert!(subscriber(&wrong).is_err());
    }
}
