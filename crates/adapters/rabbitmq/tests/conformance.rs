//! The bus's suite of `ports::conformance` against a real RabbitMQ. Without `AFLUENTE_TEST_AMQP` (see
//! `scripts/servers.sh`) each test says that it was skipped. Every test has a namespace of its own.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods)]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use afluente_adapter_rabbitmq::{RabbitBus, RabbitConfig};
use ports::Bus;

async fn fresh() -> Option<(Arc<dyn Bus>, ())> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let url = ports::conformance::server("AFLUENTE_TEST_AMQP")?;
    let namespace = format!("c{}-{}.", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let config = RabbitConfig { namespace, ..RabbitConfig::new(url, 2, vec!["whatsapp".parse().unwrap()], "test") };
    Some((Arc::new(RabbitBus::connect(config).await.unwrap()), ()))
}

ports::conformance!(bus, fresh());
