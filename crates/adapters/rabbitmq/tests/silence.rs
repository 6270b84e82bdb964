//! What stops without a word: a consumer that hears nothing more, a connection that nobody answers on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::disallowed_methods)]

mod support;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use afluente_adapter_rabbitmq::{RabbitBus, RabbitConfig};
use ports::{Bus as _, bus::BusError};
use support::{INBOUND, PATIENCE, QUEUE, bus, message, next, until_empty};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
};

/// Between a bus and its broker, and not always honest.
struct Proxy {
    address: SocketAddr,
    /// While true, deliveries vanish and everything else passes.
    deaf: Arc<AtomicBool>,
    /// Connections made before it was raised pass nothing more in either direction, and stay open.
    silent: watch::Sender<u32>,
}

impl Proxy {
    async fn start(broker: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let deaf = Arc::new(AtomicBool::new(false));
        let (silent, silenced) = watch::channel(0);
        let flag = deaf.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&broker).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let mut silenced = silenced.clone();
                silenced.mark_unchanged();
                tokio::spawn(plain(from_client, to_server, silenced.clone()));
                tokio::spawn(frames(from_server, to_client, flag.clone(), silenced));
            }
        });
        Self { address, deaf, silent }
    }

    fn url(&self, config: &RabbitConfig) -> String {
        let (_, place) = config.url.rsplit_once('@').unwrap();
        let (host, _) = place.split_once('/').unwrap();
        config.url.replace(host, &self.address.to_string())
    }
}

async fn plain(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut silenced: watch::Receiver<u32>) {
    let copy = tokio::io::copy(&mut from, &mut to);
    tokio::select! {
        _ = copy => {}
        _ = silenced.changed() => std::future::pending().await,
    }
}

/// Reads the broker's frames one by one: type, channel, size, payload, end.
async fn frames(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    deaf: Arc<AtomicBool>,
    mut silenced: watch::Receiver<u32>,
) {
    let pass = async {
        let mut vanishing = BTreeSet::new();
        loop {
            let mut head = [0; 7];
            from.read_exact(&mut head).await?;
            let channel = u16::from_be_bytes([head[1], head[2]]);
            let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
            let mut rest = vec![0; size + 1];
            from.read_exact(&mut rest).await?;
            if head[0] == 1 {
                // Class 60, method 60: a delivery; its content follows in frames of its own.
                if deaf.load(Ordering::Acquire) && rest.starts_with(&[0, 60, 0, 60]) {
                    vanishing.insert(channel);
                } else {
                    vanishing.remove(&channel);
                }
            }
            if head[0] == 8 || !vanishing.contains(&channel) {
                to.write_all(&head).await?;
                to.write_all(&rest).await?;
            }
        }
    };
    tokio::select! {
        ended = pass => drop::<std::io::Result<()>>(ended),
        _ = silenced.changed() => std::future::pending().await,
    }
}

/// A bus through a proxy, one that has nothing to do with it, and how often a consumer was revived.
async fn through_a_proxy() -> Option<(RabbitBus, RabbitBus, Proxy, Arc<AtomicU32>)> {
    let (direct, config) = bus().await?;
    let (_, place) = config.url.rsplit_once('@').unwrap();
    let proxy = Proxy::start(place.split_once('/').unwrap().0.to_owned()).await;
    let revivals = Arc::new(AtomicU32::new(0));
    let (count, deaf) = (revivals.clone(), proxy.deaf.clone());
    let revived: Arc<dyn Fn(&ports::topology::Topic) + Send + Sync> = Arc::new(move |_| {
        count.fetch_add(1, Ordering::AcqRel);
        deaf.store(false, Ordering::Release);
    });
    // A publish that only this ends would end none of the tests.
    let publish_deadline = Duration::from_secs(3_600);
    let config = RabbitConfig { url: proxy.url(&config), revived, publish_deadline, ..config };
    Some((RabbitBus::connect(config).await.unwrap(), direct, proxy, revivals))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_stopped_without_a_word_is_made_anew() {
    let Some((bus, direct, proxy, revivals)) = through_a_proxy().await else { return };
    let mut subscription = bus.subscribe(QUEUE, 4).await.unwrap();
    direct.publish(vec![message(0, INBOUND)]).await.unwrap();
    next(&mut subscription).await.ack();
    until_empty(&bus, &QUEUE).await;
    proxy.deaf.store(true, Ordering::Release);
    direct.publish((1..30).map(|n| message(n, INBOUND)).collect()).await.unwrap();
    for n in 1..30 {
        let delivery = next(&mut subscription).await;
        assert_eq!(delivery.envelope.id, n.to_string(), "in order, none twice");
        delivery.ack();
    }
    assert_eq!(revivals.load(Ordering::Acquire), 1);
    until_empty(&bus, &QUEUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_is_missing_is_missed_at_the_next() {
    let Some((bus, direct, proxy, revivals)) = through_a_proxy().await else { return };
    let mut subscription = bus.subscribe(QUEUE, 100).await.unwrap();
    proxy.deaf.store(true, Ordering::Release);
    direct.publish(vec![message(0, INBOUND)]).await.unwrap();
    // It is on nobody's desk: the broker has handed it over, and the consumer has not got it.
    support::until_ready(&direct, &QUEUE, 0).await;
    proxy.deaf.store(false, Ordering::Release);
    direct.publish((1..10).map(|n| message(n, INBOUND)).collect()).await.unwrap();
    for n in 0..10 {
        let delivery = next(&mut subscription).await;
        assert_eq!(delivery.envelope.id, n.to_string(), "in order, none twice");
        delivery.ack();
    }
    assert_eq!(revivals.load(Ordering::Acquire), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_nobody_answers_on_is_given_up() {
    let Some((bus, direct, proxy, _)) = through_a_proxy().await else { return };
    let mut subscription = bus.subscribe(QUEUE, 10).await.unwrap();
    direct.publish(vec![message(0, INBOUND)]).await.unwrap();
    next(&mut subscription).await.ack();
    until_empty(&bus, &QUEUE).await;
    proxy.silent.send_replace(1);
    direct.publish(vec![message(1, INBOUND)]).await.unwrap();
    while bus.publish(vec![message(2, INBOUND)]).await.is_err() {}
    // The broker holds the cut connection's place in the queue until it misses its heartbeat, unless that ends first.
    for n in 1..3 {
        let delivery = next(&mut subscription).await;
        assert_eq!(delivery.envelope.id, n.to_string());
        delivery.ack();
    }
    assert!(bus.connections() >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_being_published_on_a_silent_connection_is_given_up_with_it() {
    let Some((bus, _, proxy, _)) = through_a_proxy().await else { return };
    bus.publish(vec![message(0, INBOUND)]).await.unwrap();
    proxy.silent.send_replace(1);
    let published = tokio::time::timeout(PATIENCE, bus.publish(vec![message(1, INBOUND)])).await;
    let refused = published.expect("it does not wait for the deadline").unwrap_err();
    assert!(matches!(refused, BusError::Unavailable(_)), "{refused}");
    while bus.publish(vec![message(1, INBOUND)]).await.is_err() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_stands_behind_the_active_consumer() {
    let Some((bus, direct, proxy, _)) = through_a_proxy().await else { return };
    let mut first = bus.subscribe(QUEUE, 4).await.unwrap();
    direct.publish(vec![message(0, INBOUND)]).await.unwrap();
    next(&mut first).await.ack();
    until_empty(&direct, &QUEUE).await;
    let mut second = direct.subscribe(QUEUE, 4).await.unwrap();
    proxy.silent.send_replace(1);
    direct.publish(vec![message(1, INBOUND)]).await.unwrap();
    let turn = next(&mut second).await;
    assert_eq!(turn.envelope.id, "1", "the broker gave the silent one up");
    // One more on the connection that was made anew, since only a new subscription says when it stands.
    let mut again = loop {
        if let Ok(subscription) = bus.subscribe(QUEUE, 4).await {
            break subscription;
        }
    };
    direct.publish((2..20).map(|n| message(n, INBOUND)).collect()).await.unwrap();
    turn.ack();
    for n in 2..20 {
        tokio::select! {
            delivery = next(&mut second) => {
                assert_eq!(delivery.envelope.id, n.to_string());
                delivery.ack();
            }
            _ = first.next() => panic!("the one that came back took over"),
            _ = again.next() => panic!("one that came later took over"),
        }
    }
    drop(second);
    direct.publish(vec![message(20, INBOUND)]).await.unwrap();
    let delivery = tokio::select! {
        delivery = next(&mut first) => delivery,
        delivery = next(&mut again) => delivery,
    };
    assert_eq!(delivery.envelope.id, "20", "now it is its turn");
}
