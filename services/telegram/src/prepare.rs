//! Once before traffic: is the token good, and how do updates come.

use std::time::Duration;

use async_trait::async_trait;
use channel_kit::{
    Prepare,
    http::{AccountHttp, RequestBody},
};
use domain::{Failure, error::codes};
use provider_telegram::api::Refused;
use serde_json::json;

use crate::account::{Bot, UPDATES};

#[async_trait]
impl Prepare for Bot {
    async fn prepare(&self, hook_url: Option<&str>, http: &AccountHttp) -> Result<(), Failure> {
        let soon = Duration::from_secs(15);
        self.api.call("/bot{token}/getMe", RequestBody::Empty, soon, http).await.map_err(Refused::to_administrator)?;
        let Some(secret) = &self.webhook_secret else {
            // Telegram refuses polls while a webhook is set. What waits there is kept for the first poll.
            let gone = self.api.call("/bot{token}/deleteWebhook", RequestBody::Empty, soon, http).await;
            return gone.map(drop).map_err(Refused::to_administrator);
        };
        let Some(url) = hook_url else {
            let reason = Some("the account's mode is 'webhook', and there is no URL to call us at".to_owned());
            return Err(Failure { code: codes::ACCOUNT_MISCONFIGURED, provider_code: None, reason });
        };
        let body = json!({"url": url, "secret_token": secret.expose(), "allowed_updates": UPDATES});
        let set = self.api.call("/bot{token}/setWebhook", RequestBody::Json(body), soon, http).await;
        set.map(drop).map_err(Refused::to_administrator)
    }
}
