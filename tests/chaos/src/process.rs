//! One process of the mesh, ended by its id.

use std::{fs::File, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::process::{Child, Command};

/// How long a process may drain before it counts as stuck.
const DRAIN: Duration = Duration::from_secs(60);

/// A running service.
pub(crate) struct Process {
    child: Child,
    pub(crate) port: u16,
}

impl Process {
    /// Starts `binary service` on `port`; its log goes on in `log`.
    pub(crate) fn start(binary: &Path, service: &str, config: &Path, port: u16, log: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let child = Command::new(binary)
            .args([service, "--listen", &format!("127.0.0.1:{port}"), "--config"])
            .arg(config)
            // The harm is done to the mesh, not by a Ctrl-C for us.
            .process_group(0)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} {service}", binary.display()))?;
        Ok(Self { child, port })
    }

    /// kill -9.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill")
    }

    /// SIGTERM, and waits for the drain.
    pub(crate) async fn drain(mut self) -> Result<()> {
        let pid = self.child.id().context("it has ended before")?.to_string();
        ensure!(Command::new("kill").args(["-TERM", &pid]).status().await?.success(), "kill -TERM {pid}");
        let ended = tokio::time::timeout(DRAIN, self.child.wait()).await;
        match ended {
            Ok(status) => {
                let status = status?;
                ensure!(status.success(), "the drain ended with {status}");
                Ok(())
            }
            Err(_) => {
                self.child.kill().await?;
                anyhow::bail!("it did not drain within {DRAIN:?}")
            }
        }
    }

    /// None while it runs.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }
}
