//! The provider's HTTP as a channel sees it: the runtime's guarded client, with the account's secrets kept out of every
//! transcript, span and error.

use std::time::Duration;

use bytes::Bytes;

/// A request to the provider.
#[derive(Debug, Clone)]
pub struct ProviderRequest {
    /// `GET` or `POST`...
    pub method: http::Method,
    /// The whole URL; may carry a token, never shown.
    pub url: String,
    /// The URL's template for spans and metrics (`/bot{token}/sendMessage`).
    pub template: &'static str,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: RequestBody,
    /// How long to wait for the answer.
    pub deadline: Duration,
}

/// The bodies that providers take.
#[derive(Debug, Clone)]
pub enum RequestBody {
    /// None.
    Empty,
    /// `application/json`.
    Json(serde_json::Value),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(&'static str, String)>),
    /// `multipart/form-data`: fields, then one file.
    Multipart {
        /// Text fields.
        fields: Vec<(&'static str, String)>,
        /// Field name, file name, MIME type, bytes.
        file: (&'static str, String, String, Bytes),
    },
}

/// The provider's answer, whatever its status.
#[derive(Debug, Clone)]
pub struct ProviderResponse {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, when given in seconds.
    pub retry_after: Option<Duration>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// The body, up to the size cap.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The request surely did not reach the provider (name, connection, refused by the guard).
    #[error("not sent: {0}")]
    NotSent(String),
    /// It may have reached the provider; the answer was lost or late.
    #[error("no answer: {0}")]
    Unknown(String),
    /// The answer is larger than the cap.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// The client for one account. Made by the kit; a channel only calls it.
#[derive(Clone)]
pub struct AccountHttp {
    pub(crate) inner: std::sync::Arc<dyn Exchange>,
}

/// What carries a request out: the runtime's client in production, a table in tests.
#[async_trait::async_trait]
pub trait Exchange: Send + Sync + 'static {
    /// One exchange.
    ///
    /// # Errors
    /// [`NoAnswer`].
    async fn exchange(&self, request: ProviderRequest) -> Result<ProviderResponse, NoAnswer>;
}

impl AccountHttp {
    /// Over any exchange.
    pub fn new(inner: std::sync::Arc<dyn Exchange>) -> Self {
        Self { inner }
    }

    /// One exchange with the provider, traced and with its secrets removed from all telemetry.
    ///
    /// # Errors
    /// [`NoAnswer`], which tells "surely not sent" from "nobody knows".
    pub async fn call(&self, request: ProviderRequest) -> Result<ProviderResponse, NoAnswer> {
        self.inner.exchange(request).await
    }
}
