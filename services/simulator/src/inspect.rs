//! For tests and the faults drawer: faults, the log of calls, and all messages.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    faults::Faults,
    world::{Call, Simulator},
};

/// The routes.
pub(crate) fn routes() -> Router<Arc<Simulator>> {
    Router::new()
        .route("/sim/faults", get(faults).put(set_faults))
        .route("/sim/gupshup/log", get(gupshup_log))
        .route("/sim/telegram/log", get(telegram_log))
        .route("/sim/messages", get(messages))
}

#[derive(Debug, Serialize)]
struct AllFaults {
    gupshup: Faults,
    telegram: Faults,
}

/// The providers that are named get the faults that are named, and no others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SomeFaults {
    gupshup: Option<Faults>,
    telegram: Option<Faults>,
}

async fn faults(State(simulator): State<Arc<Simulator>>) -> Json<AllFaults> {
    let world = simulator.world();
    Json(AllFaults { gupshup: world.gupshup.faults.clone(), telegram: world.telegram.faults.clone() })
}

async fn set_faults(State(simulator): State<Arc<Simulator>>, Json(some): Json<SomeFaults>) -> Json<AllFaults> {
    {
        let mut world = simulator.world();
        if let Some(faults) = some.gupshup {
            world.gupshup.faults = faults;
        }
        if let Some(faults) = some.telegram {
            world.telegram.faults = faults;
        }
    }
    faults(State(simulator)).await
}

#[derive(Debug, Deserialize)]
struct After {
    /// Only calls with greater numbers.
    #[serde(default)]
    after: u64,
}

async fn gupshup_log(State(simulator): State<Arc<Simulator>>, Query(After { after }): Query<After>) -> Json<Value> {
    let world = simulator.world();
    let calls: Vec<&Call> = world.gupshup.log.iter().filter(|call| call.number > after).collect();
    Json(json!({"calls": calls}))
}

async fn telegram_log(State(simulator): State<Arc<Simulator>>, Query(After { after }): Query<After>) -> Json<Value> {
    let world = simulator.world();
    let calls: Vec<&Call> = world.telegram.log.iter().filter(|call| call.number > after).collect();
    Json(json!({"calls": calls}))
}

/// Every message of every chat, by chat.
async fn messages(State(simulator): State<Arc<Simulator>>) -> Json<Value> {
    let world = simulator.world();
    let mut all = Vec::new();
    for (key, chat) in &world.chats {
        let channel = simulator.account(&key.account).map(|account| account.channel());
        for bubble in &chat.bubbles {
            let mut shown = json!(bubble);
            shown["channel"] = json!(channel);
            shown["account"] = json!(key.account);
            shown["address"] = json!(key.address);
            all.push(shown);
        }
    }
    Json(json!({"messages": all}))
}
