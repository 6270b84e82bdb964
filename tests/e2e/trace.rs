//! One trace from the provider's webhook to the provider call, and the receipt's link to it.
// A scenario reads top to bottom, so it may be long.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::too_many_lines)]

mod harness;
#[path = "harness/otlp.rs"]
mod otlp;

use std::collections::HashMap;

use harness::{Dev, eventually, gupshup_text};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};

/// Follows parents from `span` to the root and answers the names on the way, root first.
fn path(span: &Span, all: &[Span]) -> Vec<String> {
    let by_id: HashMap<&[u8], &Span> = all.iter().map(|one| (one.span_id.as_slice(), one)).collect();
    let mut names = vec![span.name.clone()];
    let mut at = span;
    while let Some(parent) = by_id.get(at.parent_span_id.as_slice()) {
        names.push(parent.name.clone());
        at = parent;
    }
    names.reverse();
    names
}

fn kind(span: &Span, wanted: SpanKind) -> bool {
    span.kind == wanted as i32
}

#[tokio::test]
async fn op_3_one_trace_from_the_webhook_to_the_agent_and_from_the_reply_to_the_receipt() {
    let (address, collected) = otlp::receiver().await;
    let endpoint = format!("http://{address}");
    let dev = Dev::start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_TRACES_SAMPLER", "always_on"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ]);
    let hook = dev.account("demo-whatsapp");
    let ana = dev.sign_in().await;
    dev.hook(&hook, &gupshup_text("wamid.trace", "5511987650001", "canary text")).await;
    let taken = ana.take(&ana.conversation("5511987650001", "waiting").await).await;
    let (_, message) = ana.write(&taken, "resposta", "k").await;
    ana.delivered(&taken, &message, "delivered").await;

    // In: the webhook is a root; the publish hangs below it; the router's processing below the publish.
    let inbound = eventually("the router's span under the webhook", || async {
        let all = collected.spans();
        all.iter()
            .filter(|span| kind(span, SpanKind::Consumer) && span.name.contains("afluente.inbound"))
            .map(|span| path(span, &all))
            .find(|names| names.len() >= 3 && names[0].starts_with("POST /hooks/"))
    })
    .await;
    assert!(inbound[1].starts_with("publish afluente.inbound"), "{inbound:?}");

    // Out: the agent's request, the gate, the channel, the provider call: one chain.
    let outbound = eventually("the provider call under the agent's request", || async {
        let all = collected.spans();
        all.iter()
            .filter(|span| kind(span, SpanKind::Client) && span.name.contains("/wa/api/v1/msg"))
            .map(|span| path(span, &all))
            .find(|names| names[0].starts_with("POST /api/v1/conversations/"))
    })
    .await;
    for step in [
        "publish afluente.requested",
        "process afluente.requested",
        "publish afluente.outbound",
        "process afluente.outbound",
    ] {
        assert!(outbound.iter().any(|name| name.starts_with(step)), "no '{step}' in {outbound:?}");
    }

    // The receipt is a trace of its own that links to the send.
    let sends: Vec<Vec<u8>> = collected
        .named("POST")
        .into_iter()
        .filter(|span| kind(span, SpanKind::Client))
        .map(|span| span.trace_id)
        .collect();
    eventually("a receipt's link to the send's trace", || async {
        collected
            .spans()
            .iter()
            .find(|span| span.links.iter().any(|link| sends.contains(&link.trace_id) && link.trace_id != span.trace_id))
            .map(|_| ())
    })
    .await;

    // Nothing personal and no secret in any span.
    let everything = format!("{:?}", collected.spans());
    let secret = hook["secret"].as_str().unwrap().trim_start_matches("Bearer ").to_owned();
    for canary in ["5511987650001", "canary text", "Maria Silva", secret.as_str()] {
        assert!(!everything.contains(canary), "'{canary}' is in the telemetry");
    }
    let errors: Vec<_> = collected
        .spans()
        .into_iter()
        .filter(|span| otlp::attribute(&span.attributes, "error.type").is_some())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// The certificate signs itself: it is trusted only because the system is told to.
#[tokio::test]
async fn op_3_traces_go_over_https_to_a_collector_that_the_system_trusts() {
    let (address, collected, certificate) = otlp::receiver_over_tls().await;
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("trusted.pem");
    std::fs::write(&trusted, certificate).unwrap();
    let dev = Dev::start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("https://localhost:{}", address.port())),
        ("OTEL_TRACES_SAMPLER", "always_on"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("SSL_CERT_FILE", trusted.to_str().unwrap()),
    ]);
    dev.hook(&dev.account("demo-whatsapp"), &gupshup_text("wamid.tls", "5511987650002", "oi")).await;
    let arrived = || async { (!collected.named("POST").is_empty()).then_some(()) };
    eventually("the webhook's span", arrived).await;
}
