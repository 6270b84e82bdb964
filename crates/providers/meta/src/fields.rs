//! Lenient readers: providers send numbers as strings, seconds as milliseconds and two spellings of one field.

use domain::{ContactCard, Content, Location, Media, MediaKind, MediaSource, Timestamp};
use serde_json::Value;

/// What is at a pointer: names of fields and places in arrays, each after a `/`. [`Value::pointer`] without its escapes,
/// which no provider's names need, and for which it makes two strings of each.
fn at<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    if pointer.is_empty() {
        return Some(value);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(value, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    })
}

/// The text at a pointer (`/payload/type`); a number counts as its digits, empty text as none.
pub fn text(value: &Value, pointer: &str) -> Option<String> {
    match at(value, pointer)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The first text that is there, of several spellings.
pub fn first_text(value: &Value, pointers: &[&str]) -> Option<String> {
    pointers.iter().find_map(|pointer| text(value, pointer))
}

/// The items of an array; none when it is missing or something else.
pub fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    at(value, pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A time in seconds or milliseconds, as number or string. Seconds reach 1e11 only in the year 5138.
pub fn time(value: &Value, pointer: &str) -> Option<Timestamp> {
    let number: i64 = text(value, pointer)?.parse().ok()?;
    Some(if number > 100_000_000_000 { Timestamp::from_millis(number) } else { Timestamp::from_secs(number) })
}

/// The canonical WhatsApp address: digits without `+`.
pub fn address(given: &str) -> String {
    given.trim_start_matches('+').to_owned()
}

/// A MIME type without its parameters (`audio/ogg; codecs=opus` is `audio/ogg`).
pub fn mime(given: &str) -> String {
    given.split(';').next().unwrap_or(given).trim().to_ascii_lowercase()
}

/// A place, its degrees as numbers or strings. None when they are not on the globe.
pub fn location(value: &Value) -> Option<Content> {
    let degrees = |pointer| text(value, pointer)?.parse::<f64>().ok();
    let (latitude, longitude) = (degrees("/latitude")?, degrees("/longitude")?);
    let there = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    let (name, address) = (text(value, "/name"), text(value, "/address"));
    there.then_some(Content::Location(Location { latitude, longitude, name, address }))
}

/// Contact cards in `camelCase` or `snake_case`; none when the array is missing or empty.
pub fn contacts(value: &Value, pointer: &str) -> Option<Content> {
    let cards: Vec<_> = items(value, pointer).map(card).collect();
    (!cards.is_empty()).then_some(Content::Contacts { cards })
}

fn card(value: &Value) -> ContactCard {
    let parts = [["/name/first_name", "/name/firstName"], ["/name/last_name", "/name/lastName"]];
    let parted = || parts.iter().filter_map(|names| first_text(value, names)).collect::<Vec<_>>().join(" ");
    let list = |pointer, names: &[&str]| items(value, pointer).filter_map(|item| first_text(item, names)).collect();
    ContactCard {
        name: first_text(value, &["/name/formatted_name", "/name/formattedName"]).unwrap_or_else(parted),
        phones: list("/phones", &["/phone", "/wa_id", "/waId"]),
        emails: list("/emails", &["/email"]),
        organization: text(value, "/org/company"),
    }
}

/// The kind of media that a WhatsApp message type stands for.
pub fn media_kind(kind: &str) -> Option<MediaKind> {
    Some(match kind {
        "image" => MediaKind::Image,
        "audio" | "voice" => MediaKind::Audio,
        "video" => MediaKind::Video,
        "document" | "file" => MediaKind::Document,
        "sticker" => MediaKind::Sticker,
        _ => return None,
    })
}

/// Media still at the provider, found under `reference`. The other fields have the same names in both envelopes, but
/// for their casing.
pub fn pending(kind: MediaKind, value: &Value, reference: String) -> Content {
    Content::Media(Media {
        kind,
        mime: first_text(value, &["/mime_type", "/contentType", "/content_type"])
            .map_or_else(|| "application/octet-stream".to_owned(), |given| mime(&given)),
        name: first_text(value, &["/filename", "/name", "/fileName"]),
        caption: text(value, "/caption"),
        size: None,
        source: MediaSource::Pending { reference, expires_at: first_time(value) },
    })
}

fn first_time(value: &Value) -> Option<Timestamp> {
    time(value, "/urlExpiry").or_else(|| time(value, "/url_expiry"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_finds_what_the_standard_one_finds() {
        let value = serde_json::json!({ "a": { "b": [{ "c": "x" }, { "c": 7 }], "": "empty" }, "e": "" });
        for pointer in
            ["", "/a", "/a/b", "/a/b/0/c", "/a/b/1/c", "/a/b/2/c", "/a/b/x", "/a/", "/e", "/e/f", "/none", "a"]
        {
            assert_eq!(at(&value, pointer), value.pointer(pointer), "{pointer}");
        }
        assert_eq!(text(&value, "/a/b/1/c").as_deref(), Some("7"));
        assert_eq!(text(&value, "/e"), None);
    }
}
