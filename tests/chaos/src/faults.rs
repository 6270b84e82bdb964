//! The harm, by a seeded schedule: one at a time, each followed by a wait until what it delayed has come through.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::Result;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::{Value, json};

use crate::{
    ledger::{Ledger, Way},
    mesh::{Mesh, REPLICAS, spare_port},
    probe,
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
    /// From when on a stall is a charge, if it is to be one.
    pub(crate) stall_limit: Option<Duration>,
}

/// What a run did, and what ended by it.
#[derive(Default)]
pub(crate) struct Harmed {
    pub(crate) wounds: Vec<Wound>,
    /// Processes that ended unasked, each with the harm after which that was first seen.
    pub(crate) ended: BTreeMap<String, String>,
}

/// The services that are killed and upgraded: all that carry some of the load.
const HARMED: [&str; 6] = ["router", "session", "desk", "whatsapp", "telegram", "webchat"];

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
        for service in HARMED {
            all.extend([Self::Kill(service), Self::Upgrade(service), Self::KillAll(service)]);
        }
        for server in Server::ALL {
            all.extend([Self::Restart(server), Self::Crash(server), Self::Cut(server), Self::Silence(server)]);
            all.extend([Self::Refuse(server), Self::Slow(server)]);
        }
        all.extend([Self::Flush, Self::Throttle, Self::Errors, Self::Hang, Self::Late]);
        all
    }

    /// Harm of one sort, to whomever.
    const fn family(self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::KillAll(_) => "kill-all",
            Self::Upgrade(_) => "upgrade",
            Self::Restart(_) => "restart",
            Self::Crash(_) => "crash",
            Self::Cut(_) => "cut",
            Self::Silence(_) => "silence",
            Self::Refuse(_) => "refuse",
            Self::Slow(_) => "slow",
            Self::Flush => "flush-redis",
            Self::Throttle => "provider-429",
            Self::Errors => "provider-500",
            Self::Hang => "provider-hangs",
            Self::Late => "provider-late",
        }
    }

    pub(crate) fn name(self) -> String {
        let family = self.family();
        match self {
            Self::Kill(service) | Self::KillAll(service) | Self::Upgrade(service) => format!("{family}-{service}"),
            Self::Restart(server)
            | Self::Crash(server)
            | Self::Cut(server)
            | Self::Silence(server)
            | Self::Refuse(server)
            | Self::Slow(server) => format!("{family}-{}", server.name()),
            _ => family.to_owned(),
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
                return start(mesh, server).await;
            }
            Self::Crash(server) => {
                mesh.servers.act("kill", server).await?;
                tokio::time::sleep(some_seconds).await;
                return start(mesh, server).await;
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
    mesh.upgrades(service);
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

/// Starts a server again, and answers since when it serves: until then the mesh has an excuse.
async fn start(mesh: &Mesh, server: Server) -> Result<Instant> {
    let port = mesh.servers.port(server)?;
    let (started, served) = tokio::join!(mesh.servers.act("start", server), probe::served(server, port));
    started?;
    served
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
    mesh.http.put(url).json(&json!({"gupshup": faults, "telegram": faults})).send().await?.error_for_status()?;
    Ok(())
}

/// One harm and what it cost.
pub(crate) struct Wound {
    pub(crate) name: String,
    pub(crate) at: Duration,
    /// Until it was mended; for a server that was away, until a plain client of it was served.
    pub(crate) harmed: Duration,
    pub(crate) stalled_in: Stall,
    pub(crate) stalled_out: Stall,
    /// What did not come through in time.
    pub(crate) open: Vec<String>,
    pub(crate) providers: bool,
}

/// What messages of one way waited; none where none was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stall {
    /// After the harm was mended: what the mesh adds.
    pub(crate) after: Option<Duration>,
    /// In all.
    pub(crate) whole: Option<Duration>,
}

/// All of `kinds` in an order of chance, but one of each family before the others: a short run has some of everything.
fn deck(kinds: &[Fault], random: &mut StdRng) -> Vec<Fault> {
    let mut shuffled = kinds.to_vec();
    shuffled.shuffle(random);
    let mut families = BTreeSet::new();
    let (first, rest): (Vec<_>, Vec<_>) = shuffled.into_iter().partition(|kind| families.insert(kind.family()));
    [first, rest].concat()
}

/// Does harm until the time is over, and prints it.
#[expect(clippy::print_stdout, reason = "a command line tool")]
pub(crate) async fn harm(mesh: &mut Mesh, ledger: &Ledger, plan: &Plan) -> Result<Harmed> {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let started = Instant::now();
    let named = |kind: &Fault| plan.only.iter().any(|name| *name == kind.name() || name == kind.family());
    let mut kinds = Fault::all();
    kinds.retain(|kind| plan.only.is_empty() || named(kind));
    anyhow::ensure!(!kinds.is_empty(), "no such kind of harm");
    let families: BTreeSet<_> = kinds.iter().map(|kind| kind.family()).collect();
    let least = if plan.only.is_empty() { families.len() } else { kinds.len() };
    let mut done = Harmed::default();
    loop {
        for kind in deck(&kinds, &mut random) {
            if done.wounds.len() >= least && started.elapsed() >= plan.span {
                return Ok(done);
            }
            let from = Instant::now();
            let mended = kind.inflict(mesh, &mut random).await?;
            let patience = Instant::now() + PATIENCE;
            tokio::time::sleep_until((mended + AFTER).into()).await;
            while !ledger.open(mended + AFTER).is_empty() && Instant::now() < patience {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            let longest = |way, since| ledger.longest(way, from, mended + AFTER, since);
            let stall = |way| Stall { after: longest(way, mended), whole: longest(way, from) };
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
            wound.open.iter().take(5).for_each(|one| println!("  still open: {one}"));
            // Who ended stays so, and is told of once.
            for ended in mesh.ended().into_iter().filter(|one| !done.ended.contains_key(one)).collect::<Vec<_>>() {
                println!("  ended unasked: {ended}");
                done.ended.insert(ended, wound.name.clone());
            }
            done.wounds.push(wound);
        }
    }
}

fn line(wound: &Wound) -> String {
    let seconds = |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.1}", time.as_secs_f64()));
    format!(
        "at {:>6.1} s  {:<20} lasted {:>4.1} s, then the longest wait in {:>4} s, out {:>4} s; in all {:>4} s, {:>4} s{}",
        wound.at.as_secs_f64(),
        wound.name,
        wound.harmed.as_secs_f64(),
        seconds(wound.stalled_in.after),
        seconds(wound.stalled_out.after),
        seconds(wound.stalled_in.whole),
        seconds(wound.stalled_out.whole),
        if wound.open.is_empty() { String::new() } else { format!(", {} still open", wound.open.len()) },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_comes_once_before_any_comes_again() {
        let all = Fault::all();
        let families: BTreeSet<_> = all.iter().map(|kind| kind.family()).collect();
        for seed in 0..100 {
            let deck = deck(&all, &mut StdRng::seed_from_u64(seed));
            assert_eq!(deck.len(), all.len());
            let first: BTreeSet<_> = deck.iter().take(families.len()).map(|kind| kind.family()).collect();
            assert_eq!(first, families);
        }
    }
}
