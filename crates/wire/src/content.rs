//! `common/v1/content.proto` and `thread.proto`.

use domain::{
    Address, ChoiceOption, ContactCard, Content, Location, Media, MediaKind, MediaSource, TemplateCall, Thread,
};

use crate::{
    DecodeError,
    field::{id, required, time},
    pb::common::v1 as proto,
};

impl From<&Thread> for proto::Thread {
    fn from(thread: &Thread) -> Self {
        Self {
            organization: thread.organization.to_string(),
            account: thread.account.to_string(),
            address: thread.address.as_str().to_owned(),
        }
    }
}

impl TryFrom<proto::Thread> for Thread {
    type Error = DecodeError;

    fn try_from(thread: proto::Thread) -> Result<Self, DecodeError> {
        Ok(Self {
            organization: id(&thread.organization, "thread.organization")?,
            account: id(&thread.account, "thread.account")?,
            address: Address::new(thread.address),
        })
    }
}

impl From<&Content> for proto::Content {
    fn from(content: &Content) -> Self {
        use proto::content::Body;
        let body = match content {
            Content::Text { text } => Body::Text(proto::Text { text: text.clone() }),
            Content::Media(media) => Body::Media(media.into()),
            Content::Location(place) => Body::Location(proto::Location {
                latitude: place.latitude,
                longitude: place.longitude,
                name: place.name.clone(),
                address: place.address.clone(),
            }),
            Content::Contacts { cards } => {
                Body::Contacts(proto::Contacts { cards: cards.iter().map(Into::into).collect() })
            }
            Content::Choice { label, payload } => {
                Body::Choice(proto::Choice { label: label.clone(), payload: payload.clone() })
            }
            Content::Choices { text, options } => {
                let option = |option: &ChoiceOption| proto::ChoiceOption {
                    label: option.label.clone(),
                    payload: option.payload.clone(),
                };
                Body::Choices(proto::Choices { text: text.clone(), options: options.iter().map(option).collect() })
            }
            Content::Template(call) => Body::Template(proto::TemplateCall {
                id: call.id.clone(),
                language: call.language.clone(),
                params: call.params.clone(),
                preview: call.preview.clone(),
            }),
            Content::Unsupported { kind } => Body::Unsupported(proto::Unsupported { kind: kind.clone() }),
            // The domain has a word that this crate was not taught: the reader sees its kind.
            other => Body::Unsupported(proto::Unsupported { kind: other.kind().to_owned() }),
        };
        Self { kind: content.kind().to_owned(), body: Some(body) }
    }
}

impl TryFrom<proto::Content> for Content {
    type Error = DecodeError;

    fn try_from(content: proto::Content) -> Result<Self, DecodeError> {
        use proto::content::Body;
        let Some(body) = content.body else {
            // A body of a newer release: shown with the kind that the writer gave it.
            let kind = if content.kind.is_empty() { "unknown".to_owned() } else { content.kind };
            return Ok(Self::Unsupported { kind });
        };
        Ok(match body {
            Body::Text(text) => Self::Text { text: text.text },
            Body::Media(media) => Self::Media(media.try_into()?),
            Body::Location(place) => Self::Location(Location {
                latitude: place.latitude,
                longitude: place.longitude,
                name: place.name,
                address: place.address,
            }),
            Body::Contacts(contacts) => Self::Contacts { cards: contacts.cards.into_iter().map(Into::into).collect() },
            Body::Choice(choice) => Self::Choice { label: choice.label, payload: choice.payload },
            Body::Choices(choices) => {
                let option =
                    |option: proto::ChoiceOption| ChoiceOption { label: option.label, payload: option.payload };
                Self::Choices { text: choices.text, options: choices.options.into_iter().map(option).collect() }
            }
            Body::Template(call) => Self::Template(TemplateCall {
                id: call.id,
                language: call.language,
                params: call.params,
                preview: call.preview,
            }),
            Body::Unsupported(unsupported) => Self::Unsupported { kind: unsupported.kind },
        })
    }
}

impl From<&ContactCard> for proto::ContactCard {
    fn from(card: &ContactCard) -> Self {
        Self {
            name: card.name.clone(),
            phones: card.phones.clone(),
            emails: card.emails.clone(),
            organization: card.organization.clone(),
        }
    }
}

impl From<proto::ContactCard> for ContactCard {
    fn from(card: proto::ContactCard) -> Self {
        Self { name: card.name, phones: card.phones, emails: card.emails, organization: card.organization }
    }
}

pub(crate) const fn media_kind_out(kind: MediaKind) -> proto::MediaKind {
    match kind {
        MediaKind::Image => proto::MediaKind::Image,
        MediaKind::Audio => proto::MediaKind::Audio,
        MediaKind::Video => proto::MediaKind::Video,
        MediaKind::Document => proto::MediaKind::Document,
        MediaKind::Sticker => proto::MediaKind::Sticker,
    }
}

/// A kind of a newer release is a document: any file can be shown as one.
pub(crate) const fn media_kind_in(kind: proto::MediaKind) -> MediaKind {
    match kind {
        proto::MediaKind::Image => MediaKind::Image,
        proto::MediaKind::Audio => MediaKind::Audio,
        proto::MediaKind::Video => MediaKind::Video,
        proto::MediaKind::Document | proto::MediaKind::Unspecified => MediaKind::Document,
        proto::MediaKind::Sticker => MediaKind::Sticker,
    }
}

impl From<&Media> for proto::Media {
    fn from(media: &Media) -> Self {
        Self {
            kind: media_kind_out(media.kind).into(),
            mime: media.mime.clone(),
            name: media.name.clone(),
            caption: media.caption.clone(),
            size: media.size,
            source: Some((&media.source).into()),
        }
    }
}

impl TryFrom<proto::Media> for Media {
    type Error = DecodeError;

    fn try_from(media: proto::Media) -> Result<Self, DecodeError> {
        Ok(Self {
            kind: media_kind_in(media.kind()),
            mime: media.mime,
            name: media.name,
            caption: media.caption,
            size: media.size,
            source: required(media.source, "media.source")?,
        })
    }
}

impl From<&MediaSource> for proto::MediaSource {
    fn from(source: &MediaSource) -> Self {
        use proto::media_source::State;
        let state = match source {
            MediaSource::Pending { reference, expires_at } => State::Pending(proto::MediaPending {
                reference: reference.clone(),
                expires_at: expires_at.map(domain::Timestamp::millis),
            }),
            MediaSource::Stored { key, sha256 } => {
                State::Stored(proto::MediaStored { key: key.clone(), sha256: sha256.clone() })
            }
            MediaSource::Lost { reason } => State::Lost(proto::MediaLost { reason: reason.clone() }),
        };
        Self { state: Some(state) }
    }
}

impl TryFrom<proto::MediaSource> for MediaSource {
    type Error = DecodeError;

    fn try_from(source: proto::MediaSource) -> Result<Self, DecodeError> {
        use proto::media_source::State;
        Ok(match source.state.ok_or(DecodeError::Unknown("media.source"))? {
            State::Pending(pending) => {
                Self::Pending { reference: pending.reference, expires_at: pending.expires_at.map(time) }
            }
            State::Stored(stored) => Self::Stored { key: stored.key, sha256: stored.sha256 },
            State::Lost(lost) => Self::Lost { reason: lost.reason },
        })
    }
}
