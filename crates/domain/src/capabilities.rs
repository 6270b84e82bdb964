//! What a channel can do, as data: peers read it, keep it, and degrade by it.

use serde::{Deserialize, Serialize};

use crate::MediaKind;

/// What a length is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthUnit {
    /// Unicode scalar values.
    Characters,
    /// UTF-16 code units.
    Utf16,
    /// Bytes of UTF-8.
    Bytes,
}

impl LengthUnit {
    /// The length of `text` in this unit.
    pub fn length(self, text: &str) -> usize {
        match self {
            Self::Characters => text.chars().count(),
            Self::Utf16 => text.encode_utf16().count(),
            Self::Bytes => text.len(),
        }
    }

    /// The length of one character in this unit.
    pub const fn of(self, character: char) -> usize {
        match self {
            Self::Characters => 1,
            Self::Utf16 => character.len_utf16(),
            Self::Bytes => character.len_utf8(),
        }
    }
}

/// What media a channel carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaLimit {
    /// The kind.
    pub kind: MediaKind,
    /// MIME types that are carried; a trailing `*` stands for the rest (`image/*`, `*`).
    pub mimes: Vec<String>,
    /// The largest file, in bytes.
    pub max_bytes: u64,
    /// Whether a caption goes with it; otherwise the caption becomes a text part after it.
    pub caption: bool,
}

/// What buttons a channel carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceLimit {
    /// The most buttons in one message.
    pub max: u16,
    /// The longest label, in the channel's unit.
    pub label: u32,
}

/// Which receipts a channel can give. The desk shows only ticks that can come (CH-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptSupport {
    /// Handed to the network.
    pub sent: bool,
    /// On the contact's device.
    pub delivered: bool,
    /// Read by the contact.
    pub read: bool,
}

/// What a channel can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The unit of the limits below.
    pub unit: LengthUnit,
    /// The longest text of one part.
    pub text: u32,
    /// The longest caption.
    pub caption: u32,
    /// Media by kind; a kind that is missing is not carried.
    pub media: Vec<MediaLimit>,
    /// Whether a location can be sent; otherwise it becomes a map link.
    pub location: bool,
    /// Whether a contact card can be sent; otherwise it becomes text.
    pub contacts: bool,
    /// Buttons; none means a numbered list in text.
    pub choices: Option<ChoiceLimit>,
    /// Whether the provider has registered templates.
    pub templates: bool,
    /// Whether a message can quote another.
    pub replies: bool,
    /// The receipts.
    pub receipts: ReceiptSupport,
    /// Sends per second that the provider allows for one account; the kit's bucket.
    pub account_rate: u32,
    /// Milliseconds between two sends to the same contact; 0 for none.
    pub pair_interval: u32,
}

impl Capabilities {
    /// A digest: peers fetch the document again only when it differs. FNV-1a 64 over the canonical debug form is
    /// enough, since nobody attacks it.
    pub fn digest(&self) -> String {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in format!("{self:?}").bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        format!("{hash:016x}")
    }

    /// The limit for `kind`, if the channel carries it with this MIME type.
    pub fn media_limit(&self, kind: MediaKind, mime: &str) -> Option<&MediaLimit> {
        let carries = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => mime.starts_with(start),
            None => pattern == mime,
        };
        self.media.iter().find(|limit| limit.kind == kind && limit.mimes.iter().any(carries))
    }
}
