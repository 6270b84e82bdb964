//! Signed tokens: media links, upload tickets and the visitor's identity. HMAC-SHA-256 over a purpose and a payload, so
//! that a token of one purpose is worthless for another.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Timestamp;
use ring::hmac;
use serde::{Serialize, de::DeserializeOwned};

/// Signs and reads tokens of one purpose.
#[derive(Clone)]
pub(crate) struct Signer {
    key: hmac::Key,
    purpose: String,
}

#[derive(Serialize, serde::Deserialize)]
struct Sealed<T> {
    /// Milliseconds; zero for no end.
    #[serde(rename = "e")]
    expires: i64,
    #[serde(rename = "p")]
    payload: T,
}

impl Signer {
    pub(crate) fn new(secret: &[u8], purpose: impl Into<String>) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), purpose: purpose.into() }
    }

    fn signed(&self, payload: &str) -> String {
        format!("{}\n{payload}", self.purpose)
    }

    /// A token for `payload`; none for `expires` means for ever.
    pub(crate) fn seal<T: Serialize>(&self, payload: &T, expires: Option<Timestamp>) -> String {
        let sealed = Sealed { expires: expires.map_or(0, Timestamp::millis), payload };
        let json = serde_json::to_vec(&sealed).unwrap_or_default();
        let text = URL_SAFE_NO_PAD.encode(json);
        let tag = hmac::sign(&self.key, self.signed(&text).as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    }

    /// The payload of a genuine token that has not expired.
    pub(crate) fn open<T: DeserializeOwned>(&self, token: &str, now: Timestamp) -> Option<T> {
        let (text, tag) = token.split_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.key, self.signed(text).as_bytes(), &tag).ok()?;
        let sealed: Sealed<T> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        (sealed.expires == 0 || sealed.expires > now.millis()).then_some(sealed.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_purpose_and_time_only() {
        let now = Timestamp::from_secs(100);
        let media = Signer::new(b"key", "media");
        let token = media.seal(&"org/evt/0", Some(Timestamp::from_secs(200)));
        assert_eq!(media.open::<String>(&token, now).as_deref(), Some("org/evt/0"));
        assert_eq!(media.open::<String>(&token, Timestamp::from_secs(201)), None, "expired");
        assert_eq!(Signer::new(b"key", "visitor").open::<String>(&token, now), None, "another purpose");
        assert_eq!(Signer::new(b"other", "media").open::<String>(&token, now), None, "another key");
        assert_eq!(media.open::<String>(&token.replace('.', "x."), now), None, "changed");
    }
}
