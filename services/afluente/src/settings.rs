//! The configuration file: one section for the mesh, one for each service. `AFLUENTE_<SECTION>__<KEY>` in the
//! environment comes after the file and wins.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Place, exit::Problem, keys::Keys};

/// Everything that can be configured.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where to listen, `HOST:PORT`.
    pub listen: String,
    /// Seconds that a drain may take.
    pub drain_seconds: u64,
    /// Broker, store, cache, media.
    pub mesh: bootstrap::Config,
    /// The installation's keys; made in the data folder when left out.
    pub keys: Option<Keys>,
    /// The router.
    pub router: service_router::Config,
    /// The session service, without its key.
    pub session: Session,
    /// The desk.
    pub desk: service_desk::Config,
    /// Where the other services are.
    pub peers: Peers,
    /// Channels.
    pub channel: Channel,
    /// The simulators, for `afluente simulator`.
    pub simulator: Option<service_simulator::Config>,
}

/// The session service's own settings.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Session {}

/// gRPC addresses of the services that others call.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Peers {
    /// The router, for the desk.
    pub router: String,
    /// The session service, for the router.
    pub session: String,
}

impl Default for Peers {
    fn default() -> Self {
        Self { router: "http://127.0.0.1:8081".to_owned(), session: "http://127.0.0.1:8082".to_owned() }
    }
}

/// What every channel service may set.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Channel {
    /// The largest webhook body, in bytes.
    pub body_limit: usize,
    /// The largest disk spool, in bytes.
    pub spool_limit: u64,
    /// The most messages that wait at the routers before an account that takes more than its share is refused; 0 refuses
    /// nobody.
    pub inbound_backlog: u64,
}

impl Default for Channel {
    fn default() -> Self {
        Self { body_limit: 1 << 20, spool_limit: 1 << 30, inbound_backlog: 20_000 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8080".to_owned(),
            drain_seconds: 30,
            mesh: bootstrap::Config::default(),
            keys: None,
            router: service_router::Config::default(),
            session: Session::default(),
            desk: service_desk::Config::default(),
            peers: Peers::default(),
            channel: Channel::default(),
            simulator: None,
        }
    }
}

impl Settings {
    /// Reads file and environment.
    ///
    /// # Errors
    /// Exit code 64 and one line that names the key.
    pub(crate) fn load(place: &Place) -> Result<Self, Problem> {
        let mut settings: Self = runtime::config::load(place.config.as_deref(), "AFLUENTE_")
            .map_err(|problem| Problem::usage(problem.to_string()))?;
        if let Some(data) = &place.data {
            settings.mesh.data = PathBuf::from(data);
        }
        settings.mesh.validate().map_err(|problem| Problem::usage(problem.to_string()))?;
        settings.desk.check().map_err(|problem| Problem::usage(format!("desk.{problem}")))?;
        if settings.listen.parse::<std::net::SocketAddr>().is_err() && !settings.listen.contains(':') {
            return Err(Problem::usage(format!("'listen' must be HOST:PORT, not '{}'", settings.listen)));
        }
        for (key, peer) in [("peers.router", &settings.peers.router), ("peers.session", &settings.peers.session)] {
            if !peer.starts_with("http://") {
                return Err(Problem::usage(format!("'{key}' must be http://HOST:PORT, not '{peer}'")));
            }
        }
        Ok(settings)
    }

    /// Where the outside reaches us: the last running `afluente dev` notes its port beside the store.
    pub(crate) fn public_url(&self) -> String {
        let noted = std::fs::read_to_string(self.mesh.data.join("public_url")).ok();
        noted.map_or_else(|| self.mesh.public_url.clone(), |url| url.trim().to_owned())
    }

    /// The installation's keys.
    ///
    /// # Errors
    /// When the data folder cannot be used.
    pub(crate) fn keys(&self) -> Result<Keys, Problem> {
        match &self.keys {
            Some(keys) => Ok(keys.clone()),
            None => Keys::of_folder(&self.mesh.data)
                .map_err(|problem| Problem::failed(format!("{}: {problem}", self.mesh.data.display()))),
        }
    }
}
