//! Spans as OpenTelemetry's conventions want them: names, kinds, parents and links in one place.
//!
//! The helpers answer [`tracing::Span`]s. Without a telemetry layer they cost next to nothing and carry nothing. One
//! message is one trace from hop to hop: a consumer's span has the publish as its parent, and a link to it besides.
//! Batches and what comes back from a provider later only link. `messaging.system` says `rabbitmq` on the embedded bus
//! too: it keeps RabbitMQ's semantics, and dashboards stay the same.

use std::collections::BTreeMap;

use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{Status, TraceContextExt as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use ports::{
    bus::Envelope,
    topology::{Queue, Topic},
};
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::names::attribute;

/// The W3C header that carries a trace.
pub const TRACEPARENT: &str = "traceparent";
/// The W3C header beside it.
pub const TRACESTATE: &str = "tracestate";
const MESSAGING_SYSTEM: &str = "rabbitmq";

/// The name of the spans of requests to us, as `tracing` knows them.
const HTTP_SERVER: &str = "http.server";

/// A webhook, or any request from outside: a new root. A `traceparent` of the caller is not trusted. `route` is the
/// template (`/hooks/{channel}/{account}`), never the path itself: a path may hold a signature. Inside a request that
/// [`crate::serve`] already has a span for, it is that span.
pub fn webhook(route: &str, method: &str) -> Span {
    let current = Span::current();
    if current.metadata().is_some_and(|metadata| metadata.name() == HTTP_SERVER) {
        return current;
    }
    let span = info_span!(
        parent: None,
        HTTP_SERVER,
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
    );
    span.set_attribute(attribute::HTTP_REQUEST_METHOD, method.to_owned());
    span.set_attribute(attribute::HTTP_ROUTE, route.to_owned());
    span.set_attribute(attribute::URL_SCHEME, "http");
    span
}

/// One try of an HTTP request to a provider. Only the template is noted: the URL may carry a token.
pub fn provider_call(method: &str, scheme: &str, host: &str, port: u16, template: &str, resend_count: u32) -> Span {
    let span = info_span!(
        "http.client",
        otel.name = %format_args!("{method} {template}"),
        otel.kind = "client",
        otel.status_code = Empty,
    );
    span.set_attribute(attribute::HTTP_REQUEST_METHOD, method.to_owned());
    span.set_attribute(attribute::SERVER_ADDRESS, host.to_owned());
    span.set_attribute(attribute::SERVER_PORT, i64::from(port));
    span.set_attribute(attribute::URL_TEMPLATE, template.to_owned());
    span.set_attribute(attribute::URL_FULL, format!("{scheme}://{host}:{port}{template}"));
    if resend_count > 0 {
        span.set_attribute(attribute::HTTP_REQUEST_RESEND_COUNT, i64::from(resend_count));
    }
    span
}

/// Notes the HTTP status on a client's or server's span; `error` is the `error.type`, empty for none.
pub fn http_status(span: &Span, status: Option<u16>, error: &str) {
    if let Some(status) = status {
        span.set_attribute(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
    }
    if !error.is_empty() {
        fail(span, error);
    }
}

/// Marks a span as failed with a low-cardinality `error.type`.
pub fn fail(span: &Span, error: &str) {
    span.set_attribute(attribute::ERROR_TYPE, error.to_owned());
    span.set_status(Status::error(""));
}

/// One publish. The envelope's own `traceparent` (an outbox row keeps it) is the parent; else the current span is. A
/// trace that nobody keeps gets no span for it: the envelope carries the trace's id on, and that is all it needs.
pub fn publish(envelope: &mut Envelope) -> Span {
    if is_dropped(envelope) {
        return Span::none();
    }
    let span = producer(envelope);
    inject_from(&span, &mut envelope.headers);
    span
}

/// Whether the trace that the envelope belongs to is not sampled; the envelope then carries it.
fn is_dropped(envelope: &mut Envelope) -> bool {
    if let Some(traceparent) = envelope.headers.get(TRACEPARENT) {
        return !is_sampled(traceparent);
    }
    let current = Span::current();
    if current.is_none() {
        return false;
    }
    inject_from(&current, &mut envelope.headers);
    envelope.headers.get(TRACEPARENT).is_some_and(|traceparent| !is_sampled(traceparent))
}

/// By the last of its four fields: flags in hex, of which the lowest bit says it (W3C Trace Context).
fn is_sampled(traceparent: &str) -> bool {
    let flags = traceparent.get(53..55).and_then(|flags| u8::from_str_radix(flags, 16).ok());
    flags.is_none_or(|flags| flags & 1 == 1)
}

fn producer(envelope: &Envelope) -> Span {
    let destination = envelope.topic.destination();
    let span = info_span!(
        "messaging.publish",
        otel.name = %format_args!("publish {destination}"),
        otel.kind = "producer",
        otel.status_code = Empty,
    );
    if let Some(parent) = extract(&envelope.headers) {
        // Fails only without a telemetry layer, when there is nothing to join.
        let _ = span.set_parent(parent);
    }
    messaging(&span, "publish", "send", &destination, &envelope.topic);
    message(&span, envelope);
    span
}

/// The handling of one delivery: the publish is its parent and its link.
pub fn process(envelope: &Envelope, queue: &Queue) -> Span {
    let parent = extract(&envelope.headers);
    if let Some(unread) = parent.clone().filter(|parent| !parent.span().span_context().is_sampled()) {
        // Here for the logs; nobody would read what is noted on it.
        let span = info_span!(parent: None, "messaging.process");
        let _ = span.set_parent(unread);
        return span;
    }
    let destination = consumed(&envelope.topic, queue);
    let span = info_span!(
        parent: None,
        "messaging.process",
        otel.name = %format_args!("process {destination}"),
        otel.kind = "consumer",
        otel.status_code = Empty,
    );
    if let Some(parent) = parent {
        let context = parent.span().span_context().clone();
        let _ = span.set_parent(parent);
        span.add_link(context);
    }
    messaging(&span, "process", "process", &destination, &envelope.topic);
    message(&span, envelope);
    span
}

/// The handling of a batch: a root of its own with a link to each message whose trace is kept.
pub fn process_batch<'a>(envelopes: impl IntoIterator<Item = &'a Envelope>, queue: &Queue) -> Span {
    let topic = queue.topic();
    let destination = consumed(&topic, queue);
    let span = info_span!(
        parent: None,
        "messaging.process",
        otel.name = %format_args!("process {destination}"),
        otel.kind = "consumer",
        otel.status_code = Empty,
    );
    messaging(&span, "process", "process", &destination, &topic);
    let mut count: i64 = 0;
    for envelope in envelopes {
        count += 1;
        let kept = envelope.headers.get(TRACEPARENT).is_some_and(|traceparent| is_sampled(traceparent));
        if let Some(context) = kept.then(|| extract(&envelope.headers)).flatten() {
            span.add_link(context.span().span_context().clone());
        }
    }
    span.set_attribute(attribute::MESSAGING_BATCH_MESSAGE_COUNT, count);
    span
}

/// `{exchange}[:{channel}]:{queue}`, partitions left out: names of spans and metrics stay few.
pub fn consumed(topic: &Topic, queue: &Queue) -> String {
    match queue {
        Queue::Fanout { .. } => topic.destination(),
        durable => {
            let name = durable.to_string();
            let family = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('.');
            format!("{}:{family}", topic.destination())
        }
    }
}

fn messaging(span: &Span, name: &'static str, kind: &'static str, destination: &str, topic: &Topic) {
    span.set_attribute(attribute::MESSAGING_SYSTEM, MESSAGING_SYSTEM);
    span.set_attribute(attribute::MESSAGING_OPERATION_NAME, name);
    span.set_attribute(attribute::MESSAGING_OPERATION_TYPE, kind);
    span.set_attribute(attribute::MESSAGING_DESTINATION_NAME, destination.to_owned());
    span.set_attribute(attribute::MESSAGING_RABBITMQ_DESTINATION_ROUTING_KEY, topic.routing_key());
}

fn message(span: &Span, envelope: &Envelope) {
    span.set_attribute(attribute::MESSAGING_MESSAGE_ID, envelope.id.clone());
    if let Some(correlation) = &envelope.correlation {
        span.set_attribute(attribute::MESSAGING_MESSAGE_CONVERSATION_ID, correlation.clone());
    }
    if let Some(organization) = envelope.headers.get(ports::bus::headers::ORGANIZATION) {
        span.set_attribute(attribute::ORGANIZATION, organization.clone());
    }
}

/// A gRPC call of ours. `method` is `package.Service/Method`.
pub fn rpc_client(method: &'static str) -> Span {
    let span = info_span!("rpc.client", otel.name = method, otel.kind = "client", otel.status_code = Empty);
    span.set_attribute(attribute::RPC_SYSTEM_NAME, "grpc");
    span.set_attribute(attribute::RPC_METHOD, method);
    span
}

/// A gRPC call to us, from inside the mesh: the caller's trace goes on.
pub fn rpc_server(method: &'static str, traceparent: &BTreeMap<String, String>) -> Span {
    let span =
        info_span!(parent: None, "rpc.server", otel.name = method, otel.kind = "server", otel.status_code = Empty);
    if let Some(parent) = extract(traceparent) {
        let _ = span.set_parent(parent);
    }
    span.set_attribute(attribute::RPC_SYSTEM_NAME, "grpc");
    span.set_attribute(attribute::RPC_METHOD, method);
    span
}

/// Notes the gRPC status (`OK`, `UNAVAILABLE`) on a span.
pub fn rpc_status(span: &Span, status: &'static str, failed: bool) {
    span.set_attribute(attribute::RPC_RESPONSE_STATUS_CODE, status);
    if failed {
        fail(span, status);
    }
}

/// Writes the current trace into headers. Writes nothing where there is none.
pub fn inject(headers: &mut BTreeMap<String, String>) {
    inject_from(&Span::current(), headers);
}

/// Writes the trace of `span` into headers.
pub fn inject_from(span: &Span, headers: &mut BTreeMap<String, String>) {
    let context = span.context();
    if context.span().span_context().is_valid() {
        headers.remove(TRACESTATE);
        TraceContextPropagator::new().inject_context(&context, &mut Written(headers));
    }
}

/// Adds a link from `span` to the trace that `traceparent` names; nothing when it is not well formed.
pub fn link(span: &Span, traceparent: &str) {
    let headers = BTreeMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    if let Some(context) = extract(&headers) {
        span.add_link(context.span().span_context().clone());
    }
}

/// The current trace in W3C form, to be kept beside a message.
pub fn current_traceparent() -> Option<String> {
    let mut headers = BTreeMap::new();
    inject(&mut headers);
    headers.remove(TRACEPARENT)
}

/// The current trace's id, for logs and problem details.
pub fn trace_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| context.trace_id().to_string())
}

/// Sets an attribute of [`crate::names::attribute`] on the current span.
pub fn note(name: &'static str, value: impl Into<opentelemetry::Value>) {
    Span::current().set_attribute(name, value);
}

fn extract(headers: &BTreeMap<String, String>) -> Option<Context> {
    headers.get(TRACEPARENT)?;
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Read(headers));
    context.span().span_context().is_valid().then_some(context)
}

struct Written<'a>(&'a mut BTreeMap<String, String>);

impl Injector for Written<'_> {
    fn set(&mut self, key: &str, value: String) {
        // The propagator writes an empty `tracestate`, which means nothing and costs a header on every message.
        if !value.is_empty() {
            self.0.insert(key.to_ascii_lowercase(), value);
        }
    }
}

struct Read<'a>(&'a BTreeMap<String, String>);

impl Extractor for Read<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}
