//! Parked messages for supervisors and administrators: by cause, one by one, and what is decided about them.

mod body;
mod query;

use axum::{
    Json,
    extract::{Path, State},
};
use domain::{Class, Command, EventId, ParkedEntry, ParkedId, Ruling, Secret, error::codes};
use runtime::redact::Redactor;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    call::{Call, orders},
    caller::{Caller, QueryOf},
    dto,
    problem::{Problem, ProblemDetails},
    state::{Desk, Shared},
};
pub(crate) use query::ParkedStanding;
use query::{Paged, Selection};

/// The most messages in one command to the router.
const CHUNK: u32 = 200;
/// The longest reason, in bytes.
const LONGEST_REASON: usize = 1_000;

/// Only who supervises sees what is parked.
fn supervising(caller: &Caller) -> Result<(), Problem> {
    if caller.viewer.supervises() {
        return Ok(());
    }
    Err(Problem::new(Class::Forbidden, codes::NOT_PERMITTED, "only supervisors and administrators see parked messages"))
}

/// Knows the secrets of all accounts of the caller's organization.
fn redactor(caller: &Caller) -> Redactor {
    Redactor::for_values(caller.names.accounts.values().flat_map(|one| one.secrets.values().map(Secret::expose)))
}

fn item(entry: &ParkedEntry, caller: &Caller, redactor: &Redactor) -> dto::ParkedItem {
    dto::ParkedItem::new(entry, redactor.text(&entry.parked.reason), &caller.names, caller.user.language)
}

/// One of the caller's organization; 404 otherwise.
async fn own(desk: &Desk, caller: &Caller, id: &str) -> Result<ParkedEntry, Problem> {
    supervising(caller)?;
    let missing = || Problem::not_found("parked message");
    let id: ParkedId = id.parse().map_err(|_| missing())?;
    let found = desk.env.parking.show(id).await?;
    found.filter(|entry| entry.parked.organization == Some(caller.organization())).ok_or_else(missing)
}

/// Parked messages, newest first.
#[utoipa::path(
    get, path = "/parked", operation_id = "list_parked", tag = "parked", params(Selection, Paged),
    responses(
        (status = 200, body = dto::ParkedList),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json", description = "bad_request"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "not_signed_in"),
        (status = 403, body = ProblemDetails, content_type = "application/problem+json", description = "not_permitted"),
    )
)]
pub(crate) async fn list(
    State(desk): State<Shared>,
    caller: Caller,
    QueryOf(selection): QueryOf<Selection>,
    QueryOf(paged): QueryOf<Paged>,
) -> Result<Json<dto::ParkedList>, Problem> {
    supervising(&caller)?;
    let filter = paged.narrow(selection.filter(&caller)?)?;
    let found = desk.env.parking.find(&filter).await?;
    let full = found.len() >= usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let next = found.last().filter(|_| full).map(|last| query::written(last.parked.at, last.parked.id));
    let redactor = redactor(&caller);
    Ok(Json(dto::ParkedList { items: found.iter().map(|entry| item(entry, &caller, &redactor)).collect(), next }))
}

/// Parked messages by cause, the latest first.
#[utoipa::path(
    get, path = "/parked/causes", operation_id = "list_parked_causes", tag = "parked", params(Selection),
    responses(
        (status = 200, body = dto::ParkedCauses),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "not_signed_in"),
        (status = 403, body = ProblemDetails, content_type = "application/problem+json", description = "not_permitted"),
    )
)]
pub(crate) async fn causes(
    State(desk): State<Shared>,
    caller: Caller,
    QueryOf(selection): QueryOf<Selection>,
) -> Result<Json<dto::ParkedCauses>, Problem> {
    supervising(&caller)?;
    let found = desk.env.parking.groups(&selection.filter(&caller)?).await?;
    let total = found.iter().map(|group| group.count).sum();
    let language = caller.user.language;
    let items = found.iter().map(|group| dto::ParkedCause::new(group, &caller.names, language)).collect();
    Ok(Json(dto::ParkedCauses { items, total }))
}

/// One parked message with its body, secrets removed, and what was decided about it.
#[utoipa::path(
    get, path = "/parked/{id}", operation_id = "read_parked", tag = "parked", params(("id" = String, Path)),
    responses(
        (status = 200, body = dto::ParkedDetail),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "not_signed_in"),
        (status = 403, body = ProblemDetails, content_type = "application/problem+json", description = "not_permitted"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "not_found"),
    )
)]
pub(crate) async fn read(
    State(desk): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<dto::ParkedDetail>, Problem> {
    let entry = own(&desk, &caller, &id).await?;
    let decisions = desk.env.parking.decisions(entry.parked.id).await?;
    let redactor = redactor(&caller);
    let readable = body::read(&entry.parked, &redactor);
    Ok(Json(dto::ParkedDetail {
        item: item(&entry, &caller, &redactor),
        route: entry.parked.route.clone(),
        body: readable.body,
        content: readable.content.as_ref().map(Into::into),
        conversation: readable.conversation.map(|id| id.to_string()),
        address: readable.address,
        decisions: decisions.iter().map(|one| dto::Decision::new(one, &caller.names)).collect(),
    }))
}

/// What became of a message in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    /// It arrived; nothing goes out.
    Arrived,
    /// It is sent to the contact again.
    Again,
    /// It failed; nothing goes out.
    Failed,
}

/// A decision about a message in doubt.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewDecision {
    /// What became of it.
    decision: Fate,
    /// Why, in the caller's words.
    #[serde(default)]
    reason: Option<String>,
}

/// Why a parked message ends here.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Discard {
    /// In the caller's words.
    reason: String,
}

orders! {
    "parked";

    /// Send one on its way again. Not for one in doubt: that is a decision.
    redrive: post "/parked/{id}/redrive" on "id"; known as "redrive_parked";
        answers 200 OK dto::ParkedItem;
        refuses 400 "bad_request: it is in doubt", 403 "not_permitted", 404 "not_found", 409 "already_decided";
        |call: Call| decide(&call, Ruling::Redrive, None).await?;

    /// Say what became of a message in doubt.
    decide_one: post "/parked/{id}/decision" on "id"; takes NewDecision; known as "decide_parked";
        answers 200 OK dto::ParkedItem;
        refuses 400 "bad_request: it is not in doubt", 403 "not_permitted", 404 "not_found",
            409 "already_decided; again: window_closed, no_opt_in, opted_out";
        |call: Call<NewDecision>| {
            let ruling = match call.body.decision {
                Fate::Arrived => Ruling::Arrived,
                Fate::Again => Ruling::Again,
                Fate::Failed => Ruling::Failed,
            };
            decide(&call, ruling, call.body.reason.clone()).await?
        };

    /// End one here, for a reason. It stays to be seen among those that ended.
    discard: post "/parked/{id}/discard" on "id"; takes Discard; known as "discard_parked";
        answers 200 OK dto::ParkedItem;
        refuses 400 "bad_request: without a reason", 403 "not_permitted", 404 "not_found", 409 "already_decided";
        |call: Call<Discard>| decide(&call, Ruling::Discard, Some(call.body.reason.clone())).await?;

    /// Send a group of them on their way again, or all. Those in doubt stay: each is a decision of its own.
    redrive_all: post "/parked/redrive"; takes Redrive; known as "redrive_all_parked";
        answers 200 OK dto::Redriven;
        refuses 400 "bad_request: nothing narrows, and 'all' is not said", 403 "not_permitted";
        |call: Call<Redrive, ()>| redriven(call).await?;
}

async fn decide<B: Sync>(call: &Call<B>, ruling: Ruling, reason: Option<String>) -> Result<dto::ParkedItem, Problem> {
    let Call { desk, caller, intent, on, .. } = call;
    let before = own(desk, caller, on).await?;
    if reason.as_ref().is_some_and(|reason| reason.len() > LONGEST_REASON) {
        return Err(Problem::bad_request(format!("reason: at most {LONGEST_REASON} bytes")));
    }
    let parked = vec![before.parked.id];
    desk.command(caller, intent, Command::DecideParked { parked, ruling, reason }).await?;
    let after = own(desk, caller, on).await?;
    Ok(item(&after, caller, &redactor(caller)))
}

/// Which of them go on their way.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Redrive {
    /// What narrows.
    #[serde(flatten)]
    selection: Selection,
    /// Really all of them: asked for when nothing narrows.
    #[serde(default)]
    all: bool,
}

async fn redriven(call: Call<Redrive, ()>) -> Result<dto::Redriven, Problem> {
    let Call { desk, caller, intent, body: Redrive { selection, all }, .. } = call;
    supervising(&caller)?;
    if selection.is_everything() && !all {
        return Err(Problem::bad_request("say which, or \"all\": true"));
    }
    let filter = selection.filter(&caller)?;
    let mut before = None;
    let mut count = 0;
    loop {
        let page = desk.env.parking.find(&query::redrivable(filter.clone(), before, CHUNK)).await?;
        let Some(last) = page.last() else { return Ok(dto::Redriven { count }) };
        // Backwards in time, so that what is parked meanwhile does not make this endless.
        before = Some((last.parked.at, last.parked.id));
        let parked: Vec<ParkedId> = page.iter().map(|entry| entry.parked.id).collect();
        count += u64::try_from(parked.len()).unwrap_or(u64::MAX);
        // A command of its own for each page: a repetition goes on with the pages that were not reached.
        let id = EventId::derive(&["page", &intent.of(&caller).to_string(), &last.parked.id.to_string()]);
        let command = Command::DecideParked { parked, ruling: Ruling::Redrive, reason: None };
        match desk.order(id, caller.organization(), caller.user.id, caller.user.role, command).await {
            Err(refusal) if refusal.code == codes::ALREADY_DECIDED => count -= 1,
            other => drop(other?),
        }
    }
}
