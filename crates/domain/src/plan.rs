//! From what the agent wrote to what one channel can carry: the parts, in order. Nothing is ever cut.

use crate::{Capabilities, Code, Content, LengthUnit, Media, error::codes};

/// Content that the channel cannot carry in any form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplannable {
    /// The stable code ([`codes::UNSUPPORTED_CONTENT`] or [`codes::TOO_LARGE`]).
    pub code: Code,
    /// One sentence.
    pub detail: String,
}

/// The parts that say `content` within `can`, at least one.
///
/// # Errors
/// When the channel carries nothing like it: media of an unknown kind or too large, a template where there are none.
pub fn parts(content: &Content, can: &Capabilities) -> Result<Vec<Content>, Unplannable> {
    match content {
        Content::Text { text } => Ok(texts(text, can)),
        Content::Media(media) => media_parts(media, can),
        Content::Location(place) if !can.location => {
            let link = format!("https://maps.google.com/?q={},{}", place.latitude, place.longitude);
            let words = [place.name.as_deref(), place.address.as_deref(), Some(&link)];
            Ok(texts(&words.into_iter().flatten().collect::<Vec<_>>().join("\n"), can))
        }
        Content::Contacts { cards } if !can.contacts => {
            let lines = cards.iter().map(|card| {
                let rest = card.phones.iter().chain(&card.emails).cloned().collect::<Vec<_>>().join(", ");
                format!("{}: {rest}", card.name)
            });
            Ok(texts(&lines.collect::<Vec<_>>().join("\n"), can))
        }
        // One card per part: most providers take a single card in a message.
        Content::Contacts { cards } if cards.len() > 1 => {
            Ok(cards.iter().map(|card| Content::Contacts { cards: vec![card.clone()] }).collect())
        }
        Content::Choices { text, options } => {
            let fits = can.choices.as_ref().is_some_and(|limit| {
                options.len() <= usize::from(limit.max)
                    && options.iter().all(|option| can.unit.length(&option.label) <= size(limit.label))
                    && can.unit.length(text) <= size(can.caption)
            });
            if fits {
                return Ok(vec![content.clone()]);
            }
            let lines = options.iter().enumerate().map(|(n, option)| format!("{}. {}", n + 1, option.label));
            Ok(texts(&std::iter::once(text.clone()).chain(lines).collect::<Vec<_>>().join("\n"), can))
        }
        Content::Template(_) if !can.templates => Err(unsupported("the channel has no templates")),
        Content::Choice { label, .. } => Ok(texts(label, can)),
        Content::Unsupported { kind } => Err(unsupported(&format!("'{kind}' cannot be sent"))),
        _ => Ok(vec![content.clone()]),
    }
}

fn media_parts(media: &Media, can: &Capabilities) -> Result<Vec<Content>, Unplannable> {
    let Some(limit) = can.media_limit(media.kind, &media.mime) else {
        return Err(unsupported(&format!("the channel does not carry {:?} of type {}", media.kind, media.mime)));
    };
    if media.size.is_some_and(|size| size > limit.max_bytes) {
        let detail = format!("the channel carries at most {} bytes of {:?}", limit.max_bytes, media.kind);
        return Err(Unplannable { code: codes::TOO_LARGE, detail });
    }
    match &media.caption {
        Some(caption) if !limit.caption || can.unit.length(caption) > size(can.caption) => {
            let bare = Media { caption: None, ..media.clone() };
            let mut parts = vec![Content::Media(bare)];
            parts.extend(texts(caption, can));
            Ok(parts)
        }
        _ => Ok(vec![Content::Media(media.clone())]),
    }
}

fn texts(text: &str, can: &Capabilities) -> Vec<Content> {
    split(text, can.unit, size(can.text)).into_iter().map(Content::text).collect()
}

fn unsupported(detail: &str) -> Unplannable {
    Unplannable { code: codes::UNSUPPORTED_CONTENT, detail: detail.to_owned() }
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Splits `text` into pieces of at most `limit` units, at a line end if there is one in the last half, else at a
/// space, else between characters. Joined again, the pieces are the text.
pub fn split(text: &str, unit: LengthUnit, limit: usize) -> Vec<String> {
    let limit = limit.max(4);
    let mut pieces = Vec::new();
    let mut rest = text;
    while unit.length(rest) > limit {
        let mut length = 0;
        let mut end = 0;
        for (at, character) in rest.char_indices() {
            length += unit.of(character);
            if length > limit {
                break;
            }
            end = at + character.len_utf8();
        }
        let (window, _) = rest.split_at(end);
        let half = end / 2;
        let after = |found: Option<usize>| found.map(|at| at + 1).filter(|at| *at > half);
        let cut = after(window.rfind('\n')).or_else(|| after(window.rfind(' '))).unwrap_or(end);
        let (piece, tail) = rest.split_at(cut);
        pieces.push(piece.to_owned());
        rest = tail;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest.to_owned());
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_split_and_never_cut() {
        let text = "palavra ".repeat(1_000) + &"ã🎉".repeat(3_000);
        for unit in [LengthUnit::Characters, LengthUnit::Utf16, LengthUnit::Bytes] {
            let pieces = split(&text, unit, 4096);
            assert!(pieces.iter().all(|piece| unit.length(piece) <= 4096));
            assert_eq!(pieces.concat(), text);
        }
    }

    #[test]
    fn it_prefers_line_ends_and_spaces() {
        assert_eq!(split("aaaa bbbb\ncccc dd", LengthUnit::Characters, 12), ["aaaa bbbb\n", "cccc dd"]);
        assert_eq!(split("aaaaaa bbbbbb", LengthUnit::Characters, 10), ["aaaaaa ", "bbbbbb"]);
        assert_eq!(split("", LengthUnit::Characters, 10), [""]);
    }
}
