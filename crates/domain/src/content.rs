//! What a message says, the same for every channel.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The content of one message. What a channel cannot say in these words is [`Content::Unsupported`], never an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Plain text.
    Text {
        /// The text, in Unicode, not empty.
        text: String,
    },
    /// A picture, a sound, a film, a file, a sticker.
    Media(Media),
    /// A point on the map.
    Location(Location),
    /// One or more contact cards.
    Contacts {
        /// The cards, at least one.
        cards: Vec<ContactCard>,
    },
    /// The contact tapped a button or chose from a list.
    Choice {
        /// What the button said.
        label: String,
        /// What the sender had put behind the button, if anything.
        payload: Option<String>,
    },
    /// Text with buttons to tap (quick replies).
    Choices {
        /// The question.
        text: String,
        /// The buttons.
        options: Vec<ChoiceOption>,
    },
    /// A template registered at the provider (HSM). Only outgoing.
    Template(TemplateCall),
    /// Something that the channel carries and Afluente has no words for yet; shown to the agent with its kind.
    Unsupported {
        /// The provider's own name of it.
        kind: String,
    },
}

/// A button of [`Content::Choices`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceOption {
    /// What the button says.
    pub label: String,
    /// What comes back when it is tapped.
    pub payload: String,
}

/// A template and what fills it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateCall {
    /// The provider's id of the template.
    pub id: String,
    /// The provider's code of its language (`pt_BR`).
    pub language: String,
    /// Values for `{{1}}`, `{{2}}`... in order.
    pub params: Vec<String>,
    /// The text as the contact will read it, for the desk.
    pub preview: String,
}

/// The kinds of media that channels tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A still picture.
    Image,
    /// Sound, voice notes among them.
    Audio,
    /// A film.
    Video,
    /// Any other file.
    Document,
    /// A sticker.
    Sticker,
}

/// A piece of media and where its bytes are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Its kind.
    pub kind: MediaKind,
    /// MIME type as the sender declared it, parameters removed (`audio/ogg`).
    pub mime: String,
    /// File name, when it has one.
    pub name: Option<String>,
    /// The text below it.
    pub caption: Option<String>,
    /// Size in bytes, when known.
    pub size: Option<u64>,
    /// Where the bytes are.
    pub source: MediaSource,
}

/// Where the bytes of a [`Media`] are. The message is shown at once; its media follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MediaSource {
    /// Still at the provider; a media job of its own fetches it.
    Pending {
        /// What the channel needs to fetch it: a link or a file id. May carry a credential: never shown or logged.
        reference: String,
        /// When the provider forgets it.
        expires_at: Option<Timestamp>,
    },
    /// In the blob store.
    Stored {
        /// The key in the blob store.
        key: String,
        /// SHA-256 of the bytes, hex.
        sha256: String,
    },
    /// Gone for good.
    Lost {
        /// Why, as a stable code (`expired`, `too_large`, `not_found`).
        reason: String,
    },
}

/// A point on the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
    /// What the place is called.
    pub name: Option<String>,
    /// Its postal address.
    pub address: Option<String>,
}

/// A contact card (vCard-like).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContactCard {
    /// The name as it is written.
    pub name: String,
    /// Telephone numbers, as given.
    pub phones: Vec<String>,
    /// E-mail addresses, as given.
    pub emails: Vec<String>,
    /// Company.
    pub organization: Option<String>,
}

impl ContactCard {
    /// The id of the contact that this card becomes when it is saved (CH-14). The same card saved again, by whomever,
    /// is the same contact of the organization.
    pub fn contact_id(&self, organization: crate::OrganizationId) -> crate::ContactId {
        let digits = |text: &String| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let phone = self.phones.first().map(digits).unwrap_or_default();
        let email = self.emails.first().map(|text| text.trim().to_lowercase()).unwrap_or_default();
        let name = if phone.is_empty() && email.is_empty() { self.name.trim() } else { "" };
        crate::ContactId::derive(&["card", &organization.to_string(), &phone, &email, name])
    }
}

impl Content {
    /// Text content.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// Low-cardinality name for metrics and traces.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Media(_) => "media",
            Self::Location(_) => "location",
            Self::Contacts { .. } => "contacts",
            Self::Choice { .. } => "choice",
            Self::Choices { .. } => "choices",
            Self::Template(_) => "template",
            Self::Unsupported { .. } => "unsupported",
        }
    }

    /// A line for lists, at most `limit` characters; empty for content without words of its own.
    pub fn preview(&self, limit: usize) -> String {
        let words = match self {
            Self::Text { text } | Self::Choices { text, .. } => text.as_str(),
            Self::Media(media) => media.caption.as_deref().or(media.name.as_deref()).unwrap_or(""),
            Self::Location(place) => place.name.as_deref().or(place.address.as_deref()).unwrap_or(""),
            Self::Contacts { cards } => cards.first().map_or("", |card| card.name.as_str()),
            Self::Choice { label, .. } => label,
            Self::Template(call) => &call.preview,
            Self::Unsupported { kind } => kind,
        };
        let line: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.chars().count() <= limit {
            line
        } else {
            line.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
        }
    }
}
