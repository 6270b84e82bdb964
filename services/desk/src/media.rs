//! Files: upload, and the bytes again. A key always begins with its organization, and only that organization gets it.

use axum::{
    Json,
    body::Body,
    extract::{Multipart, Path, State, multipart::MultipartError},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use domain::{EventId, Media, MediaSource};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::{
    caller::{Caller, Intent},
    dto, mime,
    problem::{Problem, ProblemDetails},
    ranges::{self, Wanted},
    state::{Desk, Shared},
};

/// The longest file name that is kept, in characters.
const LONGEST_NAME: usize = 200;

/// A file to upload.
#[derive(ToSchema)]
pub(crate) struct UploadForm {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    #[expect(dead_code, reason = "describes the form; the handler reads its parts as they come")]
    file: Vec<u8>,
}

/// A file that was uploaded.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Uploaded {
    /// For a message's content and for `GET /media/{key}`.
    key: String,
    /// Its kind.
    kind: dto::MediaKind,
    /// MIME type, as its bytes tell it.
    mime: String,
    /// File name.
    #[schema(required = true)]
    name: Option<String>,
    /// Size in bytes.
    size: u64,
}

/// Upload a file to send.
#[utoipa::path(
    post, path = "/media", tag = "media",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    params(("Idempotency-Key" = Option<String>, Header, description = "one intent of the caller")),
    responses(
        (status = 201, body = Uploaded),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json", description = "bad_request"),
        (status = 413, body = ProblemDetails, content_type = "application/problem+json", description = "too_large"),
    )
)]
pub(crate) async fn upload(
    State(desk): State<Shared>,
    caller: Caller,
    intent: Intent,
    request: axum::extract::Request,
) -> Result<(StatusCode, Json<Uploaded>), Problem> {
    let limit = desk.config.max_upload_bytes;
    let multipart = <Multipart as axum::extract::FromRequest<_>>::from_request(request, &()).await;
    let mut multipart = multipart.map_err(|fault| Problem::bad_request(fault.body_text()))?;
    let fault = |error: MultipartError| {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Problem::too_large(limit);
        }
        Problem::bad_request(error.body_text())
    };
    while let Some(field) = multipart.next_field().await.map_err(fault)? {
        if field.name() != Some("file") {
            continue;
        }
        let name = field.file_name().map(clean_name).filter(|name| !name.is_empty());
        let declared = field.content_type().unwrap_or("").to_owned();
        let bytes = field.bytes().await.map_err(fault)?;
        let uploaded = keep(&desk, &caller, &intent, name, &declared, bytes).await?;
        return Ok((StatusCode::CREATED, Json(uploaded)));
    }
    Err(Problem::bad_request("the form has no field 'file'"))
}

async fn keep(
    desk: &Desk,
    caller: &Caller,
    intent: &Intent,
    name: Option<String>,
    declared: &str,
    bytes: Bytes,
) -> Result<Uploaded, Problem> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > desk.config.max_upload_bytes {
        return Err(Problem::too_large(desk.config.max_upload_bytes));
    }
    if bytes.is_empty() {
        return Err(Problem::bad_request("the file is empty"));
    }
    let mime = mime::settle(declared, &bytes);
    let organization = caller.organization().to_string();
    // The same intent with the same bytes is the same file: a retried upload leaves one.
    let digest = hex::encode(Sha256::digest(&bytes));
    let id = EventId::derive(&["upload", &organization, &caller.user.id.to_string(), intent.as_str(), &digest]);
    let key = format!("{organization}/up/{}", id.uuid());
    desk.env.blobs.put(&key, &mime, bytes).await?;
    Ok(Uploaded { key, kind: mime::kind(&mime).into(), mime, name, size })
}

/// The bytes of a file.
#[utoipa::path(
    get, path = "/media/{key}", operation_id = "read_media", tag = "media",
    params(("key" = String, Path, description = "may contain slashes"), ("Range" = Option<String>, Header)),
    responses(
        (status = 200, description = "the bytes", content_type = "application/octet-stream"),
        (status = 206, description = "a part of them", content_type = "application/octet-stream"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "not_found"),
        (status = 416, description = "the range lies outside"),
    )
)]
pub(crate) async fn read(
    State(desk): State<Shared>,
    caller: Caller,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (mime, bytes) = stored(&desk, &caller, &key).await?;
    let disposition = if mime::inline(&mime) { "inline" } else { "attachment" };
    let fixed = [
        (header::CONTENT_TYPE, HeaderValue::from_str(&mime).ok()),
        (header::CONTENT_DISPOSITION, Some(HeaderValue::from_static(disposition))),
        (header::X_CONTENT_TYPE_OPTIONS, Some(HeaderValue::from_static("nosniff"))),
        // Whatever a file contains, it cannot act in the desk's name.
        (header::CONTENT_SECURITY_POLICY, Some(HeaderValue::from_static("default-src 'none'; sandbox"))),
        (header::CACHE_CONTROL, Some(HeaderValue::from_static("private, max-age=86400, immutable"))),
        (header::ACCEPT_RANGES, Some(HeaderValue::from_static("bytes"))),
    ];
    let wanted = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let mut response = match ranges::parse(wanted, bytes.len()) {
        Wanted::All => Body::from(bytes).into_response(),
        Wanted::Part { from, to } => {
            let content_range = format!("bytes {from}-{}/{}", to.saturating_sub(1), bytes.len());
            let part = bytes.slice(from..to);
            (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, content_range)], Body::from(part)).into_response()
        }
        Wanted::Outside => {
            let content_range = format!("bytes */{}", bytes.len());
            (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, content_range)]).into_response()
        }
    };
    for (name, value) in fixed {
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// A file of the caller's organization.
async fn stored(desk: &Desk, caller: &Caller, key: &str) -> Result<(String, Bytes), Problem> {
    let missing = || Problem::not_found("file");
    let rest = key.strip_prefix(&caller.organization().to_string()).and_then(|rest| rest.strip_prefix('/'));
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']);
    if !rest.is_some_and(|rest| rest.split('/').all(plain)) {
        return Err(missing());
    }
    desk.env.blobs.get(key).await?.ok_or_else(missing)
}

/// The media of a message to send: what was uploaded, not what the page says of it.
pub(crate) async fn drafted(desk: &Desk, caller: &Caller, draft: dto::MediaDraft) -> Result<Media, Problem> {
    let (mime, bytes) = stored(desk, caller, &draft.key).await?;
    let kind = domain::MediaKind::from(draft.kind);
    let own = mime::kind(&mime);
    let sticker = kind == domain::MediaKind::Sticker && mime == "image/webp";
    if kind != own && kind != domain::MediaKind::Document && !sticker {
        return Err(Problem::bad_request(format!("kind: a file of type {mime} is no {kind:?}")));
    }
    Ok(Media {
        kind,
        mime,
        name: draft.name.as_deref().map(clean_name).filter(|name| !name.is_empty()),
        caption: draft.caption.filter(|text| !text.trim().is_empty()),
        size: u64::try_from(bytes.len()).ok(),
        source: MediaSource::Stored { sha256: hex::encode(Sha256::digest(&bytes)), key: draft.key },
    })
}

/// The last part of a file name, without what file systems and headers trip over.
fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    last.chars().filter(|c| !c.is_control() && *c != '"').take(LONGEST_NAME).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_its_last_part() {
        assert_eq!(clean_name("C:\\temp\\nota fiscal.pdf"), "nota fiscal.pdf");
        assert_eq!(clean_name("../../etc/passwd"), "passwd");
        assert_eq!(clean_name("a\r\nb\".txt"), "ab.txt");
    }
}
