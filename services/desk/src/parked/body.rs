//! The body of a parked message as a person can read it.

use domain::{Content, ConversationId, Inbound, InboundBody, MediaJob, Parked, Permitted, SendRequest};
use ports::bus::headers;
use runtime::redact::Redactor;
use serde::Serialize;
use wire::Wire as _;

use crate::dto::{BodyForm, ParkedBody};

/// The most that is shown, in bytes. A webhook is rarely larger, and a page stays quick.
const MOST: usize = 64 * 1024;
/// The most bytes of a body that is no text.
const MOST_BYTES: usize = 4 * 1024;

/// A body that was read, as far as it can be.
pub(super) struct Readable {
    pub(super) body: ParkedBody,
    pub(super) content: Option<Content>,
    pub(super) conversation: Option<ConversationId>,
    pub(super) address: Option<String>,
}

/// Reads the mesh's own messages by their kind; anything else is JSON, text or bytes.
pub(super) fn read(parked: &Parked, redactor: &Redactor) -> Readable {
    let kind = parked.headers.iter().find(|(name, _)| name == headers::KIND).map(|(_, kind)| kind.as_str());
    let known = match kind {
        Some(Inbound::KIND) => wire::decode::<Inbound>(&parked.body).ok().map(|one| inbound(&one, redactor)),
        Some(SendRequest::KIND) => wire::decode::<SendRequest>(&parked.body).ok().map(|one| request(&one, redactor)),
        // The permit is left out: it is the gate's, and has run out.
        Some(Permitted::KIND) => {
            wire::decode::<Permitted>(&parked.body).ok().map(|one| request(&one.request, redactor))
        }
        Some(MediaJob::KIND) => wire::decode::<MediaJob>(&parked.body).ok().map(|one| {
            let address = Some(one.thread.address.as_str().to_owned());
            Readable { body: json(&one, redactor), content: None, conversation: None, address }
        }),
        _ => None,
    };
    known.unwrap_or_else(|| Readable {
        body: raw(&parked.body, redactor),
        content: None,
        conversation: None,
        address: None,
    })
}

fn inbound(one: &Inbound, redactor: &Redactor) -> Readable {
    let content = match &one.body {
        InboundBody::Message(said) => Some(said.content.clone()),
        _ => None,
    };
    let address = Some(one.thread.address.as_str().to_owned());
    Readable { body: json(one, redactor), content, conversation: None, address }
}

fn request(one: &SendRequest, redactor: &Redactor) -> Readable {
    Readable {
        body: json(one, redactor),
        content: Some(one.content.clone()),
        conversation: Some(one.conversation),
        address: Some(one.thread.address.as_str().to_owned()),
    }
}

fn json(value: &impl Serialize, redactor: &Redactor) -> ParkedBody {
    shown(BodyForm::Json, &serde_json::to_string_pretty(value).unwrap_or_default(), redactor)
}

fn raw(bytes: &[u8], redactor: &Redactor) -> ParkedBody {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let part = bytes.get(..MOST_BYTES).unwrap_or(bytes);
        let lines: Vec<String> = part.chunks(16).map(line).collect();
        let body = shown(BodyForm::Bytes, &lines.join("\n"), redactor);
        return ParkedBody { truncated: part.len() < bytes.len(), ..body };
    };
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => json(&value, redactor),
        Err(_) => shown(BodyForm::Text, text, redactor),
    }
}

/// Sixteen bytes, and the letters among them.
fn line(bytes: &[u8]) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let letter = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
    format!("{:<47}  {}", hex.join(" "), bytes.iter().map(letter).collect::<String>())
}

/// Cleaned first, so that no cut leaves half a secret.
fn shown(form: BodyForm, text: &str, redactor: &Redactor) -> ParkedBody {
    let clean = redactor.text(text);
    let end = if clean.len() > MOST { clean.floor_char_boundary(MOST) } else { clean.len() };
    ParkedBody { form, truncated: end < clean.len(), text: clean.get(..end).unwrap_or_default().to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_body_is_shown_as_what_it_is() {
        let redactor = Redactor::for_values(["s3cret"].into_iter());
        let body = raw(br#"{"a":"s3cret"}"#, &redactor);
        assert_eq!((body.form, body.text.as_str()), (BodyForm::Json, "{\n  \"a\": \"[secret]\"\n}"));
        let body = raw(b"oops s3cret", &redactor);
        assert_eq!((body.form, body.text.as_str()), (BodyForm::Text, "oops [secret]"));
        let body = raw(b"\xff\xfea", &redactor);
        assert_eq!(body.form, BodyForm::Bytes);
        assert!(body.text.starts_with("ff fe 61") && body.text.ends_with("  ..a"), "{}", body.text);
        let body = raw(&[0xff; MOST_BYTES + 1], &redactor);
        assert!(body.truncated && body.text.lines().count() == MOST_BYTES / 16);
    }

    #[test]
    fn a_long_body_is_cut_between_letters_and_never_inside_a_secret() {
        let redactor = Redactor::for_values(["s3cret"].into_iter());
        let body = raw(format!("{}s3cret{}", "x".repeat(MOST - 3), "é".repeat(20)).as_bytes(), &redactor);
        assert!(body.truncated && body.text.len() <= MOST);
        assert!(!body.text.contains("s3c"), "half a secret");
        assert!(!raw("é".repeat(10).as_bytes(), &redactor).truncated);
    }
}
