//! From Gupshup's calls to arrivals. Both envelopes come to one URL and are told apart by their shape: `entry[]` is
//! Meta's (version 3), `type` with `payload` is Gupshup's (version 2). Version 2 says one thing in each call, so a bad
//! one is parked whole; version 3 says many, and keeps the good ones.

use channel_kit::{Heard, Malformed, Verified, Webhook, WebhookRequest};
use domain::Secret;
use provider_gupshup::code_of;
use provider_meta::whatsapp;
use serde_json::Value;

use crate::account::bare;

/// One account's webhook.
pub(crate) struct Hook {
    pub(crate) secret: Secret,
}

impl Webhook for Hook {
    fn secret_header(&self) -> &'static str {
        "authorization"
    }

    fn verify(&self, request: &WebhookRequest) -> Option<Verified> {
        let given = request.headers.get("authorization").map(|value| bare(value));
        Verified::by_secret(given, self.secret.expose())
    }

    fn translate(&self, request: &WebhookRequest) -> Result<Heard, Malformed> {
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|error| Malformed(format!("not JSON: {error}")))?;
        if whatsapp::is_envelope(&body) {
            return whatsapp::heard(&body, code_of);
        }
        provider_gupshup::heard(&body)
    }
}
