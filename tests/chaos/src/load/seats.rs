//! Agents with little room, in a queue that hands out what waits: they give back, want the same as each other and as
//! distribution, and are looked at all the while.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use anyhow::Result;
use rand::{rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};

use super::{AGAIN, RHYTHM, Target, person::Person};
use crate::mesh::{CIRCLE, SEATED};

/// More than an agent's capacity, at a look.
pub(crate) const OVERFULL: &str = "seen with more conversations than their capacity";
/// A conversation of two, at a look or because both were told that it is theirs.
pub(crate) const SHARED: &str = "a conversation of two agents";
/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Tries to give something back before it is left to the next turn.
const TRIES: u32 = 50;

/// Two want the same conversation at the same time.
pub(super) async fn contend(target: &Target, two: [&Person; 2], id: &str, key: &str) {
    let path = format!("/conversations/{id}/take");
    let take = |who: Person| {
        let path = path.clone();
        async move { who.change(reqwest::Method::POST, &path, &json!({}), key).await.0 }
    };
    let [first, second] = two;
    match tokio::join!(take(first.clone()), take(second.clone())) {
        (200, 200) => target.ledger.note_down(SHARED, format!("{id}: both were told that it is theirs, {key}")),
        (200, _) | (_, 200) => target.ledger.count("taken"),
        _ => target.ledger.count("not taken"),
    }
}

/// Puts a conversation back into its queue, whoever has it.
pub(super) async fn give_back(who: &Person, id: &str, key: &str) {
    for attempt in 0..TRIES {
        let path = format!("/conversations/{id}/return");
        let (status, _) = who.change(reqwest::Method::POST, &path, &json!({}), &format!("{key} {attempt}")).await;
        if !matches!(status, 0 | 500..=599) {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Each gives one back, and at once both want the one that has waited longest, before distribution gives it to somebody.
pub(super) async fn take_turns(target: Target, seated: Vec<Person>, mut random: StdRng) -> Result<()> {
    let [davi, eva] = seated.as_slice() else { anyhow::bail!("two people with little room") };
    let mut n = 0;
    while !target.stop.load(Ordering::Acquire) {
        tokio::time::sleep(RHYTHM).await;
        n += 1;
        for who in [davi, eva] {
            let own = who.get("/conversations?mine=true&limit=500").await;
            let own: Vec<&str> = items(&own).filter_map(|one| one["id"].as_str()).collect();
            if let Some(id) = own.choose(&mut random) {
                give_back(who, id, &format!("turn {n}")).await;
            }
        }
        let waiting = davi.get("/conversations?state=waiting&limit=1").await;
        if let Some(id) = items(&waiting).find_map(|one| one["id"].as_str()) {
            contend(&target, [davi, eva], id, &format!("turn {n}")).await;
        }
    }
    Ok(())
}

/// Looks at everybody's load until it is ended.
pub(super) async fn watch(target: Target, ana: Person) -> Result<()> {
    loop {
        let (agents, list) = look(&ana).await;
        overfull(&agents, &list).into_iter().for_each(|one| target.ledger.note_down(OVERFULL, one));
        shared(&list).into_iter().for_each(|one| target.ledger.note_down(SHARED, one));
        target.ledger.count(if is_full(&agents) { "looks while all seats were taken" } else { "looks at the seats" });
        tokio::time::sleep(LOOK).await;
    }
}

/// The agents and the open conversations, as a supervisor sees them: each of one moment, not both of the same.
pub(crate) async fn look(ana: &Person) -> (Value, Value) {
    (ana.get("/agents").await, ana.get("/conversations?limit=500").await)
}

/// Those of little room who are free, beside each conversation that waits in their queue.
pub(crate) fn idle(agents: &Value, list: &Value) -> Vec<String> {
    let free: Vec<String> = seated(agents)
        .filter(|one| one["presence"] == "online" && one["load"].as_u64() < one["capacity"].as_u64())
        .map(|one| format!("{} with {} of {}", one["name"], one["load"], one["capacity"]))
        .collect();
    let waits = items(list).filter(|one| one["state"] == "waiting" && one["queue"]["name"] == CIRCLE);
    if free.is_empty() { Vec::new() } else { waits.map(|one| format!("{} waits for {free:?}", one["id"])).collect() }
}

/// Whether the agents of little room have none left.
fn is_full(agents: &Value) -> bool {
    seated(agents).all(|one| one["load"].as_u64() >= one["capacity"].as_u64())
}

/// Agents whose seat, or whose conversations counted one by one, are more than their capacity.
fn overfull(agents: &Value, list: &Value) -> Vec<String> {
    let mut served: BTreeMap<&str, u64> = BTreeMap::new();
    for agent in items(list).filter_map(|one| one["agent"]["id"].as_str()) {
        *served.entry(agent).or_default() += 1;
    }
    let mut found = Vec::new();
    for agent in items(agents) {
        let room = agent["capacity"].as_u64();
        let served = agent["id"].as_str().and_then(|id| served.get(id).copied());
        for (what, load) in [("a seat's load", agent["load"].as_u64()), ("conversations", served)] {
            if load > room {
                found.push(format!("{}: {what} {load:?} of {room:?}", agent["name"]));
            }
        }
    }
    found
}

/// Conversations that are listed with two agents.
fn shared(list: &Value) -> Vec<String> {
    let mut agents: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut found = Vec::new();
    for one in items(list) {
        let (Some(id), agent) = (one["id"].as_str(), &one["agent"]["id"]) else { continue };
        if agents.insert(id, agent).is_some_and(|other| other != agent) {
            found.push(format!("{id}: listed twice, with {agent} and another"));
        }
    }
    found
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

fn seated(agents: &Value) -> impl Iterator<Item = &Value> {
    let is_one = |name: &str| SEATED.iter().any(|email| email.split('@').next() == Some(name));
    items(agents).filter(move |one| one["name"].as_str().is_some_and(is_one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agents(loads: [u64; 2]) -> Value {
        let agent = |(name, load): (&str, u64)| {
            let id = format!("usr_{name}");
            json!({"id": id, "name": name, "presence": "online", "load": load, "capacity": 3})
        };
        let all: Vec<Value> = ["davi", "eva"].into_iter().zip(loads).map(agent).collect();
        json!({"items": all})
    }

    /// Conversations `0..`, of these agents; those of nobody wait.
    fn list(of: &[&str]) -> Value {
        let one = |(n, agent): (usize, &&str)| {
            let whose = if agent.is_empty() { Value::Null } else { json!({"id": format!("usr_{agent}")}) };
            let state = if agent.is_empty() { "waiting" } else { "active" };
            json!({"id": format!("cnv_{n}"), "state": state, "queue": {"name": CIRCLE}, "agent": whose})
        };
        let all: Vec<Value> = of.iter().enumerate().map(one).collect();
        json!({"items": all})
    }

    #[test]
    fn more_than_the_capacity_is_seen_in_the_seat_and_in_the_list() {
        assert!(overfull(&agents([3, 0]), &list(&["davi", "davi", "davi", "eva", ""])).is_empty());
        assert_eq!(overfull(&agents([4, 0]), &list(&[])), ["\"davi\": a seat's load Some(4) of Some(3)"]);
        let four = list(&["eva", "eva", "eva", "eva"]);
        assert_eq!(overfull(&agents([0, 3]), &four), ["\"eva\": conversations Some(4) of Some(3)"]);
    }

    #[test]
    fn a_conversation_of_two_is_seen() {
        let mut twice = list(&["davi", "eva"]);
        assert!(shared(&twice).is_empty());
        twice["items"][1]["id"] = json!("cnv_0");
        assert_eq!(shared(&twice).len(), 1);
    }

    #[test]
    fn who_is_free_while_something_waits_is_seen_and_who_is_full_is_not() {
        assert_eq!(idle(&agents([3, 2]), &list(&["", "davi"])), ["\"cnv_0\" waits for [\"\\\"eva\\\" with 2 of 3\"]"]);
        assert!(idle(&agents([3, 3]), &list(&["", "davi"])).is_empty());
        assert!(idle(&agents([3, 2]), &list(&["davi"])).is_empty());
        assert!(is_full(&agents([3, 3])) && !is_full(&agents([3, 2])));
    }
}
