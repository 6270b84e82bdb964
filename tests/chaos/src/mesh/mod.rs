//! The deployment: private servers, a broker user for each service with the least rights, two replicas of each, a
//! balancer before each pair and a cable to each server.

mod config;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rand::RngExt as _;
use tokio::process::Command;

use crate::{
    judge::interrupted,
    probe,
    process::Process,
    relay::Relay,
    servers::{Server, Servers},
};

/// The services with two replicas.
pub(crate) const SERVICES: [&str; 6] = ["router", "session", "desk", "whatsapp", "telegram", "webchat"];
/// Replicas of each.
pub(crate) const REPLICAS: usize = 2;
/// Who signs in; all serve the queue from which agents pick.
pub(crate) const PEOPLE: [&str; 3] = ["ana@mesh.example", "bruno@mesh.example", "carla@mesh.example"];
/// Who serves the queue that hands out what waits.
pub(crate) const SEATED: [&str; 2] = ["davi@mesh.example", "eva@mesh.example"];
/// How many conversations each of those may have: of the load's 16 customers, 8 write to their queue.
const SEATS: &str = "3";
/// How many the others may have.
const ROOM: &str = "80";
/// The queue from which agents pick: WhatsApp's.
const PICKED: &str = "Fila";
/// The queue that hands out what waits: all the other accounts'.
pub(crate) const CIRCLE: &str = "Rodizio";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "Mesh-Pass-1!";
/// Where the cables to the servers are: an address of this machine that services take for one across a network.
const NETWORK: &str = "127.0.0.2";
/// What the provider shows at the hook.
pub(crate) const SECRET: &str = "mesh-secret";
/// The account of Telegram that is polled.
pub(crate) const POLLED: &str = "loja-polled";
/// How long the mesh may take to start, on a busy machine.
const START: Duration = Duration::from_secs(240);
/// Small, so that a broker that is away for seconds fills it: what then comes is refused, and must come again.
const SPOOL: u64 = 64 << 10;

/// Where a run happens.
pub(crate) struct Place {
    pub(crate) binary: Option<PathBuf>,
    /// Of the release before it.
    pub(crate) former: Option<PathBuf>,
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
    former: Option<PathBuf>,
    /// The services that have left the former release.
    upgraded: BTreeSet<&'static str>,
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
            former: place.former,
            upgraded: BTreeSet::new(),
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
            self.person(email, role, PICKED, ROOM).await?;
        }
        for email in SEATED {
            self.person(email, "agent", CIRCLE, SEATS).await?;
        }
        self.circulate().await?;
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
        let ended = self.ended();
        ensure!(ended.is_empty(), "ended before it began: {}", ended.join("; "));
        Ok(())
    }

    async fn person(&self, email: &str, role: &str, queue: &str, capacity: &str) -> Result<()> {
        let name = email.split('@').next().unwrap_or(email);
        let words = ["user", "add", "--organization", "Mesh", "--queue", queue, "--capacity", capacity];
        let who = ["--email", email, "--name", name, "--role", role, "--password", PASSWORD];
        self.afluente(&[&words[..], &who[..]].concat(), Some("administrator")).await.map(drop)
    }

    /// Has the queue hand out what waits. The command line makes queues from which agents pick, and no other, so this
    /// is said to the store; nobody has read it yet.
    async fn circulate(&self) -> Result<()> {
        let port = self.servers.port(Server::Postgres)?;
        let postgres = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        let order = format!("UPDATE queues SET distribution = 'circular' WHERE name = '{CIRCLE}'");
        let done = probe::order(postgres, &order).await?;
        ensure!(done == "UPDATE 1", "the queue {CIRCLE} does not hand out: {done}");
        Ok(())
    }

    /// Starts a replica.
    pub(crate) fn spawn(&mut self, service: &'static str, replica: usize, port: u16) -> Result<()> {
        let log = self.folder.join(format!("{service}-{replica}.log"));
        let config = self.config(&format!("{service}-{replica}"));
        let binary = match &self.former {
            Some(former) if !self.upgraded.contains(service) => former,
            _ => &self.binary,
        };
        let process = Process::start(binary, service, &config, port, &log)?;
        self.replicas.insert((service, replica), process);
        Ok(())
    }

    /// From now on replicas of this service are started from the binary under test.
    pub(crate) fn upgrades(&mut self, service: &'static str) {
        self.upgraded.insert(service);
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
        // The operator's is that of the release with which the mesh was set up, until something is newer.
        let former = self.former.as_ref().filter(|_| self.upgraded.is_empty());
        let mut command = Command::new(former.unwrap_or(&self.binary));
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

    /// Ends every process, then the servers. The provider goes after those who poll it.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let mut stuck = Vec::new();
        let (provider, mesh): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.replicas).into_iter().partition(|((service, _), _)| *service == "simulator");
        for ((service, replica), mut process) in mesh.into_iter().chain(provider) {
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

/// The ports that were given away: a replica that has not begun to listen, or was just killed, still has its own.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nobody uses, below those that the kernel gives to clients: a service that is down for a moment must find
/// its own again.
pub(crate) fn spare_port() -> Result<u16> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..200 {
        let port = rand::rng().random_range(20_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() && given.insert(port) {
            return Ok(port);
        }
    }
    anyhow::bail!("no spare port")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_away_once_though_nobody_listens_yet() {
        let mut given = BTreeSet::new();
        assert!((0..400).all(|_| given.insert(spare_port().unwrap())));
    }
}
