//! The promises of [`crate::Ledger`].

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use domain::{Failure, MessageId, Outcome, error::codes};

use super::samples::{World, at};
use crate::{Begun, Ledger, StoreError};

pub(super) fn message() -> MessageId {
    let world = World::new();
    world.inbound(&world.conversation(1), 1, 1).id
}

/// Under a claim that nobody else has.
pub(super) async fn begin(
    ledger: &Arc<dyn Ledger>,
    message: MessageId,
    part: u16,
    second: u64,
) -> Result<Begun, StoreError> {
    static CLAIMS: AtomicU64 = AtomicU64::new(0);
    let claim = CLAIMS.fetch_add(1, Ordering::Relaxed).to_string();
    ledger.begin(message, part, &claim, at(second)).await
}

pub(super) fn accepted() -> Outcome {
    Outcome::Accepted { provider_ids: vec!["wamid.1".into(), "gs-1".into()] }
}

pub(super) fn rejected() -> Outcome {
    Outcome::Rejected { failure: Failure::of(codes::PROVIDER_REJECTED) }
}

/// A second begin is a doubt: somebody may have sent it.
pub async fn an_attempt_begins_once(ledger: Arc<dyn Ledger>) {
    let message = message();
    assert_eq!(begin(&ledger, message, 0, 1).await, Ok(Begun::Fresh));
    assert_eq!(begin(&ledger, message, 0, 2).await, Ok(Begun::InDoubt));
    assert_eq!(begin(&ledger, message, 1, 2).await, Ok(Begun::Fresh), "parts are apart");
}

/// What was learnt is answered from then on.
pub async fn a_finished_attempt_answers_its_outcome(ledger: Arc<dyn Ledger>) {
    for outcome in [accepted(), rejected(), Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) }] {
        let message = message();
        begin(&ledger, message, 0, 1).await.unwrap();
        ledger.finish(message, 0, &outcome).await.unwrap();
        assert_eq!(begin(&ledger, message, 0, 2).await, Ok(Begun::Done(outcome)));
    }
}

/// Throttled and unavailable clear the mark.
pub async fn surely_not_sent_may_begin_again(ledger: Arc<dyn Ledger>) {
    let message = message();
    let failure = Failure::of(codes::PROVIDER_UNAVAILABLE);
    for outcome in [Outcome::Throttled { after: None }, Outcome::Unavailable { failure }] {
        assert_eq!(begin(&ledger, message, 0, 1).await, Ok(Begun::Fresh));
        ledger.finish(message, 0, &outcome).await.unwrap();
    }
    assert_eq!(begin(&ledger, message, 0, 2).await, Ok(Begun::Fresh));
}

/// An answer that was lost leaves a mark that its own claim finds fresh, and every other in doubt.
pub async fn who_asks_again_under_its_own_claim_goes_on(ledger: Arc<dyn Ledger>) {
    let message = message();
    let begin = async |claim: &str| ledger.begin(message, 0, claim, at(1)).await.unwrap();
    assert_eq!(begin("one").await, Begun::Fresh);
    assert_eq!(begin("one").await, Begun::Fresh);
    assert_eq!(begin("two").await, Begun::InDoubt);
    assert_eq!(begin("").await, Begun::InDoubt);
    assert_eq!(begin("one").await, Begun::Fresh, "others change nothing");
    // Once it is finished, it is so for everybody.
    ledger.finish(message, 0, &accepted()).await.unwrap();
    assert_eq!(begin("one").await, Begun::Done(accepted()));
    // What was surely not sent is free for all, and then the next one's.
    let message = self::message();
    ledger.begin(message, 0, "one", at(1)).await.unwrap();
    ledger.finish(message, 0, &Outcome::Throttled { after: None }).await.unwrap();
    assert_eq!(ledger.begin(message, 0, "two", at(2)).await, Ok(Begun::Fresh));
    assert_eq!(ledger.begin(message, 0, "one", at(3)).await, Ok(Begun::InDoubt));
}

/// Ten replicas, one sends.
pub async fn of_many_only_one_begins(ledger: Arc<dyn Ledger>) {
    let message = message();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let ledger = ledger.clone();
            tokio::spawn(async move { begin(&ledger, message, 0, 1).await.unwrap() })
        })
        .collect();
    let mut fresh = 0;
    for task in tasks {
        fresh += usize::from(task.await.unwrap() == Begun::Fresh);
    }
    assert_eq!(fresh, 1);
}
