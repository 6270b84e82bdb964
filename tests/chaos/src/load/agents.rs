//! Agents: they answer, hand conversations on, and hear what the desk tells its pages.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Result;
use futures_util::StreamExt as _;
use rand::{rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use super::{
    AGAIN, ANSWERS, RHYTHM, Target,
    customers::{Customer, in_ledger},
    person::Person,
    seats,
};
use crate::ledger::{Ledger, Way};

/// The code with which the gate refuses a reply to somebody who has opted out.
pub(crate) const OPTED_OUT: &str = "opted_out";

/// Answers one customer, one message after the other, each with a key of its own until the desk has taken it.
pub(super) async fn answer(target: Target, ana: Person, customer: Arc<Customer>) -> Result<()> {
    let conversation = loop {
        if target.stop.load(Ordering::Acquire) {
            return Ok(());
        }
        if let Some(id) = customer.own(&ana.conversations().await) {
            break id.clone();
        }
        tokio::time::sleep(AGAIN).await;
    };
    let path = format!("/conversations/{conversation}/messages");
    let mut n = 0;
    while !target.stop.load(Ordering::Acquire) {
        let words = customer.is_told(n);
        if !customer.is_asked(&target.ledger, &words) {
            tokio::time::sleep(AGAIN).await;
            continue;
        }
        loop {
            let body = json!({"content": {"type": "text", "text": words}});
            let (status, answer) = ana.change(reqwest::Method::POST, &path, &body, &words).await;
            match status {
                200..=299 => {
                    target.ledger.accepted(Way::Out, &words);
                    break;
                }
                // What may have been carried out is asked for again, with the same key.
                0 | 429 | 500..=599 => {
                    target.ledger.count("replies tried again");
                    tokio::time::sleep(AGAIN).await;
                }
                // Also before the opt-out is shown, and before an opt-in is heard.
                409 if customer.opts_out() && answer["code"] == OPTED_OUT => {
                    target.ledger.turned_away(&words, OPTED_OUT);
                    break;
                }
                _ => {
                    target.ledger.refused(Way::Out, &words);
                    anyhow::bail!("a reply was refused with {status}: {answer}");
                }
            }
        }
        n += 1;
        tokio::time::sleep(ANSWERS).await;
    }
    Ok(())
}

/// Two agents want the same conversation of a queue that hands out nothing; then it goes back, and again.
pub(super) async fn hand_on(
    target: Target,
    people: Vec<Person>,
    customers: Vec<Arc<Customer>>,
    mut random: StdRng,
) -> Result<()> {
    let [_, bruno, carla] = people.as_slice() else { anyhow::bail!("three people") };
    let mut n = 0;
    while !target.stop.load(Ordering::Acquire) {
        tokio::time::sleep(RHYTHM).await;
        let Some(whose) = customers.choose(&mut random) else { return Ok(()) };
        let Some(id) = whose.own(&bruno.conversations().await).cloned() else { continue };
        n += 1;
        seats::contend(&target, [bruno, carla], &id, &format!("take {n}")).await;
        for who in [bruno, carla] {
            seats::give_back(who, &id, &format!("back {n}")).await;
        }
    }
    Ok(())
}

/// Hears the desk's events as a page does: a lost connection goes on from the last number, and where the stream cannot go
/// on from a number of ours, everything is read.
pub(super) async fn listen(target: Target, ana: Person) -> Result<()> {
    let mut cursor = None;
    loop {
        drop(hear(&target, &ana, &mut cursor).await);
        target.ledger.count("event streams lost");
        tokio::time::sleep(AGAIN).await;
    }
}

async fn hear(target: &Target, ana: &Person, cursor: &mut Option<u64>) -> Result<()> {
    let from = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
    let mut request = format!("ws://{}/api/v1/events{from}", target.host).into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", ana.token).parse()?);
    let stream = tokio::net::TcpStream::connect(&target.host).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    // The desk pings every 20 s; a page that hears nothing for 45 s comes again.
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(Duration::from_secs(45), socket.next()).await {
        let Message::Text(text) = frame else { continue };
        let event: Value = serde_json::from_str(&text)?;
        // What was written before the first greeting has no event for us.
        if event["type"] == "reset" || event["type"] == "hello" && cursor.is_none() {
            target.ledger.count("desk read anew");
            for id in ana.conversations().await.values() {
                ana.messages(id).await.iter().for_each(|message| note(&target.ledger, message));
            }
        }
        if let Some(number) = event["sequence"].as_u64().or_else(|| event["data"]["cursor"].as_u64()) {
            *cursor = Some(number);
        }
        if event["type"] == "message" {
            note(&target.ledger, &event["data"]);
        }
    }
    Ok(())
}

/// Notes a message as the desk shows it.
pub(crate) fn note(ledger: &Ledger, message: &Value) {
    let Some(words) = message["content"]["text"].as_str().map(in_ledger) else { return };
    let way = if message["direction"] == "in" { Way::In } else { Way::Out };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let delivery = &message["delivery"];
    ledger.heard(way, &words, &text(&delivery["state"]), &text(&delivery["failure"]["code"]));
}
