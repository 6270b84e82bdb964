//! The mesh as it is deployed, on one machine: each service a process, in two replicas, on private servers, with one
//! broker user each. `make mesh` serves it for a person; `make chaos` puts load on it, does it harm by a seeded schedule,
//! and judges what came through.
//!
//! It is not a test of speed, and it does not look inside: it speaks to the mesh as providers and agents do, and
//! believes only the simulated provider's log, the desk, the visitors' pages and the operator's audit. Read `mesh/` for
//! the deployment, `load/` for who writes, `faults.rs` for the harm, `judge.rs`, `charges.rs` and `audit.rs` for what is
//! wrong, `verdict.rs` for what is told.
#![expect(clippy::disallowed_methods, reason = "it measures real time and speaks HTTP from outside of the mesh")]

mod amqp;
mod audit;
mod charges;
mod faults;
mod judge;
mod ledger;
mod load;
mod mesh;
mod probe;
mod process;
mod relay;
mod serve;
mod servers;
mod verdict;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    /// The binary under test; beside this one when left out.
    #[arg(long, global = true)]
    binary: Option<PathBuf>,
    /// The binary of a release before it, with which everything begins: an upgrade of a service then is one, and until
    /// each has had its own, both releases are in the mesh.
    #[arg(long, global = true)]
    former: Option<PathBuf>,
    /// Where data, logs and servers go; a temporary folder when left out. Kept when given.
    #[arg(long, global = true)]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Serve the mesh until Ctrl-C.
    Serve,
    /// Load, harm, verdict.
    Run {
        /// How long the harm goes on. One of each family of harm is done, however short this is.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Repeats a schedule; random when left out.
        #[arg(long)]
        seed: Option<u64>,
        /// Only this harm, by its printed name or its family's; each of it at least once.
        #[arg(long)]
        only: Vec<String>,
        /// Customers who write.
        #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..10_000))]
        customers: u32,
        /// Charges a message that waited longer than this after a harm to the mesh or its servers was mended. The longest
        /// wait is always printed. None by default: a debug build on a slow machine stalls without any fault of its own;
        /// a release build on an idle one stays below 10 s.
        #[arg(long, value_name = "SECONDS")]
        stall_limit: Option<u64>,
    },
}

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a command line tool")]
async fn main() -> ExitCode {
    drop(rustls::crypto::ring::default_provider().install_default());
    let cli = Cli::parse();
    let place = mesh::Place { binary: cli.binary, former: cli.former, folder: cli.folder };
    let done = match cli.what {
        What::Serve => serve::serve(place).await.map(|()| true),
        What::Run { seconds, seed, only, customers, stall_limit } => {
            let plan = faults::Plan {
                span: Duration::from_secs(seconds),
                seed: seed.unwrap_or_else(rand::random),
                only,
                customers,
                stall_limit: stall_limit.map(Duration::from_secs),
            };
            judge::run(place, plan).await
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem:#}");
            ExitCode::FAILURE
        }
    }
}
