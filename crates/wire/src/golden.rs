//! Bytes of the first release, kept in `testdata/`: they must decode to the same values forever. A file is never
//! changed; a new field gets a new file.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{fmt::Debug, path::Path};

use domain::InboundBody;

use crate::{Wire, decode, encode, samples};

fn holds<T: Wire + PartialEq + Debug>(name: &str, expected: &T) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(format!("{name}.hex"));
    let written = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; a new file would hold\n{}", path.display(), hex::encode(encode(expected)))
    });
    let text: String = written.split_whitespace().collect();
    let bytes = hex::decode(text).unwrap();
    assert_eq!(&decode::<T>(&bytes).unwrap(), expected, "{name} no longer says what it said");
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
    holds("consent-entry.1", &samples::consent_entry());
}

#[test]
fn ses_11_the_signed_bytes_of_the_first_release_are_the_same() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/permit-bytes.1.hex");
    let bytes = hex::encode(crate::permit_bytes(&samples::send_request(), &samples::permit()));
    let written = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}\n{bytes}", path.display()));
    assert_eq!(bytes, written.trim(), "channels of the last release would refuse every permit");
}
