//! The page `/simulator`: two phones side by side.

use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use rust_embed::RustEmbed;

use crate::world::Simulator;

#[derive(RustEmbed)]
#[folder = "web/"]
struct Web;

/// The page's routes.
pub(crate) fn routes() -> Router<Arc<Simulator>> {
    Router::new()
        .route("/simulator", get(|| async { Redirect::permanent("/simulator/") }))
        .route("/simulator/", get(|| async { asset("index.html") }))
        .route("/simulator/{*path}", get(|Path(path): Path<String>| async move { asset(&path) }))
}

fn asset(path: &str) -> Response {
    let Some(file) = Web::get(path) else { return StatusCode::NOT_FOUND.into_response() };
    let policy = "default-src 'self'; img-src 'self' data: blob: http: https:; media-src 'self' blob: http: https:; \
                  style-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'self'";
    let headers = [
        (header::CONTENT_TYPE, file.metadata.mimetype().to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy.to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (headers, file.data.into_owned()).into_response()
}
