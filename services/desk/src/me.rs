//! The caller, their seat and their colleagues.

use axum::{Json, extract::State};
use domain::Command;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    caller::{Caller, Intent, JsonBody, Meant},
    dto,
    problem::{Problem, ProblemDetails},
    state::{Desk, Shared},
};

/// Everything that a page needs to start.
#[utoipa::path(
    get, path = "/me", operation_id = "read_me", tag = "me",
    responses(
        (status = 200, body = dto::Me),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "not_signed_in"),
    )
)]
pub(crate) async fn read(State(desk): State<Shared>, caller: Caller) -> Result<Json<dto::Me>, Problem> {
    // Before the rest, so that nothing that changes meanwhile is missed.
    let (cursor, _) = desk.env.views.event_range(caller.organization()).await?;
    let seat = seat(&desk, &caller).await?;
    let names = &caller.names;
    let mut queues: Vec<_> = names.queues.values().filter(|queue| queue.active).collect();
    queues.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    let mut accounts: Vec<_> = names.accounts.values().filter(|account| account.active).collect();
    accounts.sort_by(|a, b| (&a.label, a.id).cmp(&(&b.label, b.id)));
    let traits = |account: &domain::Account| desk.config.traits_of(account.channel.as_str());
    let organization = names.organization.as_ref().map(|one| one.name.clone()).unwrap_or_default();
    Ok(Json(dto::Me {
        user: (&caller.user).into(),
        organization: dto::Named::new(caller.organization(), organization),
        queues: queues.into_iter().map(|queue| dto::Queue::new(queue, caller.user.id)).collect(),
        accounts: accounts.into_iter().map(|account| dto::Account::new(account, traits(account))).collect(),
        seat,
        cursor,
    }))
}

/// A new presence.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PresenceChange {
    /// From now on.
    presence: dto::Presence,
}

/// Come, pause or leave.
#[utoipa::path(
    put, path = "/me/presence", tag = "me", request_body = PresenceChange,
    params(("Idempotency-Key" = Option<String>, Header, description = "one intent of the caller")),
    responses(
        (status = 200, body = dto::Seat),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "not_signed_in"),
    )
)]
pub(crate) async fn set_presence(
    State(desk): State<Shared>,
    caller: Caller,
    Meant(intent, change): Meant<PresenceChange>,
) -> Result<Json<dto::Seat>, Problem> {
    let presence = change.presence.into();
    let command = Command::SetPresence { presence, capacity: caller.user.capacity };
    desk.command(&caller, &intent, command).await?;
    desk.presences.chosen(&desk, caller.organization(), caller.user.id).await;
    Ok(Json(seat(&desk, &caller).await?))
}

/// A new language.
#[derive(Deserialize, ToSchema)]
pub(crate) struct LanguageChange {
    /// From now on.
    language: dto::Language,
}

/// Choose the language of the desk.
#[utoipa::path(
    put, path = "/me/language", tag = "me", request_body = LanguageChange,
    params(("Idempotency-Key" = Option<String>, Header, description = "one intent of the caller")),
    responses(
        (status = 200, body = dto::User),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "not_signed_in"),
    )
)]
pub(crate) async fn set_language(
    State(desk): State<Shared>,
    caller: Caller,
    _intent: Intent,
    JsonBody(change): JsonBody<LanguageChange>,
) -> Result<Json<dto::User>, Problem> {
    // Read again: what the caller carries may be some seconds old, and all of it is written.
    let mut user = desk.env.directory.user_by_email(&caller.user.email).await?.ok_or_else(Problem::not_signed_in)?;
    user.language = change.language.into();
    desk.env.directory.save_user(&user).await?;
    desk.book.forget(user.organization);
    Ok(Json((&user).into()))
}

/// Everybody who may be given a conversation.
#[utoipa::path(
    get, path = "/agents", tag = "me",
    responses(
        (status = 200, body = dto::AgentList),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "not_signed_in"),
    )
)]
pub(crate) async fn agents(State(desk): State<Shared>, caller: Caller) -> Result<Json<dto::AgentList>, Problem> {
    let seats = desk.env.views.seats(caller.organization()).await?;
    // A capacity of zero means that somebody never serves.
    let mut users: Vec<_> = caller.names.users.values().filter(|user| user.active && user.capacity > 0).collect();
    users.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    let seat = |user: &domain::User| seats.iter().find(|seat| seat.user == user.id);
    Ok(Json(dto::AgentList { items: users.into_iter().map(|user| dto::Agent::new(user, seat(user))).collect() }))
}

async fn seat(desk: &Desk, caller: &Caller) -> Result<dto::Seat, Problem> {
    let seats = desk.env.views.seats(caller.organization()).await?;
    let own = seats.iter().find(|seat| seat.user == caller.user.id);
    Ok(own.map_or_else(|| dto::Seat::empty(&caller.user), dto::Seat::from))
}
