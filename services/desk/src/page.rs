//! The page, embedded in the binary. Its routes are named one by one: other services answer on the same listener.

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};

const INDEX: &str = "index.html";
/// What the page may load and call: itself. Styles may stand inline, which its components need; scripts may not.
pub(crate) const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Files;

/// `/`, the page's own paths under `/desk`, and each file or folder that the build put beside its index.
pub(crate) fn routes() -> Router {
    let mut router = Router::new()
        .route("/", get(index))
        .route("/desk", get(index))
        .route("/desk/", get(index))
        .route("/desk/{*path}", get(index));
    let mut tops: Vec<String> = Files::iter().filter(|path| path.as_ref() != INDEX).map(|path| top(&path)).collect();
    tops.sort_unstable();
    tops.dedup();
    for route in tops {
        router = router.route(&route, get(asset));
    }
    router
}

/// `/file` or `/folder/{*path}`.
fn top(path: &str) -> String {
    match path.split_once('/') {
        Some((folder, _)) => format!("/{folder}/{{*path}}"),
        None => format!("/{path}"),
    }
}

async fn index(headers: HeaderMap) -> Response {
    match Files::get(INDEX) {
        Some(file) => answer(INDEX, file, &headers, "no-cache"),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn asset(path: Option<Path<String>>, uri: axum::http::Uri, headers: HeaderMap) -> Response {
    let asked = uri.path().trim_start_matches('/');
    // The build names what is under assets/ by its content: it never changes.
    let hashed = path.is_some() && asked.starts_with("assets/");
    let cache = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    match Files::get(asked) {
        Some(file) => answer(asked, file, &headers, cache),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn answer(path: &str, file: EmbeddedFile, headers: &HeaderMap, cache: &'static str) -> Response {
    let tag = format!("\"{}\"", hex::encode(file.metadata.sha256_hash()));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mime = file.metadata.mimetype();
        let mime = if mime.starts_with("text/") { format!("{mime}; charset=utf-8") } else { mime.to_owned() };
        ([(header::CONTENT_TYPE, mime)], file.data.into_owned()).into_response()
    };
    let fixed = [
        (header::CACHE_CONTROL, cache),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if path == INDEX {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
