//! What is written before the first process starts: its settings, and the accounts.

use std::path::Path;

use anyhow::Result;

use super::{CIRCLE, Mesh, NETWORK, PICKED, POLLED, REPLICAS, SECRET, SERVICES, SPOOL};
use crate::servers::Server;

impl Mesh {
    /// A file for each process: its own data folder, its own broker user, and only the keys that it needs.
    pub(super) fn configure(&self, keys: &str) -> Result<()> {
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

[[simulator.accounts]]
name = "{POLLED}"
label = "Loja"

[simulator.accounts.provider.telegram]
token = "110201544:mesh-token"

{keys}"#,
            data = shown(&self.folder.join("data").join("simulator")),
            hooks = self.door("whatsapp")?.port,
            telegram = self.door("telegram")?.port,
            simulator = self.simulator,
        ))
    }

    /// The organization's accounts: all channels, and Telegram both with a webhook and polled.
    pub(super) async fn accounts(&self) -> Result<()> {
        let add = ["account", "add", "--queue"];
        let simulator = format!("http://127.0.0.1:{}/sim", self.simulator);
        let (gupshup, base) = (format!("base_url={simulator}/gupshup"), format!("base_url={simulator}/telegram"));
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
            ["--setting", &base],
            ["--secret", "token=110201543:mesh-token"],
            ["--secret", &telegrams],
        ];
        // Without a secret for a webhook it is polled.
        let polled = [
            ["--channel", "telegram"],
            ["--name", POLLED],
            ["--setting", &base],
            ["--secret", "token=110201544:mesh-token"],
        ];
        let webchat = [["--channel", "webchat"], ["--name", "site"]];
        let all = [(PICKED, whatsapp.concat()), (CIRCLE, telegram.concat()), (CIRCLE, polled.concat())];
        for (queue, words) in all.into_iter().chain([(CIRCLE, webchat.concat())]) {
            self.afluente(&[&add[..], &[queue], &words].concat(), Some("administrator")).await?;
        }
        Ok(())
    }
}

fn line(line: &str) -> String {
    format!("{line}\n")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
