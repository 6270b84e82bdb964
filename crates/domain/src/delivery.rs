//! What became of an outgoing message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Code, Timestamp};

/// How far an outgoing message came. Ranks only grow ([`DeliveryState::advance`]); the ticks of the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Written by the agent, on its way to the gate and the channel.
    Queued,
    /// The provider took it (its answer to our request).
    Accepted,
    /// The provider handed it to the network.
    Sent,
    /// It is on the contact's device.
    Delivered,
    /// The contact's app says that it was read.
    Read,
    /// It did not arrive, for a reason that is kept beside it.
    Failed,
    /// It waits for a person's decision (parked).
    Parked,
}

impl DeliveryState {
    const fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Parked => 1,
            Self::Accepted => 2,
            Self::Sent => 3,
            Self::Failed => 4,
            Self::Delivered => 5,
            Self::Read => 6,
        }
    }

    /// The state after hearing `heard`: providers repeat and reorder their receipts, so a state never goes back.
    /// A failure is final unless the message turns out to have arrived (a later delivered or read).
    #[must_use]
    pub fn advance(self, heard: Self) -> Self {
        if heard.rank() > self.rank() { heard } else { self }
    }

    /// Nothing more is owed: conservation counts it as done.
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Queued)
    }
}

/// Why a message failed, for the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Afluente's stable code; the desk translates it and `docs/errors` has a page for it.
    pub code: Code,
    /// The provider's own code, if it gave one.
    pub provider_code: Option<String>,
    /// The provider's own words, secrets removed.
    pub reason: Option<String>,
}

impl Failure {
    /// A failure with nothing from a provider.
    pub const fn of(code: Code) -> Self {
        Self { code, provider_code: None, reason: None }
    }
}

/// What a channel learnt when it tried to send one part. The set is closed: each outcome has one consequence,
/// and the kit, not the channel, draws it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The provider took it.
    Accepted {
        /// The provider's ids of it; receipts are matched by any of them. May be empty where there are no receipts.
        provider_ids: Vec<String>,
    },
    /// The provider will never take it.
    Rejected {
        /// Why.
        failure: Failure,
    },
    /// The contact cannot be reached: opted out, blocked, no such number. Consent is updated when `opted_out`.
    Unreachable {
        /// Whether the contact asked for it.
        opted_out: bool,
        /// Why.
        failure: Failure,
    },
    /// Too fast. Try the same part again after the pause; the whole account waits.
    Throttled {
        /// How long the provider asked us to wait; none means back off as usual.
        #[serde(with = "crate::serde_millis")]
        after: Option<Duration>,
    },
    /// Surely not sent (no connection, 5xx before acceptance). Try again with back-off.
    Unavailable {
        /// For logs and for the failure if tries run out.
        failure: Failure,
    },
    /// Nobody knows whether it was sent (the answer was lost). Never tried again unasked: parked for a decision.
    InDoubt {
        /// What happened.
        failure: Failure,
    },
    /// The provider says that the session window is closed.
    WindowClosed {
        /// The provider's words.
        failure: Failure,
    },
    /// The account cannot send at all (revoked token, no balance). That account alone is quarantined.
    Misconfigured {
        /// What an administrator must mend.
        failure: Failure,
    },
}

/// News from the provider about a message that it had accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The provider's ids that it may be known by, best first.
    pub provider_ids: Vec<String>,
    /// What is reported: [`DeliveryState::Sent`], `Delivered`, `Read` or `Failed`.
    pub state: DeliveryState,
    /// When it happened, by the provider's clock.
    pub at: Timestamp,
    /// Why, when failed.
    pub failure: Option<Failure>,
}

/// Where one part of an outgoing message stands. Long texts go out in several parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartDelivery {
    /// Its state.
    pub state: DeliveryState,
    /// The provider's ids of it.
    pub provider_ids: Vec<String>,
}

/// The delivery of a whole outgoing message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The state that the ticks show: the least of the parts, or failed or parked when any part is.
    pub state: DeliveryState,
    /// The parts that were heard of, by index.
    pub parts: Vec<PartDelivery>,
    /// How many parts the channel's plan has; zero until the first outcome.
    pub planned: u16,
    /// Why, when failed or parked.
    pub failure: Option<Failure>,
    /// When the state last moved.
    pub at: Timestamp,
}

impl Delivery {
    /// A delivery that was just asked for.
    pub const fn queued(at: Timestamp) -> Self {
        Self { state: DeliveryState::Queued, parts: Vec::new(), planned: 0, failure: None, at }
    }

    /// Notes that part `index` of `planned` reached `state`. Answers whether anything changed.
    pub fn note(
        &mut self,
        index: u16,
        planned: u16,
        state: DeliveryState,
        ids: &[String],
        failure: Option<Failure>,
        at: Timestamp,
    ) -> bool {
        let before = (self.state, self.failure.clone(), self.planned, self.parts.clone());
        self.planned = self.planned.max(planned).max(index.saturating_add(1));
        while self.parts.len() <= usize::from(index) {
            self.parts.push(PartDelivery { state: DeliveryState::Queued, provider_ids: Vec::new() });
        }
        if let Some(part) = self.parts.get_mut(usize::from(index)) {
            // It was refused by ourselves or on the way, and another attempt at it went through all the same: the
            // provider's word is the later truth. What the provider itself failed has its id, and stays failed.
            let went_after_all = part.state == DeliveryState::Failed && part.provider_ids.is_empty() && !ids.is_empty();
            part.state = if went_after_all { state } else { part.state.advance(state) };
            for id in ids {
                if !part.provider_ids.contains(id) {
                    part.provider_ids.push(id.clone());
                }
            }
        }
        self.state = self.overall();
        if matches!(self.state, DeliveryState::Failed | DeliveryState::Parked) {
            if failure.is_some() {
                self.failure = failure;
            }
        } else {
            self.failure = None;
        }
        let changed = before != (self.state, self.failure.clone(), self.planned, self.parts.clone());
        if changed {
            self.at = at;
        }
        changed
    }

    /// A person says what became of the parts that nobody knows of, and of those that were to follow them.
    pub fn settle(&mut self, state: DeliveryState, failure: Option<Failure>, at: Timestamp) {
        let planned = usize::from(self.planned.max(1)).max(self.parts.len());
        self.parts.resize(planned, PartDelivery { state: DeliveryState::Queued, provider_ids: Vec::new() });
        for part in &mut self.parts {
            if matches!(part.state, DeliveryState::Queued | DeliveryState::Parked) {
                part.state = state;
            }
        }
        self.state = self.overall();
        self.failure = failure.filter(|_| self.state == DeliveryState::Failed);
        self.at = at;
    }

    /// The index of the part that the provider knows by `id`.
    pub fn part_of(&self, id: &str) -> Option<u16> {
        let found = self.parts.iter().position(|part| part.provider_ids.iter().any(|known| known == id))?;
        u16::try_from(found).ok()
    }

    fn overall(&self) -> DeliveryState {
        for stuck in [DeliveryState::Failed, DeliveryState::Parked] {
            if self.parts.iter().any(|part| part.state == stuck) {
                return stuck;
            }
        }
        if self.parts.len() < usize::from(self.planned) {
            return DeliveryState::Queued;
        }
        self.parts.iter().map(|part| part.state).min_by_key(|state| state.rank()).unwrap_or(DeliveryState::Queued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeliveryState::{Accepted, Delivered, Failed, Parked, Queued, Read, Sent};

    #[test]
    fn receipts_only_move_forward() {
        assert_eq!(Read.advance(Delivered), Read);
        assert_eq!(Sent.advance(Accepted), Sent);
        assert_eq!(Accepted.advance(Read), Read, "read may come without delivered");
        assert_eq!(Sent.advance(Failed), Failed);
        assert_eq!(Failed.advance(Sent), Failed, "a late sent does not undo a failure");
        assert_eq!(Failed.advance(Delivered), Delivered, "it arrived after all");
        assert_eq!(Parked.advance(Accepted), Accepted, "an in-doubt send that a receipt proves");
    }

    #[test]
    fn an_acceptance_is_believed_over_our_own_refusal_and_not_over_the_providers() {
        let at = Timestamp::from_secs(1);
        let mut delivery = Delivery::queued(at);
        delivery.note(0, 1, Failed, &[], Some(Failure::of(crate::error::codes::OPTED_OUT)), at);
        assert!(delivery.note(0, 1, Accepted, &["a".into()], None, at));
        assert_eq!((delivery.state, delivery.failure.clone()), (Accepted, None));
        delivery.note(0, 1, Failed, &[], None, at);
        assert!(!delivery.note(0, 1, Accepted, &["a".into()], None, at), "told twice");
        assert_eq!(delivery.state, Failed);
    }

    #[test]
    fn a_message_is_as_far_as_its_slowest_part() {
        let at = Timestamp::from_secs(1);
        let mut delivery = Delivery::queued(at);
        assert!(delivery.note(0, 2, Accepted, &["a".into()], None, at));
        assert_eq!(delivery.state, Queued, "part 1 was not heard of");
        assert!(delivery.note(1, 2, Accepted, &["b".into()], None, at));
        assert_eq!(delivery.state, Accepted);
        let part = delivery.part_of("b").unwrap_or(9);
        assert!(delivery.note(part, 2, Read, &[], None, at));
        assert_eq!(delivery.state, Accepted);
        assert!(delivery.note(0, 2, Delivered, &[], None, at));
        assert_eq!(delivery.state, Delivered);
        assert!(!delivery.note(0, 2, Sent, &[], None, at), "a late receipt changes nothing");
    }

    #[test]
    fn x_2_a_person_settles_what_nobody_knows_of() {
        let at = Timestamp::from_secs(1);
        let mut delivery = Delivery::queued(at);
        delivery.note(0, 3, Accepted, &["a".into()], None, at);
        delivery.note(1, 3, Parked, &[], Some(Failure::of(crate::error::codes::IN_DOUBT)), at);
        let mut arrived = delivery.clone();
        arrived.settle(Sent, None, Timestamp::from_secs(2));
        assert_eq!(arrived.parts.iter().map(|part| part.state).collect::<Vec<_>>(), [Accepted, Sent, Sent]);
        assert_eq!((arrived.state, arrived.failure), (Accepted, None));
        let why = Some(Failure::of(crate::error::codes::DISCARDED));
        delivery.settle(Failed, why.clone(), Timestamp::from_secs(2));
        assert_eq!((delivery.state, delivery.failure), (Failed, why));
    }
}
