//! Gupshup's send API, self-serve form: `POST /sim/gupshup/wa/api/v1/msg` and `.../template/msg`, and its list of
//! templates.

mod events;
mod message;
mod templates;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Form, Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post, put},
};
use runtime::http::HttpRequest;
use serde_json::{Value, json};

pub(crate) use events::from_customer;
pub(crate) use events::read;
pub(crate) use templates::States;

use crate::{
    faults::Before,
    jobs::Job,
    world::{Bubble, ChatKey, GupshupLookup, Says, Simulator, StoredFile, Tick, now, wamid},
};

/// Gupshup's routes.
pub(crate) fn routes() -> Router<Arc<Simulator>> {
    Router::new()
        .route("/sim/gupshup/wa/api/v1/msg", post(session))
        .route("/sim/gupshup/wa/api/v1/template/msg", post(template))
        .route("/sim/gupshup/wa/app/{app}/template", get(templates::list))
        .route("/sim/gupshup/templates", get(templates::all))
        .route("/sim/gupshup/templates/{id}", put(templates::set))
        .route("/sim/gupshup/files/{id}", get(file))
}

type Fields = BTreeMap<String, String>;

async fn session(State(simulator): State<Arc<Simulator>>, headers: HeaderMap, Form(form): Form<Fields>) -> Response {
    send(simulator, headers, form, "/wa/api/v1/msg").await
}

async fn template(State(simulator): State<Arc<Simulator>>, headers: HeaderMap, Form(form): Form<Fields>) -> Response {
    send(simulator, headers, form, "/wa/api/v1/template/msg").await
}

/// A message that was taken, on its way to the customer.
#[derive(Clone)]
pub(crate) struct Taken {
    pub(crate) key: ChatKey,
    pub(crate) bubble: u64,
    pub(crate) gupshup_id: String,
    pub(crate) whatsapp_id: String,
    /// Where its media is, at the mesh.
    pub(crate) media: Option<String>,
    pub(crate) fail: Option<(u32, String)>,
    pub(crate) template: bool,
}

async fn send(simulator: Arc<Simulator>, headers: HeaderMap, form: Fields, path: &'static str) -> Response {
    let (number, before) = {
        let mut world = simulator.world();
        let side = &mut world.gupshup;
        (side.note(path, json!(form)), if side.faults.token_revoked { None } else { side.faults.before() })
    };
    let answer = match before {
        Some(Before::Reject(words)) => Answer::error(400, &words),
        Some(Before::Throttle(seconds)) => {
            Answer { retry_after: Some(seconds), ..Answer::error(429, "Too Many Requests") }
        }
        Some(Before::Error(status)) => Answer::error(status, "Internal Server Error"),
        Some(Before::Hang(pause)) => {
            pass(&simulator, pause).await;
            Answer { bare: true, ..Answer::error(504, "") }
        }
        None => match take(&simulator, &headers, &form, path.contains("template")) {
            Ok(taken) => {
                let id = taken.gupshup_id.clone();
                let late = simulator.world().gupshup.faults.late();
                simulator.world().gupshup.answered(number, 202, Some(id.clone()));
                begin(&simulator, taken);
                if let Some(pause) = late {
                    pass(&simulator, pause).await;
                }
                Answer {
                    status: 202,
                    body: json!({"status": "submitted", "messageId": id}),
                    retry_after: None,
                    bare: false,
                }
            }
            Err((status, words)) => Answer::error(status, words),
        },
    };
    simulator.world().gupshup.answered(number, answer.status, None);
    answer.into_response()
}

struct Answer {
    status: u16,
    body: Value,
    retry_after: Option<u64>,
    /// Nothing in it, as from a proxy.
    bare: bool,
}

impl Answer {
    fn error(status: u16, words: &str) -> Self {
        Self { status, body: json!({"status": "error", "message": words}), retry_after: None, bare: false }
    }

    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if self.bare {
            return status.into_response();
        }
        let mut response = (status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Waits, but not past the drain.
pub(crate) async fn pass(simulator: &Simulator, pause: Duration) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = simulator.stop.cancelled() => {}
    }
}

/// Checks a send and puts it into the chat.
fn take(
    simulator: &Simulator,
    headers: &HeaderMap,
    form: &Fields,
    template: bool,
) -> Result<Taken, (u16, &'static str)> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let key = headers.get("apikey").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let revoked = simulator.world().gupshup.faults.token_revoked;
    let account = match simulator.gupshup_by(key, field("src.name"), field("source")) {
        GupshupLookup::Account(account) if !revoked => account,
        GupshupLookup::WrongApp if !revoked => return Err((400, "Invalid App Details")),
        _ => return Err((401, "Authentication Failed")),
    };
    if field("channel") != "whatsapp" {
        return Err((400, "Invalid Channel"));
    }
    let address = field("destination").to_owned();
    if !(8..=15).contains(&address.len()) || !address.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err((400, "Invalid Destination"));
    }
    let said: Value = serde_json::from_str(field(if template { "template" } else { "message" }))
        .map_err(|_| (400, "Message Parsing Failed"))?;
    let read = if template {
        templates::sent(simulator, &account.name, &said).map(|(says, fail)| (says, None, fail))
    } else {
        message::read(&said).map(|(says, media)| (says, media, None))
    };
    let (says, media, unsendable) = read.ok_or((400, "Invalid Message Type"))?;
    let key = ChatKey { account: account.name.clone(), address };
    let reply_to = said.pointer("/context/msgId").and_then(Value::as_str).map(str::to_owned);
    let mut world = simulator.world();
    let blocked = world.chat(&key).blocked;
    let fail = if blocked {
        Some((131_050, "User has stopped messages".to_owned()))
    } else {
        world.gupshup.faults.fail().or(unsendable)
    };
    let (gupshup_id, bubble) = (world.uuid(), world.number());
    let whatsapp_id = wamid(&gupshup_id);
    drop(world);
    let taken = Taken { key, bubble, gupshup_id, whatsapp_id, media, fail, template };
    if taken.fail.is_none() {
        let bubble = Bubble {
            id: bubble,
            provider_id: taken.gupshup_id.clone(),
            mine: false,
            at: now(),
            says,
            reply_to,
            tick: Tick::Delivered,
            tapped: None,
        };
        simulator.add(&taken.key, bubble);
    }
    Ok(taken)
}

/// Starts the receipts; those of media begin when it was fetched.
fn begin(simulator: &Simulator, taken: Taken) {
    if taken.media.is_some() && taken.fail.is_none() {
        simulator.later(Duration::ZERO, Job::Fetch(taken));
    } else {
        events::receipts(simulator, &taken);
    }
}

/// Fetches the media of a message, as the provider does once and at once.
pub(crate) async fn fetch(simulator: &Simulator, mut taken: Taken) {
    let url = taken.media.clone().unwrap_or_default();
    match simulator.http.call(HttpRequest::new(http::Method::GET, url, "/{media}")).await {
        Ok(answer) if answer.status == 200 => {
            let mime = answer.mime().unwrap_or_else(|| "application/octet-stream".to_owned());
            let length = answer.body.len();
            let id = simulator.keep(StoredFile { mime: mime.clone(), name: None, bytes: answer.body });
            simulator.change(&taken.key, taken.bubble, |bubble| {
                if let Says::Media { url, mime: known, size, .. } = &mut bubble.says {
                    *url = format!("/sim/files/{id}");
                    *known = mime;
                    *size = Some(length);
                }
            });
        }
        answer => {
            let why = answer.map_or_else(|error| error.to_string(), |answer| format!("status {}", answer.status));
            tracing::debug!(why, "the media of a message cannot be fetched");
            taken.fail = Some((1010, "Invalid Media URL".to_owned()));
            simulator.change(&taken.key, taken.bubble, |bubble| bubble.tick = Tick::Failed);
        }
    }
    events::receipts(simulator, &taken);
}

/// A customer's media, until it expires.
async fn file(State(simulator): State<Arc<Simulator>>, Path(id): Path<String>) -> Response {
    let world = simulator.world();
    if world.gupshup.faults.media_expired {
        return StatusCode::GONE.into_response();
    }
    match world.files.get(&id) {
        Some(file) => ([(header::CONTENT_TYPE, file.mime.clone())], file.bytes.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
