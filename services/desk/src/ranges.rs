//! One byte range of a `Range` header (RFC 9110 section 14); players ask for one at a time.

/// What is wanted of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it: no range, one that makes no sense, or several.
    All,
    /// From the first to before the second.
    Part {
        /// The first byte.
        from: usize,
        /// The byte after the last.
        to: usize,
    },
    /// Nothing of it lies in the body.
    Outside,
}

/// Reads the header for a body of `length` bytes.
pub(crate) fn parse(header: Option<&str>, length: usize) -> Wanted {
    let Some(spec) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Wanted::All };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::All };
    let number = |text: &str| text.trim().parse::<usize>();
    match (first.trim(), last.trim()) {
        ("", tail) => match number(tail) {
            Ok(0) => Wanted::Outside,
            Ok(tail) if length > 0 => Wanted::Part { from: length.saturating_sub(tail), to: length },
            Ok(_) => Wanted::Outside,
            Err(_) => Wanted::All,
        },
        (first, "") => match number(first) {
            Ok(from) if from < length => Wanted::Part { from, to: length },
            Ok(_) => Wanted::Outside,
            Err(_) => Wanted::All,
        },
        (first, last) => match (number(first), number(last)) {
            (Ok(from), Ok(last)) if from > last => Wanted::All,
            (Ok(from), Ok(last)) if from < length => Wanted::Part { from, to: last.saturating_add(1).min(length) },
            (Ok(_), Ok(_)) => Wanted::Outside,
            _ => Wanted::All,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read() {
        let part = |from, to| Wanted::Part { from, to };
        assert_eq!(parse(None, 10), Wanted::All);
        assert_eq!(parse(Some("bytes=0-"), 10), part(0, 10));
        assert_eq!(parse(Some("bytes=2-4"), 10), part(2, 5));
        assert_eq!(parse(Some("bytes=8-99"), 10), part(8, 10));
        assert_eq!(parse(Some("bytes=-3"), 10), part(7, 10));
        assert_eq!(parse(Some("bytes=-30"), 10), part(0, 10));
        assert_eq!(parse(Some("bytes=10-"), 10), Wanted::Outside);
        assert_eq!(parse(Some("bytes=4-2"), 10), Wanted::All);
        assert_eq!(parse(Some("bytes=0-1,4-5"), 10), Wanted::All);
        assert_eq!(parse(Some("lines=0-1"), 10), Wanted::All);
    }
}
