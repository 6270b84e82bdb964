//! `channel/v1/channel.proto`: capabilities.

use domain::{Capabilities, ChoiceLimit, LengthUnit, MediaLimit, ReceiptSupport};

use crate::{
    DecodeError,
    content::{media_kind_in, media_kind_out},
    field::short,
    pb::channel::v1 as proto,
};

impl From<&Capabilities> for proto::Capabilities {
    fn from(can: &Capabilities) -> Self {
        let unit = match can.unit {
            LengthUnit::Characters => proto::LengthUnit::Characters,
            LengthUnit::Utf16 => proto::LengthUnit::Utf16,
            LengthUnit::Bytes => proto::LengthUnit::Bytes,
        };
        let media = |limit: &MediaLimit| proto::MediaLimit {
            kind: media_kind_out(limit.kind).into(),
            mimes: limit.mimes.clone(),
            max_bytes: limit.max_bytes,
            caption: limit.caption,
        };
        Self {
            unit: unit.into(),
            text: can.text,
            caption: can.caption,
            media: can.media.iter().map(media).collect(),
            location: can.location,
            contacts: can.contacts,
            choices: can
                .choices
                .as_ref()
                .map(|limit| proto::ChoiceLimit { max: u32::from(limit.max), label: limit.label }),
            templates: can.templates,
            replies: can.replies,
            receipts: Some(proto::ReceiptSupport {
                sent: can.receipts.sent,
                delivered: can.receipts.delivered,
                read: can.receipts.read,
            }),
            account_rate: can.account_rate,
            pair_interval: can.pair_interval,
        }
    }
}

impl TryFrom<proto::Capabilities> for Capabilities {
    type Error = DecodeError;

    fn try_from(can: proto::Capabilities) -> Result<Self, DecodeError> {
        let receipts = can.receipts.unwrap_or_default();
        let unit = match can.unit() {
            proto::LengthUnit::Characters => LengthUnit::Characters,
            proto::LengthUnit::Utf16 => LengthUnit::Utf16,
            // Every other measure of a text is at most its length in bytes, so nothing is ever too long.
            proto::LengthUnit::Bytes | proto::LengthUnit::Unspecified => LengthUnit::Bytes,
        };
        let media = |limit: proto::MediaLimit| MediaLimit {
            kind: media_kind_in(limit.kind()),
            mimes: limit.mimes,
            max_bytes: limit.max_bytes,
            caption: limit.caption,
        };
        let choices =
            |limit: proto::ChoiceLimit| Ok(ChoiceLimit { max: short(limit.max, "choices.max")?, label: limit.label });
        Ok(Self {
            unit,
            text: can.text,
            caption: can.caption,
            media: can.media.into_iter().map(media).collect(),
            location: can.location,
            contacts: can.contacts,
            choices: can.choices.map(choices).transpose()?,
            templates: can.templates,
            replies: can.replies,
            receipts: ReceiptSupport { sent: receipts.sent, delivered: receipts.delivered, read: receipts.read },
            account_rate: can.account_rate,
            pair_interval: can.pair_interval,
        })
    }
}
