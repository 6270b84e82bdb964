//! What releases before this one bound goes when an administrator says so, and not before.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use afluente_adapter_rabbitmq::{RabbitBus, set_up, tidy};
use domain::Partition;
use lapin::{Connection, ConnectionProperties};
use ports::{
    Bus as _,
    topology::{Queue, Topic},
};
use support::{INBOUND, config, message, until_ready};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_services_share_of_what_comes_in_is_taken_away_by_tidy_alone() {
    let Some(url) = ports::conformance::server("AFLUENTE_TEST_AMQP") else { return };
    let administrator = config(&url);
    let session = Queue::SessionInbound(Partition(0));
    // Nothing to take away, and not even a queue: it is made.
    tidy(administrator.clone()).await.unwrap();
    let (queue, exchange) =
        (format!("{}{session}", administrator.namespace), format!("{}afluente.inbound", administrator.namespace));
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let (options, arguments) = Default::default();
    channel.queue_bind(queue.as_str().into(), exchange.as_str().into(), "0".into(), options, arguments).await.unwrap();

    set_up(administrator.clone()).await.unwrap();
    let bus = RabbitBus::connect(administrator.clone()).await.unwrap();
    bus.publish(vec![message("before", INBOUND)]).await.unwrap();
    until_ready(&bus, &session, 1).await;
    tidy(administrator.clone()).await.unwrap();
    tidy(administrator).await.unwrap();
    bus.publish(vec![message("after", INBOUND)]).await.unwrap();
    bus.publish(vec![message("told", Topic::Consent(Partition(0)))]).await.unwrap();
    until_ready(&bus, &Queue::RouterInbound(Partition(0)), 2).await;
    until_ready(&bus, &session, 2).await;
    let mut left = bus.subscribe(session, 10).await.unwrap();
    for id in ["before", "told"] {
        let delivery = support::next(&mut left).await;
        assert_eq!(delivery.envelope.id, id);
        delivery.ack();
    }
}
