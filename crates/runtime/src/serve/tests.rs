#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{
        ConnectInfo,
        ws::{Message, WebSocketUpgrade},
    },
    routing::get,
};
use futures_util::StreamExt as _;
use tokio::{sync::Notify, task::JoinHandle};

use super::*;
use crate::{
    names::{label, metric},
    service::{Check, OnFailure, Task},
};

const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    drain: Drain,
    metrics: Metrics,
    ended: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    async fn get(&self, path: &str) -> (u16, String) {
        #[expect(clippy::disallowed_methods, reason = "a test's own client for its own server")]
        let client = reqwest::Client::builder().tls_backend_preconfigured(tls()).no_proxy().build().unwrap();
        let answer = client.get(format!("http://{}{path}", self.address)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn drained(self) -> Result<(), ServeError> {
        self.drain.0.cancel();
        tokio::time::timeout(PATIENCE, self.ended).await.expect("the drain ends").unwrap()
    }
}

fn tls() -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

async fn start(service: Service) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (drain, metrics) = (Drain::default(), Metrics::new());
    let serving = serve(vec![service], listener, metrics.clone(), drain.clone(), Duration::from_secs(2));
    Running { address, drain, metrics, ended: tokio::spawn(serving) }
}

fn service(http: Router, tasks: Vec<Task>, checks: Vec<Check>) -> Service {
    Service { name: "sample".to_owned(), http, grpc: None, grpc_names: Vec::new(), tasks, checks }
}

async fn eventually(mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "it did not come to pass");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&up);
    let run = move || -> crate::BoxFuture<Result<(), String>> {
        let up = seen.load(Ordering::SeqCst);
        Box::pin(async move { if up { Ok(()) } else { Err("connection refused".to_owned()) } })
    };
    let check = Check { name: "broker".to_owned(), run: Arc::new(run) };
    let running = start(service(Router::new(), Vec::new(), vec![check])).await;
    assert_eq!(running.get("/livez").await.0, 200);
    let (status, body) = running.get("/readyz").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 503);
    let failing = serde_json::json!([
        {"service": "sample", "dependency": "broker", "problem": "connection refused"}
    ]);
    assert_eq!(body["failing"], failing);
    up.store(true, Ordering::SeqCst);
    assert_eq!(running.get("/readyz").await.0, 200);
    assert!(running.get("/metrics").await.1.contains("afluente_build_info"));
    running.drained().await.unwrap();
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_ends_the_rest() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (started, held) = (Arc::clone(&entered), Arc::clone(&leave));
    let slow = move || async move {
        started.notify_one();
        held.notified().await;
        "finished"
    };
    // A socket that does not listen to the drain: it is cut off.
    let deaf = |upgrade: WebSocketUpgrade, _: ConnectInfo<SocketAddr>| async {
        upgrade.on_upgrade(|mut socket| async move {
            let _ = socket.send(Message::Text("hello".into())).await;
            while socket.recv().await.is_some_and(|frame| frame.is_ok()) {}
        })
    };
    let stopped = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stopped);
    let task = Task::new("worker", OnFailure::Restart, move |drain: Drain| {
        let told = Arc::clone(&told);
        async move {
            drain.begun().await;
            told.store(true, Ordering::SeqCst);
            Ok(())
        }
    });
    let http = Router::new().route("/slow", get(slow)).route("/socket", get(deaf));
    let running = start(service(http, vec![task], Vec::new())).await;

    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{}/socket", running.address)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap().as_str(), "hello");
    let running = Arc::new(running);
    let request = tokio::spawn({
        let running = Arc::clone(&running);
        async move { running.get("/slow").await }
    });
    entered.notified().await;
    running.drain.0.cancel();
    assert!(!stopped.load(Ordering::SeqCst), "tasks work on while requests are in flight");
    leave.notify_one();
    assert_eq!(request.await.unwrap(), (200, "finished".to_owned()));
    let running = Arc::into_inner(running).unwrap();
    let address = running.address;
    running.drained().await.unwrap();
    assert!(stopped.load(Ordering::SeqCst));
    assert!(socket.next().await.is_none_or(|frame| frame.is_err()), "the socket is closed");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_task_that_fails_or_panics_is_started_again() {
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let task = Task::new("flaky", OnFailure::Restart, move |drain: Drain| {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            match run {
                0 => Err("the broker is away".to_owned()),
                1 => panic!("a mistake"),
                _ => {
                    drain.begun().await;
                    Ok(())
                }
            }
        }
    });
    let running = start(service(Router::new(), vec![task], Vec::new())).await;
    eventually(|| runs.load(Ordering::SeqCst) == 3).await;
    let restarts = running.metrics.total(metric::TASK_RESTARTS, &[(label::TASK, "flaky")]);
    assert!((restarts - 2.0).abs() < 0.1, "{restarts}");
    running.drained().await.unwrap();
}

#[tokio::test]
async fn a_task_that_must_not_fail_stops_the_process() {
    let task = Task::new("schema", OnFailure::Stop, |_| async { Err("the store is newer".to_owned()) });
    let running = start(service(Router::new(), vec![task], Vec::new())).await;
    let ended = tokio::time::timeout(PATIENCE, running.ended).await.unwrap().unwrap();
    assert_eq!(ended.unwrap_err().to_string(), "task 'schema' failed: the store is newer");
    assert!(running.drain.has_begun());
}

#[tokio::test]
async fn a_panic_is_a_problem_and_requests_have_ids() {
    async fn wrong() -> &'static str {
        panic!("a mistake")
    }
    let running = start(service(Router::new().route("/wrong/{id}", get(wrong)), Vec::new(), Vec::new())).await;
    let (status, body) = running.get("/wrong/7").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["code"]), (500, &"internal".into()));
    let text = running.metrics.render();
    assert!(text.contains("http_route=\"/wrong/{id}\""), "{text}");
    running.drained().await.unwrap();
}

#[tokio::test]
async fn health_and_reflection_answer_beside_http() {
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
    let ok = || -> crate::BoxFuture<Result<(), String>> { Box::pin(async { Ok(()) }) };
    let check = Check { name: "store".to_owned(), run: Arc::new(ok) };
    let mut sample = service(Router::new(), Vec::new(), vec![check]);
    sample.grpc_names = vec!["afluente.router.v1.Router".to_owned()];
    let running = start(sample).await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", running.address)).unwrap();
    let mut health = HealthClient::new(channel.connect_lazy());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let request = HealthCheckRequest { service: "afluente.router.v1.Router".to_owned() };
        let answer = health.check(request).await.map(|answer| answer.into_inner().status());
        if matches!(answer, Ok(ServingStatus::Serving)) {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let names = reflected(running.address).await;
    assert!(names.contains(&"grpc.health.v1.Health".to_owned()), "{names:?}");
    running.drained().await.unwrap();
}

/// The services that reflection lists.
async fn reflected(address: SocketAddr) -> Vec<String> {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let request = ServerReflectionRequest { host: String::new(), message_request };
    let mut client = ServerReflectionClient::new(channel.connect_lazy());
    let answers = client.server_reflection_info(futures_util::stream::iter([request])).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    match answer.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => list.service.into_iter().map(|one| one.name).collect(),
        other => panic!("{other:?}"),
    }
}
