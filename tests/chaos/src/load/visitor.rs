//! A visitor of the website: the widget's protocol as its page speaks it (`services/webchat/widget/link.js`), with a
//! connection that breaks more often than a page's.
//!
//! One message at a time is sent until it is acknowledged, under the same id; what the company wrote is shown by its
//! number, and a page that comes back asks for what came after the last one.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Result, anyhow};
use futures_util::{SinkExt as _, StreamExt as _};
use rand::{RngExt as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::Instant};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message},
};

use super::{
    AGAIN, RHYTHM, Target,
    customers::Customer,
    page::{Item, Page},
};
use crate::ledger::Way;

/// A visitor who waits so long for the tick of a message loads the page again.
const PATIENCE: Duration = Duration::from_secs(10);
/// The service pings every 20 s; a page that hears nothing for so long comes again.
const SILENCE: Duration = Duration::from_secs(45);

type Socket = WebSocketStream<TcpStream>;

/// Why a link ended.
enum Ended {
    /// The page comes again.
    Lost,
    /// What must never happen.
    Wrong(anyhow::Error),
}

impl<E: std::error::Error> From<E> for Ended {
    fn from(_: E) -> Self {
        Self::Lost
    }
}

/// A message on its way.
struct Draft {
    id: String,
    words: String,
    /// Whether this link has carried it.
    sent: bool,
}

struct Visit {
    target: Target,
    customer: Arc<Customer>,
    random: StdRng,
    /// Messages written.
    n: u32,
    draft: Option<Draft>,
    /// Whether all that was missed has come.
    ready: bool,
    /// When the next message is written, with a link or without.
    writes: Instant,
    /// When the next thing is to be done with the link: send, send again, or give it up.
    due: Instant,
    /// Items that the page shows and has not yet told of.
    unread: Vec<String>,
}

/// Writes and reads until it is ended; an error is what the protocol does not allow.
pub(super) async fn visit(target: Target, customer: Arc<Customer>, random: StdRng) -> Result<()> {
    let (writes, due) = (Instant::now(), Instant::now());
    let mut visit =
        Visit { target, customer, random, n: 0, draft: None, ready: false, writes, due, unread: Vec::new() };
    loop {
        match visit.stay().await {
            Ok(()) | Err(Ended::Lost) => visit.target.ledger.count("visitors' links lost"),
            Err(Ended::Wrong(problem)) => anyhow::bail!("{}: {problem:#}", visit.customer.name),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What a page that is loaded anew shows, by the token of `customer`.
pub(crate) async fn look_again(target: &Target, customer: &Customer) -> Result<Vec<Item>> {
    let token = customer.page().token.clone();
    let mut page = Page { token, ..Page::default() };
    let hello = page.hello();
    let looking = async {
        let mut socket = connect(&target.webchat, &hello).await?;
        while let Some(frame) = next(&mut socket).await {
            if frame["type"] == "caught_up" {
                return Ok(());
            }
            page.show(&frame);
        }
        Err(Ended::Lost)
    };
    match tokio::time::timeout(SILENCE, looking).await {
        Ok(Ok(())) => Ok(page.items),
        _ => anyhow::bail!("{} cannot load the page again", customer.name),
    }
}

async fn connect(host: &str, hello: &Value) -> Result<Socket, tungstenite::Error> {
    let stream = TcpStream::connect(host).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{host}/link/webchat/site/ws"), stream).await?;
    say(&mut socket, hello).await?;
    Ok(socket)
}

async fn say(socket: &mut Socket, frame: &Value) -> Result<(), tungstenite::Error> {
    socket.send(Message::Text(frame.to_string().into())).await
}

/// The next frame with words; none when the link is lost.
async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        match tokio::time::timeout(SILENCE, socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => return serde_json::from_str(&text).ok(),
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            _ => return None,
        }
    }
}

impl Visit {
    /// One link, until it is lost.
    async fn stay(&mut self) -> Result<(), Ended> {
        self.write();
        self.ready = false;
        self.due = Instant::now() + PATIENCE;
        self.unread.clear();
        let hello = self.customer.page().hello();
        let mut socket = tokio::time::timeout(PATIENCE, connect(&self.target.webchat, &hello)).await??;
        loop {
            tokio::select! {
                frame = next(&mut socket) => {
                    let Some(frame) = frame else { return Ok(()) };
                    self.hear(&frame)?;
                    if self.ready && !self.unread.is_empty() {
                        let ids = std::mem::take(&mut self.unread);
                        say(&mut socket, &json!({"type": "delivered", "ids": ids})).await?;
                    }
                }
                () = tokio::time::sleep_until(self.due) => self.act(&mut socket).await?,
            }
        }
    }

    /// Writes the next message when it is time.
    fn write(&mut self) {
        if self.draft.is_some() || self.writes > Instant::now() || self.target.stop.load(Ordering::Acquire) {
            return;
        }
        let words = self.customer.says(self.n);
        self.target.ledger.begin(Way::In, self.customer.channel, &words);
        self.draft = Some(Draft { id: format!("m{:06}", self.n), words, sent: false });
        self.n += 1;
    }

    /// Writes, sends again what was turned away, or gives the link up.
    async fn act(&mut self, socket: &mut Socket) -> Result<(), Ended> {
        self.due = Instant::now() + PATIENCE;
        if !self.ready {
            return Err(Ended::Lost);
        }
        if self.draft.as_ref().is_some_and(|draft| draft.sent) {
            return if self.may_leave() { Err(Ended::Lost) } else { Ok(()) };
        }
        self.write();
        let Some(draft) = &mut self.draft else { return Ok(()) };
        let content = json!({"type": "text", "text": draft.words});
        let frame = json!({"type": "message", "id": draft.id, "content": content});
        draft.sent = true;
        for _ in 0..if self.random.random_ratio(1, 10) { 2 } else { 1 } {
            say(socket, &frame).await?;
        }
        // Whether it arrived is for the next link to find out.
        if self.random.random_ratio(1, 15) && self.may_leave() { Err(Ended::Lost) } else { Ok(()) }
    }

    /// Whether all but the message on its way is at the desk. What is not may be on the disk of this replica, and the order
    /// over the disks of two is not promised (docs/reliability.md): the visitor does not go to another one just then.
    fn may_leave(&self) -> bool {
        let before = self.n.checked_sub(2).map(|n| self.customer.says(n));
        before.is_none_or(|words| self.target.ledger.is_heard(Way::In, &words))
    }

    fn hear(&mut self, frame: &Value) -> Result<(), Ended> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = text(&frame["id"]);
        match frame["type"].as_str().unwrap_or_default() {
            "welcome" => {
                if !self.customer.is_called(&text(&frame["visitor"])) {
                    return Err(Ended::Wrong(anyhow!("the token made somebody else: {frame}")));
                }
                self.customer.page().token = Some(text(&frame["token"]));
            }
            "item" => self.show(frame),
            "caught_up" => {
                self.ready = true;
                self.draft.iter_mut().for_each(|draft| draft.sent = false);
                self.due = self.writes;
            }
            "accepted" => self.settle(&id),
            "error" => match text(&frame["code"]).as_str() {
                "throttled" | "unavailable" => {
                    self.target.ledger.count("visitors' frames turned away");
                    if let Some(draft) = self.draft.as_mut().filter(|draft| draft.id == id) {
                        draft.sent = false;
                        self.due = Instant::now() + AGAIN;
                    }
                }
                _ => return Err(Ended::Wrong(anyhow!("a frame was refused: {frame}"))),
            },
            _ => {}
        }
        Ok(())
    }

    fn show(&mut self, frame: &Value) {
        let Some(item) = self.customer.page().show(frame).cloned() else { return };
        if item.own {
            self.settle(&item.id);
        } else {
            self.target.ledger.arrived(&item.words);
            self.unread.push(item.id);
        }
    }

    /// What was sent under `id` is safe.
    fn settle(&mut self, id: &str) {
        let Some(draft) = self.draft.take_if(|draft| draft.id == id) else { return };
        self.target.ledger.accepted(Way::In, &draft.words);
        self.writes = Instant::now() + RHYTHM.mul_f64(self.random.random_range(0.5..1.5));
        self.due = self.writes;
    }
}
