//! Bytes of the first release, kept in `testdata/`: they must decode to the same values forever, also with fields that a
//! newer release adds. A file is never changed; a new field gets a new file, and samples only grow at their end.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{fmt::Debug, path::Path};

use domain::InboundBody;

use crate::{Wire, decode, encode, samples};

/// A field that no release has written yet: number 2000, a string.
const NEWER: &[u8] = b"\x82\x7d\x05newer";

/// Answers the value's kind, for the list of those that were looked at.
fn holds<T: Wire + PartialEq + Debug>(name: &str, expected: &T) -> &'static str {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(format!("{name}.hex"));
    let written = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; a new file would hold\n{}", path.display(), hex::encode(encode(expected)))
    });
    let text: String = written.split_whitespace().collect();
    let bytes = hex::decode(text).unwrap();
    assert_eq!(&decode::<T>(&bytes).unwrap(), expected, "{name} no longer says what it said");
    let newer = [&bytes, NEWER].concat();
    assert_eq!(&decode::<T>(&newer).unwrap(), expected, "{name} with a newer field");
    T::KIND
}

/// All of a list, numbered.
fn all<T: Wire + PartialEq + Debug>(name: &str, expected: &[T]) -> &'static str {
    expected.iter().enumerate().for_each(|(number, one)| _ = holds(&format!("{name}-{number}.1"), one));
    T::KIND
}

#[test]
fn bytes_of_the_first_release_still_say_the_same() {
    let bodies = samples::inbound_bodies();
    let message = bodies.iter().find(|body| matches!(body, InboundBody::Message(_))).unwrap();
    let attempted = bodies.iter().find(|body| matches!(body, InboundBody::Attempted(_))).unwrap();
    let receipt = bodies.iter().find(|body| matches!(body, InboundBody::Receipt(_))).unwrap();
    holds("inbound-message.1", &samples::inbound(message.clone()));
    holds("inbound-attempted.1", &samples::inbound(attempted.clone()));
    holds("inbound-receipt.1", &samples::inbound(receipt.clone()));
    holds("permitted.1", &samples::permitted());
    holds("media-job.1", &samples::media_job());
    holds("commanded-send.1", &samples::commands()[5]);
    holds("desk-event-conversation.1", &samples::desk_events()[0]);
    holds("desk-event-message.1", &samples::desk_events()[1]);
    holds("done.1", &samples::done());
    holds("parked.1", &samples::parked());
    holds("bundle.1", &samples::bundle());
    holds("parked.2", &samples::parked_in_doubt());
    holds("consent-entry.1", &samples::consent_entry());
}

#[test]
fn every_kind_of_message_has_bytes_of_the_first_release() {
    let inbound: Vec<_> = samples::inbound_bodies().into_iter().map(samples::inbound).collect();
    let looked_at = [
        all("inbound", &inbound),
        all("content", &samples::contents()),
        all("commanded", &samples::commands()),
        all("desk-event", &samples::desk_events()),
        holds("desk-page.1", &samples::desk_page()),
        holds("send-request.1", &samples::send_request()),
        holds("permitted.1", &samples::permitted()),
        holds("media-job.1", &samples::media_job()),
        holds("capabilities.1", &samples::capabilities()),
        holds("done.1", &samples::done()),
        holds("consent-entry.1", &samples::consent_entry()),
        holds("parked.1", &samples::parked()),
        holds("bundle.1", &samples::bundle()),
        holds("conversation.1", &samples::conversation()),
        holds("message.1", &samples::message()),
        holds("contact.1", &samples::contact()),
        holds("seat.1", &samples::seat()),
        holds("refusal.1", &samples::refusal()),
    ];
    for kind in crate::KINDS {
        assert!(looked_at.contains(kind), "{kind} has no bytes that must be readable forever");
    }
}

#[test]
fn ses_11_the_signed_bytes_of_the_first_release_are_the_same() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/permit-bytes.1.hex");
    let bytes = hex::encode(crate::permit_bytes(&samples::send_request(), &samples::permit()));
    let written = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}\n{bytes}", path.display()));
    assert_eq!(bytes, written.trim(), "channels of the last release would refuse every permit");
}
