//! What the session service must hear of: what contacts and providers say that bears on consent. It reads all else that
//! contacts write for itself, in the router's store, when a send is asked for.

use std::collections::BTreeMap;

use domain::{EventId, Inbound, InboundBody};
use ports::{
    bus::{Envelope, headers},
    topology::Topic,
};
use routing::{Decision, Event};
use runtime::trace;
use sessions::{bears_on_consent, policy_of};
use wire::Wire as _;

/// The event, when its decision makes it the session service's business: a provider's word on consent, a contact's
/// words by which they take their agreement back or give it again, and the words by which they began. What is carried
/// out already was told with it.
pub(crate) fn told<'a>(event: &'a Event, decision: &Decision) -> Option<&'a Inbound> {
    let Event::Inbound(inbound) = event else { return None };
    if decision.refusal.is_some() || decision.why == "duplicate" {
        return None;
    }
    let bears = match &inbound.body {
        InboundBody::Consent(_) => true,
        InboundBody::Message(said) => {
            decision.why == "opened" || bears_on_consent(policy_of(inbound.channel.as_str()), &said.content)
        }
        _ => false,
    };
    bears.then_some(inbound)
}

/// The event as it goes to the session service, in the trace of `span`.
pub(crate) fn envelope(inbound: &Inbound, topic: Topic, span: &tracing::Span) -> Envelope {
    let mut headers = BTreeMap::from([(headers::ORGANIZATION.to_owned(), inbound.thread.organization.to_string())]);
    trace::inject_from(span, &mut headers);
    Envelope {
        id: EventId::derive(&["consent", &inbound.id.to_string()]).to_string(),
        topic,
        kind: Inbound::KIND.to_owned(),
        correlation: None,
        headers,
        body: wire::encode(inbound),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use domain::{
        AccountId, Address, ConsentChange, Content, DeliveryState, InboundMessage, OrganizationId, Profile, Receipt,
        Thread, Timestamp,
    };

    use super::*;

    fn event(body: InboundBody) -> Event {
        let (organization, account) = (OrganizationId::derive(&["o"]), AccountId::derive(&["a"]));
        let at = Timestamp::from_secs(1);
        Event::Inbound(Inbound {
            id: EventId::derive(&["event"]),
            thread: Thread { organization, account, address: Address::new("5511999990000") },
            channel: "whatsapp".parse().unwrap(),
            at,
            received_at: at,
            body,
        })
    }

    fn says(words: &str) -> Event {
        let (content, profile) = (Content::text(words), Profile::default());
        event(InboundBody::Message(InboundMessage { provider_id: "1".into(), content, profile, reply_to: None }))
    }

    fn is_told(event: &Event, why: &'static str) -> bool {
        told(event, &Decision { why, ..Decision::default() }).is_some()
    }

    #[test]
    fn ses_5_what_bears_on_consent_is_told_once_and_nothing_else_is() {
        let change = ConsentChange { granted: false, source: "provider_event".into(), evidence: "blocked".into() };
        let blocked = event(InboundBody::Consent(change));
        assert!(is_told(&blocked, "consent"));
        assert!(is_told(&says("STOP"), "received") && is_told(&says("start"), "received"));
        assert!(is_told(&says("oi"), "opened"), "who begins agrees");
        assert!(!is_told(&says("oi"), "received"));
        let receipt = Receipt {
            provider_ids: Vec::new(),
            state: DeliveryState::Read,
            at: Timestamp::from_secs(1),
            failure: None,
        };
        assert!(!is_told(&event(InboundBody::Receipt(receipt)), "read"));
        for event in [&blocked, &says("STOP")] {
            assert!(!is_told(event, "duplicate"));
        }
    }

    #[test]
    fn what_the_core_refuses_is_parked_and_not_told() {
        let refusal = domain::Refusal::new(domain::Class::NotFound, domain::error::codes::NOT_FOUND, "no account");
        let decision = Decision { refusal: Some(refusal), ..Decision::default() };
        assert!(told(&says("STOP"), &decision).is_none());
    }
}
