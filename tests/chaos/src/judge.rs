//! The verdict: what was accepted against what the desk and the provider's log show.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    faults::{self, Plan, Stall, Wound},
    ledger::{Ledger, Way},
    load::{self, Person, Target, address, note},
    mesh::{Mesh, Place},
};

/// How long what is on its way may take when the harm is over.
const SETTLE: Duration = Duration::from_secs(240);

/// One count that must be zero, and examples.
struct Charge {
    what: &'static str,
    found: Vec<String>,
}

/// The whole run. True when nothing was lost, doubled, turned round or let past the gate.
#[expect(clippy::print_stdout, reason = "a command line tool")]
pub(crate) async fn run(place: Place, plan: Plan) -> Result<bool> {
    println!("seed {}", plan.seed);
    let mut mesh = Mesh::start(place).await?;
    println!("the mesh runs; logs in {}", mesh.folder.display());
    let judged = tokio::select! {
        judged = trial(&mut mesh, &plan) => judged,
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    let stopped = mesh.stop().await;
    let innocent = judged?;
    stopped?;
    println!("seed {}: {}", plan.seed, if innocent { "nothing lost, doubled or out of order" } else { "GUILTY" });
    Ok(innocent)
}

/// Ctrl-C or SIGTERM: what was started is ended all the same.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => std::future::pending().await,
    }
}

async fn trial(mesh: &mut Mesh, plan: &Plan) -> Result<bool> {
    let ledger = Arc::new(Ledger::default());
    let desk = mesh.door("desk")?.port;
    let target = Target {
        whatsapp: format!("http://127.0.0.1:{}/hooks/whatsapp/loja", mesh.door("whatsapp")?.port),
        telegram: format!("http://127.0.0.1:{}/hooks/telegram/loja-telegram", mesh.door("telegram")?.port),
        desk: format!("http://127.0.0.1:{desk}"),
        host: format!("127.0.0.1:{desk}"),
        ledger: Arc::clone(&ledger),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let (mut running, people) = load::start(&target, plan.customers, plan.seed).await?;
    let ana = people.first().context("somebody")?;
    // Everybody has a conversation, and the mesh is warm.
    let begun = Instant::now();
    while ledger.of(Way::Out).len() < plan.customers as usize && begun.elapsed() < SETTLE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let wounds = faults::harm(mesh, &ledger, plan).await?;
    target.stop.store(true, Ordering::Release);
    let end = Instant::now();
    while ledger.open(end) > 0 && end.elapsed() < SETTLE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut charges = Vec::new();
    let failed = take_leave(&mut running).await;
    charges.push(Charge { what: "replies refused without a reason", found: failed });
    let shown = shown(ana, &ledger, plan.customers).await;
    charges.extend(inbound(&ledger, &shown));
    charges.extend(outbound(&ledger, &providers(mesh).await?));
    charges.push(owned(mesh, &ledger).await?);
    Ok(report(&ledger, &wounds, &charges))
}

/// Waits for those who bring to an end what they began; the listener never ends by itself.
async fn take_leave(running: &mut tokio::task::JoinSet<Result<()>>) -> Vec<String> {
    let mut failed = Vec::new();
    while running.len() > 1 {
        match tokio::time::timeout(SETTLE, running.join_next()).await {
            Ok(Some(Ok(Err(problem)))) => failed.push(problem.to_string()),
            Ok(Some(_)) => {}
            _ => break,
        }
    }
    running.shutdown().await;
    failed
}

/// What the desk shows in the end, by customer: the texts that came in, in order. Replies are noted once more: an event
/// may have been lost, a state not.
async fn shown(ana: &Person, ledger: &Ledger, customers: u32) -> BTreeMap<String, Vec<String>> {
    let conversations = ana.conversations().await;
    let mut shown = BTreeMap::new();
    for number in 0..customers {
        let whose = address(number);
        let Some(id) = conversations.get(&whose) else { continue };
        let messages = ana.messages(id).await;
        messages.iter().for_each(|message| note(ledger, message));
        let texts =
            messages.iter().filter(|one| one["direction"] == "in").filter_map(|one| one["content"]["text"].as_str());
        shown.insert(whose, texts.map(str::to_owned).collect());
    }
    shown
}

fn inbound(ledger: &Ledger, shown: &BTreeMap<String, Vec<String>>) -> Vec<Charge> {
    let seen: Vec<&String> = shown.values().flatten().collect();
    let once: BTreeSet<&String> = seen.iter().copied().collect();
    let entries = ledger.of(Way::In);
    let accepted = entries.iter().filter(|(_, one)| one.accepted.is_some());
    vec![
        Charge {
            what: "accepted from the provider and not at the desk",
            found: accepted.map(|(words, _)| words).filter(|words| !once.contains(words)).cloned().collect(),
        },
        Charge { what: "twice at the desk", found: doubles(seen.iter().map(|words| words.as_str())) },
        Charge {
            what: "out of order at the desk",
            found: shown.values().flat_map(|texts| turned(texts.iter().map(String::as_str))).collect(),
        },
    ]
}

/// The sends that took effect at the providers, in their order.
async fn providers(mesh: &Mesh) -> Result<Vec<(String, String)>> {
    let mut sent = Vec::new();
    for (name, read) in [("gupshup", by_gupshup as fn(&Value) -> _), ("telegram", by_telegram)] {
        let url = format!("http://127.0.0.1:{}/sim/{name}/log", mesh.simulator);
        let log: Value = mesh.http.get(url).send().await?.json().await?;
        let calls = log["calls"].as_array().context("calls")?;
        sent.extend(
            calls.iter().filter(|call| call["message_id"].is_string()).filter_map(|call| read(&call["fields"])),
        );
    }
    Ok(sent)
}

/// To whom, and the words.
type Sent = Option<(String, String)>;

fn by_gupshup(fields: &Value) -> Sent {
    let said: Value = serde_json::from_str(fields["message"].as_str()?).ok()?;
    Some((fields["destination"].as_str()?.to_owned(), said["text"].as_str()?.to_owned()))
}

fn by_telegram(fields: &Value) -> Sent {
    let chat = &fields["chat_id"];
    let to = chat.as_str().map_or_else(|| chat.to_string(), str::to_owned);
    Some((to, fields["text"].as_str()?.to_owned()))
}

fn outbound(ledger: &Ledger, sent: &[(String, String)]) -> Vec<Charge> {
    let entries = ledger.of(Way::Out);
    let mut by_customer: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (to, words) in sent {
        by_customer.entry(to).or_default().push(words);
    }
    let accepted = entries.iter().filter(|(_, one)| one.accepted.is_some() && one.heard.is_none());
    vec![
        Charge {
            what: "replies neither delivered nor failed nor parked",
            found: accepted.map(|(words, one)| format!("{words} ({})", one.state)).collect(),
        },
        Charge {
            what: "replies called delivered that the provider does not know",
            found: {
                let known: BTreeSet<&str> = sent.iter().map(|(_, words)| words.as_str()).collect();
                let told = entries
                    .iter()
                    .filter(|(_, one)| matches!(one.state.as_str(), "accepted" | "sent" | "delivered" | "read"));
                told.map(|(words, _)| words).filter(|words| !known.contains(words.as_str())).cloned().collect()
            },
        },
        Charge { what: "twice at the provider", found: doubles(sent.iter().map(|(_, words)| words.as_str())) },
        Charge { what: "out of order at the provider", found: by_customer.into_values().flat_map(turned).collect() },
        Charge {
            what: "at the provider and never written at the desk",
            found: sent.iter().map(|(_, words)| words).filter(|words| !entries.contains_key(*words)).cloned().collect(),
        },
    ]
}

async fn owned(mesh: &Mesh, ledger: &Ledger) -> Result<Charge> {
    let audit = mesh.afluente(&["audit", "--json"], Some("administrator")).await?;
    let audit: Value = serde_json::from_str(&audit)?;
    let mut found: Vec<String> = ["unaccounted_in", "unaccounted_out", "out_of_order", "seat_mismatch"]
        .into_iter()
        .filter(|what| audit[what] != json!(0))
        .map(|what| format!("{what} {}", audit[what]))
        .collect();
    found.extend(ledger.counts().get("taken by two").map(|count| format!("taken by two agents {count} times")));
    Ok(Charge { what: "found by the audit, or owned twice", found })
}

fn doubles<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut once = BTreeSet::new();
    texts.filter(|text| !once.insert(*text)).map(str::to_owned).collect()
}

/// Those that come after a later one. The numbers have leading zeros, so texts sort like them.
fn turned<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut last = "";
    let mut found = Vec::new();
    for text in texts {
        if text < last {
            found.push(format!("{text} after {last}"));
        }
        last = last.max(text);
    }
    found
}

#[expect(clippy::print_stdout, reason = "a command line tool")]
fn report(ledger: &Ledger, wounds: &[Wound], charges: &[Charge]) -> bool {
    let (came, went) = (ledger.of(Way::In), ledger.of(Way::Out));
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for one in went.values() {
        let code = if one.code.is_empty() { String::new() } else { format!(" ({})", one.code) };
        *ends.entry(format!("{}{code}", one.state)).or_default() += 1;
    }
    println!("webhooks accepted {}, replies accepted {}", accepted(&came), accepted(&went));
    println!("replies by their end: {ends:?}");
    println!("counted on the way: {:?}", ledger.counts());
    let ours = || wounds.iter().filter(|wound| !wound.providers);
    for (way, stall) in [("in", in_of as fn(&Wound) -> Stall), ("out", out_of)] {
        let added = ours().filter_map(|wound| Some((stall(wound).after?, &wound.name))).max();
        let whole = ours().filter_map(|wound| Some((stall(wound).whole?, &wound.name))).max();
        if let (Some((added, by)), Some((whole, of))) = (added, whole) {
            let (added, whole) = (added.as_secs_f64(), whole.as_secs_f64());
            println!("longest wait {way}: {added:.1} s after a harm was mended ({by}), {whole:.1} s in all ({of})");
        }
    }
    for charge in charges {
        println!("{:>5}  {}", charge.found.len(), charge.what);
        charge.found.iter().take(10).for_each(|one| println!("         {one}"));
    }
    charges.iter().all(|charge| charge.found.is_empty())
}

const fn in_of(wound: &Wound) -> Stall {
    wound.stalled_in
}

const fn out_of(wound: &Wound) -> Stall {
    wound.stalled_out
}

fn accepted(entries: &BTreeMap<String, crate::ledger::Entry>) -> usize {
    entries.values().filter(|one| one.accepted.is_some()).count()
}
