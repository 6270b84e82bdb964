//! What a file is: by its bytes where they tell, by what was declared where that can do no harm.

use domain::MediaKind;

const UNKNOWN: &str = "application/octet-stream";

/// Magic bytes at a place, and what they mean.
const MAGIC: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"%PDF-", "application/pdf"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp3g", "video/3gpp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
    (8, b"WAVE", "audio/wav"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"PK\x03\x04", "application/zip"),
];

/// One container, several names: sound and film share them, and office files are zip archives.
fn compatible(declared: &str, seen: &str) -> bool {
    match seen {
        "video/mp4" | "audio/mp4" | "video/quicktime" => {
            matches!(declared, "audio/mp4" | "audio/x-m4a" | "audio/m4a" | "video/mp4" | "video/quicktime")
        }
        "video/webm" => matches!(declared, "audio/webm" | "video/webm" | "video/x-matroska"),
        "audio/ogg" => matches!(declared, "audio/ogg" | "video/ogg" | "audio/opus" | "application/ogg"),
        "application/zip" => declared.starts_with("application/"),
        _ => declared == seen,
    }
}

/// The MIME type to keep, parameters removed.
pub(crate) fn settle(declared: &str, bytes: &[u8]) -> String {
    let declared = declared.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let well_formed = declared.split_once('/').is_some_and(|(kind, name)| {
        let token = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
        };
        token(kind) && token(name)
    });
    let seen = MAGIC.iter().find(|(at, magic, _)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    match seen.map(|(_, _, mime)| *mime) {
        Some(seen) if well_formed && compatible(&declared, seen) => declared,
        Some(seen) => seen.to_owned(),
        // Bytes that show no picture, sound or film are none, whatever they are called.
        None if !well_formed || kind(&declared) != MediaKind::Document => UNKNOWN.to_owned(),
        None => declared,
    }
}

/// The kind of media that a MIME type is.
pub(crate) fn kind(mime: &str) -> MediaKind {
    match mime.split_once('/') {
        // Scalable pictures are documents: they carry scripts.
        Some(("image", name)) if !name.starts_with("svg") => MediaKind::Image,
        Some(("audio", _)) => MediaKind::Audio,
        Some(("video", _)) => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// Shown in the page; everything else is a download.
pub(crate) fn inline(mime: &str) -> bool {
    kind(mime) != MediaKind::Document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_tell_before_the_name() {
        assert_eq!(settle("text/html", b"\x89PNG\r\n\x1a\n...."), "image/png");
        assert_eq!(settle("image/png", b"<script>"), UNKNOWN);
        assert_eq!(settle("image/svg+xml; charset=utf-8", b"<svg/>"), "image/svg+xml");
        assert_eq!(settle("audio/webm;codecs=opus", b"\x1a\x45\xdf\xa3..."), "audio/webm");
        assert_eq!(settle("application/vnd.ms-excel", b"PK\x03\x04..."), "application/vnd.ms-excel");
        assert_eq!(settle("nonsense", b"abc"), UNKNOWN);
        assert_eq!(settle("text/csv", b"a;b"), "text/csv");
    }

    #[test]
    fn pages_and_scalable_pictures_are_downloads() {
        for risky in ["text/html", "image/svg+xml", "application/xhtml+xml", "application/pdf", UNKNOWN] {
            assert!(!inline(risky), "{risky}");
        }
        assert!(inline("image/png") && inline("audio/ogg") && inline("video/mp4"));
    }
}
