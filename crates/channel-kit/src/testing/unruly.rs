//! Any channel, with a streak of panic: the kit must not fall with it.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Account, Capabilities, Outcome};

use crate::{
    contract::{
        ChannelType, Heard, Ingress, Malformed, Misconfigured, OpenAccount, Outbound, Part, Verified, Webhook,
        WebhookRequest,
    },
    http::AccountHttp,
};

/// A body with this header makes the translation panic.
pub(super) const PANIC_HEADER: &str = "x-test-panic";
/// A text with this word makes the send panic, after the request went out.
pub(super) const PANIC_WORD: &str = "please-panic";

/// The channel with its streak.
pub(super) struct Unruly(pub(super) Arc<dyn ChannelType>);

impl ChannelType for Unruly {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn open(&self, account: &Account) -> Result<OpenAccount, Misconfigured> {
        let open = self.0.open(account)?;
        let ingress = match open.ingress {
            Ingress::Webhook(inner) => Ingress::Webhook(Arc::new(UnrulyHook(inner))),
            same => same,
        };
        Ok(OpenAccount { ingress, outbound: Arc::new(UnrulySend(open.outbound)), prepare: None, ..open })
    }
}

struct UnrulyHook(Arc<dyn Webhook>);

impl Webhook for UnrulyHook {
    fn secret_header(&self) -> &'static str {
        self.0.secret_header()
    }

    fn verify(&self, request: &WebhookRequest) -> Option<Verified> {
        self.0.verify(request)
    }

    fn translate(&self, request: &WebhookRequest) -> Result<Heard, Malformed> {
        assert!(!request.headers.contains_key(PANIC_HEADER), "a bug in the channel");
        self.0.translate(request)
    }

    fn answer(&self, request: &WebhookRequest) -> Option<serde_json::Value> {
        self.0.answer(request)
    }

    fn handshake(&self, request: &WebhookRequest) -> Option<String> {
        self.0.handshake(request)
    }
}

struct UnrulySend(Arc<dyn Outbound>);

#[async_trait]
impl Outbound for UnrulySend {
    async fn send(&self, part: &Part, http: &AccountHttp) -> Outcome {
        let outcome = self.0.send(part, http).await;
        assert!(!format!("{:?}", part.content).contains(PANIC_WORD), "a bug in the channel");
        outcome
    }
}
