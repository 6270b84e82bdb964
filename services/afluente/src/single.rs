//! One service of the mesh in a process of its own.

use std::sync::Arc;

use runtime::{Env, Service, grpc, metrics::Metrics};

use crate::{
    Run, compose,
    exit::{Problem, say},
    hooks::Hooks,
    keys::Keys,
    settings::Settings,
};

/// Which service.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// The router.
    Router,
    /// The session service.
    Session,
    /// The desk.
    Desk,
    /// A channel.
    Channel(&'static str),
    /// The provider simulators.
    Simulator,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Session => "session",
            Self::Desk => "desk",
            Self::Channel(name) => name,
            Self::Simulator => "simulator",
        }
    }
}

/// Runs until a signal.
pub(crate) async fn run(kind: Kind, run: &Run) -> Result<(), Problem> {
    let mut settings = Settings::load(&run.place)?;
    if let Some(listen) = &run.listen {
        settings.listen.clone_from(listen);
    }
    if run.print {
        say(runtime::config::printable(&settings));
        return Ok(());
    }
    if run.check {
        say(format_args!("the configuration of {} is good", kind.name()));
        return Ok(());
    }
    let listener = compose::listen(&settings.listen).await?;
    compose::make_folder(&settings.mesh.data)?;
    let metrics = Metrics::new();
    let replica = settings.mesh.replica.clone().unwrap_or_else(|| format!("{}-{}", kind.name(), std::process::id()));
    let telemetry = compose::start_telemetry(kind.name(), &replica)?;
    let world = bootstrap::world(&settings.mesh, kind.name(), metrics.clone()).await?;
    let keys = settings.keys()?;
    let service = service(kind, &settings, &keys, world.env.clone())?;
    #[cfg(target_os = "linux")]
    tokio::spawn(settle_down());
    let served = compose::serve_until_signal(vec![service], &keys, listener, metrics, &settings, async {}).await;
    world.close().await;
    telemetry.shut_down(std::time::Duration::from_secs(5)).await;
    served
}

/// How long a start takes at the most, on servers that are there.
#[cfg(target_os = "linux")]
const START: std::time::Duration = std::time::Duration::from_secs(5);

/// Lets go of what only the start needed: with it, most of what an idle service holds is code that it does not use.
#[cfg(target_os = "linux")]
async fn settle_down() {
    tokio::time::sleep(START).await;
    match tokio::task::spawn_blocking(pages::give_back).await {
        Ok(Ok(bytes)) => tracing::debug!(bytes, "the start's code was given back"),
        Ok(Err(error)) => tracing::debug!(%error, "the start's code stays in memory"),
        Err(_) => tracing::debug!("giving the start's code back broke off"),
    }
}

fn service(kind: Kind, settings: &Settings, keys: &Keys, env: Env) -> Result<Service, Problem> {
    let metrics = env.metrics.clone();
    Ok(match kind {
        Kind::Router => {
            let gate = grpc::GateClient::connect(&settings.peers.session, metrics)
                .map_err(|problem| Problem::usage(format!("'peers.session': {problem}")))?
                .with_pass(&compose::mesh_pass(keys));
            let directory = Arc::clone(&env.directory);
            let hooks = Hooks::connect(settings, &settings.public_url(), directory, env.metrics.clone())?;
            service_router::service_with_hooks(settings.router.clone(), env, Arc::new(gate), hooks).0
        }
        Kind::Session => service_session::service(compose::session_config(keys)?, env)?,
        Kind::Desk => {
            let router = grpc::RouterClient::connect(&settings.peers.router, metrics)
                .map_err(|problem| Problem::usage(format!("'peers.router': {problem}")))?
                .with_pass(&compose::mesh_pass(keys));
            let desk = compose::with_channel_traits(settings.desk.clone());
            service_desk::service(desk, env, Arc::new(router))
        }
        Kind::Channel(name) => compose::channel_service(name, settings, keys, env)?,
        Kind::Simulator => {
            let config = settings.simulator.clone();
            let config = config.ok_or_else(|| Problem::usage("'simulator' is missing: say what is simulated"))?;
            service_simulator::service(config, env.http)
        }
    })
}
