//! Media that an envelope names by a link which needs no credential.

use std::time::Duration;

use channel_kit::{
    FetchError, Fetched,
    http::{AccountHttp, NoAnswer, ProviderRequest, RequestBody},
};
use domain::{Media, MediaSource};

/// Fetches the link with a plain GET.
///
/// # Errors
/// Lost when the link is gone or when there is none (`media:<id>`: the envelope named no link); otherwise try again.
pub async fn fetch_link(media: &Media, http: &AccountHttp) -> Result<Fetched, FetchError> {
    let lost = |reason: &str| FetchError::Lost(reason.to_owned());
    let MediaSource::Pending { reference, .. } = &media.source else {
        return Err(lost("not_found"));
    };
    if !reference.starts_with("http") {
        return Err(lost("not_found"));
    }
    let request = ProviderRequest {
        method: http::Method::GET,
        url: reference.clone(),
        template: "/{media}",
        headers: Vec::new(),
        body: RequestBody::Empty,
        deadline: Duration::from_secs(60),
    };
    let answer = http.call(request).await.map_err(|error| match error {
        NoAnswer::TooLarge(_) => lost("too_large"),
        error => FetchError::Unavailable(error.to_string()),
    })?;
    match answer.status {
        200..=299 => Ok(Fetched { mime: answer.content_type, bytes: answer.body }),
        403 | 410 => Err(lost("expired")),
        404 => Err(lost("not_found")),
        status => Err(FetchError::Unavailable(format!("the media server answered {status}"))),
    }
}
