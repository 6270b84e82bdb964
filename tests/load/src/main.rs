//! The load generator of `make bench`: webhooks into a running mesh, agents' replies out of it, and the raw limit of its
//! broker beside it. It prints one JSON object for each run. It is not a test: nothing here decides pass or fail.
//!
//! Read `mesh.rs` for the way in, `replies.rs` for the way out and `provider.rs` for who takes them there.
#![expect(clippy::disallowed_methods, reason = "it measures real time, and its one unbounded channel holds one run")]

mod backlog;
mod doors;
mod fates;
mod http;
mod mesh;
mod pace;
mod provider;
mod raw;
mod replies;
mod stats;

use std::sync::Arc;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Load on a running mesh.
    Mesh(mesh::Mesh),
    /// Replies of agents at a running mesh, out to a provider that is played here.
    Replies(replies::Replies),
    /// Webhooks that nobody works on yet.
    Backlog(backlog::Backlog),
    /// The raw limit of RabbitMQ.
    RawAmqp {
        /// `amqp://user:password@host:port/vhost`.
        #[arg(long)]
        url: String,
        /// How many messages.
        #[arg(long, default_value_t = 50_000)]
        messages: u32,
    },
    /// The raw limit of the embedded bus.
    RawEmbedded {
        /// How many messages.
        #[arg(long, default_value_t = 50_000)]
        messages: u32,
    },
}

#[tokio::main]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]
async fn main() -> std::process::ExitCode {
    let result = match Cli::parse().what {
        What::Mesh(plan) => mesh::run(plan).await,
        What::Replies(plan) => replies::run(plan).await,
        What::Backlog(plan) => backlog::run(plan).await,
        What::RawAmqp { url, messages } => raw_amqp(&url, messages).await,
        What::RawEmbedded { messages } => raw_embedded(messages).await,
    };
    match result {
        Ok(figures) => {
            println!("{figures}");
            std::process::ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn raw_amqp(url: &str, messages: u32) -> Result<serde_json::Value, String> {
    let channel = "load".parse().map_err(|_| "a channel name".to_owned())?;
    let mut config = adapter_rabbitmq::RabbitConfig::new(url, 1, vec![channel], "afluente-load");
    // Beside whatever else lives on this broker.
    "load-".clone_into(&mut config.namespace);
    let bus = adapter_rabbitmq::RabbitBus::connect(config).await.map_err(|problem| problem.to_string())?;
    raw::run(Arc::new(bus), messages).await
}

async fn raw_embedded(messages: u32) -> Result<serde_json::Value, String> {
    let folder = tempfile::tempdir().map_err(|problem| problem.to_string())?;
    let options = adapter_embedded::EmbeddedOptions::default();
    let embedded =
        adapter_embedded::Embedded::open(folder.path(), options).await.map_err(|problem| problem.to_string())?;
    let figures = raw::run(Arc::clone(&embedded.bus) as Arc<dyn ports::Bus>, messages).await;
    embedded.close().await;
    figures
}
