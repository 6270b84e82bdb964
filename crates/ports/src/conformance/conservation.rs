//! The promises about what was accepted and heard: [`crate::Journal`] writes it, [`crate::Views`] adds it up.

use std::sync::Arc;

use domain::{DeliveryState, Failure, Partition, error::codes};

use super::{
    journal::must_commit,
    samples::{World, at},
};
use crate::{
    Journal, Views,
    conservation::{Accepted, Fate, Heard, IntakeCounts, Period, Stream},
    journal::Commit,
};

fn stream(world: &World, slot: u64, partition: u16) -> Stream {
    let (source, account) = ("whatsapp-sample".to_owned(), world.account);
    Stream { slot: Stream::slot_of(at(slot)), source, account, partition: Partition(partition) }
}

fn heard(stream: &Stream, fate: Fate, first: u64, last: u64) -> Heard {
    Heard { stream: stream.clone(), fate, range: (first, last) }
}

fn noted(stream: &Stream, upto: u64, second: u64) -> Accepted {
    Accepted { stream: stream.clone(), upto, void: vec![(9, 9)], at: at(second) }
}

fn numbers(counts: &IntakeCounts) -> [u64; 7] {
    let IntakeCounts { accepted, carried_out, duplicates, parked, on_its_way, unaccounted, unconfirmed, .. } = *counts;
    [accepted, carried_out, duplicates, parked, on_its_way, unaccounted, unconfirmed]
}

/// By account and slot; said twice, or folded, it is the same.
pub async fn what_was_accepted_is_set_beside_what_was_heard((journal, views): (Arc<dyn Journal>, Arc<dyn Views>)) {
    let (world, other) = (World::new(), World::new());
    let (early, late) = (stream(&world, 0, 1), stream(&world, 6_000, 2));
    journal.accepted(&[noted(&early, 4, 1), noted(&late, 30, 2), noted(&stream(&other, 0, 1), 7, 1)]).await.unwrap();
    // The later note counts, whichever comes last.
    journal.accepted(&[noted(&early, 10, 5)]).await.unwrap();
    journal.accepted(&[noted(&early, 3, 3)]).await.unwrap();
    journal.accepted(&[]).await.unwrap();
    let first = vec![heard(&early, Fate::Carried, 1, 3), heard(&early, Fate::Duplicate, 3, 4)];
    must_commit(&journal, Commit { heard: first.clone(), ..Commit::default() }).await;
    must_commit(&journal, Commit { heard: first, ..Commit::default() }).await;
    let singly = (1..=20).map(|n| heard(&late, Fate::Carried, n, n)).chain([heard(&late, Fate::Carried, 33, 33)]);
    must_commit(&journal, Commit { heard: singly.collect(), ..Commit::default() }).await;
    let of = |since, until| Period { account: Some(world.account), since, until };
    let everything = views.intake(&of(None, None)).await.unwrap();
    assert_eq!(
        numbers(&everything),
        [40, 24, 1, 0, 15, 0, 2],
        "9 and 31; the void one of the early was never accepted"
    );
    journal.fold_heard(at(0)).await.unwrap();
    assert_eq!(views.intake(&of(None, None)).await.unwrap(), everything);
    let before = views.intake(&of(None, Some(late.slot))).await.unwrap();
    assert_eq!(numbers(&before), [9, 3, 1, 0, 5, 0, 0]);
    let after = views.intake(&of(Some(at(6_001)), None)).await.unwrap();
    assert_eq!((after.accepted, after.carried_out), (everything.accepted - before.accepted, 21));
    assert_eq!(views.intake(&Period { account: Some(other.account), ..Period::default() }).await.unwrap().accepted, 7);
}

/// States add up to what was submitted; what failed says why, whatever a provider's words are made of.
pub async fn what_was_submitted_is_counted_by_what_became_of_it((journal, views): (Arc<dyn Journal>, Arc<dyn Views>)) {
    let world = World::new();
    let mut opening = world.opening(1);
    let conversation = &mut opening.conversations[0];
    conversation.next_sequence = 5;
    let sent = |sequence, state| {
        let mut message = world.outbound(&world.conversation(1), sequence, sequence);
        let delivery = message.delivery.as_mut().unwrap();
        delivery.state = state;
        let words = Some("no\0such number \\u0000".to_owned());
        let failure = Failure { reason: words, ..Failure::of(codes::PROVIDER_REJECTED) };
        delivery.failure = (state == DeliveryState::Failed).then_some(failure);
        message
    };
    opening.messages.extend([
        sent(2, DeliveryState::Failed),
        sent(3, DeliveryState::Read),
        sent(4, DeliveryState::Queued),
    ]);
    must_commit(&journal, opening).await;
    let count = |since, until| {
        let (views, period) = (Arc::clone(&views), Period { account: Some(world.account), since, until });
        async move { views.sends(&period).await.unwrap() }
    };
    let all = count(None, None).await;
    let states: Vec<_> = all.states.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!((all.submitted, &states[..]), (3, &[("failed", 1), ("queued", 1), ("read", 1)][..]));
    assert_eq!(all.failed, [(codes::PROVIDER_REJECTED.as_str().to_owned(), 1)]);
    let some = count(Some(at(3)), Some(at(4))).await;
    assert_eq!((some.submitted, some.states.len(), some.failed.len()), (1, 1, 0));
}
