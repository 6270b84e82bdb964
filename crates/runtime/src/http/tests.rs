#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{net::SocketAddr, sync::Arc, sync::Mutex, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::HeaderMap,
    response::Redirect,
    routing::get,
};
use tokio::net::TcpListener;

use super::*;

type Seen = Arc<Mutex<Vec<HeaderMap>>>;

async fn record(State(seen): State<Seen>, request: Request) -> &'static str {
    seen.lock().unwrap().push(request.headers().clone());
    "ok"
}

/// A server on a spare port and the headers that it saw.
async fn server() -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let slow = || async {
        tokio::time::sleep(Duration::from_secs(600)).await;
        "late"
    };
    let app = Router::new()
        .route("/echo", get(record).post(record))
        .route("/big", get(|| async { "x".repeat(100_000) }))
        .route("/slow", get(slow))
        .route("/inward", get(|| async { Redirect::temporary("http://169.254.169.254/latest/meta-data") }))
        .route("/again", get(|| async { Redirect::temporary("/echo") }))
        .with_state(Arc::clone(&seen));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    (address, seen)
}

fn door(allow: &[String], max_response: usize) -> (Http, Metrics) {
    let metrics = Metrics::new();
    (Http::new(HttpPolicy { allow: allow.to_vec(), max_response }, metrics.clone()).unwrap(), metrics)
}

fn request(method: http::Method, url: &str) -> HttpRequest {
    HttpRequest::new(method, url, "/{path}")
}

fn fetch(url: &str) -> HttpRequest {
    request(http::Method::GET, url)
}

#[tokio::test]
async fn internal_addresses_are_refused() {
    let (address, seen) = server().await;
    let (http, _) = door(&[], 1000);
    let port = address.port();
    for url in [
        format!("http://127.0.0.1:{port}/echo"),
        format!("http://localhost:{port}/echo"),
        format!("http://[::1]:{port}/echo"),
        format!("http://[::ffff:127.0.0.1]:{port}/echo"),
        format!("http://2130706433:{port}/echo"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
        "nonsense".to_owned(),
    ] {
        let error = http.call(fetch(&url)).await.unwrap_err();
        assert!(matches!(error, HttpError::NotSent(_)), "{url}: {error}");
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_origin_on_the_list_passes() {
    let (address, seen) = server().await;
    for entry in [format!("http://{address}"), address.to_string()] {
        let (http, metrics) = door(&[entry], 1000);
        let mut post = request(http::Method::POST, &format!("http://{address}/echo?key=hunter2"));
        post.headers = vec![("apikey".to_owned(), "k".to_owned())];
        post.body = HttpBody::Form(vec![("a".to_owned(), "b c".to_owned())]);
        let answer = http.call(post).await.unwrap();
        assert_eq!((answer.status, answer.body.as_ref()), (200, b"ok".as_slice()));
        let text = metrics.render();
        assert!(text.contains("url_template=\"/{path}\"") && !text.contains("hunter2"), "{text}");
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0]["apikey"], "k");
    assert_eq!(seen[0]["content-type"], "application/x-www-form-urlencoded");
    assert!(!seen[0].contains_key("traceparent"), "providers learn nothing of our traces");
}

#[tokio::test]
async fn a_redirect_is_guarded_again() {
    let (address, _) = server().await;
    let (http, _) = door(&[address.to_string()], 1000);
    assert_eq!(http.call(fetch(&format!("http://{address}/again"))).await.unwrap().body.as_ref(), b"ok");
    let error = http.call(fetch(&format!("http://{address}/inward"))).await.unwrap_err();
    assert!(matches!(error, HttpError::NotSent(_)), "{error}");
}

#[tokio::test]
async fn a_large_answer_is_cut_short() {
    let (address, _) = server().await;
    let (http, _) = door(&[address.to_string()], 1000);
    let error = http.call(fetch(&format!("http://{address}/big"))).await.unwrap_err();
    assert_eq!(error, HttpError::TooLarge(1000));
}

#[tokio::test]
async fn a_lost_answer_is_not_a_failure_to_send() {
    let (address, _) = server().await;
    let (http, _) = door(&[address.to_string()], 1000);
    let mut slow = fetch(&format!("http://{address}/slow?token=hunter2"));
    slow.deadline = Duration::from_millis(50);
    let error = http.call(slow).await.unwrap_err();
    assert!(matches!(&error, HttpError::Unknown(text) if !text.contains("hunter2")), "{error}");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (http, _) = door(&[closed.to_string()], 1000);
    let error = http.call(fetch(&format!("http://{closed}/bot123:hunter2/getMe"))).await.unwrap_err();
    assert!(matches!(&error, HttpError::NotSent(text) if !text.contains("hunter2")), "{error}");

    // A server that takes the request and hangs up: nobody knows.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await;
        }
    });
    let (http, _) = door(&[address.to_string()], 1000);
    let error = http.call(request(http::Method::POST, &format!("http://{address}/x"))).await.unwrap_err();
    assert!(matches!(&error, HttpError::Unknown(_)), "{error}");
}

#[test]
fn public_is_what_the_internet_routes() {
    for public in ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "172.32.0.1"] {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
    for internal in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.1.2.3",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:db8::1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
    ] {
        assert!(!is_public(internal.parse().unwrap()), "{internal}");
    }
}
