//! The mesh as it is deployed: every service one or more processes of its own, on real servers. Each is ended by its id.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::MutexGuard,
};

use super::harness::{BINARY, Dev, PATIENCE, eventually, now_millis, spare_port};

pub const EMAIL: &str = "ana@mesh.example";
pub const PASSWORD: &str = "Mesh-Pass-1!";

/// What the mesh consists of. The simulated provider is no part of it.
pub const SERVICES: [&str; 4] = ["router", "session", "desk", "whatsapp"];

/// One mesh at a time: the tests of this binary share their servers, and one of them kills the broker.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Where the servers are.
pub struct Servers {
    amqp: String,
    postgres: String,
    redis: String,
}

impl Servers {
    /// None without them, which is said.
    pub fn given() -> Option<Self> {
        let required = std::env::var("AFLUENTE_TEST_REQUIRE_SERVERS").is_ok_and(|value| value == "1");
        let of = |key: &str| {
            let found = std::env::var(key).ok();
            assert!(found.is_some() || !required, "{key} is not set, and servers are required");
            if found.is_none() {
                eprintln!("skipped: {key} is not set");
            }
            found
        };
        let (amqp, postgres, redis) =
            (of("AFLUENTE_TEST_AMQP")?, of("AFLUENTE_TEST_POSTGRES")?, of("AFLUENTE_TEST_REDIS")?);
        Some(Self { amqp, postgres, redis })
    }
}

/// One port before the replicas of a service, as a Kubernetes service is one: each connection goes to the next replica
/// that takes it.
struct Door {
    port: u16,
    behind: Arc<Mutex<Vec<u16>>>,
}

impl Door {
    async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (port, behind) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
        let ports = Arc::clone(&behind);
        tokio::spawn(async move {
            for turn in 0_usize.. {
                let Ok((client, _)) = listener.accept().await else { return };
                let mut ports: Vec<u16> = ports.lock().unwrap().clone();
                let first = turn % ports.len().max(1);
                ports.rotate_left(first);
                tokio::spawn(join(client, ports));
            }
        });
        Self { port, behind }
    }
}

async fn join(mut client: TcpStream, ports: Vec<u16>) {
    for port in ports {
        if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}

/// A running process.
struct Replica {
    service: &'static str,
    port: u16,
    child: Child,
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running mesh. Of each service the oldest replica is the first.
pub struct Mesh {
    simulator: u16,
    http: reqwest::Client,
    database: String,
    config: PathBuf,
    doors: BTreeMap<&'static str, Door>,
    replicas: Vec<Replica>,
    _folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Mesh {
    /// The settings, the people and the accounts, before any process runs.
    pub async fn prepare(servers: Servers) -> Self {
        let alone = ALONE.lock().await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let name = format!("e2e_{}_{}", std::process::id(), now_millis());
        let database = fresh_database(&servers.postgres, &name);
        let mut doors = BTreeMap::new();
        for service in SERVICES {
            doors.insert(service, Door::open().await);
        }
        let mesh = Self {
            simulator: spare_port(),
            http: reqwest::Client::new(),
            database,
            config: folder.path().join("afluente.toml"),
            doors,
            replicas: Vec::new(),
            _folder: folder,
            _alone: alone,
        };
        std::fs::write(&mesh.config, mesh.settings(&servers, &name)).unwrap();
        mesh.people_and_accounts();
        mesh
    }

    /// Starts the simulated provider and one replica of each service, and waits until they are ready.
    pub async fn start(&mut self) {
        self.spawn("simulator", self.simulator);
        self.add(&SERVICES).await;
    }

    /// What a freshly prepared mesh becomes.
    pub async fn started(servers: Servers) -> Self {
        let mut mesh = Self::prepare(servers).await;
        mesh.start().await;
        mesh
    }

    fn settings(&self, Servers { amqp, postgres: _, redis }: &Servers, name: &str) -> String {
        let (simulator, data) = (self.simulator, self.config.with_file_name("data"));
        let [router, session, whatsapp] = ["router", "session", "whatsapp"].map(|service| self.door(service));
        format!(
            r#"
[mesh]
data = "{data}"
public_url = "http://127.0.0.1:{whatsapp}"
amqp_url = "{amqp}"
postgres_url = "{database}"
redis_url = "{redis}"
namespace = "{name}"
partitions = 4
http_allow = ["127.0.0.1:{simulator}", "127.0.0.1:{whatsapp}"]

[peers]
router = "http://127.0.0.1:{router}"
session = "http://127.0.0.1:{session}"

[simulator]
base_url = "http://127.0.0.1:{simulator}"

[[simulator.accounts]]
name = "loja"
label = "Loja"

[simulator.accounts.provider.gupshup]
app_name = "LojaDemo"
source = "551130000000"
api_key = "mesh-key"
hook_url = "http://127.0.0.1:{whatsapp}/hooks/whatsapp/loja"
webhook_secret = "mesh-secret"
"#,
            database = self.database,
            data = data.display()
        )
    }

    fn people_and_accounts(&self) {
        let user = ["user", "add", "--organization", "Mesh", "--queue", "Fila", "--capacity", "80"];
        let ana = ["--email", EMAIL, "--name", "Ana", "--role", "administrator", "--password", PASSWORD];
        self.done(&[&user[..], &ana].concat());
        let base = format!("base_url=http://127.0.0.1:{}/sim/gupshup", self.simulator);
        let account = ["account", "add", "--channel", "whatsapp", "--name", "loja", "--queue", "Fila"];
        let settings = ["--setting", &base, "--setting", "app_name=LojaDemo", "--setting", "source=551130000000"];
        let secrets = ["--secret", "api_key=mesh-key", "--secret", "webhook_secret=Bearer mesh-secret"];
        self.done(&[&account[..], &settings, &secrets].concat());
    }

    fn door(&self, service: &str) -> u16 {
        self.doors[service].port
    }

    fn spawn(&mut self, service: &'static str, port: u16) {
        let child = Command::new(BINARY)
            .args([service, "--listen", &format!("127.0.0.1:{port}"), "--config"])
            .arg(&self.config)
            .env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned()))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.replicas.push(Replica { service, port, child });
    }

    /// A replica more of each of these, ready and behind its door.
    pub async fn add(&mut self, services: &[&'static str]) {
        // They start side by side: a start is mostly waiting.
        let places: Vec<_> = services.iter().map(|service| (*service, spare_port())).collect();
        for (service, port) in &places {
            self.spawn(service, *port);
        }
        for (service, port) in places {
            self.ready(service, port).await;
            self.doors[service].behind.lock().unwrap().push(port);
        }
    }

    fn take(&mut self, service: &str) -> Replica {
        let at = self.replicas.iter().position(|one| one.service == service).expect("a replica of it runs");
        self.replicas.remove(at)
    }

    /// kill -9 for the first replica.
    pub fn kill(&mut self, service: &str) {
        let Replica { port, .. } = &self.take(service);
        self.doors[service].behind.lock().unwrap().retain(|known| known != port);
    }

    /// kill -9 for the first replica, and another on its port.
    pub fn restart(&mut self, service: &'static str) {
        let port = self.take(service).port;
        self.spawn(service, port);
    }

    /// kill -9 for all of the mesh at once, and `pause` later all of it again on the same ports.
    pub async fn restart_all(&mut self, pause: Duration) {
        let (provider, mesh): (Vec<_>, Vec<_>) = self.replicas.drain(..).partition(|one| one.service == "simulator");
        self.replicas = provider;
        let places: Vec<_> = mesh.iter().map(|one| (one.service, one.port)).collect();
        drop(mesh);
        tokio::time::sleep(pause).await;
        for (service, port) in &places {
            self.spawn(service, *port);
        }
        for (service, port) in places {
            self.ready(service, port).await;
        }
    }

    /// SIGTERM for the first replica. Its door knows of it only by its refusals. Answers how it ended.
    pub async fn retire(&mut self, service: &str) -> ExitStatus {
        let mut replica = self.take(service);
        let told = Command::new("kill").args(["-TERM", &replica.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = replica.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "{service} never drained");
            tokio::time::sleep(Duration::from_millis(25)).await;
        };
        self.doors[service].behind.lock().unwrap().retain(|port| *port != replica.port);
        status
    }

    /// Waits until every replica of a service is ready.
    pub async fn all_ready(&self, service: &str) {
        for one in self.replicas.iter().filter(|one| one.service == service) {
            self.ready(service, one.port).await;
        }
    }

    async fn ready(&self, service: &str, port: u16) {
        let url = format!("http://127.0.0.1:{port}/readyz");
        eventually(&format!("{service} ready"), || async {
            self.http.get(&url).send().await.ok().filter(|answer| answer.status().is_success()).map(|_| ())
        })
        .await;
    }

    /// The desk, to sign in to.
    pub fn desk(&self) -> Dev {
        Dev::of_running(self.door("desk"), EMAIL, PASSWORD)
    }

    /// Where the provider calls.
    pub fn hook(&self) -> String {
        format!("http://127.0.0.1:{}/hooks/whatsapp/loja", self.door("whatsapp"))
    }

    /// Something of the simulated provider, as JSON.
    pub async fn provider(&self, path: &str) -> Value {
        let url = format!("http://127.0.0.1:{}{path}", self.simulator);
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Sets the simulated provider's faults.
    pub async fn faults(&self, faults: &Value) {
        let url = format!("http://127.0.0.1:{}/sim/faults", self.simulator);
        let answer = self.http.put(url).json(faults).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    fn afluente(&self, arguments: &[&str]) -> Output {
        Command::new(BINARY).args(arguments).arg("--config").arg(&self.config).output().unwrap()
    }

    fn done(&self, arguments: &[&str]) {
        let output = self.afluente(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The audit, once nothing is on its way and everything that was accepted has its outcome. Before that a loss could
    /// not be proven: what the audit does not miss yet says nothing.
    pub async fn audit(&self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // It exits with 1 when it misses something, and says what all the same.
            let output = self.afluente(&["audit", "--json"]);
            let audit: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
            let of = |what: &str| audit["intake"][what].as_u64().unwrap();
            let outcomes = of("carried_out") + of("duplicates") + of("parked");
            if of("on_its_way") == 0 && audit["outbox"] == 0 && audit["queued_out"] == 0 && of("accepted") == outcomes {
                return audit;
            }
            assert!(Instant::now() < deadline, "something never had an outcome: {audit}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Runs a statement on the store, by PostgreSQL's own client, and answers its rows.
    pub fn sql(&self, statement: &str) -> String {
        let output = Command::new("psql").arg(&self.database).args(["-qAtc", statement]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// A fresh database beside the one in `url`.
fn fresh_database(url: &str, name: &str) -> String {
    let made = Command::new("psql").arg(url).args(["-qc", &format!("CREATE DATABASE {name}")]).status().unwrap();
    assert!(made.success());
    let (base, _) = url.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// Does something to the private RabbitMQ: `kill`, `start`.
pub fn broker(what: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/servers.sh");
    let folder = std::env::var("AFLUENTE_TEST_SERVERS").unwrap();
    let done = Command::new(script).args([what, &folder, "rabbitmq"]).stdout(Stdio::null()).status().unwrap();
    assert!(done.success(), "servers.sh {what}");
}
