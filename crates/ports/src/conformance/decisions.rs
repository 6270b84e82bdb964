//! The promises about parked messages that a commit decides about: [`crate::Journal`] and [`crate::Parking`] together.

use std::sync::Arc;

use domain::{MessageId, OrganizationId, Parked, ParkedDecision, ParkedId, Ruling};

use super::{
    parking::parked,
    samples::{World, at},
};
use crate::{
    Journal, Parking, Settled,
    journal::{Commit, CommitError, Lookup},
};

/// Both ports of one store.
pub type Pair = (Arc<dyn Journal>, Arc<dyn Parking>);

fn decision(world: &World, n: u64, ruling: Ruling, second: u64) -> ParkedDecision {
    ParkedDecision {
        parked: parked(world, n).id,
        organization: Some(world.organization),
        ruling,
        reason: Some("a test".into()),
        by: Some(world.user(1)),
        at: at(second),
    }
}

async fn decide(journal: &Arc<dyn Journal>, decision: &ParkedDecision, version: u64) -> Result<(), CommitError> {
    let commit = Commit { decided: vec![(decision.clone(), version)], ..Commit::default() };
    journal.commit(&commit).await.map(drop)
}

/// And of nobody else's.
pub async fn entries_are_loaded_in_their_organization((journal, parking): Pair) {
    let (world, other) = (World::new(), World::new());
    parking.park(&[parked(&world, 1), parked(&other, 1)]).await.unwrap();
    let wanted = |organization: OrganizationId, id: ParkedId| Lookup {
        parked: [(organization, id)].into(),
        ..Lookup::default()
    };
    let own = journal.load(&wanted(world.organization, parked(&world, 1).id)).await.unwrap();
    let entry = &own.parked[&parked(&world, 1).id];
    assert_eq!((entry.version, &entry.parked), (0, &Parked { body: Vec::new(), ..parked(&world, 1) }));
    let stranger = journal.load(&wanted(other.organization, parked(&world, 1).id)).await.unwrap();
    assert!(stranger.parked.is_empty());
}

/// With the outgoing message that is in doubt, and its conversation.
pub async fn a_message_in_doubt_is_loaded_with_its_entry((journal, parking): Pair) {
    let world = World::new();
    let opening = world.opening(1);
    let message = world.inbound(&world.conversation(1), 1, 1);
    journal.commit(&opening).await.unwrap();
    let doubt = Parked { message: Some(message.id), ..parked(&world, 1) };
    parking.park(std::slice::from_ref(&doubt)).await.unwrap();
    let lookup = Lookup { parked: [(world.organization, doubt.id)].into(), ..Lookup::default() };
    let found = journal.load(&lookup).await.unwrap();
    assert!(found.messages.contains_key(&message.id));
    assert!(found.conversations.contains_key(&message.conversation));
}

/// Each as it should be, with who and when.
pub async fn a_decision_moves_its_message_and_is_kept((journal, parking): Pair) {
    let world = World::new();
    parking.park(&[1, 2, 3].map(|n| parked(&world, n))).await.unwrap();
    let entry = async |n| parking.show(parked(&world, n).id).await.unwrap().unwrap();
    decide(&journal, &decision(&world, 1, Ruling::Redrive, 40), 0).await.unwrap();
    assert_eq!((entry(1).await.requested, entry(1).await.is_listed()), (Some(Ruling::Redrive), true));
    let (asked_of, asked) = parking.requested(10).await.unwrap().swap_remove(0);
    assert_eq!((asked_of.id, asked.by), (parked(&world, 1).id, Some(world.user(1))));
    decide(&journal, &decision(&world, 2, Ruling::Again, 41), 0).await.unwrap();
    assert_eq!((entry(2).await.parked.redriven_at, entry(2).await.closed_at), (Some(at(41)), None));
    decide(&journal, &decision(&world, 3, Ruling::Discard, 42), 0).await.unwrap();
    assert_eq!((entry(3).await.parked.redriven_at, entry(3).await.closed_at), (None, Some(at(42))));
    let kept = parking.decisions(parked(&world, 3).id).await.unwrap();
    assert_eq!(kept, [decision(&world, 3, Ruling::Discard, 42)]);
}

/// Of two who decide at once, one does (invariant 2).
pub async fn a_decision_on_what_has_moved_on_refuses_the_commit((journal, parking): Pair) {
    let world = World::new();
    parking.park(&[parked(&world, 1)]).await.unwrap();
    let (first, second) = (decision(&world, 1, Ruling::Redrive, 40), decision(&world, 1, Ruling::Discard, 41));
    let both = tokio::join!(decide(&journal, &first, 0), decide(&journal, &second, 0));
    let lost = [&both.0, &both.1].into_iter().filter(|one| matches!(one, Err(CommitError::Conflict(_)))).count();
    assert_eq!(lost, 1, "{both:?}");
    assert_eq!(parking.decisions(first.parked).await.unwrap().len(), 1);
    // Nor after it has ended, whatever the version says.
    let version = parking.show(first.parked).await.unwrap().unwrap().version;
    let _ = decide(&journal, &decision(&world, 1, Ruling::Discard, 50), version).await;
    let version = parking.show(first.parked).await.unwrap().unwrap().version;
    let late = decide(&journal, &decision(&world, 1, Ruling::Redrive, 60), version).await;
    assert!(matches!(late, Err(CommitError::Conflict(_))), "{late:?}");
}

/// By its message; what is parked of it again later is another matter.
pub async fn a_message_that_settles_leaves_the_list((journal, parking): Pair) {
    let world = World::new();
    let message = |n: u64| Some(MessageId::derive(&[&world.organization.to_string(), &n.to_string()]));
    let doubt = |n| Parked { message: message(n), ..parked(&world, n) };
    parking.park(&[doubt(1), doubt(2)]).await.unwrap();
    let settled = vec![Settled { message: message(1).unwrap(), at: at(40) }];
    journal.commit(&Commit { settled, ..Commit::default() }).await.unwrap();
    assert_eq!(parking.list(Some(world.organization), 10).await.unwrap(), [doubt(2)]);
    assert_eq!(parking.show(doubt(1).id).await.unwrap().unwrap().closed_at, Some(at(40)));
    assert_eq!(parking.decisions(doubt(1).id).await.unwrap(), []);
}

/// The same webhook may come again; what was decided about it the first time stays known.
pub async fn what_was_ended_and_is_parked_again_is_listed_again((journal, parking): Pair) {
    let world = World::new();
    parking.park(&[parked(&world, 1)]).await.unwrap();
    decide(&journal, &decision(&world, 1, Ruling::Discard, 40), 0).await.unwrap();
    let again = |second| Parked { at: at(second), ..parked(&world, 1) };
    parking.park(&[again(39)]).await.unwrap();
    assert_eq!(parking.list(Some(world.organization), 10).await.unwrap(), []);
    parking.park(&[again(41)]).await.unwrap();
    assert_eq!(parking.list(Some(world.organization), 10).await.unwrap(), [again(41)]);
    assert_eq!(parking.decisions(parked(&world, 1).id).await.unwrap().len(), 1);
}
