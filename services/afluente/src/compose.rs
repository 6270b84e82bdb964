//! The parts list: which channels there are, and how each service is made of its configuration.

use std::{path::Path, sync::Arc};

use channel_kit::{ChannelType, Ingress, KitConfig, OpenAccount};
use runtime::{
    Drain, Env, Service,
    grpc::MeshPass,
    metrics::Metrics,
    serve::{drain_on_signals, serve},
    telemetry::{self, Options, Telemetry},
};
use tokio::net::TcpListener;

use crate::{exit::Problem, keys::Keys, settings::Settings};

/// The channels of this binary. A new one is a line here and in [`channel`].
pub(crate) const NAMES: [&str; 3] = ["whatsapp", "telegram", "webchat"];

/// The channel of this name.
pub(crate) fn channel(name: &str) -> Option<Arc<dyn ChannelType>> {
    match name {
        "whatsapp" => Some(Arc::new(channel_whatsapp::Whatsapp)),
        "telegram" => Some(Arc::new(channel_telegram::Telegram)),
        "webchat" => Some(Arc::new(channel_webchat::Webchat)),
        _ => None,
    }
}

/// The header in which the provider shows the account's secret, where it calls us.
pub(crate) fn secret_header(open: &OpenAccount) -> Option<&'static str> {
    match &open.ingress {
        Ingress::Webhook(webhook) => Some(webhook.secret_header()),
        Ingress::Poll(_) | Ingress::Link(_) => None,
    }
}

/// The service of one channel.
pub(crate) fn channel_service(name: &str, settings: &Settings, keys: &Keys, env: Env) -> Result<Service, Problem> {
    let kind = channel(name).ok_or_else(|| Problem::usage(format!("no channel '{name}'")))?;
    let public = hex::decode(&keys.permit_public).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let public = public.ok_or_else(|| Problem::usage("'keys.permit_public' must be 32 bytes in hex"))?;
    let media = hex::decode(&keys.media).map_err(|_| Problem::usage("'keys.media' must be hex"))?;
    let mut config = KitConfig::new(public, media);
    config.body_limit = settings.channel.body_limit;
    config.spool_limit = settings.channel.spool_limit;
    config.inbound_backlog = settings.channel.inbound_backlog;
    Ok(channel_kit::channel_service(kind, config, env))
}

/// What the desk must know of the channels: which ticks can come, whether files can be sent.
pub(crate) fn with_channel_traits(mut desk: service_desk::Config) -> service_desk::Config {
    for name in NAMES {
        if let Some(kind) = channel(name) {
            desk.channels.insert(name.to_owned(), (&kind.capabilities()).into());
        }
    }
    desk
}

/// The session service's configuration with its key.
pub(crate) fn session_config(keys: &Keys) -> Result<service_session::Config, Problem> {
    let seed = keys.permit_seed.as_deref();
    let seed =
        seed.ok_or_else(|| Problem::usage("'keys.permit_seed' is missing: the session service signs with it"))?;
    Ok(service_session::Config::new(seed))
}

/// Logs and traces of this process.
pub(crate) fn start_telemetry(service: &str, replica: &str) -> Result<Telemetry, Problem> {
    let mut options = Options::from_environment(format!("afluente-{service}"), replica);
    if service == "dev" {
        // A person at a terminal reads this, and the address lines must not drown.
        options.json = false;
        if options.filter.starts_with("info,") {
            options.filter.replace_range(.."info".len(), "warn");
        }
    }
    telemetry::start(&options).map_err(|problem| Problem::usage(problem.to_string()))
}

/// Takes the port, or says plainly why not.
pub(crate) async fn listen(address: &str) -> Result<TcpListener, Problem> {
    TcpListener::bind(address).await.map_err(|problem| match problem.kind() {
        std::io::ErrorKind::AddrInUse => Problem::failed(format!("the address {address} is in use by another process")),
        _ => Problem::failed(format!("cannot listen on {address}: {problem}")),
    })
}

/// The pass by which this mesh's services know each other: it comes from the secret that all of them have.
pub(crate) fn mesh_pass(keys: &Keys) -> MeshPass {
    MeshPass::of(keys.media.as_bytes())
}

/// Serves until a signal, then drains. gRPC is for services of this mesh only.
pub(crate) async fn serve_until_signal(
    mut services: Vec<Service>,
    keys: &Keys,
    listener: TcpListener,
    metrics: Metrics,
    settings: &Settings,
    ready: impl Future<Output = ()>,
) -> Result<(), Problem> {
    let pass = mesh_pass(keys);
    for service in &mut services {
        service.grpc = service.grpc.take().map(|routes| pass.guard(routes));
    }
    let drain: Drain = drain_on_signals()?;
    let deadline = std::time::Duration::from_secs(settings.drain_seconds);
    let serving = serve(services, listener, metrics, drain, deadline);
    tokio::pin!(serving);
    tokio::select! {
        done = &mut serving => return Ok(done?),
        () = ready => {}
    }
    Ok(serving.await?)
}

/// Resolves when the process's own `/readyz` answers 200.
pub(crate) async fn until_ready(port: u16) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let ask = async || -> std::io::Result<bool> {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await?;
        let mut head = [0u8; 12];
        stream.read_exact(&mut head).await?;
        Ok(head.ends_with(b"200"))
    };
    while !ask().await.unwrap_or(false) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// The folder exists and can be written, or the operator hears which one cannot.
pub(crate) fn make_folder(data: &Path) -> Result<(), Problem> {
    std::fs::create_dir_all(data)
        .map_err(|problem| Problem::failed(format!("the data folder {} cannot be written: {problem}", data.display())))
}
