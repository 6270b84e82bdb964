//! The promises of [`crate::Ledger`].

use std::sync::Arc;

use domain::{Failure, MessageId, Outcome, error::codes};

use super::samples::{World, at};
use crate::{Begun, Ledger};

fn message() -> MessageId {
    let world = World::new();
    world.inbound(&world.conversation(1), 1, 1).id
}

fn accepted() -> Outcome {
    Outcome::Accepted { provider_ids: vec!["wamid.1".into(), "gs-1".into()] }
}

fn rejected() -> Outcome {
    Outcome::Rejected { failure: Failure::of(codes::PROVIDER_REJECTED) }
}

/// A second begin is a doubt: somebody may have sent it.
pub async fn an_attempt_begins_once(ledger: Arc<dyn Ledger>) {
    let message = message();
    assert_eq!(ledger.begin(message, 0, at(1)).await, Ok(Begun::Fresh));
    assert_eq!(ledger.begin(message, 0, at(2)).await, Ok(Begun::InDoubt));
    assert_eq!(ledger.begin(message, 1, at(2)).await, Ok(Begun::Fresh), "parts are apart");
}

/// What was learnt is answered from then on.
pub async fn a_finished_attempt_answers_its_outcome(ledger: Arc<dyn Ledger>) {
    for outcome in [accepted(), rejected(), Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) }] {
        let message = message();
        ledger.begin(message, 0, at(1)).await.unwrap();
        ledger.finish(message, 0, &outcome).await.unwrap();
        assert_eq!(ledger.begin(message, 0, at(2)).await, Ok(Begun::Done(outcome)));
    }
}

/// Throttled and unavailable clear the mark.
pub async fn surely_not_sent_may_begin_again(ledger: Arc<dyn Ledger>) {
    let message = message();
    let failure = Failure::of(codes::PROVIDER_UNAVAILABLE);
    for outcome in [Outcome::Throttled { after: None }, Outcome::Unavailable { failure }] {
        assert_eq!(ledger.begin(message, 0, at(1)).await, Ok(Begun::Fresh));
        ledger.finish(message, 0, &outcome).await.unwrap();
    }
    assert_eq!(ledger.begin(message, 0, at(2)).await, Ok(Begun::Fresh));
}

/// A person's retry sends again what failed, never what arrived.
pub async fn reopening_keeps_what_was_accepted(ledger: Arc<dyn Ledger>) {
    let message = message();
    for (part, outcome) in [(0, Some(accepted())), (1, Some(rejected())), (2, None)] {
        ledger.begin(message, part, at(1)).await.unwrap();
        if let Some(outcome) = outcome {
            ledger.finish(message, part, &outcome).await.unwrap();
        }
    }
    ledger.reopen(message).await.unwrap();
    assert_eq!(ledger.begin(message, 0, at(2)).await, Ok(Begun::Done(accepted())));
    assert_eq!(ledger.begin(message, 1, at(2)).await, Ok(Begun::Fresh));
    assert_eq!(ledger.begin(message, 2, at(2)).await, Ok(Begun::Fresh));
}

/// Ten replicas, one sends.
pub async fn of_many_only_one_begins(ledger: Arc<dyn Ledger>) {
    let message = message();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.begin(message, 0, at(1)).await.unwrap() })
        })
        .collect();
    let mut fresh = 0;
    for task in tasks {
        fresh += usize::from(task.await.unwrap() == Begun::Fresh);
    }
    assert_eq!(fresh, 1);
}
