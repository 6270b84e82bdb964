//! One page's connection: hello, what it missed, then what happens.

use std::{collections::HashSet, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection},
    },
    response::Response,
};
use domain::{ConversationId, Stage};
use futures_util::SinkExt as _;
use ports::{ConversationFilter, StoreError};
use runtime::{
    Drain,
    names::{label, metric},
};
use serde::Deserialize;
use tokio::{sync::broadcast::error::RecvError, time::timeout};
use utoipa::IntoParams;

use super::{
    Joined,
    feed::{Feed, PAGE},
    translate::Live,
};
use crate::{
    caller::{Caller, QueryOf},
    problem::{Problem, ProblemDetails},
    state::Shared,
};

/// How long a page may take to take a frame.
const SLOWEST: Duration = Duration::from_secs(20);
/// A page says nothing over this socket; a frame of this size is no page's.
const LARGEST_FRAME: usize = 4 * 1_024;
/// More conversations than any capacity.
const OWN: u32 = 500;

/// Where to go on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Resume {
    /// The number of the last event that the page applied; now, when left out.
    cursor: Option<u64>,
}

/// Live events, by WebSocket: `hello` or `reset`, then each change that the caller may see.
#[utoipa::path(
    get, path = "/events", tag = "events", params(Resume),
    responses(
        (status = 101, description = "frames of JSON text, see docs/api.md"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "bad_request: not a WebSocket handshake"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "not_signed_in"),
    )
)]
pub(crate) async fn connect(
    State(desk): State<Shared>,
    caller: Caller,
    QueryOf(resume): QueryOf<Resume>,
    Extension(drain): Extension<Drain>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|fault| Problem::bad_request(fault.body_text()))?;
    let upgrade = upgrade.max_message_size(LARGEST_FRAME).max_frame_size(LARGEST_FRAME);
    Ok(upgrade.on_upgrade(move |socket| attend(desk, caller, resume.cursor, drain, socket)))
}

/// Why a connection ends.
enum End {
    /// The page left, or takes nothing.
    Gone,
    /// We say so.
    Said(u16, &'static str),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a page's events end: the store does not answer");
        Self::Said(close_code::AGAIN, "the store is away; come back")
    }
}

async fn attend(desk: Shared, caller: Caller, cursor: Option<u64>, drain: Drain, socket: WebSocket) {
    let (organization, user) = (caller.organization(), caller.user.id);
    desk.env.metrics.gauge_add(metric::DESK_SOCKETS, &[], 1.0);
    desk.presences.arrived(&desk, organization, user).await;
    let mut page = Page { desk: Arc::clone(&desk), caller, socket, sent: 0, held: HashSet::new() };
    if let Err(End::Said(code, reason)) = page.run(cursor, &drain).await {
        let frame = CloseFrame { code, reason: reason.into() };
        // A page that is already gone needs no farewell.
        let _ = timeout(SLOWEST, page.socket.send(Message::Close(Some(frame)))).await;
    }
    desk.env.metrics.gauge_add(metric::DESK_SOCKETS, &[], -1.0);
    desk.presences.left(&desk, organization, user).await;
}

struct Page {
    desk: Shared,
    caller: Caller,
    socket: WebSocket,
    /// The number of the last event that was sent, or is not for this page.
    sent: u64,
    /// Conversations in the caller's hand: the event that takes one away is the last that they hear of it.
    held: HashSet<ConversationId>,
}

impl Page {
    async fn run(&mut self, cursor: Option<u64>, drain: &Drain) -> Result<(), End> {
        let desk = Arc::clone(&self.desk);
        let mut ended = desk.ended.subscribe();
        let Joined { feed, mut live, range: (last, oldest) } = desk.hub.join(&desk, self.caller.organization()).await?;
        self.held = self.in_hand().await?;
        self.greet(cursor, last, oldest).await?;
        self.replay(&feed).await?;
        let mut pings = tokio::time::interval(desk.config.ping());
        pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        pings.tick().await;
        loop {
            // What is ready goes out together.
            if live.is_empty() {
                self.flush().await?;
            }
            tokio::select! {
                event = live.recv() => match event {
                    Ok(event) => self.go_on(&feed, &event).await?,
                    Err(RecvError::Lagged(_)) => self.replay(&feed).await?,
                    Err(RecvError::Closed) => return Err(End::Said(close_code::AWAY, "the feed ended")),
                },
                frame = self.socket.recv() => match frame {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
                    Some(Ok(_)) => {}
                },
                _ = pings.tick() => self.ping().await?,
                hash = ended.recv() => match hash {
                    Ok(hash) if hash != self.caller.token_hash => {}
                    Ok(_) => return Err(signed_out()),
                    Err(_) => self.check().await?,
                },
                () = drain.begun() => {
                    return Err(End::Said(close_code::AWAY, "the desk restarts; come back"));
                }
            }
        }
    }

    /// Says where the stream starts.
    async fn greet(&mut self, cursor: Option<u64>, last: u64, oldest: u64) -> Result<(), End> {
        let kept = |cursor: &u64| *cursor <= last && cursor.saturating_add(1) >= oldest;
        let (kind, start) = match cursor {
            None => ("hello", last),
            Some(cursor) if kept(&cursor) => ("hello", cursor),
            Some(_) => ("reset", last),
        };
        self.sent = start;
        self.text(serde_json::json!({ "type": kind, "data": { "cursor": start } }).to_string().into()).await
    }

    /// Reads from the store what comes after the last event that was sent.
    async fn replay(&mut self, feed: &Feed) -> Result<(), End> {
        loop {
            let desk = Arc::clone(&self.desk);
            let page = desk.env.views.events(feed.organization, self.sent, PAGE).await?;
            for event in &page {
                let live = Live::of(&desk, feed, event).await?;
                self.deliver(&live).await?;
            }
            if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    /// Takes the next live event: doubles are left out, a hole is filled from the store.
    async fn go_on(&mut self, feed: &Feed, event: &Live) -> Result<(), End> {
        if event.sequence > self.sent.saturating_add(1) {
            self.replay(feed).await?;
        }
        if event.sequence > self.sent { self.deliver(event).await } else { Ok(()) }
    }

    async fn deliver(&mut self, event: &Live) -> Result<(), End> {
        let viewer = &self.caller.viewer;
        let due = match event.conversation(viewer) {
            Some((id, _, true)) => {
                self.held.insert(id);
                true
            }
            Some((id, hears, false)) => self.held.remove(&id) || hears,
            None => event.is_for(viewer),
        };
        if due {
            self.text(event.text.clone()).await?;
            self.desk.env.metrics.count(metric::DESK_EVENTS, &[(label::KIND, event.kind)], 1);
        }
        self.sent = event.sequence;
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), End> {
        self.check().await?;
        let desk = Arc::clone(&self.desk);
        desk.presences.seen(&desk, self.caller.organization(), self.caller.user.id).await;
        self.text("{\"type\":\"ping\"}".into()).await
    }

    /// Whether the sign-in still holds, with the caller's role and queues as they are now.
    async fn check(&mut self) -> Result<(), End> {
        match Caller::by_token_hash(&self.desk, self.caller.token_hash.clone()).await {
            Ok(Some(caller)) => {
                self.caller = caller;
                Ok(())
            }
            Ok(None) => Err(signed_out()),
            // The store is away for a moment: nobody is signed out for that.
            Err(_) => Ok(()),
        }
    }

    async fn in_hand(&mut self) -> Result<HashSet<ConversationId>, StoreError> {
        let stages = vec![Stage::Active, Stage::Inactive];
        let agent = Some(self.caller.user.id);
        let own = ConversationFilter { stages, agent, limit: OWN, ..ConversationFilter::default() };
        let found = self.desk.env.views.conversations(self.caller.organization(), &own).await?;
        Ok(found.into_iter().map(|conversation| conversation.id).collect())
    }

    /// Puts a frame behind those that wait; [`Page::flush`] sends them, or their number does.
    async fn text(&mut self, text: axum::extract::ws::Utf8Bytes) -> Result<(), End> {
        in_time(self.socket.feed(Message::Text(text))).await
    }

    async fn flush(&mut self) -> Result<(), End> {
        in_time(self.socket.flush()).await
    }
}

/// A page that is gone, or so slow that it had better come back and resume, ends here.
async fn in_time(sending: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    match timeout(SLOWEST, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

fn signed_out() -> End {
    End::Said(close_code::POLICY, "not signed in")
}
