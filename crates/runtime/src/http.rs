//! The one door for outgoing HTTP: guard against internal addresses, size cap, deadline, span, metrics, redaction.
//!
//! Nothing else in the mesh makes an HTTP client. A URL never reaches a log, a span or an error: Telegram's carries the
//! token in its path. Spans and metrics know the request by its `template`.

mod guard;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tracing::Instrument as _;
use url::Url;

pub use guard::is_public;

use crate::{
    metrics::Metrics,
    names::{label, metric},
    trace,
};

/// How many redirects a `GET` follows.
const REDIRECTS: usize = 3;
/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(5);

/// What the door lets pass.
#[derive(Debug, Clone)]
pub struct HttpPolicy {
    /// Origins (`http://127.0.0.1:9000`) or `host:port` that may be called although they are internal: simulators, a
    /// blob store, a provider behind a private link. All public addresses may be called anyway.
    pub allow: Vec<String>,
    /// The largest answer, in bytes.
    pub max_response: usize,
}

impl Default for HttpPolicy {
    fn default() -> Self {
        Self { allow: Vec::new(), max_response: 32 * 1024 * 1024 }
    }
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    inner: Arc<Inner>,
}

struct Inner {
    /// Resolves names and refuses internal addresses.
    guarded: reqwest::Client,
    /// For the origins on the list.
    open: reqwest::Client,
    allow: BTreeSet<String>,
    max_response: usize,
    metrics: Metrics,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("allow", &self.inner.allow).finish_non_exhaustive()
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: http::Method,
    /// The whole URL; may carry a token, never shown.
    pub url: String,
    /// The URL's template for spans and metrics (`/bot{token}/sendMessage`).
    pub template: &'static str,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: HttpBody,
    /// How long to wait for the whole answer.
    pub deadline: Duration,
    /// How many times this was tried before; 0 for the first try.
    pub resend_count: u32,
}

impl HttpRequest {
    /// A request without headers and body, first try, ten seconds.
    pub fn new(method: http::Method, url: impl Into<String>, template: &'static str) -> Self {
        Self {
            method,
            url: url.into(),
            template,
            headers: Vec::new(),
            body: HttpBody::Empty,
            deadline: Duration::from_secs(10),
            resend_count: 0,
        }
    }
}

/// The bodies of requests.
#[derive(Debug, Clone)]
pub enum HttpBody {
    /// None.
    Empty,
    /// `application/json`.
    Json(serde_json::Value),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// `multipart/form-data`: text fields, then one file.
    Multipart {
        /// Name and value of the text fields.
        fields: Vec<(String, String)>,
        /// The file.
        file: HttpFile,
    },
    /// Bytes of any type; say which in the headers.
    Bytes(Bytes),
}

/// A file in a form.
#[derive(Debug, Clone)]
pub struct HttpFile {
    /// The field's name.
    pub field: String,
    /// The file's name.
    pub name: String,
    /// MIME type.
    pub mime: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: http::HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl HttpResponse {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `Retry-After`, when given in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }

    /// `Content-Type` without its parameters, lower case.
    pub fn mime(&self) -> Option<String> {
        let whole = self.header("content-type")?;
        Some(whole.split(';').next().unwrap_or(whole).trim().to_ascii_lowercase())
    }
}

/// Why there is no answer. The texts never carry the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The request surely did not reach the other side: a bad URL, an unknown name, no connection, or the guard.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It may have reached the other side; the answer was lost or late.
    #[error("no answer: {0}")]
    Unknown(String),
    /// The answer is larger than the cap, in bytes.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl HttpError {
    /// The low-cardinality `error.type`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "not_sent",
            Self::Unknown(_) => "answer_lost",
            Self::TooLarge(_) => "too_large",
        }
    }
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made: {0}")]
pub struct HttpSetupError(String);

impl Http {
    /// A client under `policy`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(policy: HttpPolicy, metrics: Metrics) -> Result<Self, HttpSetupError> {
        let guarded = client(Some(guard::PublicOnly))?;
        let open = client(None)?;
        let allow = policy.allow.iter().map(|entry| guard::authority(entry)).collect();
        Ok(Self { inner: Arc::new(Inner { guarded, open, allow, max_response: policy.max_response, metrics }) })
    }

    /// One exchange: one span, one try, no retries. A `GET` follows up to three redirects, each guarded again, without
    /// its headers when the origin changes.
    ///
    /// # Errors
    /// [`HttpError`], which tells "surely not sent" from "nobody knows".
    pub async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let started = tokio::time::Instant::now();
        let url = Url::parse(&request.url).map_err(|error| HttpError::NotSent(format!("the URL is wrong: {error}")))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        let method = request.method.clone();
        let template = request.template;
        let span = trace::provider_call(method.as_str(), url.scheme(), &host, port, template, request.resend_count);
        let deadline = request.deadline;
        let work = self.follow(url, request).instrument(span.clone());
        let result = match tokio::time::timeout(deadline, work).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::Unknown(format!("no answer within {} ms", deadline.as_millis()))),
        };
        let (status, error) = match &result {
            Ok(answer) if answer.status < 400 => (answer.status.to_string(), String::new()),
            Ok(answer) => (answer.status.to_string(), answer.status.to_string()),
            Err(error) => (String::new(), error.kind().to_owned()),
        };
        trace::http_status(&span, result.as_ref().ok().map(|answer| answer.status), &error);
        let labels = [
            (label::METHOD, method.as_str()),
            (label::SERVER, host.as_str()),
            (label::TEMPLATE, template),
            (label::STATUS, status.as_str()),
            (label::ERROR, error.as_str()),
        ];
        self.inner.metrics.since(metric::HTTP_CLIENT, &labels, started);
        result
    }

    /// Whether the policy names this URL's host and port.
    pub fn allows(&self, url: &Url) -> bool {
        self.inner.allow.contains(&guard::authority(url.as_str()))
    }

    async fn follow(&self, mut url: Url, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut left = if request.method == http::Method::GET { REDIRECTS } else { 0 };
        loop {
            let answer = self.once(url.clone(), &request).await?;
            if left == 0 || !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let Some(next) = answer.header("location").and_then(|to| url.join(to).ok()) else { return Ok(answer) };
            if next.origin() != url.origin() {
                request.headers.clear();
            }
            url = next;
            left -= 1;
        }
    }

    async fn once(&self, url: Url, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let client = if self.allows(&url) {
            &self.inner.open
        } else {
            guard::literal(&url).map_err(HttpError::NotSent)?;
            &self.inner.guarded
        };
        let mut builder = client.request(request.method.clone(), url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        builder = match &request.body {
            HttpBody::Empty => builder,
            HttpBody::Json(value) => builder.json(value),
            HttpBody::Form(fields) => builder.form(fields),
            HttpBody::Bytes(bytes) => builder.body(bytes.clone()),
            HttpBody::Multipart { fields, file } => builder.multipart(multipart(fields, file)?),
        };
        let mut answer = builder.send().await.map_err(classify)?;
        let cap = self.inner.max_response;
        let declared = answer.content_length().unwrap_or_default();
        if declared > u64::try_from(cap).unwrap_or(u64::MAX) {
            return Err(HttpError::TooLarge(cap));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(classify)? {
            if body.len() + chunk.len() > cap {
                return Err(HttpError::TooLarge(cap));
            }
            body.extend_from_slice(&chunk);
        }
        let status = answer.status().as_u16();
        Ok(HttpResponse { status, headers: std::mem::take(answer.headers_mut()), body: body.freeze() })
    }
}

fn multipart(fields: &[(String, String)], file: &HttpFile) -> Result<reqwest::multipart::Form, HttpError> {
    let mut form = reqwest::multipart::Form::new();
    for (name, value) in fields {
        form = form.text(name.clone(), value.clone());
    }
    let part = reqwest::multipart::Part::stream(file.bytes.clone())
        .file_name(file.name.clone())
        .mime_str(&file.mime)
        .map_err(|_| HttpError::NotSent("the file's MIME type is wrong".to_owned()))?;
    Ok(form.part(file.field.clone(), part))
}

/// Tells "surely not sent" from "nobody knows", without the URL.
fn classify(error: reqwest::Error) -> HttpError {
    let surely_not_sent = error.is_connect() || error.is_builder();
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    if surely_not_sent { HttpError::NotSent(text) } else { HttpError::Unknown(text) }
}

fn client(resolver: Option<guard::PublicOnly>) -> Result<reqwest::Client, HttpSetupError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpSetupError(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    #[expect(clippy::disallowed_methods, reason = "this is the one door")]
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("afluente/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .no_proxy();
    if let Some(resolver) = resolver {
        builder = builder.dns_resolver(Arc::new(resolver));
    }
    builder.build().map_err(|error| HttpSetupError(error.to_string()))
}

#[cfg(test)]
mod tests;
