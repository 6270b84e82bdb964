//! Webchat: visitors of a website write in an embedded widget (CH-9).
//!
//! It translates the widget's frames and serves the widget; the kit keeps the socket, the visitor's identity, the
//! mailbox, uploads and resume. Read [`Webchat`], then `inbound` and `outbound`, then `widget/`.
//!
//! | setting | meaning |
//! |---|---|
//! | `allowed_origins` | origins of the pages that may embed the widget, separated by commas; empty lets any in |
//!
//! | secret | meaning |
//! |---|---|
//! | `link_secret` | signs visitors' tokens; at least 16 characters; changing it makes every visitor a new one |

mod inbound;
mod outbound;

use std::sync::Arc;

use channel_kit::{Arrival, ByLink, ChannelType, Ingress, Link, Malformed, Misconfigured, OpenAccount, Page, Visitor};
use domain::{Account, Capabilities, ChoiceLimit, Content, LengthUnit, MediaKind, MediaLimit, ReceiptSupport};

/// The channel `webchat`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Webchat;

/// The widget as one script. Its parts share one scope that nothing of the host page can reach.
const WIDGET: &str = concat!(
    "(() => {\n\"use strict\";\n",
    include_str!("../widget/words.js"),
    "const STYLE = `",
    include_str!("../widget/style.css"),
    "`;\n",
    include_str!("../widget/link.js"),
    include_str!("../widget/items.js"),
    include_str!("../widget/panel.js"),
    include_str!("../widget/main.js"),
    "})();\n",
);

/// The largest file that a visitor or an agent may send, in bytes.
const MEDIA_MAX: u64 = 16 << 20;

/// What browsers can show or play; a document may be any of the kinds that offices send. Nothing that a browser would
/// run: no HTML, no SVG, no scripts.
const MEDIA: [(MediaKind, &[&str]); 5] = [
    (MediaKind::Image, &["image/jpeg", "image/png", "image/gif", "image/webp"]),
    (
        MediaKind::Audio,
        &["audio/mpeg", "audio/ogg", "audio/webm", "audio/mp4", "audio/aac", "audio/wav", "audio/x-wav"],
    ),
    (MediaKind::Video, &["video/mp4", "video/webm", "video/quicktime"]),
    (
        MediaKind::Document,
        &[
            "application/pdf",
            "application/zip",
            "application/json",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            "application/vnd.openxmlformats-officedocument.*",
            "application/vnd.oasis.opendocument.*",
            "text/plain",
            "text/csv",
        ],
    ),
    (MediaKind::Sticker, &["image/webp", "image/png"]),
];

impl ChannelType for Webchat {
    fn name(&self) -> &'static str {
        "webchat"
    }

    fn capabilities(&self) -> Capabilities {
        let limit = |(kind, mimes): (MediaKind, &[&str])| MediaLimit {
            kind,
            mimes: mimes.iter().map(|mime| (*mime).to_owned()).collect(),
            max_bytes: MEDIA_MAX,
            caption: kind != MediaKind::Sticker,
        };
        Capabilities {
            unit: LengthUnit::Characters,
            text: 8_000,
            caption: 1_000,
            media: MEDIA.into_iter().map(limit).collect(),
            location: true,
            contacts: true,
            choices: Some(ChoiceLimit { max: 10, label: 60 }),
            templates: false,
            replies: false,
            receipts: ReceiptSupport { sent: false, delivered: true, read: true },
            account_rate: 0,
            pair_interval: 0,
        }
    }

    fn open(&self, account: &Account) -> Result<OpenAccount, Misconfigured> {
        let secret = account.secrets.get("link_secret").map_or("", |secret| secret.expose());
        if secret.len() < 16 {
            let problem = "it must have at least 16 characters".to_owned();
            return Err(Misconfigured { key: "link_secret".to_owned(), problem });
        }
        Ok(OpenAccount {
            ingress: Ingress::Link(Arc::new(Widget)),
            outbound: Arc::new(ByLink),
            media: None,
            templates: None,
            prepare: None,
        })
    }

    fn pages(&self) -> Vec<Page> {
        vec![
            Page { path: "widget.js", mime: "text/javascript; charset=utf-8", body: WIDGET },
            Page { path: "demo", mime: "text/html; charset=utf-8", body: include_str!("../widget/demo.html") },
        ]
    }
}

/// The widget's frames and what it shows.
struct Widget;

impl Link for Widget {
    fn receive(&self, frame: &str, visitor: &Visitor) -> Result<Vec<Arrival>, Malformed> {
        inbound::read(frame, visitor)
    }

    fn render(&self, content: &Content) -> serde_json::Value {
        outbound::shown(content)
    }
}
