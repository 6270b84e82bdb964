//! The run and its judgement: what was accepted against what the desk, the providers' logs, the visitors' pages and the
//! audit show.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::{
    audit::{self, Known},
    charges::{self, Charge, Texts},
    faults::{self, Plan},
    ledger::{Ledger, Way},
    load::{self, Channel, Customer, Load, Person, Target, in_ledger, note},
    mesh::{Mesh, Place},
    servers::Server,
    verdict,
};

/// How long what is on its way may take when the harm is over.
const SETTLE: Duration = Duration::from_secs(240);
/// How long distribution may take to hand out what waits, when nothing else happens.
const HAND_OUT: Duration = Duration::from_secs(30);

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
    println!(
        "seed {}: {}",
        plan.seed,
        if innocent { "nothing lost, doubled, out of order, past the gate or owned twice" } else { "GUILTY" }
    );
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
        broker: mesh.servers.port(Server::Rabbitmq)?,
        ledger: Arc::clone(&ledger),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let mut load = load::start(&target, plan.customers, plan.seed).await?;
    // Everybody has a conversation, and the mesh is warm.
    let begun = Instant::now();
    while ledger.of(Way::Out).len() < load.customers.len() && begun.elapsed() < SETTLE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut done = faults::harm(mesh, &ledger, plan).await?;
    target.stop.store(true, Ordering::Release);
    let end = Instant::now();
    while !ledger.open(end).is_empty() && end.elapsed() < SETTLE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let open = ledger.open(end);
    let mut charges = charges(mesh, &target, &mut load).await?;
    for ended in mesh.ended() {
        done.ended.entry(ended).or_insert_with(|| "all".to_owned());
    }
    let ended = done.ended.iter().map(|(process, after)| format!("{process}, after {after}")).collect();
    charges.extend(charges::survived(open, ended));
    charges.extend(plan.stall_limit.map(|limit| charges::stalled(&done.wounds, limit)));
    Ok(verdict::report(&ledger, &done.wounds, &charges))
}

#[expect(clippy::print_stdout, reason = "a command line tool")]
async fn charges(mesh: &Mesh, target: &Target, load: &mut Load) -> Result<Vec<Charge>> {
    let ledger = &target.ledger;
    let (customers, ana) = (&load.customers, load.people.first().context("somebody")?);
    let mut failed = take_leave(&mut load.writing, SETTLE).await;
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
    let mut charges = vec![Charge { what: "refused without a reason", found: failed }, charges::begun(ledger)];
    charges.extend(charges::inbound(ledger, &shown));
    charges.extend(charges::outbound(ledger, &sent));
    charges.extend(charges::pages(ledger, customers, &anew));
    charges.extend(charges::gated(ledger, customers, &sent));
    charges.extend(charges::owned(ledger, idle(ana).await));
    let known = Known::of(ledger);
    let audit = audit::settled(mesh, known).await?;
    println!("the audit: {}", audit.summary());
    charges.extend(audit.charges(known));
    Ok(charges)
}

/// What waits for somebody who is free, when distribution has had time.
async fn idle(ana: &Person) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let (agents, list) = load::look(ana).await;
        let idle = load::idle(&agents, &list);
        if idle.is_empty() || begun.elapsed() > HAND_OUT {
            return idle;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Waits for those who bring to an end what they began. Who does not get there has been refused something, too.
async fn take_leave(writing: &mut JoinSet<Result<()>>, patience: Duration) -> Vec<String> {
    let mut failed = Vec::new();
    loop {
        match tokio::time::timeout(patience, writing.join_next()).await {
            Ok(Some(Ok(Ok(())))) => {}
            Ok(Some(Ok(Err(problem)))) => failed.push(problem.to_string()),
            Ok(Some(Err(broken))) => failed.push(broken.to_string()),
            Ok(None) => break,
            Err(_) => {
                failed.push(format!("{} did not come to their end within {patience:?}", writing.len()));
                break;
            }
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
        shown.insert(customer.name.clone(), texts.map(in_ledger).collect());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_fails_breaks_or_never_ends_is_told_of() {
        let mut writing: JoinSet<Result<()>> = JoinSet::new();
        writing.spawn(async { Ok(()) });
        assert!(take_leave(&mut writing, SETTLE).await.is_empty());
        writing.spawn(async { anyhow::bail!("refused") });
        assert_eq!(take_leave(&mut writing, SETTLE).await, ["refused"]);
        let broken = writing.spawn(std::future::pending());
        broken.abort();
        assert_eq!(take_leave(&mut writing, SETTLE).await.len(), 1);
        writing.spawn(std::future::pending());
        let stuck = take_leave(&mut writing, Duration::from_millis(1)).await;
        assert_eq!(stuck, ["1 did not come to their end within 1ms"]);
    }
}
