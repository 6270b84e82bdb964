//! Keeps other sites from acting with a person's cookie: the cookie is SameSite=Strict, a browser must say an origin
//! that is ours, and a changing call must be one that a plain form cannot make.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use domain::{Class, error::codes};

use crate::{
    caller::{IDEMPOTENCY_KEY, bearer},
    problem::Problem,
    state::Shared,
};

pub(crate) async fn guard(State(desk): State<Shared>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let upgrades = headers.contains_key(header::UPGRADE);
    if (changes || upgrades) && !same_origin(&desk, headers, request.uri().host()) {
        let detail = "the Origin header names another site";
        return Problem::new(Class::Forbidden, codes::NOT_PERMITTED, detail).into_response();
    }
    if *request.method() == Method::POST && !beyond_a_form(headers) {
        let detail = "a changing call carries Content-Type: application/json or an Idempotency-Key";
        return Problem::bad_request(detail).into_response();
    }
    next.run(request).await
}

/// No origin (not a browser), or ours. `authority` is the request target's, which HTTP/2 has instead of `Host`.
fn same_origin(desk: &Shared, headers: &HeaderMap, authority: Option<&str>) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let Some((_, site)) = origin.split_once("://") else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or(authority);
    let public = desk.env.public_url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(""));
    host == Some(site) || public == Some(site) || desk.config.allowed_origins.iter().any(|allowed| allowed == origin)
}

/// A form of another site can neither set these headers nor send JSON.
fn beyond_a_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let json = kind.split(';').next().is_some_and(|mime| mime.trim().eq_ignore_ascii_case("application/json"));
    json || headers.contains_key(IDEMPOTENCY_KEY) || bearer(headers).is_some()
}
