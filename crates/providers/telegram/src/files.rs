//! Files by their ids: ask for the path, then fetch it. The link carries the token, so nobody else ever gets it.

use std::time::Duration;

use channel_kit::{
    FetchError, Fetched,
    http::{AccountHttp, NoAnswer, ProviderRequest, RequestBody},
};
use domain::{Media, MediaKind, MediaSource, error::codes};
use serde_json::json;

use crate::{
    api::{BotApi, Refused},
    content::text,
};

/// Fetches what a message's `file_id` stands for.
///
/// # Errors
/// Lost when the file is larger than bots may fetch (20 MB) or unknown; otherwise try again.
pub async fn fetch(bot: &BotApi, media: &Media, http: &AccountHttp) -> Result<Fetched, FetchError> {
    let lost = |reason: &str| FetchError::Lost(reason.to_owned());
    let MediaSource::Pending { reference, .. } = &media.source else {
        return Err(lost("not_found"));
    };
    let ask = RequestBody::Json(json!({"file_id": reference}));
    let found = bot.call("/bot{token}/getFile", ask, Duration::from_secs(15), http).await;
    let found = found.map_err(|refused| match &refused {
        Refused::Answered { status: 400, description, .. } if description.contains("too big") => lost("too_large"),
        Refused::Answered { status: 400, .. } => lost("not_found"),
        _ => FetchError::Unavailable(format!("{:?}", refused.failure(codes::PROVIDER_UNAVAILABLE))),
    })?;
    let path = text(&found, "/file_path").ok_or_else(|| lost("not_found"))?;
    let request = ProviderRequest {
        method: http::Method::GET,
        url: format!("{}/file/bot{}/{path}", bot.base_url, bot.token.expose()),
        template: "/file/bot{token}/{path}",
        headers: Vec::new(),
        body: RequestBody::Empty,
        deadline: Duration::from_secs(60),
    };
    let answer = http.call(request).await.map_err(|error| match error {
        NoAnswer::TooLarge(_) => lost("too_large"),
        error => FetchError::Unavailable(error.to_string()),
    })?;
    match answer.status {
        // Telegram serves everything as a stream of bytes; what the message said of it is better.
        200..=299 => Ok(Fetched { mime: None, bytes: answer.body }),
        404 => Err(lost("expired")),
        status => Err(FetchError::Unavailable(format!("the file server answered {status}"))),
    }
}

/// The method that sends a file so that it looks right: its template and the file's field. What has no method
/// of its own goes as a document.
pub fn method(media: &Media) -> (&'static str, &'static str) {
    match (media.kind, media.mime.as_str()) {
        (MediaKind::Image, "image/jpeg" | "image/png" | "image/webp") => ("/bot{token}/sendPhoto", "photo"),
        (MediaKind::Image, "image/gif") => ("/bot{token}/sendAnimation", "animation"),
        (MediaKind::Audio, "audio/ogg") => ("/bot{token}/sendVoice", "voice"),
        (MediaKind::Audio, "audio/mpeg" | "audio/mp4" | "audio/x-m4a") => ("/bot{token}/sendAudio", "audio"),
        (MediaKind::Video, "video/mp4") => ("/bot{token}/sendVideo", "video"),
        (MediaKind::Sticker, _) => ("/bot{token}/sendSticker", "sticker"),
        _ => ("/bot{token}/sendDocument", "document"),
    }
}
