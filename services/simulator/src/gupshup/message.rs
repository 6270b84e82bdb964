//! The `message` field, read as the customer's phone shows it.

use serde_json::Value;

use crate::world::{Button, Says};

/// What a session message says, and where its media is. None for a form that Gupshup does not document.
pub(super) fn read(said: &Value) -> Option<(Says, Option<String>)> {
    let text = |pointer: &str| said.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let owned = |pointer: &str| text(pointer).map(str::to_owned);
    let kind = text("/type")?;
    let media = |media: &str, url: &str| {
        let says = Says::Media {
            media: media.to_owned(),
            url: url.to_owned(),
            mime: String::new(),
            name: owned("/filename"),
            size: None,
            caption: owned("/caption"),
        };
        Some((says, Some(url.to_owned())))
    };
    let says = match kind {
        "text" => {
            let text = text("/text").filter(|text| text.chars().count() <= 4096)?;
            Says::Text { text: text.to_owned() }
        }
        "image" => return media("image", text("/originalUrl")?),
        "audio" | "video" | "sticker" => return media(kind, text("/url")?),
        "file" => return media("document", text("/url")?),
        "location" => Says::Location {
            latitude: said.get("latitude")?.as_f64()?,
            longitude: said.get("longitude")?.as_f64()?,
            name: owned("/name"),
            address: owned("/address"),
        },
        "contact" => Says::Contact {
            name: owned("/contact/name/formattedName")?,
            phone: owned("/contact/phones/0/phone").unwrap_or_default(),
        },
        "quick_reply" => {
            let options = said.get("options")?.as_array().filter(|options| (1..=3).contains(&options.len()))?;
            let button = |option: &Value| {
                let label = option.get("title")?.as_str().filter(|label| label.chars().count() <= 20)?.to_owned();
                let payload = option.get("postbackText").and_then(Value::as_str).unwrap_or(&label).to_owned();
                Some(Button { label, payload })
            };
            let buttons = options.iter().map(button).collect::<Option<_>>()?;
            Says::Buttons { text: owned("/content/text")?, buttons }
        }
        _ => return None,
    };
    Some((says, None))
}
