//! What a message says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kinds of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MediaKind {
    /// A still picture.
    Image,
    /// Sound.
    Audio,
    /// A film.
    Video,
    /// Any other file.
    Document,
    /// A sticker.
    Sticker,
}

impl From<domain::MediaKind> for MediaKind {
    fn from(kind: domain::MediaKind) -> Self {
        match kind {
            domain::MediaKind::Image => Self::Image,
            domain::MediaKind::Audio => Self::Audio,
            domain::MediaKind::Video => Self::Video,
            domain::MediaKind::Document => Self::Document,
            domain::MediaKind::Sticker => Self::Sticker,
        }
    }
}

impl From<MediaKind> for domain::MediaKind {
    fn from(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Image => Self::Image,
            MediaKind::Audio => Self::Audio,
            MediaKind::Video => Self::Video,
            MediaKind::Document => Self::Document,
            MediaKind::Sticker => Self::Sticker,
        }
    }
}

/// Where the bytes of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MediaState {
    /// Still at the provider; it follows.
    Pending,
    /// At `GET /media/{key}`.
    Stored,
    /// Gone for good, see `reason`.
    Lost,
}

/// A contact card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Card {
    /// The name as it is written.
    pub(crate) name: String,
    /// Telephone numbers, as given.
    #[serde(default)]
    pub(crate) phones: Vec<String>,
    /// E-mail addresses, as given.
    #[serde(default)]
    pub(crate) emails: Vec<String>,
    /// Company.
    #[serde(default)]
    pub(crate) organization: Option<String>,
}

impl From<&domain::ContactCard> for Card {
    fn from(card: &domain::ContactCard) -> Self {
        let domain::ContactCard { name, phones, emails, organization } = card.clone();
        Self { name, phones, emails, organization }
    }
}

impl From<Card> for domain::ContactCard {
    fn from(card: Card) -> Self {
        let Card { name, phones, emails, organization } = card;
        Self { name, phones, emails, organization }
    }
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChoiceOption {
    /// What the button says.
    pub(crate) label: String,
    /// What comes back when it is tapped; the label when it is left out.
    #[serde(default)]
    pub(crate) payload: Option<String>,
}

/// What a message says, by `type`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Content {
    /// Plain text.
    Text {
        /// The text.
        text: String,
    },
    /// A file.
    Media {
        /// Its kind.
        kind: MediaKind,
        /// MIME type.
        mime: String,
        /// File name.
        #[schema(required = true)]
        name: Option<String>,
        /// The text below it.
        #[schema(required = true)]
        caption: Option<String>,
        /// Size in bytes.
        #[schema(required = true)]
        size: Option<u64>,
        /// Where its bytes are.
        state: MediaState,
        /// For `GET /media/{key}`, when stored.
        #[schema(required = true)]
        key: Option<String>,
        /// Why it is lost.
        #[schema(required = true)]
        reason: Option<String>,
    },
    /// A point on the map.
    Location {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// What the place is called.
        #[schema(required = true)]
        name: Option<String>,
        /// Its postal address.
        #[schema(required = true)]
        address: Option<String>,
    },
    /// Contact cards.
    Contacts {
        /// At least one.
        cards: Vec<Card>,
    },
    /// The contact tapped a button.
    Choice {
        /// What the button said.
        label: String,
        /// What was behind it.
        #[schema(required = true)]
        payload: Option<String>,
    },
    /// Text with buttons.
    Choices {
        /// The question.
        text: String,
        /// The buttons.
        options: Vec<ChoiceOption>,
    },
    /// A template registered at the provider.
    Template {
        /// The provider's id of it.
        id: String,
        /// BCP 47 language.
        language: String,
        /// Values in order.
        params: Vec<String>,
        /// The text as the contact reads it.
        preview: String,
    },
    /// Something that Afluente has no words for yet.
    Unsupported {
        /// The provider's name of it.
        kind: String,
    },
}

impl From<&domain::Content> for Content {
    fn from(content: &domain::Content) -> Self {
        use domain::Content as Of;
        match content.clone() {
            Of::Text { text } => Self::Text { text },
            Of::Media(media) => Self::from_media(media),
            Of::Location(domain::Location { latitude, longitude, name, address }) => {
                Self::Location { latitude, longitude, name, address }
            }
            Of::Contacts { cards } => Self::Contacts { cards: cards.iter().map(Card::from).collect() },
            Of::Choice { label, payload } => Self::Choice { label, payload },
            Of::Choices { text, options } => {
                let button =
                    |option: domain::ChoiceOption| ChoiceOption { label: option.label, payload: Some(option.payload) };
                Self::Choices { text, options: options.into_iter().map(button).collect() }
            }
            Of::Template(domain::TemplateCall { id, language, params, preview }) => {
                Self::Template { id, language, params, preview }
            }
            Of::Unsupported { kind } => Self::Unsupported { kind },
            // `Content` may grow before this crate knows the new words.
            other => Self::Unsupported { kind: other.kind().to_owned() },
        }
    }
}

impl Content {
    fn from_media(media: domain::Media) -> Self {
        // The reference of pending media may carry a provider's credential: it stays here.
        let (state, key, reason) = match media.source {
            domain::MediaSource::Pending { .. } => (MediaState::Pending, None, None),
            domain::MediaSource::Stored { key, .. } => (MediaState::Stored, Some(key), None),
            domain::MediaSource::Lost { reason } => (MediaState::Lost, None, Some(reason)),
        };
        let (kind, mime) = (media.kind.into(), media.mime);
        Self::Media { kind, mime, name: media.name, caption: media.caption, size: media.size, state, key, reason }
    }
}

/// A file to send: uploaded before, named by its key.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct MediaDraft {
    /// Its kind, as the upload answered it, or `document`.
    pub(crate) kind: MediaKind,
    /// File name that the contact sees.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The text below it.
    #[serde(default)]
    pub(crate) caption: Option<String>,
    /// The key that the upload answered. Type and size are the stored ones.
    pub(crate) key: String,
}

/// What an agent wants to say, by `type`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Draft {
    /// Plain text.
    Text {
        /// The text, not blank.
        text: String,
    },
    /// A file.
    Media(MediaDraft),
    /// A point on the map.
    Location {
        /// Degrees north, -90 to 90.
        latitude: f64,
        /// Degrees east, -180 to 180.
        longitude: f64,
        /// What the place is called.
        #[serde(default)]
        name: Option<String>,
        /// Its postal address.
        #[serde(default)]
        address: Option<String>,
    },
    /// Contact cards.
    Contacts {
        /// At least one.
        cards: Vec<Card>,
    },
    /// Text with buttons.
    Choices {
        /// The question.
        text: String,
        /// The buttons, at least one.
        options: Vec<ChoiceOption>,
    },
    /// A template registered at the provider.
    Template {
        /// The provider's id of it, one of `GET /conversations/{id}/templates`. Its language and its words are the
        /// provider's.
        id: String,
        /// Values in order: those of the body, then one for each link with a place.
        #[serde(default)]
        params: Vec<String>,
    },
}
