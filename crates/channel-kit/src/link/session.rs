//! One socket: hello, what was missed, then both directions until one side goes.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use domain::{Content, error::codes};
use runtime::{
    Drain,
    names::{label, metric},
    trace,
};
use serde_json::Value;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior},
};
use tracing::Instrument as _;

use super::{
    frames::{self, Hello, Out, Shown, Stored, Told},
    poke, stored_key,
    visitor::Identity,
};
use crate::{
    accounts::Live,
    contract::{Arrival, Arrived, Link, Visitor},
    intake,
    kit::Kit,
};

/// How long a page may take to say hello.
const HELLO: Duration = Duration::from_secs(10);
/// How often we ping, and look into the mailbox even unasked.
const TICK: Duration = Duration::from_secs(20);
/// A page that was not heard for so long is gone.
const SILENCE: Duration = Duration::from_secs(70);
/// How long a frame that was turned away holds up those behind it. The widget sends it again after 2 s; a page that never
/// does speaks on after this.
const REMEMBERED: Duration = Duration::from_secs(15);
/// The code of what is to be sent again.
const UNAVAILABLE: &str = "unavailable";
/// Items in one read of the mailbox.
const PAGE: u32 = 100;
/// A visitor's own items: their ids are apart from those of our parts.
const OWN: &str = "v:";

/// Close codes of RFC 6455 and its registry.
mod close {
    pub(super) const GOING_AWAY: u16 = 1001;
    pub(super) const POLICY: u16 = 1008;
    pub(super) const TRY_AGAIN: u16 = 1013;
}

struct Session {
    kit: Arc<Kit>,
    live: Arc<Live>,
    facet: Arc<dyn Link>,
    /// The process's, which begins before that of our tasks: those wait until the sockets are closed.
    drain: Drain,
    identity: Identity,
    visitor: Visitor,
    /// The last item that the page has.
    seen: u64,
    tokens: f64,
    refilled: Instant,
    /// The frame that was turned away and has not come again, and since when.
    refused: Option<(String, Instant)>,
}

/// Why a socket is closed by us.
struct Closed(u16, &'static str);

/// Serves a socket until it ends.
pub(super) async fn serve(kit: Arc<Kit>, live: Arc<Live>, facet: Arc<dyn Link>, drain: Drain, mut socket: WebSocket) {
    kit.env.metrics.gauge_add(metric::LINKS, &[(label::CHANNEL, kit.channel.as_str())], 1.0);
    if let Err(Closed(code, reason)) = run(&kit, live, facet, drain, &mut socket).await {
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = socket.send(Message::Close(Some(frame))).await;
    }
    kit.env.metrics.gauge_add(metric::LINKS, &[(label::CHANNEL, kit.channel.as_str())], -1.0);
}

async fn run(
    kit: &Arc<Kit>,
    live: Arc<Live>,
    facet: Arc<dyn Link>,
    drain: Drain,
    socket: &mut WebSocket,
) -> Result<(), Closed> {
    let hello = match tokio::time::timeout(HELLO, first(socket)).await {
        Ok(Some(hello)) => hello,
        Ok(None) => return Err(Closed(close::POLICY, "say hello first")),
        Err(_) => return Err(Closed(close::POLICY, "no hello in time")),
    };
    let Some(identity) = Identity::of(&live) else {
        tracing::error!(account = %live.account.id, "the account has no 'link_secret'");
        return Err(Closed(close::TRY_AGAIN, "the account is not ready"));
    };
    // A token that does not hold (a rotated secret, a forged one) makes a new visitor, with nothing of the old one.
    let known = hello.token.as_deref().and_then(|token| identity.read(token, kit.now()));
    let after = if known.is_some() { hello.after } else { 0 };
    let mut visitor = Visitor { address: known.unwrap_or_else(Identity::stranger), profile: Default::default() };
    hello.profile.merge(&mut visitor.profile);
    let welcome = identity.token(&visitor.address);
    let burst = f64::from(kit.config.frame_rate) * 4.0;
    let mut session = Session {
        kit: Arc::clone(kit),
        live,
        facet,
        drain,
        identity,
        visitor,
        seen: after,
        tokens: burst,
        refilled: Instant::now(),
        refused: None,
    };
    let address = session.visitor.address.clone();
    say(socket, &Out::Welcome { token: &welcome, visitor: address.as_str() }).await?;
    let account = session.live.account.id;
    let (number, wake) = kit.sockets.add(account, &address);
    let ended = session.talk(socket, &wake).await;
    kit.sockets.remove(account, &address, number);
    ended
}

async fn first(socket: &mut WebSocket) -> Option<Hello> {
    loop {
        match socket.recv().await?.ok()? {
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text).ok()?;
                return (frame.get("type")? == "hello").then(|| serde_json::from_value(frame).ok())?;
            }
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Binary(_) | Message::Close(_) => return None,
        }
    }
}

async fn say(socket: &mut WebSocket, out: &Out<'_>) -> Result<(), Closed> {
    socket.send(Message::Text(out.text().into())).await.map_err(|_| Closed(close::GOING_AWAY, ""))
}

impl Session {
    async fn talk(&mut self, socket: &mut WebSocket, wake: &Notify) -> Result<(), Closed> {
        self.catch_up(socket).await?;
        say(socket, &Out::CaughtUp { sequence: self.seen }).await?;
        let mut tick = tokio::time::interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        let drain = self.drain.clone();
        let replaced = self.live.replaced.clone();
        loop {
            tokio::select! {
                frame = socket.recv() => {
                    heard = Instant::now();
                    match frame {
                        Some(Ok(Message::Text(text))) => self.hear(socket, &text).await?,
                        Some(Ok(Message::Binary(_))) => return Err(Closed(close::POLICY, "text frames only")),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                    }
                }
                () = wake.notified() => self.catch_up(socket).await?,
                _ = tick.tick() => {
                    if heard.elapsed() > SILENCE {
                        return Err(Closed(close::GOING_AWAY, "silent"));
                    }
                    let ping = socket.send(Message::Ping(Default::default())).await;
                    ping.map_err(|_| Closed(close::GOING_AWAY, ""))?;
                    self.catch_up(socket).await?;
                }
                () = drain.begun() => return Err(Closed(close::GOING_AWAY, "the service restarts")),
                () = replaced.cancelled() => return Err(Closed(close::GOING_AWAY, "the account changed")),
            }
        }
    }

    /// Sends what the page has not seen, in order.
    async fn catch_up(&mut self, socket: &mut WebSocket) -> Result<(), Closed> {
        loop {
            let mailboxes = &self.kit.env.mailboxes;
            let read = mailboxes.since(self.live.account.id, &self.visitor.address, self.seen, PAGE).await;
            let items = match read {
                Ok(items) => items,
                Err(error) => {
                    // The next tick tries again.
                    tracing::warn!(%error, "a mailbox cannot be read");
                    return Ok(());
                }
            };
            let last = items.len() < PAGE as usize;
            for item in items {
                self.seen = item.sequence;
                let Ok(stored) = serde_json::from_str::<Stored>(&item.body) else { continue };
                let shown = Shown {
                    from: stored.from,
                    at: stored.at,
                    content: &stored.content,
                    media_url: stored.media.as_deref().map(|key| self.kit.media_path(key)),
                };
                let id = item.id.strip_prefix(OWN).unwrap_or(&item.id);
                say(socket, &Out::Item { sequence: item.sequence, id, item: shown }).await?;
            }
            if last {
                return Ok(());
            }
        }
    }

    async fn hear(&mut self, socket: &mut WebSocket, text: &str) -> Result<(), Closed> {
        let Ok(mut frame) = serde_json::from_str::<Value>(text) else {
            return say(socket, &Out::Error { code: "malformed", id: None, detail: "not JSON" }).await;
        };
        let id = frame.get("id").and_then(Value::as_str).map(str::to_owned);
        if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > 64) {
            return say(socket, &Out::Error { code: "malformed", id: None, detail: "an id has 1 to 64 characters" })
                .await;
        }
        match frame.get("type").and_then(Value::as_str) {
            Some("ping") => return say(socket, &Out::Pong).await,
            Some("hello") => return Ok(()),
            Some("profile") => {
                if let Ok(told) = serde_json::from_value::<Told>(frame) {
                    told.merge(&mut self.visitor.profile);
                }
                return Ok(());
            }
            _ => {}
        }
        if let Some(detail) = self.throttled(id.as_deref()) {
            return say(socket, &Out::Error { code: "throttled", id: id.as_deref(), detail }).await;
        }
        self.redeem(&mut frame);
        let channel = self.kit.channel.clone();
        let span = trace::webhook(&format!("/link/{channel}/{{account}}/ws"), "WS");
        match self.take(&frame, id.as_deref()).instrument(span).await {
            Ok(()) => match &id {
                Some(id) => say(socket, &Out::Accepted { id }).await,
                None => Ok(()),
            },
            Err((code, detail)) => {
                if code == UNAVAILABLE {
                    self.turn_away(id.as_deref());
                }
                say(socket, &Out::Error { code, id: id.as_deref(), detail: &detail }).await
            }
        }
    }

    /// Why the frame has to come again, if it has: this page's own haste, what the visitors of its account send in all
    /// while much waits at the routers, or a frame before it that has to come again, which it must not overtake. One
    /// without an id does not come again, and overtakes nothing.
    fn throttled(&mut self, id: Option<&str>) -> Option<&'static str> {
        if !self.token() {
            self.turn_away(id);
            return Some("too fast; send it again");
        }
        let id = id?;
        let first = self.refused.as_ref().filter(|(_, since)| since.elapsed() < REMEMBERED);
        if first.is_some_and(|(first, _)| first != id) {
            return Some("one before it has to come again first");
        }
        if !self.kit.admits(&self.live) {
            self.turn_away(Some(id));
            return Some("too much waits; send it again");
        }
        self.refused = None;
        None
    }

    /// Remembers the first frame of those that have to come again.
    fn turn_away(&mut self, id: Option<&str>) {
        let remembers = self.refused.as_ref().is_some_and(|(_, since)| since.elapsed() < REMEMBERED);
        if let (Some(id), false) = (id, remembers) {
            self.refused = Some((id.to_owned(), Instant::now()));
        }
    }

    fn token(&mut self) -> bool {
        let rate = f64::from(self.kit.config.frame_rate);
        let now = Instant::now();
        self.tokens = (self.tokens + now.duration_since(self.refilled).as_secs_f64() * rate).min(rate * 4.0);
        self.refilled = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// Puts the upload behind `content.ticket` in its place, as `content.upload`. What a page itself claims there goes.
    fn redeem(&self, frame: &mut Value) {
        let Some(content) = frame.get_mut("content").and_then(Value::as_object_mut) else { return };
        content.remove("upload");
        let Some(ticket) = content.remove("ticket") else { return };
        let upload = ticket
            .as_str()
            .and_then(|ticket| self.identity.upload(ticket, &self.visitor.address, self.kit.now()))
            .and_then(|upload| serde_json::to_value(upload).ok());
        if let Some(upload) = upload {
            content.insert("upload".to_owned(), upload);
        }
    }

    /// Makes what the frame says safe, and the visitor's own words part of the mailbox.
    async fn take(&self, frame: &Value, id: Option<&str>) -> Result<(), (&'static str, String)> {
        let text = frame.to_string();
        let read = catch_unwind(AssertUnwindSafe(|| self.facet.receive(&text, &self.visitor)));
        let arrivals = match read {
            Ok(Ok(arrivals)) => arrivals,
            Ok(Err(malformed)) => return Err(("malformed", malformed.to_string())),
            Err(_) => {
                self.kit.env.metrics.count(metric::PANICS, &[(label::PLACE, "link")], 1);
                return Err(("malformed", "the frame could not be read".to_owned()));
            }
        };
        let own: Vec<(String, Content)> = arrivals.iter().filter_map(|arrival| said(arrival, id)).collect();
        let now = self.kit.now();
        let batch = intake::envelopes(&self.kit, &self.live.account, arrivals, now);
        let unavailable = |error: String| {
            tracing::error!(error, code = %codes::UNAVAILABLE, "a visitor's frame is turned away");
            (UNAVAILABLE, "not now; send it again".to_owned())
        };
        let account = self.live.account.id;
        let accepted = self.kit.intake.accept(account, batch, now).await;
        accepted.map_err(|error| unavailable(error.to_string()))?;
        for (id, content) in own {
            let item = Stored {
                from: frames::From::Visitor,
                at: now,
                content: self.facet.render(&content),
                media: stored_key(&content),
            };
            let body = serde_json::to_string(&item).unwrap_or_default();
            let put =
                self.kit.env.mailboxes.put(account, &self.visitor.address, &format!("{OWN}{id}"), &body, now).await;
            put.map_err(|error| unavailable(error.to_string()))?;
            poke(&self.kit, account, &self.visitor.address, &id).await;
        }
        Ok(())
    }
}

/// A message of the visitor and its id for the mailbox: the page's own, else the arrival's key.
fn said(arrival: &Arrival, id: Option<&str>) -> Option<(String, Content)> {
    match &arrival.what {
        Arrived::Message(message) => Some((id.unwrap_or(&arrival.key).to_owned(), message.content.clone())),
        Arrived::Receipt(_) | Arrived::Consent(_) => None,
    }
}
