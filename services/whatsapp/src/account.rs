//! What the channel can do, and what an account needs.
//!
//! Settings: `app_name` and `source` (the app and its number, digits), `app_id` (the app's UUID; without it no templates
//! are listed), `base_url` (default Gupshup's own).
//! Secrets: `api_key` (sent as `apikey`), `webhook_secret` (Gupshup repeats it in every call, since the subscription is
//! made with `meta={"headers":{"Authorization":"Bearer <secret>"}}`; there is no signature).

use std::sync::Arc;

use channel_kit::{ChannelType, Ingress, Misconfigured, OpenAccount};
use domain::{Account, Capabilities, ChoiceLimit, LengthUnit, MediaKind, MediaLimit, ReceiptSupport, Secret};

use crate::{inbound::Hook, outbound::Gupshup, templates::List};

/// The channel `whatsapp`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whatsapp;

impl ChannelType for Whatsapp {
    fn name(&self) -> &'static str {
        "whatsapp"
    }

    fn capabilities(&self) -> Capabilities {
        let media = |kind, mimes: &[&str], max_bytes, caption| MediaLimit {
            kind,
            mimes: mimes.iter().map(|&mime| mime.to_owned()).collect(),
            max_bytes,
            caption,
        };
        Capabilities {
            unit: LengthUnit::Characters,
            text: 4096,
            caption: 1024,
            media: vec![
                media(MediaKind::Image, &["image/jpeg", "image/png"], 5 << 20, true),
                media(
                    MediaKind::Audio,
                    &["audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"],
                    16 << 20,
                    false,
                ),
                media(MediaKind::Video, &["video/mp4", "video/3gpp"], 16 << 20, true),
                media(MediaKind::Document, &["*"], 100 << 20, true),
                media(MediaKind::Sticker, &["image/webp"], 500 << 10, false),
            ],
            location: true,
            contacts: true,
            choices: Some(ChoiceLimit { max: 3, label: 20 }),
            templates: true,
            replies: true,
            receipts: ReceiptSupport { sent: true, delivered: true, read: true },
            account_rate: 20,
            // The network lends a contact's next minutes for a burst of 45 messages in 6 seconds.
            pair_interval: 150,
        }
    }

    fn open(&self, account: &Account) -> Result<OpenAccount, Misconfigured> {
        let missing = |key: &str| Misconfigured { key: key.to_owned(), problem: "is missing or empty".to_owned() };
        let setting = |key: &str| account.settings.get(key).cloned().filter(|value| !value.is_empty());
        let secret = |key: &str| {
            account.secrets.get(key).cloned().filter(|value| !value.expose().is_empty()).ok_or_else(|| missing(key))
        };
        let source = setting("source").ok_or_else(|| missing("source"))?;
        let source = source.trim_start_matches('+').to_owned();
        if source.is_empty() || !source.bytes().all(|byte| byte.is_ascii_digit()) {
            let problem = "must be the number's digits with its country code".to_owned();
            return Err(Misconfigured { key: "source".to_owned(), problem });
        }
        let gupshup = Arc::new(Gupshup {
            base_url: setting("base_url").map_or(DEFAULT_URL.to_owned(), |url| url.trim_end_matches('/').to_owned()),
            app_name: setting("app_name").ok_or_else(|| missing("app_name"))?,
            source,
            api_key: secret("api_key")?,
        });
        let templates = setting("app_id").map(|id| app_id(&id)).transpose()?;
        let templates = templates.map(|app_id| Arc::new(List { app_id, gupshup: Arc::clone(&gupshup) }) as Arc<_>);
        let webhook_secret = Secret::new(bare(secret("webhook_secret")?.expose()));
        Ok(OpenAccount {
            ingress: Ingress::Webhook(Arc::new(Hook { secret: webhook_secret })),
            outbound: gupshup.clone(),
            media: Some(gupshup),
            templates,
            // The subscription is made at Gupshup's desk, with credentials that a channel does not have.
            prepare: None,
        })
    }
}

/// The app's id stands in a path: nothing but what a UUID is made of.
fn app_id(id: &str) -> Result<String, Misconfigured> {
    if id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return Ok(id.to_owned());
    }
    Err(Misconfigured { key: "app_id".to_owned(), problem: "must be the app's UUID".to_owned() })
}

const DEFAULT_URL: &str = "https://api.gupshup.io";

/// A secret without `Bearer`, which some write into the setting and some into the header only.
pub(crate) fn bare(secret: &str) -> &str {
    secret.strip_prefix("Bearer ").unwrap_or(secret).trim()
}
