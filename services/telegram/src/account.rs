//! What the channel can do, and what an account needs.
//!
//! Settings: `mode` (`webhook` or `poll`; without it, `webhook` when there is a `webhook_secret`, else `poll`, which
//! needs no public URL), `base_url` (default Telegram's own). Secrets: `token` (from BotFather), `webhook_secret`.

use std::sync::Arc;

use channel_kit::{ChannelType, Ingress, Misconfigured, OpenAccount};
use domain::{Account, Capabilities, ChoiceLimit, LengthUnit, MediaKind, MediaLimit, ReceiptSupport, Secret};
use provider_telegram::api::BotApi;

/// The updates that we ask for; what is not in the list does not come.
pub(crate) const UPDATES: [&str; 4] = ["message", "edited_message", "callback_query", "my_chat_member"];

/// One bot.
pub(crate) struct Bot {
    pub(crate) api: BotApi,
    /// Only when Telegram calls us.
    pub(crate) webhook_secret: Option<Secret>,
}

/// The channel `telegram`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Telegram;

impl ChannelType for Telegram {
    fn name(&self) -> &'static str {
        "telegram"
    }

    fn capabilities(&self) -> Capabilities {
        let media = |kind, mimes: &[&str], max_bytes, caption| MediaLimit {
            kind,
            mimes: mimes.iter().map(|&mime| mime.to_owned()).collect(),
            max_bytes,
            caption,
        };
        Capabilities {
            unit: LengthUnit::Utf16,
            text: 4096,
            caption: 1024,
            media: vec![
                media(MediaKind::Image, &["image/*"], 10 << 20, true),
                media(MediaKind::Audio, &["audio/*"], 50 << 20, true),
                media(MediaKind::Video, &["video/*"], 50 << 20, true),
                media(MediaKind::Document, &["*"], 50 << 20, true),
                media(MediaKind::Sticker, &["image/webp", "video/webm", "application/x-tgsticker"], 512 << 10, false),
            ],
            location: true,
            contacts: true,
            choices: Some(ChoiceLimit { max: 24, label: 64 }),
            templates: false,
            replies: true,
            // Bots get none: the desk shows one tick.
            receipts: ReceiptSupport { sent: false, delivered: false, read: false },
            account_rate: 30,
            // About one message a second to one chat, with bursts.
            pair_interval: 350,
        }
    }

    fn open(&self, account: &Account) -> Result<OpenAccount, Misconfigured> {
        let wrong = |key: &str, problem: &str| Misconfigured { key: key.to_owned(), problem: problem.to_owned() };
        let setting = |key: &str| account.settings.get(key).cloned().filter(|value| !value.is_empty());
        let secret = |key: &str| account.secrets.get(key).cloned().filter(|value| !value.expose().is_empty());
        let webhook_secret = secret("webhook_secret");
        let webhook = match setting("mode").as_deref() {
            Some("webhook") => true,
            Some("poll") => false,
            None => webhook_secret.is_some(),
            Some(_) => return Err(wrong("mode", "must be 'webhook' or 'poll'")),
        };
        if webhook && !webhook_secret.as_ref().is_some_and(is_secret_token) {
            return Err(wrong("webhook_secret", "must be 1 to 256 of A-Z, a-z, 0-9, '_' and '-'"));
        }
        let base_url = setting("base_url").unwrap_or_else(|| "https://api.telegram.org".to_owned());
        let bot = Arc::new(Bot {
            api: BotApi {
                base_url: base_url.trim_end_matches('/').to_owned(),
                token: secret("token").ok_or_else(|| wrong("token", "is missing or empty"))?,
            },
            webhook_secret: webhook_secret.filter(|_| webhook),
        });
        Ok(OpenAccount {
            ingress: if webhook { Ingress::Webhook(bot.clone()) } else { Ingress::Poll(bot.clone()) },
            outbound: bot.clone(),
            media: Some(bot.clone()),
            templates: None,
            prepare: Some(bot),
        })
    }
}

fn is_secret_token(secret: &Secret) -> bool {
    let token = secret.expose().as_bytes();
    (1..=256).contains(&token.len())
        && token.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
