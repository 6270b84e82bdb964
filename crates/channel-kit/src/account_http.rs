//! An account's way to its provider: the runtime's guarded client below, and above it a transcript of the last
//! exchanges from which every secret of the account is gone.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use runtime::http::{HttpBody, HttpError, HttpFile, HttpRequest};

use crate::{
    Redactor,
    http::{Exchange, NoAnswer, ProviderRequest, ProviderResponse, RequestBody},
};

/// The most characters of a request or an answer that a transcript keeps.
const BODY_KEPT: usize = 4_000;
/// Longer answers are named by their size.
const BODY_READ: usize = 256 << 10;

/// One exchange, secrets removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// Method, URL, headers and body of the request.
    pub request: String,
    /// Status and body of the answer, or why there is none.
    pub answer: String,
}

/// The last exchanges of one account. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Transcripts {
    kept: Arc<Mutex<VecDeque<Transcript>>>,
    limit: usize,
}

impl Transcripts {
    pub(crate) fn new(limit: usize) -> Self {
        Self { kept: Arc::default(), limit }
    }

    /// Oldest first.
    pub fn all(&self) -> Vec<Transcript> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn keep(&self, transcript: Transcript) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(transcript);
        while kept.len() > self.limit {
            kept.pop_front();
        }
    }
}

tokio::task_local! {
    /// How often the current part was tried before. Only for the span of the request; a channel does not see it.
    pub(crate) static RESENDS: u32;
}

/// The runtime's client, the only door out.
pub(crate) struct ThroughRuntime(pub(crate) runtime::http::Http);

#[async_trait]
impl Exchange for ThroughRuntime {
    async fn exchange(&self, request: ProviderRequest) -> Result<ProviderResponse, NoAnswer> {
        let owned = |fields: Vec<(&'static str, String)>| -> Vec<(String, String)> {
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        };
        let request = HttpRequest {
            method: request.method,
            url: request.url,
            template: request.template,
            headers: owned(request.headers),
            body: match request.body {
                RequestBody::Empty => HttpBody::Empty,
                RequestBody::Json(value) => HttpBody::Json(value),
                RequestBody::Form(fields) => HttpBody::Form(owned(fields)),
                RequestBody::Multipart { fields, file: (field, name, mime, bytes) } => HttpBody::Multipart {
                    fields: owned(fields),
                    file: HttpFile { field: field.to_owned(), name, mime, bytes },
                },
            },
            deadline: request.deadline,
            resend_count: RESENDS.try_with(|count| *count).unwrap_or(0),
        };
        match self.0.call(request).await {
            Ok(answer) => Ok(ProviderResponse {
                status: answer.status,
                retry_after: answer.retry_after(),
                content_type: answer.mime(),
                body: answer.body,
            }),
            Err(HttpError::NotSent(why)) => Err(NoAnswer::NotSent(why)),
            Err(HttpError::Unknown(why)) => Err(NoAnswer::Unknown(why)),
            Err(HttpError::TooLarge(cap)) => Err(NoAnswer::TooLarge(cap)),
        }
    }
}

/// Any exchange, with a transcript and with errors that show no secret.
pub(crate) struct Recorded {
    inner: Arc<dyn Exchange>,
    redactor: Redactor,
    transcripts: Transcripts,
}

impl Recorded {
    pub(crate) const fn new(inner: Arc<dyn Exchange>, redactor: Redactor, transcripts: Transcripts) -> Self {
        Self { inner, redactor, transcripts }
    }
}

#[async_trait]
impl Exchange for Recorded {
    async fn exchange(&self, request: ProviderRequest) -> Result<ProviderResponse, NoAnswer> {
        let asked = cut(&self.redactor.text(&written(&request)));
        let (method, template) = (request.method.clone(), request.template);
        let started = tokio::time::Instant::now();
        let answer = self.inner.exchange(request).await.map_err(|error| match error {
            NoAnswer::NotSent(why) => NoAnswer::NotSent(self.redactor.text(&why)),
            NoAnswer::Unknown(why) => NoAnswer::Unknown(self.redactor.text(&why)),
            same @ NoAnswer::TooLarge(_) => same,
        });
        let heard = match &answer {
            Ok(response) => format!("{} {}", response.status, shown(&response.body)),
            Err(error) => error.to_string(),
        };
        let transcript = Transcript { request: asked, answer: cut(&self.redactor.text(&heard)) };
        // A log leaves the house: no words, no addresses. The transcript stays in memory, for who may ask for it.
        let status = answer.as_ref().map_or(0, |response| response.status);
        let took = started.elapsed();
        tracing::debug!(%method, template, status, ?took, "exchange with the provider");
        self.transcripts.keep(transcript);
        answer
    }
}

fn written(request: &ProviderRequest) -> String {
    let mut text = format!("{} {}", request.method, request.url);
    for (name, value) in &request.headers {
        text.push_str(&format!("\n{name}: {value}"));
    }
    text.push('\n');
    match &request.body {
        RequestBody::Empty => {}
        RequestBody::Json(value) => text.push_str(&value.to_string()),
        RequestBody::Form(fields) => {
            let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            text.push_str(&pairs.join("&"));
        }
        RequestBody::Multipart { fields, file } => {
            let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            text.push_str(&format!("{}\nfile {} {} {} bytes", pairs.join("&"), file.0, file.2, file.3.len()));
        }
    }
    text
}

fn shown(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) if body.len() <= BODY_READ => text.to_owned(),
        _ => format!("{} bytes", body.len()),
    }
}

/// Cuts what is already clean: a cut before would split a secret and hide it from the redactor.
fn cut(clean: &str) -> String {
    match clean.char_indices().nth(BODY_KEPT) {
        Some((at, _)) => format!("{}… ({} bytes)", clean.get(..at).unwrap_or(""), clean.len()),
        None => clean.to_owned(),
    }
}
