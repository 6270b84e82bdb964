//! Media of an earlier message was fetched, or lost.

use domain::{Content, Media, MediaSettled, MediaSource};

use crate::{Decision, State, brought_by};

pub(crate) fn decide(state: &State, settled: &MediaSettled) -> Decision {
    let Some(known) = state.messages.get(&brought_by(settled.message_event)) else {
        // Its message and the job that fetched it went different ways to the broker, or the message waited on a disk.
        return Decision { too_early: true, ..Decision::unchanged("unknown_message") };
    };
    let Content::Media(media) = &known.content else { return Decision::unchanged("not_media") };
    if !matches!(media.source, MediaSource::Pending { .. }) {
        return Decision::unchanged("stale");
    }
    let mut message = known.clone();
    message.content = Content::Media(Media {
        source: settled.source.clone(),
        mime: settled.mime.clone().unwrap_or_else(|| media.mime.clone()),
        size: settled.size.or(media.size),
        ..media.clone()
    });
    let mut decision = Decision::unchanged("media_settled");
    decision.message = Some(message.id);
    decision.message(message);
    decision
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{InboundBody, MediaKind};

    use super::*;
    use crate::sample::World;

    #[test]
    fn x_10_the_message_is_shown_at_once_and_its_media_follows() {
        let mut world = World::manual();
        let pending = MediaSource::Pending { reference: "https://provider/1".into(), expires_at: None };
        let picture = Media {
            kind: MediaKind::Image,
            mime: "image/jpeg".into(),
            name: None,
            caption: Some("olha".into()),
            size: None,
            source: pending,
        };
        let inbound = world.message("ana", Content::Media(picture));
        let message_event = inbound.id;
        let source = MediaSource::Stored { key: "k".into(), sha256: "0".into() };
        let soon = MediaSettled { message_event, source, mime: None, size: None };
        let early = world.event("ana", InboundBody::MediaSettled(soon));
        let decision = world.inbound(early);
        assert!(decision.too_early && decision.changes.is_empty(), "it is no duplicate when it comes again");
        world.inbound(inbound);
        let stored = MediaSource::Stored { key: "k".into(), sha256: "0".into() };
        let settled =
            MediaSettled { message_event, source: stored.clone(), mime: Some("image/png".into()), size: Some(7) };
        let event = world.event("ana", InboundBody::MediaSettled(settled.clone()));
        assert_eq!(world.inbound(event).why, "media_settled");
        let message = world.state.messages.values().next().unwrap();
        let Content::Media(media) = &message.content else { panic!("media") };
        assert_eq!((&media.source, media.mime.as_str(), media.size), (&stored, "image/png", Some(7)));
        assert_eq!(media.caption.as_deref(), Some("olha"));
        let late = MediaSettled { source: MediaSource::Lost { reason: "expired".into() }, ..settled };
        let event = world.event("ana", InboundBody::MediaSettled(late));
        assert_eq!(world.inbound(event).why, "stale", "what is stored is not lost again");
    }
}
