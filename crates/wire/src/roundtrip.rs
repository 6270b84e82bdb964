//! What goes out comes in the same; what a newer release says is read leniently where that is safe.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Debug;

use domain::{Address, Content, DeliveryState, Inbound, InboundBody, InboundMessage, Outcome, Profile, Timestamp};
use proptest::prelude::*;
use prost::Message as _;

use crate::{DecodeError, Wire, decode, encode, pb, samples};

fn travels<T: Wire + PartialEq + Debug>(value: &T) {
    let bytes = encode(value);
    assert_eq!(&decode::<T>(&bytes).unwrap(), value);
    assert_eq!(encode(value), bytes, "the same value has the same bytes");
}

#[test]
fn every_kind_travels() {
    samples::inbound_bodies().into_iter().for_each(|body| travels(&samples::inbound(body)));
    samples::contents().iter().for_each(travels);
    samples::commands().iter().for_each(travels);
    samples::desk_events().iter().for_each(travels);
    travels(&samples::desk_page());
    travels(&samples::send_request());
    travels(&samples::permitted());
    travels(&samples::media_job());
    travels(&samples::capabilities());
    travels(&samples::consent_entry());
    travels(&samples::conversation());
    travels(&samples::message());
    travels(&samples::contact());
    travels(&samples::seat());
    travels(&samples::done());
    travels(&domain::Done::default());
    travels(&samples::parked());
    travels(&samples::bundle());
    travels(&samples::parked_in_doubt());
    travels(&samples::refusal());
}

#[test]
fn absent_values_stay_absent() {
    let mut conversation = samples::conversation();
    conversation.agent = None;
    conversation.assignment = None;
    conversation.close_reason = None;
    conversation.closed_at = None;
    conversation.last_inbound_at = None;
    conversation.contact_name = None;
    travels(&conversation);
    let request =
        domain::SendRequest { reply_to: None, author: None, last_inbound_at: None, ..samples::send_request() };
    travels(&request);
    let media = domain::Media {
        name: None,
        caption: None,
        size: None,
        ..samples::media(domain::MediaSource::Lost { reason: "too_large".to_owned() })
    };
    travels(&Content::Media(media));
}

#[test]
fn kinds_are_the_full_names_of_proto_messages() {
    let descriptors = prost_types::FileDescriptorSet::decode(pb::DESCRIPTORS).unwrap();
    let names: Vec<String> = descriptors
        .file
        .iter()
        .flat_map(|file| file.message_type.iter().map(|one| format!("{}.{}", file.package(), one.name())))
        .collect();
    for kind in crate::KINDS {
        assert!(names.iter().any(|name| name == kind), "{kind}");
    }
}

#[test]
fn content_of_a_newer_release_is_unsupported_with_its_kind() {
    let newer = pb::common::v1::Content { kind: "poll".to_owned(), body: None };
    let content: Content = decode(&newer.encode_to_vec()).unwrap();
    assert_eq!(content, Content::Unsupported { kind: "poll".to_owned() });
}

#[test]
fn enums_of_a_newer_release_have_a_safe_meaning_or_none() {
    let mut receipt = pb::common::v1::Receipt::from(&domain::Receipt {
        provider_ids: vec!["a".to_owned()],
        state: DeliveryState::Read,
        at: Timestamp::from_millis(1),
        failure: None,
    });
    receipt.state = 99;
    assert_eq!(domain::Receipt::try_from(receipt).unwrap().state, DeliveryState::Queued, "moves nothing");

    let unknown = pb::common::v1::Outcome { outcome: None };
    assert!(matches!(Outcome::try_from(unknown).unwrap(), Outcome::InDoubt { .. }), "a person decides");

    let mut commanded = pb::router::v1::Commanded::from(&samples::commands()[3]);
    commanded.role = 99;
    assert_eq!(domain::Commanded::try_from(commanded.clone()).unwrap().role, domain::Role::Agent, "the least");
    commanded.command = None;
    assert_eq!(domain::Commanded::try_from(commanded), Err(DecodeError::Unknown("command")));

    let mut conversation = pb::common::v1::Conversation::from(&samples::conversation());
    conversation.stage = 99;
    assert_eq!(domain::Conversation::try_from(conversation), Err(DecodeError::Unknown("stage")));
}

#[test]
fn poison_is_an_error_that_quotes_nothing() {
    let error = decode::<Inbound>(b"\xff\xff5511999990000").unwrap_err();
    assert!(!error.to_string().contains("5511"), "{error}");
    let error = decode::<Inbound>(b"").unwrap_err();
    assert_eq!(error, DecodeError::Unknown("body"));
    let mut request = pb::channel::v1::SendRequest::from(&samples::send_request());
    request.message = "msg_nonsense".to_owned();
    let error = decode::<domain::SendRequest>(&request.encode_to_vec()).unwrap_err();
    assert_eq!(error, DecodeError::Invalid("message"));
}

/// What a newer release may write anywhere: every number of the bytes changed, one at a time. A reader takes it or
/// refuses it, and a refused one is parked; it never panics.
#[test]
fn no_changed_byte_makes_a_reader_panic() {
    fn shaken<T: Wire>(value: &T) {
        let bytes = encode(value);
        for at in 0..bytes.len() {
            for with in [0x00, 0x01, 0x63, 0x7f, 0xff] {
                let mut changed = bytes.to_vec();
                changed[at] = with;
                let _ = decode::<T>(&changed);
            }
            let _ = decode::<T>(&bytes[..at]);
        }
    }
    samples::inbound_bodies().into_iter().for_each(|body| shaken(&samples::inbound(body)));
    samples::commands().iter().for_each(shaken);
    samples::desk_events().iter().for_each(shaken);
    shaken(&samples::permitted());
    shaken(&samples::media_job());
    shaken(&samples::done());
    shaken(&samples::parked());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_travels(text in ".*", address in ".*", name in proptest::option::of(".*"), at in any::<i64>()) {
        let message = InboundMessage {
            provider_id: address.clone(),
            content: Content::text(text),
            profile: Profile { name, ..Profile::default() },
            reply_to: None,
        };
        let mut inbound = samples::inbound(InboundBody::Message(message));
        inbound.thread.address = Address::new(address);
        inbound.at = Timestamp::from_millis(at);
        let arrived: Inbound = decode(&encode(&inbound)).unwrap();
        prop_assert_eq!(arrived, inbound);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode::<Inbound>(&bytes);
        let _ = decode::<domain::Permitted>(&bytes);
        let _ = decode::<domain::Commanded>(&bytes);
        let _ = decode::<domain::DeskEvent>(&bytes);
        let _ = decode::<domain::DeskPage>(&bytes);
    }
}
