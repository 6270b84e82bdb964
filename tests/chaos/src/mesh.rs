//! The deployment: private servers, a broker user for each service with the least rights, two replicas of each, a
//! balancer before each pair and a cable to each server.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rand::RngExt as _;
use tokio::process::Command;

use crate::{
    judge::interrupted,
    process::Process,
    relay::Relay,
    servers::{Server, Servers},
};

/// The services with two replicas.
pub(crate) const SERVICES: [&str; 6] = ["router", "session", "desk", "whatsapp", "telegram", "webchat"];
/// Replicas of each.
pub(crate) const REPLICAS: usize = 2;
/// Who signs in; all serve the queue.
pub(crate) const PEOPLE: [&str; 3] = ["ana@mesh.example", "bruno@mesh.example", "carla@mesh.example"];
/// Their password.
pub(crate) const PASSWORD: &str = "Mesh-Pass-1!";
/// Where the cables to the servers are: an address of this machine that services take for one across a network.
const NETWORK: &str = "127.0.0.2";
/// What the provider shows at the hook.
pub(crate) const SECRET: &str = "mesh-secret";
/// How long the mesh may take to start, on a busy machine.
const START: Duration = Duration::from_secs(240);
/// Small, so that a broker that is away for seconds fills it: what then comes is refused, and must come again.
const SPOOL: u64 = 64 << 10;

/// Where a run happens.
pub(crate) struct Place {
    pub(crate) binary: Option<PathBuf>,
    pub(crate) folder: Option<PathBuf>,
}

/// A running mesh.
pub(crate) struct Mesh {
    pub(crate) servers: Servers,
    pub(crate) http: reqwest::Client,
    /// The balancers, by service.
    pub(crate) doors: BTreeMap<&'static str, Relay>,
    /// The cables, by server.
    pub(crate) cables: Vec<(Server, Relay)>,
    pub(crate) simulator: u16,
    pub(crate) folder: PathBuf,
    binary: PathBuf,
    replicas: BTreeMap<(&'static str, usize), Process>,
    _temporary: Option<tempfile::TempDir>,
}

impl Mesh {
    /// Starts everything and waits until it is ready.
    pub(crate) async fn start(place: Place) -> Result<Self> {
        let beside = || Some(std::env::current_exe().ok()?.parent()?.join("afluente"));
        let binary = place.binary.or_else(beside).context("no binary")?;
        ensure!(binary.is_file(), "{} is not there: build it first", binary.display());
        let temporary = place.folder.is_none().then(tempfile::tempdir).transpose()?;
        let folder = place.folder.or_else(|| Some(temporary.as_ref()?.path().to_owned())).context("no folder")?;
        std::fs::create_dir_all(&folder)?;
        // The PostgreSQL of servers.sh runs as another user where we are root.
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let servers = Servers::start(&folder).await?;
        let mut cables = Vec::new();
        for server in Server::ALL {
            cables.push((server, Relay::start(NETWORK, spare_port()?, vec![servers.port(server)?]).await?));
        }
        let mut doors = BTreeMap::new();
        for service in SERVICES {
            doors.insert(service, Relay::start("127.0.0.1", spare_port()?, vec![spare_port()?, spare_port()?]).await?);
        }
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        let mut mesh = Self {
            servers,
            http,
            doors,
            cables,
            simulator: spare_port()?,
            folder,
            binary,
            replicas: BTreeMap::new(),
            _temporary: temporary,
        };
        let filled = tokio::select! {
            filled = mesh.fill() => filled,
            () = interrupted() => Err(anyhow::anyhow!("interrupted before it was ready")),
        };
        if let Err(problem) = filled {
            drop(mesh.stop().await);
            return Err(problem);
        }
        Ok(mesh)
    }

    async fn fill(&mut self) -> Result<()> {
        let keys = self.afluente(&["keys"], None).await?;
        self.configure(&keys)?;
        self.afluente(&["broker", "setup"], Some("administrator")).await?;
        let rights = self.afluente(&["broker", "rights"], Some("administrator")).await?;
        self.servers.users(&rights).await?;
        for (email, role) in PEOPLE.into_iter().zip(["administrator", "agent", "agent"]) {
            let name = email.split('@').next().unwrap_or(email);
            let words = ["user", "add", "--organization", "Mesh", "--queue", "Fila", "--capacity", "80"];
            let who = ["--email", email, "--name", name, "--role", role, "--password", PASSWORD];
            self.afluente(&[&words[..], &who[..]].concat(), Some("administrator")).await?;
        }
        self.accounts().await?;
        self.spawn("simulator", 0, self.simulator)?;
        for service in SERVICES {
            for replica in 0..REPLICAS {
                let port = self.port_behind(service, replica)?;
                self.spawn(service, replica, port)?;
            }
        }
        let all: Vec<_> = self.replicas.iter().map(|((service, _), process)| (*service, process.port)).collect();
        for (service, port) in all {
            self.ready(service, port).await?;
        }
        Ok(())
    }

    async fn accounts(&self) -> Result<()> {
        let add = ["account", "add", "--queue", "Fila"];
        let simulator = format!("http://127.0.0.1:{}/sim", self.simulator);
        let (gupshup, telegram) = (format!("base_url={simulator}/gupshup"), format!("base_url={simulator}/telegram"));
        let secret = format!("webhook_secret=Bearer {SECRET}");
        let telegrams = format!("webhook_secret={SECRET}");
        let whatsapp = [
            ["--channel", "whatsapp"],
            ["--name", "loja"],
            ["--setting", &gupshup],
            ["--setting", "app_name=LojaDemo"],
            ["--setting", "source=551130000000"],
            ["--secret", "api_key=mesh-key"],
            ["--secret", &secret],
        ];
        let telegram = [
            ["--channel", "telegram"],
            ["--name", "loja-telegram"],
            ["--setting", &telegram],
            ["--secret", "token=110201543:mesh-token"],
            ["--secret", &telegrams],
        ];
        let webchat = [["--channel", "webchat"], ["--name", "site"]];
        for words in [whatsapp.concat(), telegram.concat(), webchat.concat()] {
            self.afluente(&[&add[..], &words].concat(), Some("administrator")).await?;
        }
        Ok(())
    }

    /// Starts a replica.
    pub(crate) fn spawn(&mut self, service: &'static str, replica: usize, port: u16) -> Result<()> {
        let log = self.folder.join(format!("{service}-{replica}.log"));
        let config = self.config(&format!("{service}-{replica}"));
        let process = Process::start(&self.binary, service, &config, port, &log)?;
        self.replicas.insert((service, replica), process);
        Ok(())
    }

    /// Takes a replica out, to end it.
    pub(crate) fn take(&mut self, service: &'static str, replica: usize) -> Result<Process> {
        self.replicas.remove(&(service, replica)).with_context(|| format!("{service} {replica} does not run"))
    }

    /// The processes that ended unasked.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let ended = self.replicas.iter_mut();
        ended.filter_map(|((service, replica), one)| Some(format!("{service} {replica}: {}", one.ended()?))).collect()
    }

    /// The cable to a server.
    pub(crate) fn cable(&self, server: Server) -> Result<&Relay> {
        let found = self.cables.iter().find(|(name, _)| *name == server);
        found.map(|(_, relay)| relay).context("a cable to each server")
    }

    /// The balancer before a service.
    pub(crate) fn door(&self, service: &str) -> Result<&Relay> {
        self.doors.get(service).with_context(|| format!("no service {service}"))
    }

    /// Waits until a process says that it is ready.
    pub(crate) async fn ready(&self, service: &str, port: u16) -> Result<()> {
        let url = format!("http://127.0.0.1:{port}/readyz");
        let asking = async {
            loop {
                if self.http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(START, asking).await.with_context(|| format!("{service} was never ready"))
    }

    /// The port behind a balancer where this replica is first started.
    fn port_behind(&self, service: &str, replica: usize) -> Result<u16> {
        self.door(service)?.behind().get(replica).copied().context("a port for each replica")
    }

    /// Runs the operator's command line.
    pub(crate) async fn afluente(&self, words: &[&str], config: Option<&str>) -> Result<String> {
        let mut command = Command::new(&self.binary);
        command.args(words);
        if let Some(config) = config {
            command.arg("--config").arg(self.config(config));
        }
        let output = command.output().await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let answer = String::from_utf8(output.stdout)?;
        // An audit that finds something says so by its code, and what it found by its answer.
        ensure!(output.status.success() || words.first() == Some(&"audit"), "afluente {words:?}: {said}");
        Ok(answer)
    }

    fn config(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.toml"))
    }

    /// A file for each process: its own data folder, its own broker user, and only the keys that it needs.
    fn configure(&self, keys: &str) -> Result<()> {
        let secret_keys = keys.to_owned();
        let public_keys: String = keys.lines().filter(|line| !line.starts_with("permit_seed")).map(line).collect();
        // That user is let in by the broker's own address alone.
        let direct = format!("127.0.0.1:{}", self.servers.port(Server::Rabbitmq)?);
        let text = self.text("administrator", "guest", &direct, &public_keys)?;
        std::fs::write(self.config("administrator"), text)?;
        for service in SERVICES {
            for replica in 0..REPLICAS {
                let keys = if service == "session" { &secret_keys } else { &public_keys };
                let amqp = format!("{NETWORK}:{}", self.cable(Server::Rabbitmq)?.port);
                let name = format!("{service}-{replica}");
                let text = self.text(&name, &format!("afluente-{service}"), &amqp, keys)?;
                std::fs::write(self.config(&name), text)?;
            }
        }
        std::fs::write(self.config("simulator-0"), self.simulated(&public_keys)?)?;
        Ok(())
    }

    fn text(&self, name: &str, user: &str, amqp: &str, keys: &str) -> Result<String> {
        let port = |server| self.cable(server).map(|relay| relay.port);
        let door = |service| self.door(service).map(|relay| relay.port);
        Ok(format!(
            r#"
[mesh]
data = "{data}"
media = "{media}"
public_url = "http://127.0.0.1:{hooks}"
partitions = 4
amqp_url = "amqp://{user}:{user}@{amqp}/%2f"
amqp_declare = {declare}
postgres_url = "postgres://afluente@{NETWORK}:{postgres}/afluente"
redis_url = "redis://{NETWORK}:{redis}"
http_allow = ["127.0.0.1:{simulator}"]

[peers]
router = "http://127.0.0.1:{router}"
session = "http://127.0.0.1:{session}"

[channel]
spool_limit = {SPOOL}

{keys}"#,
            data = shown(&self.folder.join("data").join(name)),
            media = shown(&self.folder.join("media")),
            declare = user == "guest",
            hooks = door("whatsapp")?,
            postgres = port(Server::Postgres)?,
            redis = port(Server::Redis)?,
            simulator = self.simulator,
            router = door("router")?,
            session = door("session")?,
        ))
    }

    /// The provider is no part of the mesh: it has no server, and a folder of its own.
    fn simulated(&self, keys: &str) -> Result<String> {
        Ok(format!(
            r#"
[mesh]
data = "{data}"
http_allow = ["127.0.0.1:{hooks}", "127.0.0.1:{telegram}"]

[simulator]
base_url = "http://127.0.0.1:{simulator}"

# A provider that comes again soon: what is measured is the mesh.
[simulator.pace]
retry_ms = 100

[[simulator.accounts]]
name = "loja"
label = "Loja"

[simulator.accounts.provider.gupshup]
app_name = "LojaDemo"
source = "551130000000"
api_key = "mesh-key"
hook_url = "http://127.0.0.1:{hooks}/hooks/whatsapp/loja"
webhook_secret = "{SECRET}"

[[simulator.accounts]]
name = "loja-telegram"
label = "Loja"

[simulator.accounts.provider.telegram]
token = "110201543:mesh-token"

{keys}"#,
            data = shown(&self.folder.join("data").join("simulator")),
            hooks = self.door("whatsapp")?.port,
            telegram = self.door("telegram")?.port,
            simulator = self.simulator,
        ))
    }

    /// Ends every process, then the servers.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let mut stuck = Vec::new();
        for ((service, replica), mut process) in std::mem::take(&mut self.replicas) {
            if process.ended().is_none()
                && let Err(problem) = process.drain().await
            {
                stuck.push(format!("{service} {replica}: {problem}"));
            }
        }
        self.servers.stop().await?;
        ensure!(stuck.is_empty(), "did not drain: {}", stuck.join("; "));
        Ok(())
    }
}

fn line(line: &str) -> String {
    format!("{line}\n")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A port that nobody uses, below those that the kernel gives to clients: a service that is down for a moment must find
/// its own again.
pub(crate) fn spare_port() -> Result<u16> {
    for _ in 0..200 {
        let port = rand::rng().random_range(20_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no spare port")
}
