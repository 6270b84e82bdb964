//! `afluente dev`: the whole mesh in one process, on one page.

use std::{path::PathBuf, sync::Arc};

use domain::Secret;
use ports::apis::{GateApi, RouterApi};
use runtime::{Service, metrics::Metrics};
use service_simulator::{Pace, Provider, SimulatedAccount};

use crate::{
    Place, compose,
    exit::{Problem, say},
    hooks::Hooks,
    keys::Keys,
    seed::{self, Demo},
    settings::Settings,
};

/// Runs until a signal.
pub(crate) async fn run(place: &Place, port: u16) -> Result<(), Problem> {
    let mut settings = Settings::load(place)?;
    let listener = compose::listen(&format!("127.0.0.1:{port}")).await?;
    let port = listener.local_addr()?.port();
    let url = format!("http://127.0.0.1:{port}");
    settings.mesh.public_url.clone_from(&url);
    // The simulators live on our own port; nothing else on a private address may be called.
    settings.mesh.http_allow.push(format!("127.0.0.1:{port}"));
    settings.desk = compose::with_channel_traits(settings.desk);
    let data: PathBuf = settings.mesh.data.clone();
    compose::make_folder(&data)?;
    let metrics = Metrics::new();
    let telemetry = compose::start_telemetry("dev", "dev")?;
    let world = bootstrap::world(&settings.mesh, "dev", metrics.clone()).await?;
    std::fs::write(data.join("public_url"), &url)?;
    let keys = settings.keys()?;
    let demo = Demo::of_folder(&data)?;
    demo.seed(world.env.directory.as_ref(), &url).await?;
    let services = services(&settings, &keys, &demo, &world.env, &url)?;
    let served = compose::serve_until_signal(services, &keys, listener, metrics, &settings, async {
        compose::until_ready(port).await;
        announce(&url, &demo);
    })
    .await;
    world.close().await;
    telemetry.shut_down(std::time::Duration::from_secs(5)).await;
    served
}

fn services(
    settings: &Settings,
    keys: &Keys,
    demo: &Demo,
    env: &runtime::Env,
    url: &str,
) -> Result<Vec<Service>, Problem> {
    let session = compose::session_config(keys)?;
    let gate: Arc<dyn GateApi> = Arc::new(service_session::SessionGate::new(&session, env.clone())?);
    let hooks = Hooks::connect(settings, url, Arc::clone(&env.directory), env.metrics.clone())?;
    let (router, handle) = service_router::service_with_hooks(settings.router.clone(), env.clone(), gate, hooks);
    let handle: Arc<dyn RouterApi> = Arc::new(handle);
    let mut services = vec![
        router,
        service_session::service(session, env.clone())?,
        service_desk::service(settings.desk.clone(), env.clone(), handle),
        service_simulator::service(simulated(demo, url), env.http.clone()),
    ];
    for name in compose::NAMES {
        services.push(compose::channel_service(name, settings, keys, env.clone())?);
    }
    Ok(services)
}

/// The providers of the demo company, played by ourselves.
fn simulated(demo: &Demo, url: &str) -> service_simulator::Config {
    let bare = demo.whatsapp_secret.trim_start_matches("Bearer ");
    service_simulator::Config {
        base_url: url.to_owned(),
        accounts: vec![
            SimulatedAccount {
                name: "demo-whatsapp".to_owned(),
                label: "Loja Demo".to_owned(),
                provider: Provider::Gupshup {
                    app_name: seed::WHATSAPP_APP.to_owned(),
                    source: seed::WHATSAPP_SOURCE.to_owned(),
                    api_key: Secret::new(&demo.whatsapp_key),
                    hook_url: Some(format!("{url}/hooks/whatsapp/demo-whatsapp")),
                    webhook_secret: Secret::new(bare),
                    envelope: service_simulator::Envelope::V2,
                },
            },
            SimulatedAccount {
                name: "demo-telegram".to_owned(),
                label: "Loja Demo".to_owned(),
                provider: Provider::Telegram { token: Secret::new(&demo.telegram_token) },
            },
        ],
        pace: Pace::default(),
        seed: None,
    }
}

fn announce(url: &str, demo: &Demo) {
    say(format_args!("desk:      {url}/"));
    say(format_args!("widget:    {url}/webchat/demo"));
    say(format_args!("simulator: {url}/simulator"));
    say(format_args!("sign-in: {} {}", seed::EMAIL, demo.password));
}
