//! The promises about messages that are tried again: [`crate::Journal`] forgets attempts of the [`crate::Ledger`].

use std::{collections::BTreeMap, sync::Arc};

use domain::{Failure, MessageId, Outcome, Parked, error::codes};

use super::{
    ledger::{self, accepted, begin, message, rejected},
    parking::parked,
    samples::{World, at},
};
use crate::{
    Begun, Journal, Ledger, Settled,
    journal::{Commit, CommitError, Lookup, Reopened},
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

/// What providers took is answered for the messages that are asked about, with the providers' ids; no refusal, no doubt.
pub async fn what_was_taken_is_answered((journal, ledger): Pair) {
    let (message, other) = (tried(&ledger).await, tried(&ledger).await);
    let lookup = Lookup { taken: [message, super::ledger::message()].into(), ..Lookup::default() };
    let ids = vec!["wamid.1".to_owned(), "gs-1".to_owned()];
    let parts = BTreeMap::from([(0, ids.clone()), (1, ids)]);
    assert_eq!(journal.load(&lookup).await.unwrap().taken, BTreeMap::from([(message, parts.clone())]));
    // It is told of a parked message that names it, too.
    let world = World::new();
    let entry = Parked { message: Some(other), ..parked(&world, 1) };
    journal.commit(&Commit { parked: vec![entry.clone()], ..Commit::default() }).await.unwrap();
    let lookup = Lookup { parked: [(world.organization, entry.id)].into(), ..Lookup::default() };
    assert_eq!(journal.load(&lookup).await.unwrap().taken, BTreeMap::from([(other, parts)]));
}

/// Of messages in doubt, those of which the ledger has learnt since: nothing of them is open or in doubt, and something
/// arrived. Not what is older, what nobody doubts, and what a person has ended.
pub async fn what_is_known_after_all_is_answered((journal, ledger): Pair) {
    let world = World::new();
    let doubt = |n: u64, message| Parked { code: codes::IN_DOUBT, message: Some(message), ..parked(&world, n) };
    let ids = [0; 6].map(|_| message());
    let lately: Vec<Parked> = (1..).zip(ids).map(|(n, id)| doubt(n, id)).collect();
    let commit = Commit { parked: lately.clone(), ..Commit::default() };
    journal.commit(&commit).await.unwrap();
    let found = async |since| {
        let all = journal.known_after_all(at(since), 1_000).await.unwrap();
        let own = all.into_iter().filter(|(organization, _)| *organization == world.organization);
        own.map(|(_, id)| lately.iter().position(|one| one.id == id).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(found(0).await, Vec::<usize>::new(), "the ledger never heard of them");
    let doubted = Outcome::InDoubt { failure: Failure::of(codes::IN_DOUBT) };
    // The parts of each: arrived; arrived and refused; refused alone; one open; one in doubt; arrived, and ended.
    let parts = [
        vec![Some(accepted())],
        vec![Some(accepted()), Some(rejected())],
        vec![Some(rejected())],
        vec![Some(accepted()), None],
        vec![Some(accepted()), Some(doubted)],
        vec![Some(accepted())],
    ];
    for (id, parts) in ids.into_iter().zip(parts) {
        for (part, outcome) in (0..).zip(parts) {
            match outcome {
                Some(outcome) => ledger::tried(&ledger, id, part, &outcome).await,
                None => drop(begin(&ledger, id, part, 1).await.unwrap()),
            }
        }
    }
    journal
        .commit(&Commit { settled: vec![Settled { message: ids[5], at: at(50) }], ..Commit::default() })
        .await
        .unwrap();
    assert_eq!(found(0).await, [0, 1]);
    assert_eq!(found(2).await, [1], "the first was parked before");
    assert_eq!(journal.known_after_all(at(0), 1).await.unwrap().len(), 1);
    // What was parked for another reason.
    let other = Parked { message: Some(ids[0]), ..parked(&world, 9) };
    journal.commit(&Commit { parked: vec![other], ..Commit::default() }).await.unwrap();
    assert_eq!(found(2).await, [1]);
}
