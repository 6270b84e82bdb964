//! What a process must know of the world.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the broker, the store, the cache and the media are. Everything left out is embedded: one SQLite file and a
/// blob folder below `data`, no server needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of the embedded store and of the disk spool. On servers each machine or pod has its own.
    pub data: PathBuf,
    /// Folder of media, the same for the desk and the channels (a shared volume); `blobs` below `data` when left out,
    /// which is right for one process or one machine.
    pub media: Option<PathBuf>,
    /// Where the outside reaches us: webhooks, media links. Without a trailing slash.
    pub public_url: String,
    /// How many partitions the mesh has, when this process is the first of it; left out, eight. From then on the store
    /// says it, and a process that is told otherwise does not start.
    pub partitions: Option<u16>,
    /// The name of this replica; host name and process id when left out.
    pub replica: Option<String>,
    /// The channels of the mesh, so that the broker's map is complete whatever starts first.
    pub channels: Vec<String>,
    /// The broker: `amqp://user:password@host:5672/vhost`; embedded when left out.
    pub amqp_url: Option<String>,
    /// Whether this process declares exchanges and queues. Without, its broker user needs no right to, and an
    /// administrator declares once by `afluente broker setup`.
    pub amqp_declare: bool,
    /// Whether busy routes carry bundles. Without, this process still reads them: for the time of an upgrade from a
    /// release that cannot.
    pub bundles: bool,
    /// The store: `postgres://user:password@host/database`; embedded when left out.
    pub postgres_url: Option<String>,
    /// Most connections to PostgreSQL.
    pub postgres_connections: u32,
    /// Windows and rate buckets: `redis://host:6379`. When left out, windows are in the store and buckets in each process.
    pub redis_url: Option<String>,
    /// Prefix of every name in the broker and the cache, for several meshes on one server.
    pub namespace: String,
    /// `host:port` pairs on private addresses that outgoing HTTP may reach all the same (a simulator, a proxy).
    pub http_allow: Vec<String>,
    /// The largest answer that is read from a provider, in bytes.
    pub http_max_response: usize,
    /// Whether the embedded store waits for the disk at each commit. Without, a power cut may lose the last moment;
    /// the end of the process never does.
    pub sync: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            media: None,
            public_url: "http://127.0.0.1:8080".to_owned(),
            partitions: None,
            replica: None,
            channels: ["whatsapp", "telegram", "webchat"].map(str::to_owned).to_vec(),
            amqp_url: None,
            amqp_declare: true,
            bundles: true,
            postgres_url: None,
            postgres_connections: 10,
            redis_url: None,
            namespace: String::new(),
            http_allow: Vec::new(),
            http_max_response: 110 << 20,
            sync: true,
        }
    }
}

/// What does not fit together in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct Invalid {
    /// The key.
    pub key: &'static str,
    /// What is wrong.
    pub problem: String,
}

impl Config {
    /// Whether the values make sense together.
    ///
    /// # Errors
    /// The first key that does not.
    pub fn validate(&self) -> Result<(), Invalid> {
        let invalid = |key, problem: &str| Err(Invalid { key, problem: problem.to_owned() });
        if self.partitions.is_some_and(|count| !(1..=256).contains(&count)) {
            return invalid("mesh.partitions", "must be from 1 to 256");
        }
        if url::Url::parse(&self.public_url).is_err() || self.public_url.ends_with('/') {
            return invalid("mesh.public_url", "must be a URL without a trailing slash");
        }
        for (key, value, schemes) in [
            ("mesh.amqp_url", &self.amqp_url, ["amqp", "amqps"].as_slice()),
            ("mesh.postgres_url", &self.postgres_url, &["postgres", "postgresql"]),
            ("mesh.redis_url", &self.redis_url, &["redis", "rediss"]),
        ] {
            let Some(value) = value else { continue };
            if !url::Url::parse(value).is_ok_and(|url| schemes.contains(&url.scheme())) {
                return invalid(key, &format!("must be a URL that starts with {}://", schemes.join(":// or ")));
            }
        }
        if self.amqp_url.is_some() != self.postgres_url.is_some() {
            return invalid("mesh.amqp_url", "a broker needs mesh.postgres_url beside it, and the other way round");
        }
        for channel in &self.channels {
            if channel.parse::<domain::Channel>().is_err() {
                return invalid("mesh.channels", &format!("'{channel}' is not a channel name"));
            }
        }
        Ok(())
    }

    /// No server is configured.
    pub const fn is_embedded(&self) -> bool {
        self.amqp_url.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_value_names_its_key() {
        let bad = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.validate().err().map(|problem| problem.key)
        };
        assert_eq!(bad(|_| ()), None);
        assert_eq!(bad(|config| config.partitions = Some(0)), Some("mesh.partitions"));
        assert_eq!(bad(|config| config.public_url.push('/')), Some("mesh.public_url"));
        assert_eq!(bad(|config| config.amqp_url = Some("http://x".into())), Some("mesh.amqp_url"));
        assert_eq!(bad(|config| config.amqp_url = Some("amqp://x".into())), Some("mesh.amqp_url"));
        assert_eq!(bad(|config| config.channels.push("A".into())), Some("mesh.channels"));
    }
}
