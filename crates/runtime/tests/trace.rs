//! One trace from hop to hop, as a real OTLP receiver in this process sees it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use afluente_runtime::{
    bus::TracedBus,
    http::{Http, HttpPolicy, HttpRequest},
    metrics::Metrics,
    telemetry::{self, Options, Telemetry},
    trace,
};
use async_trait::async_trait;
use bytes::Bytes;
use domain::Partition;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::{Span, span::SpanKind},
};
use ports::{
    Bus,
    bus::{BusError, Depth, Envelope, Subscription},
    topology::{Queue, Topic},
};
use tokio::net::TcpListener;
use tracing::Instrument as _;

#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    resources: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        for resource in request.into_inner().resource_spans {
            self.resources.lock().unwrap().push(format!("{:?}", resource.resource));
            for scope in resource.scope_spans {
                self.spans.lock().unwrap().extend(scope.spans);
            }
        }
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A bus that keeps what was published.
#[derive(Default)]
struct Kept(Mutex<Vec<Envelope>>);

#[async_trait]
impl Bus for Kept {
    async fn publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }

    async fn subscribe(&self, _: Queue, _: u16) -> Result<Subscription, BusError> {
        Err(BusError::Unavailable("nothing is delivered here".to_owned()))
    }

    async fn depth(&self, _: &Queue) -> Result<Depth, BusError> {
        Ok(Depth::default())
    }

    async fn check(&self) -> Result<(), BusError> {
        Ok(())
    }
}

fn envelope() -> Envelope {
    Envelope {
        id: "evt_1".to_owned(),
        topic: Topic::Inbound(Partition(3)),
        kind: "afluente.channel.v1.Inbound".to_owned(),
        correlation: Some("cnv_1".to_owned()),
        headers: BTreeMap::new(),
        body: Bytes::new(),
    }
}

fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|pair| pair.key == name);
    found.map(|pair| format!("{:?}", pair.value)).unwrap_or_default()
}

async fn provider() -> String {
    let app = axum::Router::new().fallback(|| async { "{}" });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    format!("http://{address}")
}

/// A receiver on a spare port, and the telemetry of this process sent to it.
async fn collected() -> (Collector, Telemetry) {
    let collector = Collector::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let app = tonic::service::Routes::new(TraceServiceServer::new(collector.clone())).into_axum_router();
    tokio::spawn(axum::serve(listener, app).into_future());
    let telemetry = telemetry::start(&Options {
        service: "afluente-sample".to_owned(),
        replica: "r1".to_owned(),
        endpoint: Some(endpoint),
        disabled: false,
        filter: "error".to_owned(),
        json: true,
    })
    .unwrap();
    (collector, telemetry)
}

#[tokio::test(flavor = "multi_thread")]
async fn op_3_one_trace_from_the_webhook_to_the_provider() {
    let (collector, telemetry) = collected().await;
    let kept = Arc::new(Kept::default());
    let metrics = Metrics::new();
    let bus = TracedBus::new(Arc::clone(&kept) as Arc<dyn Bus>, metrics.clone());
    let origin = provider().await;
    let http = Http::new(HttpPolicy { allow: vec![origin.clone()], ..HttpPolicy::default() }, metrics.clone()).unwrap();

    let webhook = trace::webhook("/hooks/{channel}/{account}", "POST");
    bus.publish(vec![envelope()]).instrument(webhook.clone()).await.unwrap();
    drop(webhook);
    let arrived = kept.0.lock().unwrap()[0].clone();
    assert!(arrived.headers.contains_key("traceparent") && !arrived.headers.contains_key("tracestate"));

    let work = trace::process(&arrived, &Queue::RouterInbound(Partition(3)));
    let stored = async {
        let url = format!("{origin}/bot123:hunter2/sendMessage");
        let request = HttpRequest::new(http::Method::POST, url, "/bot{token}/sendMessage");
        http.call(request).await.unwrap();
        trace::current_traceparent().unwrap()
    };
    let stored = stored.instrument(work).await;

    // An outbox row is published by another task, much later: its own trace goes on.
    let mut row = envelope();
    row.headers.insert("traceparent".to_owned(), stored.clone());
    bus.publish(vec![row]).await.unwrap();
    // A receipt comes back: a root of its own, linked.
    let receipt = trace::webhook("/hooks/{channel}/{account}", "POST");
    trace::link(&receipt, &stored);
    drop(receipt);
    telemetry.flush().await;

    let spans = collector.spans.lock().unwrap().clone();
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let hooks = named("POST /hooks/{channel}/{account}");
    let publishes = named("publish afluente.inbound");
    let process = named("process afluente.inbound:router.inbound")[0];
    let call = named("POST /bot{token}/sendMessage")[0];
    assert_eq!((hooks.len(), publishes.len(), spans.len()), (2, 2, 6));
    assert_eq!(hooks[0].kind(), SpanKind::Server);
    assert!(hooks[0].parent_span_id.is_empty());
    assert_eq!((publishes[0].kind(), &publishes[0].parent_span_id), (SpanKind::Producer, &hooks[0].span_id));
    assert_eq!((process.kind(), &process.parent_span_id), (SpanKind::Consumer, &publishes[0].span_id));
    assert_eq!(process.links[0].span_id, publishes[0].span_id, "the parent is linked besides");
    assert_eq!((call.kind(), &call.parent_span_id), (SpanKind::Client, &process.span_id));
    assert_eq!(publishes[1].parent_span_id, process.span_id, "the outbox row's own trace is the parent");
    for span in [publishes[0], process, call, publishes[1]] {
        assert_eq!(span.trace_id, hooks[0].trace_id);
    }
    assert_ne!(hooks[1].trace_id, hooks[0].trace_id);
    assert_eq!(hooks[1].links[0].trace_id, hooks[0].trace_id);
    assert!(attribute(process, "messaging.message.conversation_id").contains("cnv_1"));
    assert!(attribute(publishes[0], "messaging.rabbitmq.destination.routing_key").contains('3'));
    assert!(attribute(call, "http.response.status_code").contains("200"));
    assert!(!format!("{spans:?}").contains("hunter2"), "the token is in no span");
    assert!(collector.resources.lock().unwrap()[0].contains("afluente-sample"));
    let sent = metrics.total("messaging_client_sent_messages_total", &[]);
    assert!((sent - 2.0).abs() < 0.1, "{sent}");
}
