//! What browsers and providers may fetch: `GET /media/<channel>/<token>`, a blob by a signed link that ends; and the
//! channel's own pages.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};

use crate::kit::Kit;

/// The media route and the pages of one channel.
pub(crate) fn routes(kit: Arc<Kit>) -> Router {
    let path = format!("/media/{}/{{token}}", kit.channel);
    let mut router = Router::new().route(&path, get(serve));
    for page in kit.kind.pages() {
        let headers = [
            (header::CONTENT_TYPE, page.mime),
            (header::CACHE_CONTROL, "public, max-age=300"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let path = format!("/{}/{}", kit.channel, page.path);
        router = router.route(&path, get(move || async move { (headers, page.body) }));
    }
    router.with_state(kit)
}

async fn serve(State(kit): State<Arc<Kit>>, Path(token): Path<String>) -> Response {
    // A wrong, an old and an unknown link look the same from outside.
    let Some(key) = kit.media.open::<String>(&token, kit.now()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match kit.env.blobs.get(&key).await {
        Ok(Some((mime, bytes))) => {
            let inline =
                ["image/", "audio/", "video/"].iter().any(|start| mime.starts_with(start)) && mime != "image/svg+xml";
            let disposition = if inline { "inline" } else { "attachment" };
            let mime = HeaderValue::from_str(&mime).unwrap_or(HeaderValue::from_static("application/octet-stream"));
            let headers = [
                (header::CONTENT_TYPE, mime),
                (header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition)),
                (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
                // Whatever a stranger uploaded, it may not run as a page of ours.
                (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'")),
                (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600")),
            ];
            (headers, bytes).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "2")]).into_response(),
    }
}
