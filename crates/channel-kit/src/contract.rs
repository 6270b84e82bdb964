//! What a channel author writes: translation, and nothing else.
//!
//! The kit owns acknowledgement, the spool, deduplication, retries, lanes, rate buckets, media jobs, transcripts,
//! spans, metrics, gRPC, health and drain. A channel cannot reach the bus, the store, an ack or a clock.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Account, Address, Capabilities, ConsentChange, Content, Failure, InboundMessage, Media, Outcome, Receipt, Template,
    TemplateStatus, Timestamp,
};

use crate::http::AccountHttp;

/// A kind of channel: what it is called and how one of its accounts is opened.
pub trait ChannelType: Send + Sync + 'static {
    /// Its name, as in [`domain::Channel`].
    fn name(&self) -> &'static str;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Reads one account's settings and secrets.
    ///
    /// # Errors
    /// One sentence that names the setting; that account alone is quarantined.
    fn open(&self, account: &Account) -> Result<OpenAccount, Misconfigured>;

    /// Files that the channel serves to browsers as they are, at `/<channel>/<path>`: a widget, its demo page.
    fn pages(&self) -> Vec<Page> {
        Vec::new()
    }
}

/// A file for browsers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Below `/<channel>/`, without a leading slash.
    pub path: &'static str,
    /// MIME type with its charset.
    pub mime: &'static str,
    /// The text.
    pub body: &'static str,
}

/// A setting that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("setting '{key}': {problem}")]
pub struct Misconfigured {
    /// The setting or secret.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

/// An account ready to work: one way in, one way out, and the facets that the provider has.
#[derive(Clone)]
pub struct OpenAccount {
    /// How messages come in.
    pub ingress: Ingress,
    /// How one part goes out.
    pub outbound: Arc<dyn Outbound>,
    /// How media of incoming messages is fetched, where it does not come along.
    pub media: Option<Arc<dyn FetchMedia>>,
    /// How the provider's registered templates are listed, where it has some and the account is told where.
    pub templates: Option<Arc<dyn Templates>>,
    /// What to do once before traffic starts (set the webhook at the provider, ask who we are).
    pub prepare: Option<Arc<dyn Prepare>>,
}

/// The ways in.
#[derive(Clone)]
pub enum Ingress {
    /// The provider calls `POST /hooks/<channel>/<account>`.
    Webhook(Arc<dyn Webhook>),
    /// We ask the provider, again and again.
    Poll(Arc<dyn Poll>),
    /// The contact's own browser or device holds a live connection to us.
    Link(Arc<dyn Link>),
}

/// A webhook call as it came: the raw body, before anybody trusts it.
#[derive(Debug, Clone)]
pub struct WebhookRequest {
    /// Header names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The query string, decoded.
    pub query: BTreeMap<String, String>,
    /// The raw body.
    pub body: Bytes,
}

/// Proof that a request was verified. There is no default: the only ways to one are [`Verified::by_secret`] with a
/// comparison that held, and [`Verified::trust_unsigned`], which a test lists.
#[derive(Debug)]
pub struct Verified(());

impl Verified {
    /// Compares in constant time; none when `given` is missing or differs, or `expected` is empty.
    pub fn by_secret(given: Option<&str>, expected: &str) -> Option<Self> {
        use subtle::ConstantTimeEq as _;
        let given = given?;
        let same: bool = given.as_bytes().ct_eq(expected.as_bytes()).into();
        (same && !expected.is_empty()).then_some(Self(()))
    }

    /// For providers without any authentication; say why.
    pub const fn trust_unsigned(_reason: &'static str) -> Self {
        Self(())
    }
}

/// A webhook's translation.
pub trait Webhook: Send + Sync + 'static {
    /// The header that carries the secret, for `afluente account list` (`authorization`,
    /// `x-telegram-bot-api-secret-token`).
    fn secret_header(&self) -> &'static str;

    /// Whether the request comes from the provider. None: 401, counted, nothing stored.
    fn verify(&self, request: &WebhookRequest) -> Option<Verified>;

    /// What happened. Unknown kinds of message become [`Content::Unsupported`]; calls that say nothing to us (tests of
    /// the URL, billing) become [`Heard::default`].
    ///
    /// # Errors
    /// Only when the body as a whole is not what the provider documents: it is parked with the reason, and answered
    /// 2xx. A bad item beside good ones goes into [`Heard::strays`].
    fn translate(&self, request: &WebhookRequest) -> Result<Heard, Malformed>;

    /// The provider's handshake on `GET`, where it has one: the body to answer.
    fn handshake(&self, _request: &WebhookRequest) -> Option<String> {
        None
    }

    /// A JSON body for the 2xx answer, where the provider reads one (Telegram takes one method call there). Its result
    /// is never learnt, so it must not send a message of ours. None answers without a body.
    fn answer(&self, _request: &WebhookRequest) -> Option<serde_json::Value> {
        None
    }
}

/// A body that is not what the provider documents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// What one call of the provider, or one poll, says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heard {
    /// What happened, in the order in which it stands there.
    pub arrivals: Vec<Arrival>,
    /// Items that cannot be read among others that can. The kit parks each of them alone, beside the arrivals.
    pub strays: Vec<Stray>,
    /// News about the account's templates.
    pub templates: Vec<TemplateNews>,
}

impl From<Vec<Arrival>> for Heard {
    fn from(arrivals: Vec<Arrival>) -> Self {
        Self { arrivals, ..Self::default() }
    }
}

impl Heard {
    /// Adds what one item says, or the item as a stray; `body` as [`Stray::body`].
    pub fn add(&mut self, item: Result<Vec<Arrival>, Malformed>, body: impl FnOnce() -> Bytes) {
        match item {
            Ok(arrivals) => self.arrivals.extend(arrivals),
            Err(reason) => self.strays.push(Stray { reason, body: body() }),
        }
    }
}

/// An item that cannot be read, beside others that can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Why.
    pub reason: Malformed,
    /// A body that says this item and nothing else, in the form of a call: when the item can be read one day, posting
    /// the body again brings it in.
    pub body: Bytes,
}

/// What the provider told about templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateNews {
    /// One of them is in this state now; the kit writes it down at once, and reads the list again.
    Status {
        /// The provider's id of it.
        id: String,
        /// Its state.
        status: TemplateStatus,
    },
    /// Something else changed; the kit reads the list again.
    Changed,
}

/// Something that happened, before the kit gives it an id and a time of acceptance.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// The provider's own key of it, unique in the account: duplicates carry the same (`message:wamid.X`,
    /// `receipt:<id>:read`).
    pub key: String,
    /// The contact's address, canonical.
    pub address: Address,
    /// When, by the provider's clock; none takes the time of acceptance.
    pub at: Option<Timestamp>,
    /// What.
    pub what: Arrived,
}

/// The kinds of [`Arrival`].
#[derive(Debug, Clone, PartialEq)]
pub enum Arrived {
    /// The contact wrote. Media in it is `MediaSource::Pending` with a reference for [`FetchMedia`].
    Message(InboundMessage),
    /// News about a message of ours. A time of zero takes the time of acceptance.
    Receipt(Receipt),
    /// The contact agreed or refused.
    Consent(ConsentChange),
}

/// A long poll.
#[async_trait]
pub trait Poll: Send + Sync + 'static {
    /// Asks for what came after `cursor` and waits at the provider for a while. The kit stores the cursor only after
    /// the arrivals are safe, and calls again at once; after an error it backs off.
    ///
    /// # Errors
    /// What the provider answered.
    async fn poll(&self, cursor: Option<&str>, http: &AccountHttp) -> Result<Polled, PollError>;
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Polled {
    /// What it says.
    pub heard: Heard,
    /// The next cursor.
    pub cursor: Option<String>,
}

/// Why a poll brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// Try again, after this pause if the provider named one.
    #[error("{reason}")]
    Unavailable {
        /// Seconds, if the provider said.
        after: Option<std::time::Duration>,
        /// What happened.
        reason: String,
    },
    /// The account cannot work until somebody mends it.
    #[error("{0}")]
    Misconfigured(String),
}

/// A live connection's translation. The kit keeps the socket, the visitor's signed token, the mailbox and the resume.
pub trait Link: Send + Sync + 'static {
    /// What a frame of the contact says. `sequence` in the contact's own numbering makes the key.
    ///
    /// # Errors
    /// When the frame makes no sense: it is answered with an error frame, and nothing is stored.
    fn receive(&self, frame: &str, visitor: &Visitor) -> Result<Vec<Arrival>, Malformed>;

    /// What the far end's page reads of a message, theirs or ours, as the `content` of an `item` frame. Where the media
    /// is does not belong in it: the kit adds `media_url` beside it each time it is shown, since links end.
    fn render(&self, content: &Content) -> serde_json::Value {
        serde_json::to_value(content).unwrap_or_default()
    }
}

/// The way out of a channel with [`Ingress::Link`]: the kit itself puts each part into the contact's mailbox, so nothing
/// calls this.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByLink;

#[async_trait]
impl Outbound for ByLink {
    async fn send(&self, _part: &Part, _http: &AccountHttp) -> Outcome {
        let reason = Some("a link account sends through its mailbox".to_owned());
        Outcome::Misconfigured {
            failure: Failure { reason, ..Failure::of(domain::error::codes::ACCOUNT_MISCONFIGURED) },
        }
    }
}

/// The contact at the far end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Their address: the visitor id.
    pub address: Address,
    /// What they told of themselves.
    pub profile: domain::Profile,
}

/// The way out.
#[async_trait]
pub trait Outbound: Send + Sync + 'static {
    /// Sends one part, once. No retries, no loops: the kit has them. Every answer of the provider maps to one outcome.
    async fn send(&self, part: &Part, http: &AccountHttp) -> Outcome;
}

/// One part of a message, as the plan made it: within the channel's capabilities.
#[derive(Debug, Clone)]
pub struct Part {
    /// Unique for (message, part), for providers that echo a key of ours.
    pub key: String,
    /// To whom.
    pub address: Address,
    /// What to say.
    pub content: Content,
    /// The media's bytes, when the content has some.
    pub media: Option<MediaHandle>,
    /// The provider's id of the message that it answers.
    pub reply_to: Option<String>,
}

/// Media that goes out: by link or by upload, as the provider likes.
#[derive(Debug, Clone)]
pub struct MediaHandle {
    /// A link that the provider can fetch for a while, without credentials of ours.
    pub url: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// Media that came in.
#[async_trait]
pub trait FetchMedia: Send + Sync + 'static {
    /// Fetches what `media.source` refers to.
    ///
    /// # Errors
    /// Whether it may work later.
    async fn fetch(&self, media: &Media, http: &AccountHttp) -> Result<Fetched, FetchError>;
}

/// Fetched media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// MIME type as served.
    pub mime: Option<String>,
    /// The bytes.
    pub bytes: Bytes,
}

/// Why media was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Try again.
    #[error("{0}")]
    Unavailable(String),
    /// It is gone, or larger than allowed: a stable reason (`expired`, `too_large`, `not_found`).
    #[error("{0}")]
    Lost(String),
}

/// The templates that the provider has registered for an account (SES-8).
#[async_trait]
pub trait Templates: Send + Sync + 'static {
    /// All of them, in whatever state. The kit calls it at the start, from time to time and after [`TemplateNews`], one
    /// replica at a time, and keeps the former list when it fails.
    ///
    /// # Errors
    /// The failure that the desk shows beside the former list; tried again with back-off.
    async fn list(&self, http: &AccountHttp) -> Result<Vec<Template>, Failure>;
}

/// What an account does once before traffic.
#[async_trait]
pub trait Prepare: Send + Sync + 'static {
    /// `hook_url` is where the provider should call us, when the account has a webhook.
    ///
    /// # Errors
    /// The failure that the administrator sees; tried again with back-off.
    async fn prepare(&self, hook_url: Option<&str>, http: &AccountHttp) -> Result<(), Failure>;
}
