//! Takes an account's secrets out of any text: as they are, URL-encoded, JSON-escaped, hex, and inside base64.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Account, Failure, Outcome};

/// What stands where a secret was.
pub const MASK: &str = "[secret]";

/// Knows the secrets of one account in all the forms in which they travel.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that contains another is masked whole.
    forms: Vec<String>,
}

impl Redactor {
    /// The forms of every secret of `account`.
    pub fn of(account: &Account) -> Self {
        Self::for_values(account.secrets.values().map(domain::Secret::expose))
    }

    /// The forms of these values.
    pub fn for_values<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut forms: Vec<String> = values.filter(|value| !value.is_empty()).flat_map(forms_of).collect();
        forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms }
    }

    /// `text` with every secret masked.
    pub fn text(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for form in &self.forms {
            if clean.contains(form.as_str()) {
                clean = clean.replace(form.as_str(), MASK);
            }
        }
        clean
    }

    /// Whether `text` shows a secret.
    pub fn finds(&self, text: &str) -> bool {
        self.forms.iter().any(|form| text.contains(form.as_str()))
    }

    /// A failure whose words are clean.
    pub fn failure(&self, failure: Failure) -> Failure {
        Failure {
            code: failure.code,
            provider_code: failure.provider_code.map(|code| self.text(&code)),
            reason: failure.reason.map(|reason| self.text(&reason)),
        }
    }

    /// An outcome whose words are clean.
    pub fn outcome(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Rejected { failure } => Outcome::Rejected { failure: self.failure(failure) },
            Outcome::Unreachable { opted_out, failure } => {
                Outcome::Unreachable { opted_out, failure: self.failure(failure) }
            }
            Outcome::Unavailable { failure } => Outcome::Unavailable { failure: self.failure(failure) },
            Outcome::InDoubt { failure } => Outcome::InDoubt { failure: self.failure(failure) },
            Outcome::WindowClosed { failure } => Outcome::WindowClosed { failure: self.failure(failure) },
            Outcome::Misconfigured { failure } => Outcome::Misconfigured { failure: self.failure(failure) },
            same @ (Outcome::Accepted { .. } | Outcome::Throttled { .. }) => same,
        }
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

fn forms_of(value: &str) -> Vec<String> {
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let mut forms = vec![value.to_owned(), form.replace('+', "%20"), form.to_lowercase(), form, hex::encode(value)];
    if let Ok(json) = serde_json::to_string(value) {
        forms.push(json.trim_matches('"').to_owned());
    }
    // A path keeps more characters bare than a form does.
    if let Ok(mut url) = url::Url::parse("http://h/") {
        url.set_path(value);
        forms.push(url.path().trim_start_matches('/').to_owned());
    }
    if value.len() >= 6 {
        forms.extend(base64_forms(value));
    }
    forms.retain(|form| form.len() >= 3);
    forms
}

/// The characters of base64 that depend on `value` alone, at each of the three alignments in which it can stand in a
/// longer text (`user:secret`).
fn base64_forms(value: &str) -> Vec<String> {
    let mut forms = Vec::with_capacity(6);
    for before in 0..3_usize {
        let mut bytes = vec![0_u8; before];
        bytes.extend_from_slice(value.as_bytes());
        let start = (before * 8).div_ceil(6);
        let end = bytes.len() * 8 / 6;
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            if let Some(inner) = text.get(start..end) {
                forms.push(inner.to_owned());
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn every_form_of_a_secret_is_masked() {
        let secret = "123456:AAH/se+cret \"x\"";
        let redactor = Redactor::for_values([secret, "short-one"].into_iter());
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for text in [
            format!("https://api.example/bot{secret}/send"),
            format!("token={encoded}&x=1"),
            format!("Basic {}", STANDARD.encode(format!("user:{secret}"))),
            format!("Basic {}", STANDARD.encode(secret)),
            serde_json::json!({ "token": secret }).to_string(),
            format!("hex {}", hex::encode(secret)),
        ] {
            let clean = redactor.text(&text);
            assert!(clean.contains(MASK), "{clean}");
            assert!(!redactor.finds(&clean), "{clean}");
            assert!(!clean.contains("AAH/se"), "{clean}");
        }
        assert_eq!(redactor.text("nothing here"), "nothing here");
    }

    #[test]
    fn an_outcome_is_cleaned() {
        let redactor = Redactor::for_values(["s3cr3t-value"].into_iter());
        let failure = Failure {
            code: domain::error::codes::PROVIDER_REJECTED,
            provider_code: None,
            reason: Some("bad key s3cr3t-value".into()),
        };
        let outcome = redactor.outcome(Outcome::Rejected { failure });
        assert!(!format!("{outcome:?}").contains("s3cr3t"));
    }
}
