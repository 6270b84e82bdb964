//! The private servers, by `scripts/servers.sh`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use tokio::{io::AsyncWriteExt as _, process::Command};

/// RabbitMQ, PostgreSQL and Redis of one run. Ended by [`Servers::stop`].
#[derive(Clone)]
pub(crate) struct Servers {
    script: PathBuf,
    folder: PathBuf,
}

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Rabbitmq,
    Postgres,
    Redis,
}

impl Server {
    pub(crate) const ALL: [Self; 3] = [Self::Rabbitmq, Self::Postgres, Self::Redis];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rabbitmq => "rabbitmq",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }
}

impl Servers {
    /// Starts all three below `folder`.
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/servers.sh");
        let servers = Self { script, folder: folder.join("servers") };
        servers.ask("start", &[]).await?;
        Ok(servers)
    }

    /// `start`, `stop` or `kill` of one.
    pub(crate) async fn act(&self, action: &str, server: Server) -> Result<()> {
        self.ask(action, &[server.name()]).await
    }

    /// Ends all three.
    pub(crate) async fn stop(&self) -> Result<()> {
        self.ask("stop", &[]).await
    }

    /// Makes the broker users of these `rabbitmqctl set_permissions` lines; the password of each is its name.
    pub(crate) async fn users(&self, lines: &str) -> Result<()> {
        let mut making = Command::new(&self.script)
            .arg("users")
            .arg(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        making.stdin.take().context("a pipe")?.write_all(lines.as_bytes()).await?;
        ensure!(making.wait().await?.success(), "the broker's users could not be made");
        Ok(())
    }

    /// Where one listens.
    pub(crate) fn port(&self, server: Server) -> Result<u16> {
        let ports = std::fs::read_to_string(self.folder.join("ports"))?;
        let name = if server == Server::Rabbitmq { "amqp" } else { server.name() };
        let line = ports.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.context("a port")?.trim().parse()?)
    }

    async fn ask(&self, action: &str, names: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.script);
        let status = command.arg(action).arg(&self.folder).args(names).stdout(Stdio::null()).status().await?;
        ensure!(status.success(), "servers.sh {action} {names:?} failed");
        Ok(())
    }
}
