//! One channel as a service of the mesh.

use std::{future::Future, sync::Arc};

use domain::{Account, Channel};
use runtime::{Check, Drain, Env, OnFailure, Service, Task, grpc::channel_server, names::metric};

use crate::{
    account_http::ThroughRuntime,
    backlog,
    config::KitConfig,
    contract::ChannelType,
    grpc::Info,
    http::Exchange,
    jobs,
    kit::{Exchanges, Kit},
    link, media, media_links, outbound,
    stamps::Confirming,
    tally, webhook,
};

/// The service of one channel: its webhooks, polls and links in, its pump out, its media jobs, its checks.
///
/// Routes: `/hooks/<channel>/{account}`, `/link/<channel>/{account}/ws` and `/media`, `/media/<channel>/{token}`; the
/// names of channels keep those of several channels in one process apart.
pub fn channel_service(kind: Arc<dyn ChannelType>, config: KitConfig, env: Env) -> Service {
    let http = env.http.clone();
    let exchanges: Exchanges = Arc::new(move |_: &Account| Arc::new(ThroughRuntime(http.clone())) as Arc<dyn Exchange>);
    channel_service_over(kind, config, env, exchanges)
}

/// [`channel_service`] with another way to the providers: a script, for tests.
pub fn channel_service_over(kind: Arc<dyn ChannelType>, config: KitConfig, env: Env, exchanges: Exchanges) -> Service {
    match kind.name().parse::<Channel>() {
        Ok(channel) => build(Arc::new(Kit::new(kind, channel, config, env, exchanges))),
        Err(wrong) => broken(kind.name(), &wrong.to_string()),
    }
}

/// A channel whose name cannot be a route or a queue: the process says so and stops.
fn broken(name: &str, reason: &str) -> Service {
    let reason = reason.to_owned();
    let task = Task::new(format!("{name} name"), OnFailure::Stop, move |_| {
        let reason = reason.clone();
        async move { Err(reason) }
    });
    Service {
        name: name.to_owned(),
        http: axum::Router::new(),
        grpc: None,
        grpc_names: Vec::new(),
        tasks: vec![task],
        checks: Vec::new(),
    }
}

/// The service around a kit.
pub(crate) fn build(kit: Arc<Kit>) -> Service {
    let http = webhook::routes(Arc::clone(&kit))
        .merge(link::routes(Arc::clone(&kit)))
        .merge(media_links::routes(Arc::clone(&kit)));
    Service {
        name: kit.channel.to_string(),
        http,
        grpc: Some(channel_server(Arc::new(Info(Arc::clone(&kit))), kit.env.metrics.clone())),
        grpc_names: vec![runtime::grpc::CHANNEL.to_owned()],
        tasks: tasks(&kit),
        checks: checks(&kit),
    }
}

fn tasks(kit: &Arc<Kit>) -> Vec<Task> {
    vec![
        task(kit, "accounts", jobs::reload),
        task(kit, "account jobs", jobs::supervise),
        task(kit, "spool", drain_spool),
        task(kit, "tally", tally::run),
        task(kit, "backlog", backlog::run),
        task(kit, "outbound", outbound::run),
        task(kit, "media", media::run),
        task(kit, "links", link::listen),
    ]
}

fn task<F, R>(kit: &Arc<Kit>, name: &str, run: F) -> Task
where
    F: Fn(Arc<Kit>, Drain) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), String>> + Send + 'static,
{
    let kit = Arc::clone(kit);
    Task::new(format!("{} {name}", kit.channel), OnFailure::Restart, move |drain| run(Arc::clone(&kit), drain))
}

async fn drain_spool(kit: Arc<Kit>, drain: Drain) -> Result<(), String> {
    let spool = kit.intake.spool.clone();
    let bus = Confirming { inner: Arc::clone(&kit.env.bus), stamps: kit.intake.stamps.clone() };
    let gauges = async {
        loop {
            kit.gauge(metric::SPOOL_MESSAGES, spool.pending());
            kit.gauge(metric::SPOOL_BYTES, spool.bytes());
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        }
    };
    tokio::select! {
        () = spool.drain(&bus, &drain) => {}
        () = gauges => {}
    }
    Ok(())
}

fn checks(kit: &Arc<Kit>) -> Vec<Check> {
    let spool = kit.intake.spool.clone();
    let broker = Arc::clone(kit);
    let accounts = Arc::clone(kit);
    vec![
        Check {
            name: "spool".to_owned(),
            run: Arc::new(move || {
                let spool = spool.clone();
                Box::pin(async move { spool.check().await.map_err(|error| error.to_string()) })
            }),
        },
        Check {
            name: "broker".to_owned(),
            run: Arc::new(move || {
                let kit = Arc::clone(&broker);
                Box::pin(async move { broker_or_spool(&kit).await })
            }),
        },
        Check {
            name: "accounts".to_owned(),
            run: Arc::new(move || {
                let loaded = accounts.accounts.loaded();
                Box::pin(async move { if loaded { Ok(()) } else { Err("the accounts were not read yet".to_owned()) } })
            }),
        },
    ]
}

/// What matters is to accept durably: a broker that is away is no reason to turn calls away while the disk takes them.
pub(crate) async fn broker_or_spool(kit: &Kit) -> Result<(), String> {
    let asked = tokio::time::timeout(std::time::Duration::from_secs(2), kit.env.bus.check()).await;
    let away = match asked {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the broker does not answer".to_owned(),
    };
    kit.intake.spool.check().await.map_err(|spool| format!("{away}; {spool}"))
}
