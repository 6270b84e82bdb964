//! Signing in and out.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use domain::{Class, Timestamp, User, error::codes};
use ports::SignIn;
use runtime::names::{label, metric};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::{
    caller::{COOKIE, Caller, JsonBody, hash_token},
    dto,
    limits::Limit,
    password,
    problem::{Problem, ProblemDetails},
    state::{Desk, Shared},
};

/// Longer than any password that a person types; keeps the hash from being fed megabytes.
const LONGEST_PASSWORD: usize = 1_024;

/// Who wants in.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Credentials {
    /// The e-mail, whatever its case.
    email: String,
    /// The password.
    password: String,
}

/// A sign-in.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedIn {
    /// For `Authorization: Bearer`; the cookie carries the same.
    token: String,
    /// Until when it is good.
    expires_at: i64,
    /// Who signed in.
    user: dto::User,
}

/// Sign in.
#[utoipa::path(
    post, path = "/sessions", operation_id = "sign_in", tag = "sessions", security(()), request_body = Credentials,
    responses(
        (status = 201, body = SignedIn, headers(("Set-Cookie" = String, description = "afluente_session"))),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "bad_credentials"),
        (status = 429, body = ProblemDetails, content_type = "application/problem+json",
            description = "too_many_attempts", headers(("Retry-After" = u64, description = "seconds"))),
    )
)]
pub(crate) async fn create(State(desk): State<Shared>, request: Request) -> Result<Response, Problem> {
    let address = client_address(&desk, &request);
    let JsonBody(credentials) =
        <JsonBody<Credentials> as axum::extract::FromRequest<_>>::from_request(request, &desk).await?;
    let user = authenticate(&desk, &credentials, address).await?;
    let token = hex::encode(rand::random::<[u8; 32]>());
    let created_at = desk.env.clock.now();
    let expires_at = created_at + desk.config.session();
    let (organization, id) = (user.organization, user.id);
    let token_hash = hash_token(&token);
    desk.env.sign_ins.create(&SignIn { token_hash, organization, user: id, created_at, expires_at }).await?;
    // The person may be newer than what is remembered of their organization.
    desk.book.forget(organization);
    let cookie = cookie(&desk, &token, desk.config.session().as_secs());
    let body = SignedIn { token, expires_at: expires_at.millis(), user: (&user).into() };
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie), no_store()], Json(body)).into_response())
}

/// Sign out.
#[utoipa::path(
    delete, path = "/sessions/current", operation_id = "sign_out", tag = "sessions",
    responses(
        (status = 204, description = "signed out; the cookie is cleared"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "not_signed_in"),
    )
)]
pub(crate) async fn end(State(desk): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    desk.env.sign_ins.end(&caller.token_hash).await?;
    // Nobody listens when no page is connected.
    let _ = desk.ended.send(caller.token_hash);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie(&desk, "", 0))]).into_response())
}

async fn authenticate(desk: &Desk, credentials: &Credentials, address: Option<String>) -> Result<User, Problem> {
    let email = credentials.email.trim().to_lowercase();
    let limits = limits(desk, &email, address);
    let count = |outcome| desk.env.metrics.count(metric::SIGN_INS, &[(label::OUTCOME, outcome)], 1);
    let barred =
        |now: Timestamp| desk.attempts.barred(&limits, now).map(Problem::too_many_attempts).map_or(Ok(()), Err);
    barred(desk.env.clock.now()).inspect_err(|_| count("limited"))?;
    let turn = desk.verifying.acquire().await.map_err(|_| Problem::internal("the desk is closing"))?;
    // Others may have failed while this one waited its turn.
    barred(desk.env.clock.now()).inspect_err(|_| count("limited"))?;
    let user = desk.env.directory.user_by_email(&email).await?.filter(|user| user.active);
    let fits = verify(desk, user.as_ref(), &credentials.password).await?;
    drop(turn);
    match user {
        Some(user) if fits => {
            count("ok");
            Ok(user)
        }
        _ => {
            count("refused");
            let refused = || Problem::new(Class::Unauthenticated, codes::BAD_CREDENTIALS, "wrong e-mail or password");
            let pause = desk.attempts.failed(&limits, desk.env.clock.now()).await;
            Err(pause.map_or_else(refused, Problem::too_many_attempts))
        }
    }
}

/// Takes as long for an e-mail that nobody has: the time must not tell who works here.
async fn verify(desk: &Desk, user: Option<&User>, password: &str) -> Result<bool, Problem> {
    let ended = |_| Problem::internal("the password check ended early");
    let decoy = desk.decoy.get_or_try_init(|| async {
        let made = tokio::task::spawn_blocking(|| password::hash_password("nobody")).await.map_err(ended)?;
        made.map_err(Problem::internal)
    });
    let hash = match user {
        Some(user) => user.password.expose().to_owned(),
        None => decoy.await?.clone(),
    };
    let absurd = password.len() > LONGEST_PASSWORD;
    let given = if absurd { String::new() } else { password.to_owned() };
    let fits = tokio::task::spawn_blocking(move || password::verify(&given, &hash)).await.map_err(ended)?;
    Ok(fits && !absurd && user.is_some())
}

fn limits(desk: &Desk, email: &str, address: Option<String>) -> Vec<Limit> {
    // Hashed: the keys are kept in a shared store, and an e-mail or address is personal data.
    let key = |what: &str, of: &str| format!("desk.sign-in.{what}.{}", hex::encode(Sha256::digest(of.as_bytes())));
    let by_email = Limit { key: key("email", email), per_minute: desk.config.tries_per_email };
    let by_address =
        address.map(|address| Limit { key: key("address", &address), per_minute: desk.config.tries_per_address });
    std::iter::once(by_email).chain(by_address).collect()
}

fn client_address(desk: &Desk, request: &Request) -> Option<String> {
    if desk.config.trust_forwarded_for
        && let Some(forwarded) = forwarded_for(request.headers())
    {
        return Some(forwarded);
    }
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_string())
}

/// The last entry: the one that our own proxy wrote.
fn forwarded_for(headers: &HeaderMap) -> Option<String> {
    let line = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty())
}

fn cookie(desk: &Desk, token: &str, seconds: u64) -> HeaderValue {
    let secure = if desk.env.public_url.starts_with("https://") { "; Secure" } else { "" };
    let text = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn no_store() -> (header::HeaderName, HeaderValue) {
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
