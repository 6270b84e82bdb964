//! The real deployment shape: every service its own process, on RabbitMQ, PostgreSQL and Redis.
//!
//! Needs `AFLUENTE_TEST_AMQP`, `AFLUENTE_TEST_POSTGRES` and `AFLUENTE_TEST_REDIS` (`make test` starts private servers
//! and sets them); says so and ends without them.
// A scenario reads top to bottom, so it may be long.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::too_many_lines
)]

mod harness;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use harness::{BINARY, Dev, desk::Desk, eventually, gupshup_text, spare_port};
use serde_json::{Value, json};

/// One process of the mesh, ended by its id.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Mesh {
    folder: tempfile::TempDir,
    config: PathBuf,
    desk: u16,
    whatsapp: u16,
    simulator: u16,
    processes: Vec<(&'static str, u16, Process)>,
}

fn servers() -> Option<(String, String, String)> {
    let required = std::env::var("AFLUENTE_TEST_REQUIRE_SERVERS").is_ok_and(|value| value == "1");
    let of = |key: &str| {
        let found = std::env::var(key).ok();
        assert!(found.is_some() || !required, "{key} is not set, and servers are required");
        found
    };
    Some((of("AFLUENTE_TEST_AMQP")?, of("AFLUENTE_TEST_POSTGRES")?, of("AFLUENTE_TEST_REDIS")?))
}

/// A fresh database beside the one in `url`, by PostgreSQL's own client.
fn fresh_database(url: &str, name: &str) -> String {
    let made = Command::new("psql").arg(url).args(["-qc", &format!("CREATE DATABASE {name}")]).status().unwrap();
    assert!(made.success());
    let (base, _) = url.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

fn afluente(config: &Path, arguments: &[&str]) -> String {
    let output = Command::new(BINARY).args(arguments).arg("--config").arg(config).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Mesh {
    async fn start((amqp, postgres, redis): (String, String, String)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("e2e_{}_{}", std::process::id(), harness::now_millis());
        let postgres = fresh_database(&postgres, &name);
        let [router, session, desk, whatsapp, simulator] = [(); 5].map(|()| spare_port());
        let config = folder.path().join("afluente.toml");
        let text = format!(
            r#"
[mesh]
data = "{data}"
public_url = "http://127.0.0.1:{whatsapp}"
amqp_url = "{amqp}"
postgres_url = "{postgres}"
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
            data = folder.path().join("data").display()
        );
        std::fs::write(&config, text).unwrap();
        let organization = ["--organization", "Mesh"];
        afluente(
            &config,
            &[
                &[
                    "user",
                    "add",
                    "--email",
                    "ana@mesh.example",
                    "--name",
                    "Ana",
                    "--role",
                    "administrator",
                    "--password",
                    "Mesh-Pass-1!",
                    "--queue",
                    "Fila",
                ],
                organization.as_slice(),
            ]
            .concat(),
        );
        let base = format!("base_url=http://127.0.0.1:{simulator}/sim/gupshup");
        afluente(
            &config,
            &[
                "account",
                "add",
                "--channel",
                "whatsapp",
                "--name",
                "loja",
                "--queue",
                "Fila",
                "--setting",
                &base,
                "--setting",
                "app_name=LojaDemo",
                "--setting",
                "source=551130000000",
                "--secret",
                "api_key=mesh-key",
                "--secret",
                "webhook_secret=Bearer mesh-secret",
            ],
        );
        let mut mesh = Self { folder, config, desk, whatsapp, simulator, processes: Vec::new() };
        for (service, port) in
            [("router", router), ("session", session), ("desk", desk), ("whatsapp", whatsapp), ("simulator", simulator)]
        {
            mesh.spawn(service, port);
        }
        for (service, port) in [("desk", desk), ("whatsapp", whatsapp), ("router", router), ("session", session)] {
            ready(service, port).await;
        }
        mesh
    }

    fn spawn(&mut self, service: &'static str, port: u16) {
        let child = Command::new(BINARY)
            .args([service, "--listen", &format!("127.0.0.1:{port}"), "--config"])
            .arg(&self.config)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.processes.push((service, port, Process(child)));
    }

    /// kill -9 and start again.
    fn restart(&mut self, service: &'static str) {
        let at = self.processes.iter().position(|(name, ..)| *name == service).unwrap();
        let (_, port, process) = self.processes.remove(at);
        drop(process);
        self.spawn(service, port);
    }
}

/// What the customer wrote, as the desk shows it; none while the desk is away.
async fn inbound(ana: &Desk<'_>, conversation: &Value) -> Option<Vec<String>> {
    let path = format!("/conversations/{}/messages?limit=200", conversation["id"].as_str().unwrap());
    let (status, list) = ana.try_get(&path).await;
    let items = (status == 200).then(|| list["items"].as_array().cloned()).flatten()?;
    let words = items.iter().filter(|one| one["direction"] == "in").map(|one| one["content"]["text"].as_str().unwrap());
    Some(words.map(str::to_owned).collect())
}

/// Does something to the private RabbitMQ: `kill`, `start`.
fn broker(what: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/servers.sh");
    let folder = std::env::var("AFLUENTE_TEST_SERVERS").unwrap();
    let done = Command::new(script).args([what, &folder, "rabbitmq"]).stdout(Stdio::null()).status().unwrap();
    assert!(done.success(), "servers.sh {what}");
}

async fn ready(service: &str, port: u16) {
    let url = format!("http://127.0.0.1:{port}/readyz");
    let http = reqwest::Client::new();
    eventually(&format!("{service} ready"), || async {
        http.get(&url).send().await.ok().filter(|answer| answer.status().is_success()).map(|_| ())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn op_1_op_4_every_service_a_process_of_its_own_on_real_servers_and_none_is_missed_when_it_is_killed() {
    let Some(servers) = servers() else {
        eprintln!("skipped: AFLUENTE_TEST_AMQP, AFLUENTE_TEST_POSTGRES and AFLUENTE_TEST_REDIS are not set");
        return;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut mesh = Mesh::start(servers).await;
    let http = reqwest::Client::new();
    let hook = format!("http://127.0.0.1:{}/hooks/whatsapp/loja", mesh.whatsapp);
    let dev = Dev::of_running(mesh.desk, "ana@mesh.example", "Mesh-Pass-1!");
    let ana = dev.sign_in().await;
    let post = async |id: &str, text: &str| {
        eventually("the hook accepts", || async {
            let body = gupshup_text(id, "5511999990001", text).to_string();
            let sent = http.post(&hook).header("authorization", "Bearer mesh-secret").body(body).send().await;
            sent.is_ok_and(|answer| answer.status().is_success()).then_some(())
        })
        .await;
    };
    post("wamid.0", "0").await;
    let taken = ana.take(&ana.conversation("5511999990001", "waiting").await).await;
    let (status, message) = ana.write(&taken, "olá da malha", "k").await;
    assert_eq!(status, 201, "{message}");
    ana.delivered(&taken, &message, "delivered").await;

    // Each service is killed while the customer goes on writing; the provider repeats what was not accepted.
    for (round, service) in ["router", "session", "whatsapp", "desk"].into_iter().enumerate() {
        let first = round * 20 + 1;
        for number in first..first + 10 {
            post(&format!("wamid.{number}"), &number.to_string()).await;
        }
        mesh.restart(service);
        for number in first + 10..first + 20 {
            post(&format!("wamid.{number}"), &number.to_string()).await;
        }
    }
    ready("desk", mesh.desk).await;
    let numbers: Vec<String> = eventually("81 messages", || async {
        let heard = inbound(&ana, &taken).await?;
        (heard.len() >= 81).then_some(heard)
    })
    .await;
    let expected: Vec<String> = (0..81).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected, "once each, in order");

    // The broker is killed: webhooks are spooled to disk and answered 2xx, and arrive in order when it is back.
    broker("kill");
    for number in 81..101 {
        post(&format!("wamid.{number}"), &number.to_string()).await;
    }
    broker("start");
    let expected: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    eventually("what was spooled", || async { (inbound(&ana, &taken).await? == expected).then_some(()) }).await;

    let (_, message) = ana.write(&taken, "depois de tudo", "k2").await;
    ana.delivered(&taken, &message, "delivered").await;
    let log: Value = http
        .get(format!("http://127.0.0.1:{}/sim/gupshup/log", mesh.simulator))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    for words in ["olá da malha", "depois de tudo"] {
        assert_eq!(log.to_string().matches(words).count(), 1, "{words}");
    }
    let audit: Value = serde_json::from_str(&afluente(&mesh.config, &["audit", "--json"])).unwrap();
    assert_eq!((&audit["unaccounted_in"], &audit["out_of_order"]), (&json!(0), &json!(0)), "{audit}");
    assert_eq!(audit["intake"]["unaccounted"], json!(0), "{audit}");
    drop(mesh.folder);
}
