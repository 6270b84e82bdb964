//! One call of the Bot API, and what its errors mean. The token stands in the URL's path, so spans get templates only.

use std::time::Duration;

use channel_kit::{
    PollError,
    http::{AccountHttp, NoAnswer, ProviderRequest, ProviderResponse, RequestBody},
};
use domain::{Code, Failure, Outcome, Secret, error::codes};
use serde_json::Value;

/// One bot, seen from outside.
#[derive(Debug, Clone)]
pub struct BotApi {
    /// Where the Bot API is, without a trailing slash.
    pub base_url: String,
    /// The bot's token; whoever has it is the bot.
    pub token: Secret,
}

/// Why a call has no result.
#[derive(Debug)]
pub enum Refused {
    /// Telegram answered with an error.
    Answered {
        /// HTTP status, the same as `error_code`.
        status: u16,
        /// The body is the Bot API's own (`{"ok":false,...}`), not a proxy's page.
        own: bool,
        /// How long to wait, with 429.
        retry_after: Option<Duration>,
        /// Telegram's words.
        description: String,
    },
    /// There is no answer, or none that can be read.
    Silent(NoAnswer),
}

impl BotApi {
    /// Calls the method at the end of `template` (`/bot{token}/getMe`) and takes `result` out of the answer.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn call(
        &self,
        template: &'static str,
        body: RequestBody,
        deadline: Duration,
        http: &AccountHttp,
    ) -> Result<Value, Refused> {
        let method = template.rsplit('/').next().unwrap_or_default();
        let request = ProviderRequest {
            method: http::Method::POST,
            url: format!("{}/bot{}/{method}", self.base_url, self.token.expose()),
            template,
            headers: Vec::new(),
            body,
            deadline,
        };
        result(&http.call(request).await.map_err(Refused::Silent)?)
    }
}

fn result(answer: &ProviderResponse) -> Result<Value, Refused> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    if (200..300).contains(&answer.status) {
        return match body.get("result") {
            Some(result) if body.get("ok") == Some(&Value::Bool(true)) => Ok(result.clone()),
            _ => Err(Refused::Silent(NoAnswer::Unknown("the answer is not one of the Bot API".to_owned()))),
        };
    }
    let seconds = body.pointer("/parameters/retry_after").and_then(Value::as_u64).map(Duration::from_secs);
    let description = body.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let own = body.get("ok") == Some(&Value::Bool(false));
    Err(Refused::Answered { status: answer.status, own, retry_after: seconds.or(answer.retry_after), description })
}

impl Refused {
    /// The failure that a person reads.
    pub fn failure(&self, code: Code) -> Failure {
        match self {
            Self::Answered { status, description, .. } => {
                Failure { code, provider_code: Some(status.to_string()), reason: Some(description.clone()) }
            }
            Self::Silent(error) => Failure { code, provider_code: None, reason: Some(error.to_string()) },
        }
    }

    /// What it means for a message. The status decides; words only tell a block from a chat that never was.
    ///
    /// Unavailable means surely not sent, since the kit sends again by itself. Only the Bot API can say so: 500 and 503
    /// with its own body. 502 and 504 come from the proxy in front of it, with or without a body, when the answer to a
    /// request that was passed on is lost; any 5xx without the body is of unknown origin. Those are in doubt.
    pub fn outcome(&self) -> Outcome {
        let (status, own, after, words) = match self {
            Self::Silent(NoAnswer::NotSent(_)) => {
                return Outcome::Unavailable { failure: self.failure(codes::PROVIDER_UNAVAILABLE) };
            }
            Self::Silent(_) => return Outcome::InDoubt { failure: self.failure(codes::IN_DOUBT) },
            Self::Answered { status, own, retry_after, description } => {
                (*status, *own, *retry_after, description.as_str())
            }
        };
        match status {
            401 | 404 => Outcome::Misconfigured { failure: self.failure(codes::ACCOUNT_MISCONFIGURED) },
            403 if words.contains("blocked by the user") => {
                Outcome::Unreachable { opted_out: true, failure: self.failure(codes::OPTED_OUT) }
            }
            403 => Outcome::Unreachable { opted_out: false, failure: self.failure(codes::UNREACHABLE) },
            400 if words.contains("chat not found") => {
                Outcome::Unreachable { opted_out: false, failure: self.failure(codes::UNREACHABLE) }
            }
            413 => Outcome::Rejected { failure: self.failure(codes::TOO_LARGE) },
            429 => Outcome::Throttled { after },
            500 | 503 if own => Outcome::Unavailable { failure: self.failure(codes::PROVIDER_UNAVAILABLE) },
            500.. => Outcome::InDoubt { failure: self.failure(codes::IN_DOUBT) },
            _ => Outcome::Rejected { failure: self.failure(codes::PROVIDER_REJECTED) },
        }
    }

    /// What an administrator reads when an account cannot be made ready.
    pub fn to_administrator(self) -> Failure {
        match self.outcome() {
            Outcome::Throttled { .. } | Outcome::Unavailable { .. } | Outcome::InDoubt { .. } => {
                self.failure(codes::PROVIDER_UNAVAILABLE)
            }
            _ => self.failure(codes::ACCOUNT_MISCONFIGURED),
        }
    }

    /// What it means for a poll.
    pub fn for_poll(self) -> PollError {
        match self {
            Self::Answered { status: status @ (401 | 404), description, .. } => {
                PollError::Misconfigured(format!("{status} {description}"))
            }
            Self::Answered { status, retry_after, description, .. } => {
                PollError::Unavailable { after: retry_after, reason: format!("{status} {description}") }
            }
            Self::Silent(error) => PollError::Unavailable { after: None, reason: error.to_string() },
        }
    }
}
