//! The simulator alone, with two accounts and no mesh behind them: `cargo run -p afluente-simulator --example standalone`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use afluente_simulator::{Config, Envelope, Pace, Provider, SimulatedAccount, service};
use domain::Secret;
use runtime::{
    Drain,
    http::{Http, HttpPolicy},
    metrics::Metrics,
};

#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let policy = HttpPolicy { allow: vec![base_url.clone()], ..HttpPolicy::default() };
    let gupshup = Provider::Gupshup {
        app_name: "LojaDemo".into(),
        source: "5511900000000".into(),
        api_key: Secret::new("demo"),
        hook_url: None,
        webhook_secret: Secret::new("demo"),
        envelope: Envelope::V2,
    };
    let account =
        |name: &str, provider| SimulatedAccount { name: name.into(), label: "Loja Afluente".into(), provider };
    let telegram = Provider::Telegram { token: Secret::new("1:demo") };
    let accounts = vec![account("demo-whatsapp", gupshup), account("demo-telegram", telegram)];
    let config = Config { base_url: base_url.clone(), accounts, pace: Pace::default(), seed: None };
    let service = service(config, Http::new(policy, Metrics::new()).unwrap());
    for task in service.tasks {
        tokio::spawn((task.run)(Drain::default()));
    }
    println!("{base_url}/simulator");
    axum::serve(listener, service.http).await.unwrap();
}
