//! A peer that takes connections and says nothing: each try ends whole before the next one. Alone in its process, whose
//! threads are counted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::time::Duration;

use afluente_adapter_rabbitmq::{RabbitBus, RabbitConfig};
use tokio::{io::AsyncReadExt as _, net::TcpListener};

const PATIENCE: Duration = Duration::from_secs(60);
/// A bus has two connections.
const LINKS: usize = 2;

/// lapin's own, one for each connection that is there or being made.
fn threads() -> usize {
    let names = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path().join("comm"));
    // A thread that has just ended has no name.
    names.filter_map(|name| std::fs::read_to_string(name).ok()).filter(|name| name.starts_with("lapin-io")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_says_nothing_is_left_before_it_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://guest:guest@{}/%2f", listener.local_addr().unwrap());
    let bus = RabbitBus::open(RabbitConfig::new(url, 1, vec!["whatsapp".parse().unwrap()], "test")).unwrap();
    let mut taken = Vec::new();
    while taken.len() < 2 * LINKS {
        taken.push(tokio::time::timeout(PATIENCE, listener.accept()).await.expect("it is tried again").unwrap().0);
    }
    for stream in &mut taken[..LINKS] {
        let mut said = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
        ended.expect("the first tries have ended").unwrap();
        assert!(said.starts_with(b"AMQP"));
    }
    let few = async {
        while threads() > LINKS {
            tokio::time::sleep(Duration::from_millis(10)).await
        }
    };
    tokio::time::timeout(PATIENCE, few).await.expect("their threads have ended");
    drop(bus);
    let none = async {
        while threads() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await
        }
    };
    tokio::time::timeout(PATIENCE, none).await.expect("all threads have ended");
}
