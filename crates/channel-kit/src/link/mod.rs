//! Live links: the contact's own page holds a WebSocket to us, and a mailbox holds what was said on both sides, so that
//! a page that comes back misses nothing.
//!
//! `GET /link/<channel>/<account>/ws` is the socket (see [`frames`]), `POST .../media` takes a file.

mod frames;
mod session;
mod upload;
mod visitor;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Extension, Router,
    extract::{Path, State, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use bytes::Bytes;
use domain::{AccountId, Address, Content, Failure, MediaSource, Outcome, error::codes};
use ports::{
    bus::Envelope,
    topology::{Queue, Topic},
};
use runtime::service::Drain;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::{
    accounts::Live,
    contract::{Ingress, Link, Part},
    kit::Kit,
};
pub(crate) use frames::Stored;

type Waiting = HashMap<(AccountId, Address), Vec<(u64, Arc<Notify>)>>;

/// The live sockets of this replica.
pub(crate) struct Sockets {
    waiting: Mutex<(u64, Waiting)>,
    slots: Arc<Semaphore>,
}

impl Sockets {
    pub(crate) fn new(limit: usize) -> Self {
        Self { waiting: Mutex::default(), slots: Arc::new(Semaphore::new(limit)) }
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Waiting)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    fn add(&self, account: AccountId, address: &Address) -> (u64, Arc<Notify>) {
        let mut guard = self.lock();
        guard.0 += 1;
        let number = guard.0;
        let notify = Arc::new(Notify::new());
        guard.1.entry((account, address.clone())).or_default().push((number, Arc::clone(&notify)));
        (number, notify)
    }

    fn remove(&self, account: AccountId, address: &Address, number: u64) {
        let mut guard = self.lock();
        let key = (account, address.clone());
        if let Some(all) = guard.1.get_mut(&key) {
            all.retain(|(known, _)| *known != number);
            if all.is_empty() {
                guard.1.remove(&key);
            }
        }
    }

    /// Wakes the sockets of a visitor: there is something new in the mailbox.
    fn poke(&self, account: AccountId, address: &Address) {
        if let Some(all) = self.lock().1.get(&(account, address.clone())) {
            all.iter().for_each(|(_, notify)| notify.notify_one());
        }
    }
}

/// "Look into this mailbox", from one replica to all.
#[derive(Serialize, Deserialize)]
struct Poke {
    account: AccountId,
    address: Address,
}

const POKE: &str = "afluente.link.poke";

/// Wakes the visitor's sockets wherever they are. A poke that is lost costs seconds: sockets also look by themselves.
async fn poke(kit: &Kit, account: AccountId, address: &Address, cause: &str) {
    kit.sockets.poke(account, address);
    let body = serde_json::to_vec(&Poke { account, address: address.clone() }).unwrap_or_default();
    let envelope = Envelope {
        id: format!("poke-{cause}"),
        topic: Topic::Links(kit.channel.clone()),
        kind: POKE.to_owned(),
        correlation: None,
        headers: Default::default(),
        body: Bytes::from(body),
    };
    if let Err(error) = kit.env.bus.publish(vec![envelope]).await {
        tracing::debug!(%error, "other replicas were not told of a new mailbox item");
    }
}

/// Hears the other replicas' pokes until the drain begins.
pub(crate) async fn listen(kit: Arc<Kit>, drain: Drain) -> Result<(), String> {
    let queue = Queue::Fanout { topic: Topic::Links(kit.channel.clone()), replica: kit.env.replica.to_string() };
    let subscribed = kit.env.bus.subscribe(queue, 256).await;
    let mut pokes = subscribed.map_err(|error| error.to_string())?;
    loop {
        tokio::select! {
            delivery = pokes.next() => {
                let Some(delivery) = delivery else { return Err("the broker ended the subscription".to_owned()) };
                if let Ok(poke) = serde_json::from_slice::<Poke>(&delivery.envelope.body) {
                    kit.sockets.poke(poke.account, &poke.address);
                }
                delivery.ack();
            }
            () = drain.begun() => return Ok(()),
        }
    }
}

/// Puts one part into the visitor's mailbox: from here on it is as safe as a provider's "accepted".
pub(crate) async fn deliver(kit: &Kit, live: &Live, facet: &dyn Link, part: &Part) -> Outcome {
    let item = Stored {
        from: frames::From::Company,
        at: kit.now(),
        content: facet.render(&part.content),
        media: stored_key(&part.content),
    };
    let body = serde_json::to_string(&item).unwrap_or_default();
    match kit.env.mailboxes.put(live.account.id, &part.address, &part.key, &body, kit.now()).await {
        Ok(_) => {
            poke(kit, live.account.id, &part.address, &part.key).await;
            Outcome::Accepted { provider_ids: vec![part.key.clone()] }
        }
        // Putting the same key again changes nothing, so "surely not sent" is safe to say.
        Err(error) => {
            let failure = Failure { reason: Some(error.to_string()), ..Failure::of(codes::UNAVAILABLE) };
            Outcome::Unavailable { failure }
        }
    }
}

/// The blob key of a content's media.
fn stored_key(content: &Content) -> Option<String> {
    match content {
        Content::Media(media) => match &media.source {
            MediaSource::Stored { key, .. } => Some(key.clone()),
            MediaSource::Pending { .. } | MediaSource::Lost { .. } => None,
        },
        _ => None,
    }
}

/// The link routes of one channel.
pub(crate) fn routes(kit: Arc<Kit>) -> Router {
    let base = format!("/link/{}/{{account}}", kit.channel);
    Router::new()
        .route(&format!("{base}/ws"), get(upgrade))
        .route(&format!("{base}/media"), post(upload::take).options(upload::preflight))
        .with_state(kit)
}

/// An account with a link, and the link.
fn find(kit: &Kit, name: &str) -> Result<(Arc<Live>, Arc<dyn Link>), StatusCode> {
    let early = if kit.accounts.loaded() { StatusCode::NOT_FOUND } else { StatusCode::SERVICE_UNAVAILABLE };
    let live = kit.accounts.named(name).ok_or(early)?;
    let facet = match &live.open {
        Ok(open) => match &open.ingress {
            Ingress::Link(facet) => Arc::clone(facet),
            Ingress::Webhook(_) | Ingress::Poll(_) => return Err(StatusCode::NOT_FOUND),
        },
        Err(_) => return Err(StatusCode::SERVICE_UNAVAILABLE),
    };
    Ok((live, facet))
}

/// Whether a page of this origin may talk to the account. The setting `allowed_origins` lists them, separated by
/// commas or spaces; an empty or missing one lets any page in.
fn origin_allowed(live: &Live, headers: &HeaderMap) -> bool {
    let allowed = live.account.settings.get("allowed_origins").map_or("", String::as_str);
    let mut allowed = allowed.split([',', ' ']).filter(|origin| !origin.is_empty()).peekable();
    if allowed.peek().is_none() {
        return true;
    }
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()).unwrap_or("");
    allowed.any(|known| known.trim_end_matches('/').eq_ignore_ascii_case(origin))
}

async fn upgrade(
    State(kit): State<Arc<Kit>>,
    Path(name): Path<String>,
    Extension(drain): Extension<Drain>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let (live, facet) = match find(&kit, &name) {
        Ok(found) => found,
        Err(status) => return status.into_response(),
    };
    if !origin_allowed(&live, &headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(slot) = kit.sockets.slot() else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response();
    };
    let limit = kit.config.frame_limit;
    upgrade.max_message_size(limit).max_frame_size(limit).on_upgrade(move |socket| async move {
        session::serve(kit, live, facet, drain, socket).await;
        drop(slot);
    })
}
