//! The promises of [`crate::Ledger`].

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use domain::{Failure, MessageId, Outcome, error::codes};

use super::samples::{World, at};
use crate::{Begun, Claim, Ledger, StoreError};

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
    ledger.begin(message, part, &nobody_elses(), at(second)).await
}

fn nobody_elses() -> Claim {
    static CLAIMS: AtomicU64 = AtomicU64::new(0);
    Claim::new(CLAIMS.fetch_add(1, Ordering::Relaxed).to_string())
}

/// Begun and finished by somebody.
pub(super) async fn tried(ledger: &Arc<dyn Ledger>, message: MessageId, part: u16, outcome: &Outcome) {
    let claim = nobody_elses();
    assert_eq!(ledger.begin(message, part, &claim, at(1)).await, Ok(Begun::Fresh));
    ledger.finish(message, part, &claim, outcome).await.unwrap();
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
        tried(&ledger, message, 0, &outcome).await;
        assert_eq!(begin(&ledger, message, 0, 2).await, Ok(Begun::Done(outcome)));
    }
}

/// Throttled and unavailable clear the mark.
pub async fn surely_not_sent_may_begin_again(ledger: Arc<dyn Ledger>) {
    let message = message();
    let failure = Failure::of(codes::PROVIDER_UNAVAILABLE);
    for outcome in [Outcome::Throttled { after: None }, Outcome::Unavailable { failure }] {
        tried(&ledger, message, 0, &outcome).await;
    }
    assert_eq!(begin(&ledger, message, 0, 2).await, Ok(Begun::Fresh));
}

/// An answer that was lost leaves a mark that its own claim finds fresh, and every other in doubt.
pub async fn who_asks_again_under_its_own_claim_goes_on(ledger: Arc<dyn Ledger>) {
    let message = message();
    let (one, two) = (Claim::new("one"), Claim::new("two"));
    let begin = async |claim: &Claim| ledger.begin(message, 0, claim, at(1)).await.unwrap();
    assert_eq!(begin(&one).await, Begun::Fresh);
    assert_eq!(begin(&one).await, Begun::Fresh);
    for stranger in [two.clone(), two.next(), Claim::new(""), Claim::new("on"), Claim::new("one#0")] {
        assert_eq!(begin(&stranger).await, Begun::InDoubt, "{stranger}");
    }
    assert_eq!(begin(&one).await, Begun::Fresh, "others change nothing");
    // Once it is finished, it is so for everybody.
    ledger.finish(message, 0, &one, &accepted()).await.unwrap();
    assert_eq!(begin(&one).await, Begun::Done(accepted()));
    assert_eq!(begin(&one.next()).await, Begun::Done(accepted()));
    // What was surely not sent is free for all, and then the next one's.
    let message = self::message();
    ledger.begin(message, 0, &one, at(1)).await.unwrap();
    ledger.finish(message, 0, &one, &Outcome::Throttled { after: None }).await.unwrap();
    assert_eq!(ledger.begin(message, 0, &two, at(2)).await, Ok(Begun::Fresh));
    assert_eq!(ledger.begin(message, 0, &one, at(3)).await, Ok(Begun::InDoubt));
}

/// A statement that was given up may be carried out while the next try is on its way: it must not take its mark.
pub async fn what_an_earlier_try_learnt_changes_nothing_of_the_next(ledger: Arc<dyn Ledger>) {
    let message = message();
    let throttled = Outcome::Throttled { after: None };
    let first = Claim::new("one");
    let second = first.next();
    // The first could not note that it failed; its holder goes on all the same, nobody else does.
    assert_eq!(ledger.begin(message, 0, &first, at(1)).await, Ok(Begun::Fresh));
    assert_eq!(ledger.begin(message, 0, &second, at(2)).await, Ok(Begun::Fresh));
    for late in [throttled.clone(), rejected()] {
        ledger.finish(message, 0, &first, &late).await.unwrap();
        assert_eq!(begin(&ledger, message, 0, 3).await, Ok(Begun::InDoubt), "{late:?}");
    }
    ledger.finish(message, 0, &second, &accepted()).await.unwrap();
    ledger.finish(message, 0, &second, &throttled).await.unwrap();
    assert_eq!(begin(&ledger, message, 0, 4).await, Ok(Begun::Done(accepted())), "what is known stays known");
    // The next one's mark outlives a late word of the one before, too.
    let message = self::message();
    tried(&ledger, message, 0, &throttled).await;
    assert_eq!(ledger.begin(message, 0, &second, at(5)).await, Ok(Begun::Fresh));
    ledger.finish(message, 0, &first, &throttled).await.unwrap();
    assert_eq!(begin(&ledger, message, 0, 6).await, Ok(Begun::InDoubt));
}

/// Who finds a doubt notes it of another's try; what that one knows counts more, whichever comes first.
pub async fn a_doubt_yields_to_what_is_known(ledger: Arc<dyn Ledger>) {
    let doubt = Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) };
    let (one, two) = (Claim::new("one"), Claim::new("two"));
    for known_first in [true, false] {
        let message = message();
        ledger.begin(message, 0, &one, at(1)).await.unwrap();
        assert_eq!(ledger.begin(message, 0, &two, at(2)).await, Ok(Begun::InDoubt));
        if known_first {
            ledger.finish(message, 0, &one, &accepted()).await.unwrap();
        }
        ledger.finish(message, 0, &two, &doubt).await.unwrap();
        if !known_first {
            assert_eq!(begin(&ledger, message, 0, 3).await, Ok(Begun::Done(doubt.clone())));
            ledger.finish(message, 0, &one, &accepted()).await.unwrap();
        }
        assert_eq!(begin(&ledger, message, 0, 4).await, Ok(Begun::Done(accepted())), "{known_first}");
    }
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
