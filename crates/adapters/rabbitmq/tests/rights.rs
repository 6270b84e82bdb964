//! One broker user for each service, with the least rights: they suffice, and only the session service passes the gate.
//! Needs `AFLUENTE_TEST_AMQP` and `AFLUENTE_TEST_SERVERS`, the folder of the private servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::disallowed_methods)]

mod support;

use std::{
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use afluente_adapter_rabbitmq::{RabbitBus, RabbitConfig, rights, set_up};
use domain::{Channel, Partition};
use lapin::{BasicProperties, Connection, ConnectionProperties, options::BasicPublishOptions};
use ports::{
    Bus as _,
    bus::BusError,
    topology::{Party, Queue, Topic},
};
use support::{config, message, next};

fn whatsapp() -> Channel {
    "whatsapp".parse().unwrap()
}

/// The broker's map declared by an administrator, and a user for each service; none without servers.
async fn mesh() -> Option<RabbitConfig> {
    let url = ports::conformance::server("AFLUENTE_TEST_AMQP")?;
    let folder = ports::conformance::server("AFLUENTE_TEST_SERVERS")?;
    let administrator = config(&url);
    set_up(administrator.clone()).await.unwrap();
    let mut lines = String::new();
    for party in Party::all(&administrator.channels) {
        let least = rights(&party, &administrator.namespace);
        let user = user(&administrator, &party);
        let words = [user, least.configure, least.write, least.read].map(|word| format!("'{word}'"));
        writeln!(lines, "rabbitmqctl set_permissions -p '/' {}", words.join(" ")).unwrap();
    }
    tokio::task::spawn_blocking(move || users(&folder, &lines)).await.unwrap();
    Some(administrator)
}

fn users(folder: &str, lines: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../scripts/servers.sh");
    let mut making = Command::new(script)
        .args(["users", folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("servers.sh");
    making.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(making.wait().unwrap().success(), "the users could not be made");
}

fn user(administrator: &RabbitConfig, party: &Party) -> String {
    format!("{}{party}", administrator.namespace)
}

/// How this service would be configured.
fn service(administrator: &RabbitConfig, party: &Party) -> RabbitConfig {
    let user = user(administrator, party);
    let url = administrator.url.replace("guest:guest", &format!("{user}:{user}"));
    RabbitConfig { url, declare: false, ..administrator.clone() }
}

/// Every topic of the families that it publishes to.
fn topics(party: &Party) -> Vec<Topic> {
    let p = Partition(1);
    [
        Topic::Inbound(p),
        Topic::Consent(p),
        Topic::Requested(p),
        Topic::Outbound(whatsapp(), p),
        Topic::Media(whatsapp()),
        Topic::Distribution(p),
        Topic::Events,
        Topic::Links(whatsapp()),
        Topic::Parked,
    ]
    .into_iter()
    .filter(|topic| party.publishes().contains(&topic.exchange()))
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_4_the_least_rights_suffice_and_only_the_session_service_publishes_outbound() {
    let Some(administrator) = mesh().await else { return };
    let outbound = message("past the gate", Topic::Outbound(whatsapp(), Partition(0)));
    for party in Party::all(&administrator.channels) {
        let bus = RabbitBus::connect(service(&administrator, &party)).await.unwrap();
        for topic in topics(&party) {
            bus.publish(vec![message(format!("{party} {topic:?}"), topic.clone())])
                .await
                .unwrap_or_else(|error| panic!("{party} publishes {topic:?}: {error}"));
        }
        let refused = bus.publish(vec![outbound.clone()]).await;
        match party {
            Party::Session => refused.unwrap(),
            _ => assert!(matches!(refused, Err(BusError::Forbidden(_))), "{party}: {refused:?}"),
        }
    }
    for party in Party::all(&administrator.channels) {
        let bus = RabbitBus::connect(service(&administrator, &party)).await.unwrap();
        if let Some(topic) = party.hears() {
            let queue = Queue::Fanout { topic: topic.clone(), replica: "one".to_owned() };
            let mut heard = bus.subscribe(queue, 10).await.unwrap();
            let speaker = if topic == Topic::Events { Party::Router } else { party.clone() };
            let speaker = RabbitBus::connect(service(&administrator, &speaker)).await.unwrap();
            speaker.publish(vec![message("heard", topic)]).await.unwrap();
            next(&mut heard).await.ack();
        }
        if matches!(party, Party::Channel(_)) {
            // How much waits at the routers: what an account's share is measured against.
            let looked = bus.depth(&Queue::RouterInbound(Partition(0))).await;
            looked.unwrap_or_else(|error| panic!("{party} looks: {error}"));
        }
        for queue in party.consumes(2) {
            let mut subscription = bus.subscribe(queue.clone(), 10).await.unwrap();
            if bus.depth(&queue).await.unwrap().ready + bus.depth(&queue).await.unwrap().unsettled == 0 {
                continue;
            }
            let first = next(&mut subscription).await;
            let id = first.envelope.id.clone();
            first.retry(Duration::from_millis(10));
            let mut again = next(&mut subscription).await;
            while again.envelope.id != id {
                again.ack();
                again = next(&mut subscription).await;
            }
            assert_eq!(again.attempt, 2, "{queue}");
            if queue == Queue::RouterParked { again.ack() } else { again.park("poison", "of no use") }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_4_no_way_leads_round_the_exchange() {
    let Some(administrator) = mesh().await else { return };
    let queue = format!("{}whatsapp.outbound.0", administrator.namespace);
    for party in [Party::Router, Party::Channel(whatsapp()), Party::Desk] {
        let url = service(&administrator, &party).url;
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let back = format!("{}afluente.back.whatsapp", administrator.namespace);
        let retry = format!("{}afluente.retry.whatsapp", administrator.namespace);
        let ways =
            [("", queue.as_str()), (back.as_str(), "100.whatsapp.outbound.0"), (&retry, "100.whatsapp.outbound.0")];
        for (exchange, key) in ways {
            // Its own retries are a channel's right, and the permit's signature still holds there.
            if exchange == retry && party == Party::Channel(whatsapp()) {
                continue;
            }
            let channel = connection.create_channel().await.unwrap();
            channel.confirm_select(Default::default()).await.unwrap();
            let properties = BasicProperties::default();
            let options = BasicPublishOptions::default();
            let sent = channel.basic_publish(exchange.into(), key.into(), options, b"x", properties).await;
            let refused = match sent {
                Ok(confirm) => confirm.await.map(|_| ()),
                Err(error) => Err(error),
            };
            let said = refused.expect_err("the broker refuses").to_string();
            assert!(said.contains("ACCESS_REFUSED") || said.contains("403"), "{party} by '{exchange}': {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_without_the_right_to_declare_says_so() {
    let Some(administrator) = mesh().await else { return };
    let router = RabbitConfig { declare: true, ..service(&administrator, &Party::Router) };
    let refused = RabbitBus::connect(router).await.unwrap_err();
    assert!(matches!(refused, BusError::Forbidden(_)), "{refused}");
}
