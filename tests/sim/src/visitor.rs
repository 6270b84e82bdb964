//! A contact who writes from a page of theirs: it holds a connection to one replica after the other, sends each thing until
//! it is told that it is safe, and shows what was said on both sides.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::DuplexStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use crate::{
    channel::NAME,
    dice::Dice,
    life::Life,
    plan::Role,
    record::Accepted,
    world::{World, account, event},
};

/// How long a page waits for a word before it looks for another replica.
const PATIENCE: Duration = Duration::from_secs(8);

struct Line {
    socket: WebSocketStream<DuplexStream>,
    /// Of the process at the other end.
    life: Life,
    by: String,
}

/// One visitor, with what their page remembers.
struct Visitor {
    world: Arc<World>,
    house: usize,
    dice: Dice,
    line: Option<Line>,
    token: Option<String>,
    address: String,
    /// The last item that the page has.
    seen: u64,
}

/// A visitor who writes `texts`, one after the other.
pub(crate) async fn visit(world: Arc<World>, house: usize, number: usize, texts: Vec<String>) {
    let dice = Dice::of(world.plan.seed, &format!("visitor {house} {number}"));
    let mut visitor = Visitor { world, house, dice, line: None, token: None, address: String::new(), seen: 0 };
    for (n, text) in texts.into_iter().enumerate() {
        let pause = visitor.dice.millis(0, 12_000);
        visitor.look(pause).await;
        visitor.say(&format!("in-{number}-{n}"), text).await;
    }
    // Until nothing goes wrong any more: agents are still answering.
    while !visitor.world.is_calm() {
        visitor.look(Duration::from_secs(5)).await;
    }
    for _ in 0..20 {
        visitor.look(Duration::from_secs(5)).await;
        if visitor.seen == visitor.kept() {
            return;
        }
    }
    visitor.blame(&format!("conserved: the page of {} shows {} of {}", visitor.address, visitor.seen, visitor.kept()));
}

impl Visitor {
    /// Has the page open for so long.
    async fn look(&mut self, pause: Duration) {
        let end = Instant::now() + pause;
        while Instant::now() < end {
            if self.dice.chance(60) {
                self.line = None;
            }
            if !self.connects().await {
                tokio::time::sleep(self.dice.millis(200, 2_000)).await;
            } else if timeout_at(end, self.hears()).await.is_err() {
                return;
            }
        }
    }

    /// Sends `text` until it is told that it is safe.
    async fn say(&mut self, id: &str, text: String) {
        while self.address.is_empty() {
            self.look(Duration::from_millis(500)).await;
        }
        let id = format!("{id}-{}", self.address);
        let event = event(self.house, &format!("message:{id}"));
        self.world.record.known().written.insert(event, (self.house, text.clone()));
        let frame = json!({ "type": "message", "id": id, "text": text, "at": self.world.now().millis() }).to_string();
        loop {
            let called = self.world.record.turn();
            if self.connects().await
                && let Some(line) = &mut self.line
            {
                let by = line.by.clone();
                self.world.record.known().called.entry(event).or_default().insert(by.clone());
                let sent = line.socket.send(Message::text(frame.clone())).await;
                if sent.is_ok() && timeout(PATIENCE, self.is_told(&id)).await == Ok(true) {
                    self.world
                        .record
                        .note(|| format!("{by} accepts {id} of a visitor of house {} ({text})", self.house));
                    let answered = self.world.record.turn();
                    let (house, from) = (self.house, self.address.clone());
                    let accepted = Accepted { house, event, id, from, text: Some(text), by, called, answered };
                    self.world.record.known().accepted.push(accepted);
                    return;
                }
                // Another replica may fare better.
                self.line = None;
            }
            tokio::time::sleep(self.dice.millis(200, 3_000)).await;
        }
    }

    /// Whether what was sent as `id` is safe.
    async fn is_told(&mut self, id: &str) -> bool {
        while let Some(frame) = self.hears().await {
            if frame.get("id").and_then(Value::as_str) == Some(id) {
                match frame.get("type").and_then(Value::as_str) {
                    Some("accepted") => return true,
                    Some("error") => return false,
                    _ => {}
                }
            }
        }
        false
    }

    /// The next frame; none when the connection is gone.
    async fn hears(&mut self) -> Option<Value> {
        let line = self.line.as_mut()?;
        let message = tokio::select! {
            message = line.socket.next() => message,
            () = line.life.over() => None,
        };
        let Some(Ok(Message::Text(text))) = message else {
            if !matches!(message, Some(Ok(Message::Ping(_) | Message::Pong(_)))) {
                self.line = None;
                return None;
            }
            return Some(Value::Null);
        };
        let frame: Value = serde_json::from_str(&text).ok()?;
        self.keep(&frame);
        Some(frame)
    }

    fn keep(&mut self, frame: &Value) {
        let said = |key: &str| frame.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        match frame.get("type").and_then(Value::as_str) {
            Some("welcome") => {
                let known = std::mem::replace(&mut self.address, said("visitor"));
                if !known.is_empty() && known != self.address {
                    self.blame(&format!("once: the visitor {known} is {} now", self.address));
                }
                self.token = Some(said("token"));
            }
            Some("item") => {
                let sequence = frame.get("sequence").and_then(Value::as_u64).unwrap_or(0);
                if sequence != self.seen + 1 {
                    self.blame(&format!("ordered: the page of {} shows {sequence} after {}", self.address, self.seen));
                }
                self.seen = sequence;
            }
            _ => {}
        }
    }

    /// How much lies in the mailbox.
    fn kept(&self) -> u64 {
        let address = domain::Address::new(&self.address);
        let tables = self.world.store.tables();
        tables.mailboxes.get(&(account(self.house), address)).map_or(0, |items| items.len() as u64)
    }

    fn blame(&self, what: &str) {
        self.world.record.known().problems.push(what.to_owned());
    }

    /// Whether there is a connection, or is one now.
    async fn connects(&mut self) -> bool {
        if self.line.as_ref().is_some_and(|line| !line.life.is_over()) {
            return true;
        }
        self.line = self.dial().await;
        self.line.is_some()
    }

    async fn dial(&mut self) -> Option<Line> {
        let running = self.world.any(Role::Channel, &mut self.dice)?;
        let stream = running.door.enter()?;
        let url = format!("ws://channel.test/link/{NAME}/house-{}/ws", self.house);
        let opened = tokio::select! {
            opened = timeout(PATIENCE, client_async(url, stream)) => opened.ok()?.ok(),
            () = running.alive.over() => None,
        };
        let (mut socket, _) = opened?;
        let hello = json!({ "type": "hello", "token": self.token, "after": self.seen }).to_string();
        socket.send(Message::text(hello)).await.ok()?;
        Some(Line { socket, life: running.alive, by: running.life })
    }
}
