//! The one binary: all services in one process, each of them alone, and the operator's commands.
//!
//! It composes and it asks; it decides nothing. Read `dev.rs` for the whole mesh on one page, `single.rs` for one
//! service, `admin/` for the command line.

mod admin;
mod compose;
mod dev;
mod exit;
mod hooks;
mod keys;
mod redrive;
mod seed;
mod settings;
mod single;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

/// Many threads that allocate and free small things: the system's allocator made them wait for each other, and kept what
/// a burst had taken (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Afluente: an omnichannel customer-service mesh.
#[derive(Parser)]
#[command(version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Where the configuration is.
#[derive(Args, Clone)]
struct Place {
    /// Configuration file (TOML). Environment variables `AFLUENTE_...` come after it and win.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The data folder; wins over the configuration.
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
}

/// How one service runs.
#[derive(Args, Clone)]
struct Run {
    #[command(flatten)]
    place: Place,
    /// Where to listen (HTTP, gRPC and WebSocket on one port); wins over the configuration.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Read the configuration, say whether it is good, and exit.
    #[arg(long)]
    check: bool,
    /// Print the configuration as it was understood, secrets hidden, and exit.
    #[arg(long)]
    print: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Everything in one process, with a demo company and provider simulators.
    Dev {
        #[command(flatten)]
        place: Place,
        /// The port on the loopback address; 0 takes a spare one.
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
    /// The router alone.
    Router(Run),
    /// The session service (the gate) alone.
    Session(Run),
    /// The desk alone.
    Desk(Run),
    /// The WhatsApp channel alone.
    Whatsapp(Run),
    /// The Telegram channel alone.
    Telegram(Run),
    /// The webchat channel alone.
    Webchat(Run),
    /// The provider simulators alone.
    Simulator(Run),
    /// Channel accounts.
    #[command(subcommand)]
    Account(admin::account::Command),
    /// People who sign in.
    #[command(subcommand)]
    User(admin::user::Command),
    /// Count what was accepted and what became of it.
    Audit(admin::audit::Audit),
    /// Print fresh keys for a mesh, as a section of the configuration file.
    Keys,
    /// The map on the broker, and the rights of each service there.
    #[command(subcommand)]
    Broker(admin::broker::Command),
    /// Messages that could not go on.
    #[command(subcommand)]
    Parked(admin::parked::Command),
}

/// The allocator is built to ask for no huge pages: a service that does nothing touches a little of many, and held 26 MiB
/// of its own instead of 5. Some systems give them to whoever does not ask, too, and are told so here; what is in use
/// before `main` stays then. Where the system cannot be told, it is as it was.
fn without_huge_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn main() -> ExitCode {
    without_huge_pages();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => {
            let _ = said.print();
            // Help and version are answers; anything else is a usage error like a bad configuration.
            return if said.use_stderr() { ExitCode::from(runtime::config::EXIT_CONFIG) } else { ExitCode::SUCCESS };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(problem) => return exit::fail(&exit::Problem::failed(format!("cannot start the runtime: {problem}"))),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Dev { place, port } => dev::run(&place, port).await,
            Command::Router(run) => single::run(single::Kind::Router, &run).await,
            Command::Session(run) => single::run(single::Kind::Session, &run).await,
            Command::Desk(run) => single::run(single::Kind::Desk, &run).await,
            Command::Whatsapp(run) => single::run(single::Kind::Channel("whatsapp"), &run).await,
            Command::Telegram(run) => single::run(single::Kind::Channel("telegram"), &run).await,
            Command::Webchat(run) => single::run(single::Kind::Channel("webchat"), &run).await,
            Command::Simulator(run) => single::run(single::Kind::Simulator, &run).await,
            Command::Account(command) => admin::account::run(command).await,
            Command::User(command) => admin::user::run(command).await,
            Command::Audit(audit) => admin::audit::run(&audit).await,
            Command::Keys => keys::print(),
            Command::Broker(command) => admin::broker::run(command).await,
            Command::Parked(command) => admin::parked::run(command).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => exit::fail(&problem),
    }
}
