//! Refusals as RFC 9457 problem details, in the caller's language.
//!
//! A handler answers a [`Problem`]; the layer [`explain`] writes its body, since only there the request's language and
//! trace are known.

use std::time::Duration;

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{Class, Code, Refusal, error::codes};
use ports::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::words;

/// A request that was not carried out.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    refusal: Refusal,
    retry_after: Option<Duration>,
}

/// The body of every answer that is not a success (`application/problem+json`).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemDetails {
    /// A page about the code: `/errors/<code>`.
    #[serde(rename = "type")]
    kind: String,
    /// One sentence in the caller's language.
    title: String,
    /// The HTTP status again.
    status: u16,
    /// The stable code.
    code: String,
    /// One English sentence with the cause.
    detail: String,
    /// The trace to look for, when there is one.
    #[schema(required = true)]
    trace_id: Option<String>,
}

impl Problem {
    pub(crate) fn new(class: Class, code: Code, detail: impl Into<String>) -> Self {
        Self { refusal: Refusal::new(class, code, detail), retry_after: None }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Class::Invalid, codes::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Class::NotFound, codes::NOT_FOUND, format!("no such {what} in this organization"))
    }

    pub(crate) fn not_signed_in() -> Self {
        Self::new(Class::Unauthenticated, codes::NOT_SIGNED_IN, "sign in first")
    }

    pub(crate) fn too_large(limit: u64) -> Self {
        Self::new(Class::TooLarge, codes::TOO_LARGE, format!("the limit is {limit} bytes"))
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(Class::Internal, codes::INTERNAL, detail)
    }

    pub(crate) fn too_many_attempts(pause: Duration) -> Self {
        let mut problem = Self::new(Class::Throttled, codes::TOO_MANY_ATTEMPTS, "too many failed sign-ins; wait");
        problem.retry_after = Some(pause);
        problem
    }

    fn details(&self, status: StatusCode, language: domain::Language, trace_id: Option<String>) -> ProblemDetails {
        let code = self.refusal.code.as_str();
        ProblemDetails {
            kind: format!("/errors/{code}"),
            title: words::title(code, language).to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: self.refusal.detail.clone(),
            trace_id,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, retry_after: None }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        // The cause is for the log: it may name hosts and tables.
        tracing::warn!(%error, "the store did not answer the desk");
        runtime::status::of_store(&error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = runtime::status::http_status(self.refusal.class).into_response();
        if let Some(pause) = self.retry_after {
            let seconds = pause.as_millis().div_ceil(1_000).max(1);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of a [`Problem`] in the caller's language.
pub(crate) async fn explain(request: Request, next: Next) -> Response {
    let wanted = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = words::negotiate(wanted);
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let details = problem.details(response.status(), language, runtime::trace::trace_id());
    let body = serde_json::to_vec(&details).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.remove(header::CONTENT_LENGTH);
    let (parts, _) = response.into_parts();
    Response::from_parts(parts, body.into())
}

/// The answer to a path under `/api` that is no call.
pub(crate) async fn no_such_call() -> Problem {
    Problem::new(Class::NotFound, codes::NOT_FOUND, "no such call")
}

/// The answer to a call with a method that it does not have.
pub(crate) async fn no_such_method() -> Response {
    let mut response = Problem::bad_request("the call has no such method").into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}
