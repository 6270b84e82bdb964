//! Telegram's Bot API: `/sim/telegram/bot<token>/<method>` and `/sim/telegram/file/bot<token>/<path>`.

mod answers;
mod params;
mod sends;
mod updates;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{any, get},
};
use serde_json::{Value, json};

pub(crate) use updates::{confirmed, from_customer, membership};

use crate::{
    config::{Provider, SimulatedAccount},
    faults::Before,
    gupshup::pass,
    world::Simulator,
};
use answers::{Refusal, answer};
use params::Params;

/// Telegram's routes.
pub(crate) fn routes() -> Router<Arc<Simulator>> {
    Router::new()
        .route("/sim/telegram/{bot}/{method}", any(method))
        .route("/sim/telegram/file/{bot}/{*path}", get(file))
}

fn account<'a>(simulator: &'a Simulator, bot: &str) -> Option<&'a SimulatedAccount> {
    let given = bot.strip_prefix("bot")?;
    if simulator.world().telegram.faults.token_revoked {
        return None;
    }
    let fits = |account: &&SimulatedAccount| matches!(&account.provider, Provider::Telegram { token } if token.expose() == given);
    simulator.config.accounts.iter().find(fits)
}

async fn method(
    State(simulator): State<Arc<Simulator>>,
    Path((bot, method)): Path<(String, String)>,
    request: Request,
) -> Response {
    let params = match Params::read(request).await {
        Ok(params) => params,
        Err(words) => return answer(Err(Refusal::new(400, &format!("Bad Request: {words}")))),
    };
    // Long polls would drown the log.
    let number =
        (method != "getUpdates").then(|| simulator.world().telegram.note(&format!("/{method}"), params.shown()));
    let result = match account(&simulator, &bot) {
        None => Err(Refusal::new(401, "Unauthorized")),
        Some(account) => call(&simulator, account, &method, params, number).await,
    };
    if let Some(number) = number {
        let status = result.as_ref().map_or_else(|refusal| refusal.status, |_| 200);
        simulator.world().telegram.answered(number, status, None);
    }
    answer(result)
}

async fn call(
    simulator: &Arc<Simulator>,
    account: &SimulatedAccount,
    method: &str,
    params: Params,
    number: Option<u64>,
) -> Result<Value, Refusal> {
    match method {
        "getMe" => Ok(updates::me(account)),
        "getUpdates" => updates::poll(simulator, account, &params).await,
        "setWebhook" => Ok(updates::set_webhook(simulator, account, &params)),
        "deleteWebhook" => {
            simulator.world().bots.entry(account.name.clone()).or_default().webhook = None;
            Ok(json!(true))
        }
        "getWebhookInfo" => Ok(updates::webhook_info(simulator, account)),
        "answerCallbackQuery" => Ok(json!(true)),
        "getFile" => updates::file(simulator, &params),
        _ if method.starts_with("send") => send(simulator, account, method, params, number).await,
        _ => Err(Refusal::new(404, "Not Found: method not found")),
    }
}

async fn send(
    simulator: &Arc<Simulator>,
    account: &SimulatedAccount,
    method: &str,
    params: Params,
    number: Option<u64>,
) -> Result<Value, Refusal> {
    let before = simulator.world().telegram.faults.before();
    match before {
        Some(Before::Reject(words)) => return Err(Refusal::new(400, &format!("Bad Request: {words}"))),
        Some(Before::Throttle(seconds)) => {
            let words = format!("Too Many Requests: retry after {seconds}");
            return Err(Refusal { retry_after: Some(seconds), ..Refusal::new(429, &words) });
        }
        Some(Before::Error(status)) => return Err(Refusal::new(status, "Internal Server Error")),
        Some(Before::Hang(pause)) => {
            pass(simulator, pause).await;
            return Err(Refusal::new(504, "Gateway Timeout"));
        }
        None => {}
    }
    let sent = sends::take(simulator, account, method, params)?;
    let late = simulator.world().telegram.faults.late();
    if let Some(number) = number {
        let id = sent.get("message_id").map(Value::to_string);
        simulator.world().telegram.answered(number, 200, id);
    }
    if let Some(pause) = late {
        pass(simulator, pause).await;
    }
    Ok(sent)
}

async fn file(State(simulator): State<Arc<Simulator>>, Path((bot, path)): Path<(String, String)>) -> Response {
    if account(&simulator, &bot).is_none() {
        return answer(Err(Refusal::new(401, "Unauthorized")));
    }
    let id = path.rsplit('/').next().unwrap_or_default();
    let world = simulator.world();
    match world.files.get(id) {
        Some(file) if !world.telegram.faults.media_expired => {
            ([(header::CONTENT_TYPE, "application/octet-stream")], file.bytes.clone()).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
