//! What a message says. Every message has exactly one kind of content, named by the field that is there.

use domain::{ContactCard, Content, Location, Media, MediaKind, MediaSource};
use serde_json::Value;

/// Bots may fetch files up to this size.
const FETCH_LIMIT: i64 = 20 << 20;

/// Fields that are not content.
const ENVELOPE: [&str; 22] = [
    "message_id",
    "date",
    "chat",
    "from",
    "sender_chat",
    "message_thread_id",
    "is_topic_message",
    "reply_to_message",
    "external_reply",
    "quote",
    "reply_to_story",
    "forward_origin",
    "via_bot",
    "edit_date",
    "media_group_id",
    "business_connection_id",
    "entities",
    "caption",
    "caption_entities",
    "reply_markup",
    "effect_id",
    "link_preview_options",
];

/// Notices about the chat itself.
const NOTICES: [&str; 8] = [
    "new_chat_members",
    "left_chat_member",
    "group_chat_created",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
    "pinned_message",
    "message_auto_delete_timer_changed",
    "write_access_allowed",
];

/// The content of a message, none for a notice.
pub fn content(message: &Value) -> Option<Content> {
    let has = |field: &str| message.get(field).filter(|value| !value.is_null());
    if NOTICES.iter().any(|field| has(field).is_some()) {
        return None;
    }
    if let Some(words) = text(message, "/text") {
        return Some(Content::text(words));
    }
    // A venue has a location too, an animation a document: the richer field comes first.
    let found = has("venue")
        .and_then(|venue| place(venue.get("location")?, venue))
        .or_else(|| has("location").and_then(|point| place(point, &Value::Null)))
        .or_else(|| has("contact").map(|contact| Content::Contacts { cards: vec![card(contact)] }))
        .or_else(|| has("photo").and_then(|sizes| photo(sizes, message)))
        .or_else(|| {
            let (kind, field, mime) = FILES.iter().find(|(_, field, _)| has(field).is_some())?;
            let mime = if *kind == MediaKind::Sticker { sticker_mime(has(field)?) } else { mime };
            Some(file(*kind, has(field)?, mime, message))
        });
    found.or_else(|| Some(Content::Unsupported { kind: kind_of(message) }))
}

/// Kind, field, and the type when the file does not say.
const FILES: [(MediaKind, &str, &str); 7] = [
    (MediaKind::Video, "animation", "video/mp4"),
    (MediaKind::Audio, "voice", "audio/ogg"),
    (MediaKind::Audio, "audio", "audio/mpeg"),
    (MediaKind::Video, "video_note", "video/mp4"),
    (MediaKind::Video, "video", "video/mp4"),
    (MediaKind::Sticker, "sticker", "image/webp"),
    (MediaKind::Document, "document", "application/octet-stream"),
];

fn kind_of(message: &Value) -> String {
    let fields = message.as_object().into_iter().flatten().map(|(field, _)| field);
    fields.into_iter().find(|field| !ENVELOPE.contains(&field.as_str())).cloned().unwrap_or_else(|| "empty".to_owned())
}

fn photo(sizes: &Value, message: &Value) -> Option<Content> {
    let fits = |size: &&Value| integer(size, "/file_size").is_none_or(|bytes| bytes <= FETCH_LIMIT);
    let sizes = sizes.as_array()?;
    let best = sizes.iter().rev().find(fits).or(sizes.last())?;
    Some(file(MediaKind::Image, best, "image/jpeg", message))
}

fn file(kind: MediaKind, file: &Value, mime: &str, message: &Value) -> Content {
    let size = integer(file, "/file_size").and_then(|size| u64::try_from(size).ok());
    let source = match (text(file, "/file_id"), size) {
        (Some(_), Some(size)) if size > FETCH_LIMIT.unsigned_abs() => {
            MediaSource::Lost { reason: "too_large".to_owned() }
        }
        (Some(reference), _) => MediaSource::Pending { reference, expires_at: None },
        (None, _) => MediaSource::Lost { reason: "not_found".to_owned() },
    };
    let mime = text(file, "/mime_type").unwrap_or_else(|| mime.to_owned());
    let (name, caption) = (text(file, "/file_name"), text(message, "/caption"));
    Content::Media(Media { kind, mime, name, caption, size, source })
}

fn sticker_mime(sticker: &Value) -> &'static str {
    let is = |field: &str| sticker.get(field).and_then(Value::as_bool).unwrap_or(false);
    if is("is_animated") {
        "application/x-tgsticker"
    } else if is("is_video") {
        "video/webm"
    } else {
        "image/webp"
    }
}

fn place(point: &Value, venue: &Value) -> Option<Content> {
    let degrees = |field| point.get(field).and_then(Value::as_f64);
    let (latitude, longitude) = (degrees("latitude")?, degrees("longitude")?);
    let (name, address) = (text(venue, "/title"), text(venue, "/address"));
    Some(Content::Location(Location { latitude, longitude, name, address }))
}

fn card(contact: &Value) -> ContactCard {
    let names: Vec<_> = ["/first_name", "/last_name"].iter().filter_map(|field| text(contact, field)).collect();
    let phones = text(contact, "/phone_number").into_iter().collect();
    ContactCard { name: names.join(" "), phones, ..ContactCard::default() }
}

/// The text at a JSON pointer, if it is not empty.
pub fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The whole number at a JSON pointer. Ids need more than 32 bits.
pub fn integer(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer)?.as_i64()
}
