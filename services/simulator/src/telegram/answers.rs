//! The form of every answer: `ok` with a result, or not with a code and words.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

/// An answer that is not `ok`.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) words: String,
    pub(super) retry_after: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: u16, words: &str) -> Self {
        Self { status, words: words.to_owned(), retry_after: None }
    }
}

/// The response to a call.
pub(super) fn answer(result: Result<Value, Refusal>) -> Response {
    let refusal = match result {
        Ok(result) => return Json(json!({"ok": true, "result": result})).into_response(),
        Err(refusal) => refusal,
    };
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut body = json!({"ok": false, "error_code": refusal.status, "description": refusal.words});
    if let Some(seconds) = refusal.retry_after {
        body["parameters"] = json!({"retry_after": seconds});
    }
    let mut response = (status, Json(body)).into_response();
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
