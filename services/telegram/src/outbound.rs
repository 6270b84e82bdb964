//! From parts to methods.

use std::time::Duration;

use async_trait::async_trait;
use channel_kit::{
    FetchError, FetchMedia, Fetched, Outbound, Part,
    http::{AccountHttp, RequestBody},
};
use domain::{ChoiceOption, Content, Failure, Media, Outcome, error::codes};
use provider_telegram::{content::integer, files, people::quote};
use serde_json::{Value, json};

use crate::account::Bot;

/// A method, as its template for spans, and what goes with it.
type Call = (&'static str, RequestBody);

#[async_trait]
impl Outbound for Bot {
    async fn send(&self, part: &Part, http: &AccountHttp) -> Outcome {
        let (template, body) = match call(part) {
            Ok(call) => call,
            Err(reason) => {
                let failure = Failure { code: codes::UNSUPPORTED_CONTENT, provider_code: None, reason: Some(reason) };
                return Outcome::Rejected { failure };
            }
        };
        let deadline = Duration::from_secs(if matches!(body, RequestBody::Multipart { .. }) { 60 } else { 15 });
        match self.api.call(template, body, deadline, http).await {
            Ok(sent) => {
                let id = integer(&sent, "/message_id").map(|id| format!("{}:{id}", part.address.as_str()));
                Outcome::Accepted { provider_ids: id.into_iter().collect() }
            }
            Err(refused) => refused.outcome(),
        }
    }
}

fn call(part: &Part) -> Result<Call, String> {
    let with = |fields: Value| {
        let mut body = json!({"chat_id": part.address.as_str()});
        if let (Some(into), Value::Object(fields)) = (body.as_object_mut(), fields) {
            into.extend(fields);
            into.extend(quote(part.reply_to.as_deref()).map(|quoted| ("reply_parameters".to_owned(), quoted)));
        }
        RequestBody::Json(body)
    };
    Ok(match &part.content {
        Content::Text { text } => ("/bot{token}/sendMessage", with(json!({"text": text}))),
        Content::Choices { text, options } => {
            if options.iter().any(|option| option.payload.is_empty() || option.payload.len() > 64) {
                return Err("what stands behind a button must have 1 to 64 bytes".to_owned());
            }
            let button = |option: &ChoiceOption| json!([{"text": option.label, "callback_data": option.payload}]);
            let keyboard: Vec<_> = options.iter().map(button).collect();
            let fields = json!({"text": text, "reply_markup": {"inline_keyboard": keyboard}});
            ("/bot{token}/sendMessage", with(fields))
        }
        Content::Location(place) => {
            let mut fields = json!({"latitude": place.latitude, "longitude": place.longitude});
            // A venue needs both words; one stands in for the other.
            let words = || [&place.name, &place.address].into_iter().flatten();
            let (Some(title), Some(address)) = (words().next(), words().last()) else {
                return Ok(("/bot{token}/sendLocation", with(fields)));
            };
            fields["title"] = json!(title);
            fields["address"] = json!(address);
            ("/bot{token}/sendVenue", with(fields))
        }
        Content::Contacts { cards } => {
            let card = cards.first().ok_or("no contact card")?;
            match card.phones.first() {
                Some(phone) => {
                    let fields = json!({"phone_number": phone, "first_name": card.name});
                    ("/bot{token}/sendContact", with(fields))
                }
                // Telegram has no card without a telephone number.
                None => {
                    let words = format!("{}: {}", card.name, card.emails.join(", "));
                    ("/bot{token}/sendMessage", with(json!({"text": words})))
                }
            }
        }
        Content::Media(media) => upload(part, media)?,
        other => return Err(format!("no method for {}", other.kind())),
    })
}

fn upload(part: &Part, media: &Media) -> Result<Call, String> {
    let bytes = part.media.as_ref().ok_or("the media's bytes are missing")?.bytes.clone();
    let (template, field) = files::method(media);
    let mut fields = vec![("chat_id", part.address.as_str().to_owned())];
    fields.extend(media.caption.clone().map(|caption| ("caption", caption)));
    fields.extend(quote(part.reply_to.as_deref()).map(|quoted| ("reply_parameters", quoted.to_string())));
    let name = media.name.clone().unwrap_or_else(|| field.to_owned());
    Ok((template, RequestBody::Multipart { fields, file: (field, name, media.mime.clone(), bytes) }))
}

#[async_trait]
impl FetchMedia for Bot {
    async fn fetch(&self, media: &Media, http: &AccountHttp) -> Result<Fetched, FetchError> {
        files::fetch(&self.api, media, http).await
    }
}
