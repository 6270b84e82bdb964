//! The promises about messages that are tried again: [`crate::Journal`] forgets attempts of the [`crate::Ledger`].

use std::sync::Arc;

use domain::MessageId;

use super::{
    ledger::{self, accepted, begin, message, rejected},
    samples::World,
};
use crate::{
    Begun, Journal, Ledger,
    journal::{Commit, CommitError, Reopened},
};

/// Both ports of one store.
pub type Pair = (Arc<dyn Journal>, Arc<dyn Ledger>);

/// Parts 0 and 1 accepted, 2 refused, 3 in doubt.
async fn tried(ledger: &Arc<dyn Ledger>) -> MessageId {
    let message = message();
    for (part, outcome) in [(0, Some(accepted())), (1, Some(accepted())), (2, Some(rejected())), (3, None)] {
        match outcome {
            Some(outcome) => ledger::tried(ledger, message, part, &outcome).await,
            None => drop(begin(ledger, message, part, 1).await.unwrap()),
        }
    }
    message
}

fn reopening(message: MessageId, failed: &[u16]) -> Commit {
    Commit { reopened: vec![Reopened { message, failed: failed.to_vec() }], ..Commit::default() }
}

/// A person's retry sends again what failed, never what arrived.
pub async fn reopening_keeps_what_arrived((journal, ledger): Pair) {
    let (message, other) = (tried(&ledger).await, tried(&ledger).await);
    journal.commit(&reopening(message, &[1])).await.unwrap();
    assert_eq!(begin(&ledger, message, 0, 2).await, Ok(Begun::Done(accepted())));
    for part in [1, 2, 3] {
        assert_eq!(begin(&ledger, message, part, 2).await, Ok(Begun::Fresh), "part {part}");
    }
    assert_eq!(begin(&ledger, other, 2, 2).await, Ok(Begun::Done(rejected())), "another message is left alone");
    journal.commit(&reopening(other, &[])).await.unwrap();
    assert_eq!(begin(&ledger, other, 1, 2).await, Ok(Begun::Done(accepted())));
    assert_eq!(begin(&ledger, other, 2, 2).await, Ok(Begun::Fresh));
}

/// Two decided at once, and the other one was quicker: what he decided rests on the attempts as they are.
pub async fn a_commit_that_does_not_stand_reopens_nothing((journal, ledger): Pair) {
    let message = tried(&ledger).await;
    let world = World::new();
    journal.commit(&world.opening(1)).await.unwrap();
    let late = Commit { reopened: reopening(message, &[1]).reopened, ..world.opening(1) };
    assert!(matches!(journal.commit(&late).await, Err(CommitError::Conflict(_))));
    assert_eq!(begin(&ledger, message, 1, 2).await, Ok(Begun::Done(accepted())));
    assert_eq!(begin(&ledger, message, 2, 2).await, Ok(Begun::Done(rejected())));
    assert_eq!(begin(&ledger, message, 3, 2).await, Ok(Begun::InDoubt));
}
