//! The promises of [`crate::Journal`]: commits and lookups. The rest is in `journal_rest.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{Contact, Conversation, Message, Partition, Seat, Stage};

use super::samples::{World, at};
use crate::{
    Journal,
    journal::{Commit, CommitError, Lookup, ProviderId, Snapshot},
};

pub(super) async fn must_commit(journal: &Arc<dyn Journal>, commit: Commit) {
    journal.commit(&commit).await.expect("a commit that stands");
}

async fn must_conflict(journal: &Arc<dyn Journal>, commit: Commit) {
    match journal.commit(&commit).await {
        Err(CommitError::Conflict(_)) => {}
        other => panic!("a conflict was to come, not {other:?}"),
    }
}

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Everything about contact 1 and whatever events are named.
fn about(world: &World, events: &[u64]) -> Lookup {
    Lookup {
        events: events.iter().map(|n| world.event(*n)).collect(),
        threads: BTreeSet::from([world.thread(1)]),
        ..Lookup::default()
    }
}

/// Threads, conversations, messages, provider ids, causes, seats, events.
pub async fn a_commit_is_read_back_by_every_key(journal: Arc<dyn Journal>) {
    let world = World::new();
    let (conversation, contact, seat) = (world.conversation(1), world.contact(1), world.seat(1));
    let (inbound, outbound) = (world.inbound(&conversation, 1, 1), world.outbound(&conversation, 2, 2));
    let mut commit = world.opening(1);
    commit.processed.push(world.processed(2, "command"));
    commit.messages.push(outbound.clone());
    commit.seats.push(seat.clone());
    let id = |id: &str| (world.account, id.to_owned());
    commit.provider_ids = ["gs-1", "wamid.x"]
        .map(|id| ProviderId {
            account: world.account,
            id: id.into(),
            message: outbound.id,
            organization: world.organization,
            trace: (id == "gs-1").then(|| TRACE.to_owned()),
        })
        .into();
    must_commit(&journal, commit).await;

    let written = (
        Conversation { version: 1, ..conversation.clone() },
        Contact { version: 1, ..contact },
        Message { version: 1, ..inbound.clone() },
        Message { version: 1, ..outbound.clone() },
        Seat { version: 1, ..seat.clone() },
    );
    let found = journal.load(&about(&world, &[1, 2, 3])).await.unwrap();
    assert_eq!(found.processed, BTreeSet::from([world.event(1), world.event(2)]));
    assert_eq!(found.open.get(&world.thread(1)), Some(&conversation.id));
    assert_eq!(found.contacts.get(&world.thread(1)), Some(&written.1));
    assert_eq!(found.conversations.get(&conversation.id), Some(&written.0));

    let lookup = Lookup { messages: BTreeSet::from([(world.organization, inbound.id)]), ..Lookup::default() };
    let found = journal.load(&lookup).await.unwrap();
    assert_eq!(found.messages.get(&inbound.id), Some(&written.2));
    assert_eq!(found.conversations.get(&conversation.id), Some(&written.0), "with its conversation");

    let lookup =
        Lookup { provider_ids: BTreeSet::from([id("gs-1"), id("wamid.x"), id("unknown")]), ..Lookup::default() };
    let found = journal.load(&lookup).await.unwrap();
    assert_eq!(found.by_provider_id.get(&id("gs-1")), Some(&outbound.id));
    assert_eq!(found.by_provider_id.get(&id("wamid.x")), Some(&outbound.id));
    assert_eq!(found.by_provider_id.len(), 2);
    assert_eq!(found.traces, BTreeMap::from([(id("gs-1"), TRACE.to_owned())]));
    assert_eq!(found.messages.get(&outbound.id), Some(&written.3));
    assert_eq!(found.conversations.get(&conversation.id), Some(&written.0));

    let lookup = Lookup {
        conversations: BTreeSet::from([(world.organization, conversation.id)]),
        seats: BTreeSet::from([(world.organization, seat.user), (world.organization, world.user(9))]),
        ..Lookup::default()
    };
    let found = journal.load(&lookup).await.unwrap();
    assert_eq!(found.conversations.get(&conversation.id), Some(&written.0));
    assert_eq!(found.seats.get(&(world.organization, seat.user)), Some(&written.4));
    assert_eq!(found.seats.len(), 1);
}

/// No rows, no error.
pub async fn an_empty_commit_and_an_empty_lookup_are_nothing(journal: Arc<dyn Journal>) {
    assert_eq!(journal.commit(&Commit::default()).await, Ok(vec![]));
    assert_eq!(journal.load(&Lookup::default()).await.unwrap(), Snapshot::default());
}

/// What stands against one row stands against all.
pub async fn a_commit_is_all_or_nothing(journal: Arc<dyn Journal>) {
    let world = World::new();
    must_commit(&journal, Commit { processed: vec![world.processed(5, "message")], ..Commit::default() }).await;
    let mut commit = world.opening(1);
    commit.seats.push(world.seat(1));
    commit.outbox.push(world.outgoing(1, "never"));
    commit.processed.push(world.processed(5, "message"));
    must_conflict(&journal, commit).await;
    // A stale row at the end takes the rows before it along.
    let mut commit = world.opening(2);
    commit.seats.push(Seat { version: 7, ..world.seat(1) });
    let stale = journal.commit(&Commit { seats: vec![world.seat(1)], ..Commit::default() }).await;
    stale.expect("the seat is new");
    must_conflict(&journal, commit).await;

    let lookup = Lookup {
        events: BTreeSet::from([world.event(1), world.event(2)]),
        threads: BTreeSet::from([world.thread(1), world.thread(2)]),
        ..Lookup::default()
    };
    assert_eq!(journal.load(&lookup).await.unwrap(), Snapshot::default());
    let events = journal.commit(&world.opening(3)).await.expect("a commit that stands");
    assert_eq!(events[0].sequence, 1, "no number was spent");
}

/// Once (invariant 2).
pub async fn an_event_is_carried_out_once(journal: Arc<dyn Journal>) {
    let world = World::new();
    let mark = |n| Commit { processed: vec![world.processed(n, "receipt")], ..Commit::default() };
    must_commit(&journal, mark(1)).await;
    must_conflict(&journal, mark(1)).await;
    let both = Commit { processed: vec![world.processed(2, "x"), world.processed(2, "x")], ..Commit::default() };
    must_conflict(&journal, both).await;
    must_commit(&journal, mark(2)).await;
}

/// An event that brings a message leaves no other mark: the message is found by its id, in whatever organization, and
/// stands against a second one.
pub async fn a_message_is_the_mark_of_its_event(journal: Arc<dyn Journal>) {
    let world = World::new();
    let conversation = world.conversation(1);
    let message = world.inbound(&conversation, 1, 1);
    let commit = Commit { messages: vec![message.clone()], ..Commit::default() };
    let lookup = Lookup {
        brought: BTreeMap::from([
            (message.id, world.event(1)),
            (world.inbound(&conversation, 2, 2).id, world.event(2)),
        ]),
        ..Lookup::default()
    };
    assert_eq!(journal.load(&lookup).await.unwrap(), Snapshot::default());
    must_commit(&journal, commit.clone()).await;
    let found = journal.load(&lookup).await.unwrap();
    assert_eq!(found, Snapshot { processed: BTreeSet::from([world.event(1)]), ..Snapshot::default() });
    must_conflict(&journal, commit.clone()).await;
    // Also when it has moved on meanwhile, and from another organization.
    let moved = Message { version: 1, ..message.clone() };
    must_commit(&journal, Commit { messages: vec![moved], ..Commit::default() }).await;
    must_conflict(&journal, commit).await;
    let foreign = Message { organization: World::new().organization, ..message };
    must_conflict(&journal, Commit { messages: vec![foreign], ..Commit::default() }).await;
}

/// Versions grow by one, and only from what was loaded.
pub async fn a_stale_conversation_refuses_the_commit(journal: Arc<dyn Journal>) {
    let world = World::new();
    let conversation = world.conversation(1);
    let commit = |version, unread| Commit {
        conversations: vec![Conversation { version, unread, ..conversation.clone() }],
        ..Commit::default()
    };
    must_commit(&journal, commit(0, 1)).await;
    must_commit(&journal, commit(1, 2)).await;
    for stale in [0, 1, 3] {
        must_conflict(&journal, commit(stale, 9)).await;
    }
    let found = journal.load(&about(&world, &[])).await.unwrap();
    let now = found.conversations.get(&conversation.id).expect("the conversation");
    assert_eq!((now.version, now.unread), (2, 2));
}

/// A receipt and a retry that meet.
pub async fn a_stale_message_refuses_the_commit(journal: Arc<dyn Journal>) {
    let world = World::new();
    let message = world.outbound(&world.conversation(1), 1, 1);
    let commit = |version| Commit { messages: vec![Message { version, ..message.clone() }], ..Commit::default() };
    must_commit(&journal, commit(0)).await;
    must_commit(&journal, commit(1)).await;
    for stale in [0, 1, 3] {
        must_conflict(&journal, commit(stale)).await;
    }
}

/// Two replicas that give one agent a conversation each.
pub async fn a_stale_seat_refuses_the_commit(journal: Arc<dyn Journal>) {
    let world = World::new();
    let commit = |version, load| Commit { seats: vec![Seat { version, load, ..world.seat(1) }], ..Commit::default() };
    must_commit(&journal, commit(0, 0)).await;
    must_commit(&journal, commit(1, 1)).await;
    for stale in [0, 1, 3] {
        must_conflict(&journal, commit(stale, 9)).await;
    }
}

/// Two profiles at once.
pub async fn a_stale_contact_refuses_the_commit(journal: Arc<dyn Journal>) {
    let world = World::new();
    let commit = |version| Commit { contacts: vec![Contact { version, ..world.contact(1) }], ..Commit::default() };
    must_commit(&journal, commit(0)).await;
    must_commit(&journal, commit(1)).await;
    for stale in [0, 1, 3] {
        must_conflict(&journal, commit(stale)).await;
    }
}

/// Two first messages on two replicas make one conversation.
pub async fn a_thread_has_at_most_one_open_conversation(journal: Arc<dyn Journal>) {
    let world = World::new();
    let first = world.conversation(1);
    let second = Conversation { thread: first.thread.clone(), ..world.conversation(2) };
    let open = |conversation: &Conversation| Commit { conversations: vec![conversation.clone()], ..Commit::default() };
    must_commit(&journal, open(&first)).await;
    must_conflict(&journal, open(&second)).await;
    let closed = Conversation { stage: Stage::Closed, closed_at: Some(at(9)), version: 1, ..first.clone() };
    must_commit(&journal, open(&closed)).await;
    must_commit(&journal, open(&second)).await;
    let found = journal.load(&about(&world, &[])).await.unwrap();
    assert_eq!(found.open.get(&first.thread), Some(&second.id));
    must_conflict(&journal, open(&Conversation { stage: Stage::Waiting, version: 2, ..first })).await;
}

/// Ordered (invariant 3).
pub async fn a_place_in_a_conversation_is_taken_once(journal: Arc<dyn Journal>) {
    let world = World::new();
    let conversation = world.conversation(1);
    let place = |cause| Commit { messages: vec![world.inbound(&conversation, 1, cause)], ..Commit::default() };
    must_commit(&journal, place(1)).await;
    must_conflict(&journal, place(2)).await;
}

/// Ten replicas change one conversation from the same version.
pub async fn a_race_has_one_winner(journal: Arc<dyn Journal>) {
    let world = World::new();
    must_commit(&journal, world.opening(1)).await;
    let tasks: Vec<_> = (0..10u64)
        .map(|n| {
            let (journal, world) = (journal.clone(), world.clone());
            tokio::spawn(async move {
                let conversation = Conversation { version: 1, ..world.conversation(1) };
                let commit = Commit {
                    processed: vec![world.processed(100 + n, "command")],
                    seats: vec![world.seat(n)],
                    events: vec![world.desk_event(&conversation)],
                    conversations: vec![conversation],
                    ..Commit::default()
                };
                match journal.commit(&commit).await {
                    Ok(_) => 1,
                    Err(CommitError::Conflict(_)) => 0,
                    Err(error) => panic!("{error}"),
                }
            })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += task.await.unwrap();
    }
    assert_eq!(winners, 1);
}

/// A few hundred deliveries in one commit, several times more rows than fit one statement.
pub async fn a_big_commit_stands(journal: Arc<dyn Journal>) {
    let world = World::new();
    let mut commit = Commit::default();
    for n in 1..=1_500 {
        let one = world.opening(n);
        commit.processed.extend(one.processed);
        commit.conversations.extend(one.conversations);
        commit.messages.extend(one.messages);
        commit.contacts.extend(one.contacts);
        commit.events.extend(one.events);
        commit.outbox.push(world.outgoing(0, &format!("o{n}")));
    }
    let events = journal.commit(&commit).await.expect("a commit that stands");
    assert!(events.iter().map(|event| event.sequence).eq(1..=1_500));
    let relayed = journal.outbox(&[Partition(0)], 2_000).await.unwrap().into_iter();
    let ours: Vec<_> = relayed.map(|row| row.outgoing).filter(|one| commit.outbox.contains(one)).collect();
    assert!(ours == commit.outbox, "what is to be published keeps its order");
    let lookup = Lookup {
        events: (1..=1_500).map(|n| world.event(n)).collect(),
        threads: (1..=1_500).map(|n| world.thread(n)).collect(),
        ..Lookup::default()
    };
    let found = journal.load(&lookup).await.unwrap();
    assert_eq!((found.processed.len(), found.open.len(), found.contacts.len()), (1_500, 1_500, 1_500));
    // All of them move on at once.
    let moved = commit.conversations.iter().map(|it| Conversation { version: 1, unread: 2, ..it.clone() }).collect();
    must_commit(&journal, Commit { conversations: moved, ..Commit::default() }).await;
}

/// Isolated (invariant 6): ids of another organization find nothing and change nothing.
pub async fn organizations_do_not_see_each_other(journal: Arc<dyn Journal>) {
    let (world, other) = (World::new(), World::new());
    let mut commit = world.opening(1);
    commit.seats.push(world.seat(1));
    must_commit(&journal, commit).await;
    let conversation = world.conversation(1);
    let message = world.inbound(&conversation, 1, 1);
    let mut elsewhere = world.thread(1);
    elsewhere.organization = other.organization;
    let lookup = Lookup {
        threads: BTreeSet::from([elsewhere.clone()]),
        conversations: BTreeSet::from([(other.organization, conversation.id)]),
        messages: BTreeSet::from([(other.organization, message.id)]),
        seats: BTreeSet::from([(other.organization, world.user(1))]),
        ..Lookup::default()
    };
    assert_eq!(journal.load(&lookup).await.unwrap(), Snapshot::default());
    let stolen = Conversation { thread: elsewhere, version: 1, ..conversation };
    must_conflict(&journal, Commit { conversations: vec![stolen], ..Commit::default() }).await;
    let stolen = Message { organization: other.organization, version: 1, ..message };
    must_conflict(&journal, Commit { messages: vec![stolen], ..Commit::default() }).await;
}
