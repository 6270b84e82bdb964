//! The frames of a link, as JSON text. The channel's own words are in `content`; everything else is the kit's.
//!
//! | from the page | |
//! |---|---|
//! | `{"type":"hello","token"?,"after"?,"profile"?:{"name"?,"email"?,"phone"?}}` | first; `token` of an earlier welcome, `after` the last sequence seen |
//! | `{"type":"profile","name"?,"email"?,"phone"?}` | tells more of the visitor |
//! | `{"type":"ping"}` | answered by `pong` |
//! | anything else, with an `id` where an answer is wanted | the channel reads it (`message`, `delivered`, `read`) |
//!
//! | from us | |
//! |---|---|
//! | `{"type":"welcome","token","visitor"}` | the token to keep |
//! | `{"type":"item","sequence","id","from":"visitor"\|"company","at","content","media_url"?}` | one thing that was said, in order; `media_url` is a path on our host, good for a day |
//! | `{"type":"caught_up","sequence"}` | all that was missed has been sent |
//! | `{"type":"accepted","id"}` | what the page sent under `id` is safe |
//! | `{"type":"error","code","id"?,"detail"}` | `malformed`, `throttled`, `unavailable`, `unauthenticated` |
//! | `{"type":"pong"}` | |

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum From {
    Visitor,
    Company,
}

/// An item as the mailbox keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) from: From,
    pub(crate) at: Timestamp,
    pub(crate) content: Value,
    /// Blob key of the media, if there is some. Pages get a link that ends instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media: Option<String>,
}

/// What we say.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Out<'a> {
    Welcome {
        token: &'a str,
        visitor: &'a str,
    },
    Item {
        sequence: u64,
        id: &'a str,
        #[serde(flatten)]
        item: Shown<'a>,
    },
    CaughtUp {
        sequence: u64,
    },
    Accepted {
        id: &'a str,
    },
    Error {
        code: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        detail: &'a str,
    },
    Pong,
}

#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    pub(super) from: From,
    pub(super) at: Timestamp,
    pub(super) content: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) media_url: Option<String>,
}

impl Out<'_> {
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The first frame.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Hello {
    pub(super) token: Option<String>,
    #[serde(default)]
    pub(super) after: u64,
    #[serde(default)]
    pub(super) profile: Told,
}

/// What the visitor tells of themselves.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Told {
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

impl Told {
    /// Into `profile`: what is told anew takes the place of what was known.
    pub(super) fn merge(self, profile: &mut domain::Profile) {
        let clean = |text: Option<String>| {
            let text: String = text?.trim().chars().filter(|c| !c.is_control()).take(200).collect();
            (!text.is_empty()).then_some(text)
        };
        if let Some(name) = clean(self.name) {
            profile.name = Some(name);
        }
        if let Some(email) = clean(self.email).filter(|email| email.contains('@')) {
            profile.email = Some(email.to_lowercase());
        }
        if let Some(phone) = clean(self.phone) {
            profile.phone = Some(phone);
        }
    }
}
