//! The harm, by a seeded schedule: one at a time, each followed by a wait until what it delayed has come through.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::{Value, json};

use crate::{
    ledger::{Ledger, Way},
    mesh::{Mesh, REPLICAS, spare_port},
    servers::Server,
};

/// How long one harm is waited out before the next is done all the same.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is written so long after a harm was mended still counts as delayed by it.
const AFTER: Duration = Duration::from_secs(3);

/// What a run does.
pub(crate) struct Plan {
    pub(crate) span: Duration,
    pub(crate) seed: u64,
    pub(crate) only: Vec<String>,
    pub(crate) customers: u32,
}

/// The kinds of harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// kill -9 of one replica; it is started again.
    Kill(&'static str),
    /// kill -9 of both at once.
    KillAll(&'static str),
    /// A new process beside the old one, which is then told to drain; one replica after the other.
    Upgrade(&'static str),
    /// In good order, and again.
    Restart(Server),
    /// kill -9, away for some seconds, and again.
    Crash(Server),
    /// Every key of Redis.
    Flush,
    /// Every connection to it ends.
    Cut(Server),
    /// Every connection to it goes silent and stays open.
    Silence(Server),
    /// No connection to it, for some seconds.
    Refuse(Server),
    /// Each answer takes longer, for some seconds.
    Slow(Server),
    /// The provider answers 429 with Retry-After.
    Throttle,
    /// The provider answers 500.
    Errors,
    /// The provider answers nothing for long, without effect.
    Hang,
    /// The provider does it, and answers after the deadline.
    Late,
}

impl Fault {
    /// Each kind once, in the order in which they are named here.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for service in ["router", "session", "whatsapp", "desk"] {
            all.extend([Self::Kill(service), Self::Upgrade(service), Self::KillAll(service)]);
        }
        for server in Server::ALL {
            all.extend([Self::Restart(server), Self::Crash(server), Self::Cut(server), Self::Silence(server)]);
            all.extend([Self::Refuse(server), Self::Slow(server)]);
        }
        all.extend([Self::Flush, Self::Throttle, Self::Errors, Self::Hang, Self::Late]);
        all
    }

    /// One of each family, for the short form.
    fn short() -> Vec<Self> {
        vec![
            Self::Kill("router"),
            Self::Kill("session"),
            Self::KillAll("whatsapp"),
            Self::Kill("desk"),
            Self::Upgrade("router"),
            Self::Upgrade("whatsapp"),
            Self::Crash(Server::Rabbitmq),
            Self::Silence(Server::Rabbitmq),
            Self::Restart(Server::Postgres),
            Self::Silence(Server::Postgres),
            Self::Crash(Server::Redis),
            Self::Flush,
            Self::Throttle,
            Self::Errors,
        ]
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Kill(service) => format!("kill-{service}"),
            Self::KillAll(service) => format!("kill-all-{service}"),
            Self::Upgrade(service) => format!("upgrade-{service}"),
            Self::Restart(server) => format!("restart-{}", server.name()),
            Self::Crash(server) => format!("crash-{}", server.name()),
            Self::Cut(server) => format!("cut-{}", server.name()),
            Self::Silence(server) => format!("silence-{}", server.name()),
            Self::Refuse(server) => format!("refuse-{}", server.name()),
            Self::Slow(server) => format!("slow-{}", server.name()),
            Self::Flush => "flush-redis".to_owned(),
            Self::Throttle => "provider-429".to_owned(),
            Self::Errors => "provider-500".to_owned(),
            Self::Hang => "provider-hangs".to_owned(),
            Self::Late => "provider-late".to_owned(),
        }
    }

    /// Does it, and answers when it was mended: from then on nothing has an excuse.
    async fn inflict(self, mesh: &mut Mesh, random: &mut StdRng) -> Result<Instant> {
        let some_seconds = Duration::from_secs(random.random_range(3..6));
        match self {
            Self::Kill(service) => {
                let replica = random.random_range(0..REPLICAS);
                let port = kill(mesh, service, replica).await?;
                // The other one has to do it alone for a while.
                let mended = Instant::now();
                tokio::time::sleep(some_seconds).await;
                mesh.spawn(service, replica, port)?;
                return Ok(mended);
            }
            Self::KillAll(service) => kill_all(mesh, service).await?,
            Self::Upgrade(service) => upgrade(mesh, service).await?,
            Self::Restart(server) => {
                mesh.servers.act("stop", server).await?;
                mesh.servers.act("start", server).await?;
            }
            Self::Crash(server) => {
                mesh.servers.act("kill", server).await?;
                tokio::time::sleep(some_seconds).await;
                mesh.servers.act("start", server).await?;
            }
            Self::Flush => flush(mesh).await?,
            Self::Cut(server) => mesh.cable(server)?.cut(),
            Self::Silence(server) => mesh.cable(server)?.silence(),
            Self::Refuse(server) => {
                mesh.cable(server)?.refuse(true);
                tokio::time::sleep(some_seconds).await;
                mesh.cable(server)?.refuse(false);
            }
            Self::Slow(server) => {
                mesh.cable(server)?.slow(Duration::from_millis(random.random_range(50..200)));
                tokio::time::sleep(some_seconds).await;
                mesh.cable(server)?.slow(Duration::ZERO);
            }
            Self::Throttle => provider(mesh, &json!({"throttle_next": 20, "retry_after": 1})).await?,
            Self::Errors => provider(mesh, &json!({"error_next": 20, "error_status": 500})).await?,
            Self::Hang => provider(mesh, &json!({"hang_next": 2, "hang_ms": 15_000})).await?,
            Self::Late => provider(mesh, &json!({"late_next": 2, "late_ms": 40_000})).await?,
        }
        Ok(Instant::now())
    }

    /// Whether the time that messages take is the provider's doing.
    const fn is_providers(self) -> bool {
        matches!(self, Self::Throttle | Self::Errors | Self::Hang | Self::Late)
    }
}

async fn kill(mesh: &mut Mesh, service: &'static str, replica: usize) -> Result<u16> {
    let process = mesh.take(service, replica)?;
    let port = process.port;
    process.kill().await?;
    Ok(port)
}

async fn kill_all(mesh: &mut Mesh, service: &'static str) -> Result<()> {
    let mut ports = Vec::new();
    for replica in 0..REPLICAS {
        ports.push(kill(mesh, service, replica).await?);
    }
    ports.into_iter().enumerate().try_for_each(|(replica, port)| mesh.spawn(service, replica, port))
}

async fn upgrade(mesh: &mut Mesh, service: &'static str) -> Result<()> {
    for replica in 0..REPLICAS {
        let old = mesh.take(service, replica)?;
        let port = spare_port()?;
        mesh.spawn(service, replica, port)?;
        mesh.ready(service, port).await?;
        mesh.door(service)?.replace(old.port, port);
        old.drain().await?;
    }
    Ok(())
}

/// Redis speaks in lines.
async fn flush(mesh: &Mesh) -> Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let port = mesh.servers.port(Server::Redis)?;
    let mut redis = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    redis.write_all(b"FLUSHALL\r\n").await?;
    let mut answer = [0; 5];
    redis.read_exact(&mut answer).await?;
    anyhow::ensure!(answer.starts_with(b"+OK"), "FLUSHALL was refused");
    Ok(())
}

async fn provider(mesh: &Mesh, faults: &Value) -> Result<()> {
    let url = format!("http://127.0.0.1:{}/sim/faults", mesh.simulator);
    mesh.http.put(url).json(&json!({"gupshup": faults})).send().await?.error_for_status()?;
    Ok(())
}

/// One harm and what it cost.
pub(crate) struct Wound {
    pub(crate) name: String,
    pub(crate) at: Duration,
    pub(crate) harmed: Duration,
    pub(crate) stalled_in: Option<Duration>,
    pub(crate) stalled_out: Option<Duration>,
    pub(crate) open: usize,
    pub(crate) providers: bool,
}

/// Does harm until the time is over, each kind of the list at least once, and prints it.
#[expect(clippy::print_stdout, reason = "a command line tool")]
pub(crate) async fn harm(mesh: &mut Mesh, ledger: &Ledger, plan: &Plan) -> Result<Vec<Wound>> {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let started = Instant::now();
    let long = plan.span > Duration::from_secs(180);
    let mut kinds = if long || !plan.only.is_empty() { Fault::all() } else { Fault::short() };
    if !plan.only.is_empty() {
        kinds.retain(|kind| plan.only.contains(&kind.name()));
    }
    anyhow::ensure!(!kinds.is_empty(), "no such kind of harm");
    let mut wounds = Vec::new();
    loop {
        kinds.shuffle(&mut random);
        for kind in &kinds {
            if long && started.elapsed() > plan.span {
                return Ok(wounds);
            }
            let from = Instant::now();
            let mended = kind.inflict(mesh, &mut random).await?;
            let patience = Instant::now() + PATIENCE;
            tokio::time::sleep_until((mended + AFTER).into()).await;
            while ledger.open(mended + AFTER) > 0 && Instant::now() < patience {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let stall = |way| ledger.longest(way, from, mended + AFTER, mended);
            let wound = Wound {
                name: kind.name(),
                at: from.duration_since(started),
                harmed: mended.duration_since(from),
                stalled_in: stall(Way::In),
                stalled_out: stall(Way::Out),
                open: ledger.open(mended + AFTER),
                providers: kind.is_providers(),
            };
            println!("{}", line(&wound));
            wounds.push(wound);
            for ended in mesh.ended() {
                println!("  ended unasked: {ended}");
            }
        }
        if started.elapsed() >= plan.span {
            return Ok(wounds);
        }
    }
}

fn line(wound: &Wound) -> String {
    let seconds = |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.1}", time.as_secs_f64()));
    format!(
        "at {:>6.1} s  {:<20} lasted {:>4.1} s, then the longest wait in {:>5} s, out {:>5} s{}",
        wound.at.as_secs_f64(),
        wound.name,
        wound.harmed.as_secs_f64(),
        seconds(wound.stalled_in),
        seconds(wound.stalled_out),
        if wound.open > 0 { format!(", {} still open", wound.open) } else { String::new() },
    )
}
