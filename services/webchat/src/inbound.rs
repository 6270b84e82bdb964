//! What the visitor's page says: messages, and receipts for ours.

use channel_kit::{Arrival, Arrived, Malformed, Visitor};
use domain::{
    ContactCard, Content, DeliveryState, InboundMessage, Location, Media, MediaKind, MediaSource, Receipt, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

/// The most receipts in one frame.
const RECEIPTS: usize = 500;
/// The longest text that a visitor may send, in characters.
const TEXT: usize = 8_000;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    /// The visitor wrote. `id` is the page's own, and the same when it sends again.
    Message { id: String, content: Value },
    /// These items are on the visitor's screen, or soon will be.
    Delivered { ids: Vec<String> },
    /// The visitor saw these items.
    Read { ids: Vec<String> },
}

/// A file behind a ticket; the kit puts it there, a page cannot.
#[derive(Deserialize)]
struct Upload {
    key: String,
    sha256: String,
    mime: String,
    size: u64,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    Text { text: String },
    Media { upload: Upload, caption: Option<String> },
    Location { latitude: f64, longitude: f64, name: Option<String>, address: Option<String> },
    Contacts { cards: Vec<ContactCard> },
    Choice { label: String, payload: Option<String> },
}

/// Reads one frame.
pub(crate) fn read(frame: &str, visitor: &Visitor) -> Result<Vec<Arrival>, Malformed> {
    let frame: Frame = serde_json::from_str(frame).map_err(|_| Malformed("a frame of no known type".to_owned()))?;
    match frame {
        Frame::Message { id, content } => message(&id, content, visitor).map(|arrival| vec![arrival]),
        Frame::Delivered { ids } => receipts(ids, DeliveryState::Delivered, visitor),
        Frame::Read { ids } => receipts(ids, DeliveryState::Read, visitor),
    }
}

fn message(id: &str, content: Value, visitor: &Visitor) -> Result<Arrival, Malformed> {
    let provider_id = format!("{}:{id}", visitor.address.as_str());
    let message = InboundMessage {
        provider_id: provider_id.clone(),
        content: said(content)?,
        profile: visitor.profile.clone(),
        reply_to: None,
    };
    Ok(Arrival {
        key: format!("message:{provider_id}"),
        address: visitor.address.clone(),
        at: None,
        what: Arrived::Message(message),
    })
}

/// The content. A type that we do not know is shown to the agent as such; one that we know must make sense.
fn said(content: Value) -> Result<Content, Malformed> {
    let kind = content.get("type").and_then(Value::as_str).unwrap_or("").to_owned();
    if !["text", "media", "location", "contacts", "choice"].contains(&kind.as_str()) {
        let kind: String = kind.chars().filter(|c| !c.is_control()).take(40).collect();
        return Ok(Content::Unsupported { kind: if kind.is_empty() { "unknown".to_owned() } else { kind } });
    }
    let said = serde_json::from_value(content).map_err(|_| Malformed(format!("'{kind}' lacks something")))?;
    match said {
        Said::Text { text } => Ok(Content::text(worded(text)?)),
        Said::Media { upload, caption } => Ok(Content::Media(Media {
            kind: kind_of(&upload.mime),
            mime: upload.mime,
            name: upload.name,
            caption: caption.map(worded).transpose()?,
            size: Some(upload.size),
            source: MediaSource::Stored { key: upload.key, sha256: upload.sha256 },
        })),
        Said::Location { latitude, longitude, name, address } => {
            if latitude.abs() > 90.0 || longitude.abs() > 180.0 {
                return Err(Malformed("no such place".to_owned()));
            }
            Ok(Content::Location(Location { latitude, longitude, name, address }))
        }
        Said::Contacts { cards } if cards.is_empty() => Err(Malformed("no contact card".to_owned())),
        Said::Contacts { cards } => Ok(Content::Contacts { cards }),
        Said::Choice { label, payload } => Ok(Content::Choice { label: worded(label)?, payload }),
    }
}

fn worded(text: String) -> Result<String, Malformed> {
    if text.trim().is_empty() {
        return Err(Malformed("nothing was written".to_owned()));
    }
    if text.chars().count() > TEXT {
        return Err(Malformed(format!("more than {TEXT} characters")));
    }
    Ok(text)
}

fn kind_of(mime: &str) -> MediaKind {
    match mime.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

fn receipts(ids: Vec<String>, state: DeliveryState, visitor: &Visitor) -> Result<Vec<Arrival>, Malformed> {
    if ids.len() > RECEIPTS {
        return Err(Malformed(format!("more than {RECEIPTS} receipts")));
    }
    let name = if state == DeliveryState::Read { "read" } else { "delivered" };
    let receipt = |id: String| Arrival {
        key: format!("receipt:{id}:{name}"),
        address: visitor.address.clone(),
        at: None,
        // The page's clock is nobody's business: the kit's time of acceptance stands in the event.
        what: Arrived::Receipt(Receipt { provider_ids: vec![id], state, at: Timestamp::default(), failure: None }),
    };
    Ok(ids.into_iter().filter(|id| !id.is_empty() && id.len() <= 128).map(receipt).collect())
}
