//! `POST /link/<channel>/<account>/media?name=`: a visitor's file, kept under a ticket that only they can use.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use domain::{Address, MediaKind};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    find, origin_allowed,
    visitor::{Identity, Upload},
};
use crate::{accounts::Live, kit::Kit, webhook::is_too_long};

/// How long a ticket may be used.
const TICKET: Duration = Duration::from_secs(3600);

/// Lets pages of other origins in; who they are is the token's matter.
fn cors(headers: &HeaderMap) -> [(HeaderName, HeaderValue); 5] {
    let origin = headers.get(header::ORIGIN).cloned().unwrap_or(HeaderValue::from_static("*"));
    [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        (header::VARY, HeaderValue::from_static("origin")),
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type")),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
    ]
}

/// The browser's question before the upload.
pub(super) async fn preflight(State(kit): State<Arc<Kit>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    match find(&kit, &name) {
        Ok((live, _)) if origin_allowed(&live, &headers) => (StatusCode::NO_CONTENT, cors(&headers)).into_response(),
        Ok(_) => StatusCode::FORBIDDEN.into_response(),
        Err(status) => status.into_response(),
    }
}

/// Takes one file.
pub(super) async fn take(
    State(kit): State<Arc<Kit>>,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let live = match find(&kit, &name) {
        Ok((live, _)) if origin_allowed(&live, &headers) => live,
        Ok(_) => return StatusCode::FORBIDDEN.into_response(),
        Err(status) => return status.into_response(),
    };
    match keep(&kit, &live, query.get("name").cloned(), &headers, body).await {
        Ok(answer) => (StatusCode::CREATED, cors(&headers), answer).into_response(),
        Err(status) => (status, cors(&headers)).into_response(),
    }
}

async fn keep(
    kit: &Kit,
    live: &Live,
    name: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Json<serde_json::Value>, StatusCode> {
    let identity = Identity::of(live).ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    let visitor = identity.read(token, kit.now()).ok_or(StatusCode::UNAUTHORIZED)?;
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mime = given.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let kind = kind_of(&mime);
    let limit = kit.can.media_limit(kind, &mime).ok_or(StatusCode::UNSUPPORTED_MEDIA_TYPE)?;
    slow_down(kit, live, &visitor).await?;
    let max = usize::try_from(limit.max_bytes).unwrap_or(usize::MAX).min(kit.config.media_limit);
    let bytes = axum::body::to_bytes(body, max)
        .await
        .map_err(|error| if is_too_long(&error) { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST })?;
    if bytes.is_empty() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let key = format!("{}/upload/{:032x}", live.account.organization, rand::random::<u128>());
    let upload = Upload {
        visitor: visitor.as_str().to_owned(),
        key,
        sha256: hex::encode(Sha256::digest(&bytes)),
        mime,
        size: bytes.len() as u64,
        name: name.map(|name| file_name(&name)).filter(|name| !name.is_empty()),
    };
    kit.env.blobs.put(&upload.key, &upload.mime, bytes).await.map_err(|error| {
        tracing::warn!(%error, "a visitor's file was not kept");
        StatusCode::SERVICE_UNAVAILABLE
    })?;
    Ok(Json(json!({
        "ticket": identity.ticket(&upload, kit.now() + TICKET),
        "kind": kind,
        "mime": upload.mime,
        "size": upload.size,
        "name": upload.name,
    })))
}

/// A visitor uploads at most ten files in a row, then one every two seconds.
async fn slow_down(kit: &Kit, live: &Live, visitor: &Address) -> Result<(), StatusCode> {
    let key = format!("upload:{}:{}", live.account.id, visitor.as_str());
    match kit.env.buckets.take(&key, 0.5, 10, kit.now()).await {
        Ok(Some(_)) => Err(StatusCode::TOO_MANY_REQUESTS),
        Ok(None) | Err(_) => Ok(()),
    }
}

fn kind_of(mime: &str) -> MediaKind {
    match mime.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// The last component, without control characters, at most 120 characters.
fn file_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or("");
    last.chars().filter(|c| !c.is_control()).take(120).collect()
}
