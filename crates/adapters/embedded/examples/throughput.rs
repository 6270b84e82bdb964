//! A probe: how many messages per second the embedded bus publishes, delivers and settles, and how long a publisher
//! waits. `cargo run -p afluente-adapter-embedded --example throughput [messages] [publishers] [folder]`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use afluente_adapter_embedded::{Embedded, EmbeddedOptions};
use bytes::Bytes;
use domain::Partition;
use ports::{
    Bus as _,
    bus::Envelope,
    topology::{Queue, Topic},
};

const PARTITIONS: u16 = 16;

fn message(n: usize) -> Envelope {
    Envelope {
        id: format!("evt_{n:032}"),
        topic: Topic::Requested(Partition(u16::try_from(n % usize::from(PARTITIONS)).unwrap())),
        kind: "afluente.channel.v1.SendRequest".to_owned(),
        correlation: Some("cnv_00000000000000000000000000000000".to_owned()),
        headers: [("traceparent".to_owned(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned())]
            .into(),
        body: Bytes::from(vec![b'x'; 1_024]),
    }
}

fn percentile(sorted: &[Duration], part: f64) -> Duration {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = (sorted.len() as f64 * part) as usize;
    sorted[at.min(sorted.len() - 1)]
}

/// Publishes `count` messages one by one from `publishers` tasks while 16 queues are consumed; answers the waits.
async fn run(embedded: &Embedded, count: usize, publishers: usize) -> (Duration, Vec<Duration>) {
    let mut consumers = Vec::new();
    for p in 0..PARTITIONS {
        let mut subscription = embedded.bus.subscribe(Queue::SessionRequested(Partition(p)), 200).await.unwrap();
        let own = (0..count).filter(|n| n % usize::from(PARTITIONS) == usize::from(p)).count();
        consumers.push(tokio::spawn(async move {
            let mut seen = 0;
            while seen < own {
                for delivery in subscription.next_batch(100).await {
                    seen += 1;
                    delivery.ack();
                }
            }
        }));
    }
    let start = Instant::now();
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let tasks: Vec<_> = (0..publishers)
        .map(|_| {
            let (bus, next) = (embedded.bus.clone(), next.clone());
            tokio::spawn(async move {
                let mut waits = Vec::new();
                loop {
                    let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if n >= count {
                        return waits;
                    }
                    let asked = Instant::now();
                    bus.publish(vec![message(n)]).await.unwrap();
                    waits.push(asked.elapsed());
                }
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    for consumer in consumers {
        consumer.await.unwrap();
    }
    let took = start.elapsed();
    waits.sort();
    (took, waits)
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(20_000, |text| text.parse().unwrap());
    let most: usize = arguments.next().map_or(64, |text| text.parse().unwrap());
    let data = arguments.next().map_or_else(
        || std::env::temp_dir().join(format!("afluente-throughput-{}", std::process::id())),
        PathBuf::from,
    );
    for publishers in [1, most] {
        let embedded = Embedded::open(&data, EmbeddedOptions::default()).await.unwrap();
        let count = if publishers == 1 { count / 20 } else { count };
        let (took, waits) = run(&embedded, count, publishers).await;
        println!(
            "{publishers:>4} publishers, 1 KiB, publish + deliver + acknowledge: {:>8.0}/s, publish p50 {:?} p99 {:?}",
            f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64(),
            percentile(&waits, 0.50),
            percentile(&waits, 0.99),
        );
        embedded.close().await;
    }
    std::fs::remove_dir_all(&data).unwrap();
}
