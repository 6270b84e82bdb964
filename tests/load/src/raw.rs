//! The raw limit of the same broker: persistent publishes with confirms from many tasks, consumed and acknowledged.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::Partition;
use ports::{
    Bus,
    bus::Envelope,
    topology::{Queue, Topic},
};
use serde_json::{Value, json};

use crate::mesh::window;

/// `messages` of one kilobyte through one partition's queue.
pub(crate) async fn run(bus: Arc<dyn Bus>, messages: u32) -> Result<Value, String> {
    let topic = Topic::Media("load".parse().map_err(|_| "a channel name".to_owned())?);
    let queue = topic.queues().into_iter().next().unwrap_or(Queue::RouterInbound(Partition(0)));
    let mut subscription = bus.subscribe(queue, 1_000).await.map_err(|problem| problem.to_string())?;
    let begun = Instant::now();
    let consumer = tokio::spawn(async move {
        let mut got = 0u32;
        while got < messages {
            let waited = tokio::time::timeout(Duration::from_secs(60), subscription.next_batch(500)).await;
            let Ok(batch) = waited else { break };
            for delivery in batch {
                delivery.ack();
                got += 1;
            }
        }
        got
    });
    let permits = window(256);
    let mut sends = Vec::new();
    for number in 0..messages {
        let permit = Arc::clone(&permits).acquire_owned().await.map_err(|problem| problem.to_string())?;
        let (bus, topic) = (Arc::clone(&bus), topic.clone());
        sends.push(tokio::spawn(async move {
            let envelope = Envelope {
                id: format!("raw-{number}"),
                topic,
                kind: "load".to_owned(),
                correlation: None,
                headers: BTreeMap::new(),
                body: vec![b'x'; 1_024].into(),
            };
            let sent = bus.publish(vec![envelope]).await;
            drop(permit);
            sent
        }));
    }
    for send in sends {
        send.await.map_err(|problem| problem.to_string())?.map_err(|problem| problem.to_string())?;
    }
    let got = consumer.await.map_err(|problem| problem.to_string())?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok(json!({"messages": got, "seconds": seconds, "per_second": f64::from(got) / seconds}))
}
