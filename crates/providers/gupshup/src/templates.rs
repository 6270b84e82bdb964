//! The list of an app's templates. A template's parts stand in `containerMeta`, a JSON text within the JSON: `header`,
//! `data` (the body alone), `footer`, `buttons`. The outer `data` is body and footer run together, and serves only where
//! the parts are missing.

use channel_kit::http::ProviderResponse;
use domain::{
    Failure, MediaKind, Template, TemplateAction, TemplateButton, TemplateCategory, TemplateHeader, TemplateStatus,
    error::codes,
};
use provider_meta::fields::{first_text, items, text};
use serde_json::Value;

/// The templates of an answer, in whatever state.
///
/// # Errors
/// What the answer says instead.
pub fn templates(answer: &ProviderResponse) -> Result<Vec<Template>, Failure> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let code = match answer.status {
        200..=299 if body.get("templates").is_some_and(Value::is_array) => {
            return Ok(items(&body, "/templates").filter_map(template).collect());
        }
        401..=404 => codes::ACCOUNT_MISCONFIGURED,
        _ => codes::PROVIDER_UNAVAILABLE,
    };
    Err(Failure { code, provider_code: Some(answer.status.to_string()), reason: text(&body, "/message") })
}

/// None for one without an id: it could not be sent.
fn template(item: &Value) -> Option<Template> {
    let parts: Value =
        text(item, "/containerMeta").and_then(|meta| serde_json::from_str(&meta).ok()).unwrap_or_default();
    Some(Template {
        id: text(item, "/id")?,
        name: text(item, "/elementName").unwrap_or_default(),
        language: text(item, "/languageCode").unwrap_or_default(),
        category: match text(item, "/category").unwrap_or_default().to_ascii_uppercase().as_str() {
            "MARKETING" => TemplateCategory::Marketing,
            "UTILITY" => TemplateCategory::Utility,
            "AUTHENTICATION" => TemplateCategory::Authentication,
            _ => TemplateCategory::Other,
        },
        status: status_of(&text(item, "/status").unwrap_or_default()),
        header: header(&text(item, "/templateType").unwrap_or_default(), &parts),
        body: text(&parts, "/data").or_else(|| text(item, "/data")).unwrap_or_default(),
        footer: text(&parts, "/footer"),
        buttons: items(&parts, "/buttons").map(button).collect(),
    })
}

/// A state by Gupshup's name of it, in the list's capitals or a webhook's small letters.
pub fn status_of(name: &str) -> TemplateStatus {
    match name.to_ascii_uppercase().as_str() {
        "APPROVED" => TemplateStatus::Approved,
        "PENDING" => TemplateStatus::Pending,
        "REJECTED" | "FAILED" => TemplateStatus::Rejected,
        "PAUSED" => TemplateStatus::Paused,
        "DISABLED" => TemplateStatus::Disabled,
        "DELETED" => TemplateStatus::Deleted,
        _ => TemplateStatus::Other,
    }
}

fn header(kind: &str, parts: &Value) -> Option<TemplateHeader> {
    let media = |media| Some(TemplateHeader::Media { media });
    match kind.to_ascii_uppercase().as_str() {
        "TEXT" | "" => text(parts, "/header").map(|text| TemplateHeader::Text { text }),
        "IMAGE" => media(MediaKind::Image),
        "VIDEO" => media(MediaKind::Video),
        "DOCUMENT" => media(MediaKind::Document),
        other => Some(TemplateHeader::Other { name: other.to_owned() }),
    }
}

fn button(item: &Value) -> TemplateButton {
    let kind = text(item, "/type").unwrap_or_default();
    let other = || TemplateAction::Other { name: kind.clone() };
    let action = match kind.to_ascii_uppercase().as_str() {
        "QUICK_REPLY" => TemplateAction::Reply,
        "URL" => text(item, "/url").map_or_else(other, |url| TemplateAction::Link { url }),
        "PHONE_NUMBER" => first_text(item, &["/phone_number", "/phoneNumber"])
            .map_or_else(other, |phone| TemplateAction::Call { phone }),
        _ => other(),
    };
    TemplateButton { label: text(item, "/text").unwrap_or_default(), action }
}
