//! What the widget shows of a content, theirs or ours: the words of `docs/api.md`, without where media is kept.

use domain::Content;
use serde_json::{Value, json};

/// The `content` of an item.
pub(crate) fn shown(content: &Content) -> Value {
    match content {
        Content::Media(media) => json!({
            "type": "media",
            "kind": media.kind,
            "mime": media.mime,
            "name": media.name,
            "caption": media.caption,
            "size": media.size,
        }),
        Content::Template(call) => json!({ "type": "text", "text": call.preview }),
        other => serde_json::to_value(other).unwrap_or_else(|_| json!({ "type": "unsupported", "kind": other.kind() })),
    }
}
