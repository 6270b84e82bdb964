//! The verdict: what was accepted against what the desk and the provider's log show.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::{
    charges::{self, Charge, Texts},
    faults::{self, Plan, Stall, Wound},
    ledger::{Entry, Ledger, Way},
    load::{self, Channel, Customer, Load, Person, Target, note},
    mesh::{Mesh, Place},
};

/// How long what is on its way may take when the harm is over.
const SETTLE: Duration = Duration::from_secs(240);

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
        polled: format!("http://127.0.0.1:{}/sim/customers/telegram", mesh.simulator),
        webchat: format!("127.0.0.1:{}", mesh.door("webchat")?.port),
        desk: format!("http://127.0.0.1:{desk}"),
        host: format!("127.0.0.1:{desk}"),
        ledger: Arc::clone(&ledger),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let mut load = load::start(&target, plan.customers, plan.seed).await?;
    // Everybody has a conversation, and the mesh is warm.
    let begun = Instant::now();
    while ledger.of(Way::Out).len() < load.customers.len() && begun.elapsed() < SETTLE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let wounds = faults::harm(mesh, &ledger, plan).await?;
    target.stop.store(true, Ordering::Release);
    let end = Instant::now();
    while !ledger.open(end).is_empty() && end.elapsed() < SETTLE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let charges = charges(mesh, &target, &mut load).await?;
    Ok(report(&ledger, &wounds, &charges))
}

async fn charges(mesh: &Mesh, target: &Target, load: &mut Load) -> Result<Vec<Charge>> {
    let ledger = &target.ledger;
    let (customers, ana) = (&load.customers, load.people.first().context("somebody")?);
    let mut failed = take_leave(&mut load.writing).await;
    while let Some(ended) = load.hearing.try_join_next() {
        failed.extend(ended?.err().map(|problem| problem.to_string()));
    }
    let shown = shown(ana, ledger, customers).await;
    // Before the visitors go: what comes meanwhile is on both pages or on none.
    let sent = sent(mesh, customers).await?;
    load.hearing.shutdown().await;
    let mut anew = BTreeMap::new();
    for customer in customers.iter().filter(|one| one.channel == Channel::Webchat && one.address().is_some()) {
        anew.insert(customer.name.clone(), load::look_again(target, customer).await?);
    }
    let audit = mesh.afluente(&["audit", "--json"], Some("administrator")).await?;
    let mut charges = vec![Charge { what: "refused without a reason", found: failed }, charges::begun(ledger)];
    charges.extend(charges::inbound(ledger, &shown));
    charges.extend(charges::outbound(ledger, &sent));
    charges.extend(charges::pages(ledger, customers, &anew));
    charges.push(charges::owned(ledger, &serde_json::from_str(&audit).context("the audit's answer")?));
    Ok(charges)
}

/// Waits for those who bring to an end what they began.
async fn take_leave(writing: &mut JoinSet<Result<()>>) -> Vec<String> {
    let mut failed = Vec::new();
    loop {
        match tokio::time::timeout(SETTLE, writing.join_next()).await {
            Ok(Some(Ok(Err(problem)))) => failed.push(problem.to_string()),
            Ok(Some(_)) => {}
            _ => break,
        }
    }
    writing.shutdown().await;
    failed
}

/// What the desk shows in the end: the texts that came in, in order. Replies are noted once more: an event may have been
/// lost, a state not.
async fn shown(ana: &Person, ledger: &Ledger, customers: &[Arc<Customer>]) -> Texts {
    let conversations = ana.conversations().await;
    let mut shown = Texts::new();
    for customer in customers {
        let Some(id) = customer.own(&conversations) else { continue };
        let messages = ana.messages(id).await;
        messages.iter().for_each(|message| note(ledger, message));
        let texts =
            messages.iter().filter(|one| one["direction"] == "in").filter_map(|one| one["content"]["text"].as_str());
        shown.insert(customer.name.clone(), texts.map(str::to_owned).collect());
    }
    shown
}

/// The sends that took effect at the providers and on the visitors' pages, in their order. Who is no customer is called by
/// the address.
async fn sent(mesh: &Mesh, customers: &[Arc<Customer>]) -> Result<Texts> {
    let mut sent = Texts::new();
    for (name, read) in [("gupshup", by_gupshup as fn(&Value) -> _), ("telegram", by_telegram)] {
        let url = format!("http://127.0.0.1:{}/sim/{name}/log", mesh.simulator);
        let log: Value = mesh.http.get(url).send().await?.json().await?;
        let calls = log["calls"].as_array().context("calls")?;
        let done = calls.iter().filter(|call| call["message_id"].is_string());
        for (to, words) in done.filter_map(|call| read(&call["fields"])) {
            let whose = customers.iter().find(|customer| customer.address() == Some(to.as_str()));
            sent.entry(whose.map_or(to, |customer| customer.name.clone())).or_default().push(words);
        }
    }
    for customer in customers.iter().filter(|customer| customer.channel == Channel::Webchat) {
        let page = customer.page();
        let words = page.items.iter().filter(|item| !item.own).map(|item| item.words.clone());
        sent.insert(customer.name.clone(), words.collect());
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

#[expect(clippy::print_stdout, reason = "a command line tool")]
fn report(ledger: &Ledger, wounds: &[Wound], charges: &[Charge]) -> bool {
    let (came, went) = (ledger.of(Way::In), ledger.of(Way::Out));
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for one in went.values() {
        let code = if one.code.is_empty() { String::new() } else { format!(" ({})", one.code) };
        *ends.entry(format!("{}{code}", one.state)).or_default() += 1;
    }
    println!("accepted: {}; replies: {}", accepted(&came), accepted(&went));
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

/// How many were accepted, in all and by channel.
fn accepted(entries: &BTreeMap<String, Entry>) -> String {
    let mut channels: BTreeMap<Channel, usize> = BTreeMap::new();
    for one in entries.values().filter(|one| one.accepted.is_some()) {
        *channels.entry(one.channel).or_default() += 1;
    }
    format!("{} {channels:?}", channels.values().sum::<usize>())
}
