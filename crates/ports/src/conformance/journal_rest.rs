//! The promises of [`crate::Journal`]: outbox, events, timers, leases, held receipts, waiting.

use std::{collections::BTreeSet, sync::Arc};

use domain::{Conversation, DeliveryState, DeskEvent, HeldReceipt, Partition, Presence, Receipt, Seat, Stage};

use super::{
    journal::must_commit,
    samples::{World, at},
};
use crate::{
    Journal,
    journal::{Commit, DueTimer, Lookup, TimerChange, TimerKind},
};

const BOTH: [Partition; 2] = [Partition(0), Partition(1)];

fn ids(rows: &[crate::journal::OutboxRow]) -> Vec<&str> {
    rows.iter().map(|row| row.outgoing.envelope.id.as_str()).collect()
}

/// Per partition, across commits, whole envelopes.
pub async fn the_outbox_keeps_the_order_of_commits(journal: Arc<dyn Journal>) {
    let world = World::new();
    let commits = [vec![(0, "a"), (1, "b"), (0, "c")], vec![(1, "d"), (0, "e")]];
    for outbox in commits {
        let outbox = outbox.into_iter().map(|(p, id)| world.outgoing(p, id)).collect();
        must_commit(&journal, Commit { outbox, ..Commit::default() }).await;
    }
    let rows = journal.outbox(&BOTH, 100).await.unwrap();
    assert_eq!(ids(&rows), ["a", "b", "c", "d", "e"]);
    assert_eq!(rows[1].outgoing, world.outgoing(1, "b"));
    assert!(rows.is_sorted_by_key(|row| row.sequence));
    assert_eq!(ids(&journal.outbox(&[Partition(0)], 2).await.unwrap()), ["a", "c"]);
    assert_eq!(journal.outbox(&[], 10).await.unwrap(), []);
    assert_eq!(journal.outbox(&[Partition(7)], 10).await.unwrap(), []);
}

/// Forgotten once published; later rows come after.
pub async fn relayed_rows_are_gone(journal: Arc<dyn Journal>) {
    let world = World::new();
    let outbox = ["a", "b", "c"].map(|id| world.outgoing(0, id)).into();
    must_commit(&journal, Commit { outbox, ..Commit::default() }).await;
    let rows = journal.outbox(&BOTH, 2).await.unwrap();
    let sequences: Vec<i64> = rows.iter().map(|row| row.sequence).collect();
    journal.relayed(&sequences).await.unwrap();
    journal.relayed(&sequences).await.unwrap();
    journal.relayed(&[]).await.unwrap();
    must_commit(&journal, Commit { outbox: vec![world.outgoing(0, "d")], ..Commit::default() }).await;
    assert_eq!(ids(&journal.outbox(&BOTH, 10).await.unwrap()), ["c", "d"]);
}

/// 1, 2, 3... for each organization, in the order given.
pub async fn events_are_numbered_densely_for_each_organization(journal: Arc<dyn Journal>) {
    let (one, two) = (World::new(), World::new());
    let event = |world: &World| world.desk_event(&world.conversation(1));
    let events = vec![event(&one), event(&two), event(&one)];
    let numbered = journal.commit(&Commit { events, ..Commit::default() }).await.unwrap();
    let places: Vec<_> = numbered.iter().map(|event| (event.organization, event.sequence)).collect();
    assert_eq!(places, [(one.organization, 1), (two.organization, 1), (one.organization, 2)]);
    assert_eq!(numbered[0].change, event(&one).change);
    let numbered =
        journal.commit(&Commit { events: vec![event(&two), event(&one)], ..Commit::default() }).await.unwrap();
    assert_eq!(numbered.iter().map(|event| event.sequence).collect::<Vec<_>>(), [2, 3]);
}

/// No number twice, none left out.
pub async fn events_are_dense_under_concurrent_commits(journal: Arc<dyn Journal>) {
    let world = World::new();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (journal, world) = (journal.clone(), world.clone());
            tokio::spawn(async move {
                let events = vec![world.desk_event(&world.conversation(1)); 3];
                journal.commit(&Commit { events, ..Commit::default() }).await.unwrap()
            })
        })
        .collect();
    let mut places = BTreeSet::new();
    for task in tasks {
        let numbered = task.await.unwrap();
        assert!(numbered.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1), "{numbered:?}");
        places.extend(numbered.iter().map(|event| event.sequence));
    }
    assert_eq!(places, (1..=60).collect());
}

/// One of each kind for a conversation; it stays until a commit takes it back.
pub async fn timers_come_due_move_and_are_taken_back(journal: Arc<dyn Journal>) {
    let world = World::new();
    let change = |n, kind, due: Option<u64>, p| TimerChange {
        organization: world.organization,
        conversation: world.conversation(n).id,
        kind,
        due_at: due.map(at),
        partition: Partition(p),
    };
    let due = |n, kind, second| DueTimer {
        organization: world.organization,
        conversation: world.conversation(n).id,
        kind,
        due_at: at(second),
    };
    let set = |timers| Commit { timers, ..Commit::default() };
    must_commit(
        &journal,
        set(vec![
            change(1, TimerKind::Inactive, Some(10), 0),
            change(1, TimerKind::Abandon, Some(30), 0),
            change(2, TimerKind::Inactive, Some(5), 1),
            change(3, TimerKind::Inactive, Some(1), 0),
            // Of two changes in one commit the last counts.
            change(3, TimerKind::Inactive, None, 0),
        ]),
    )
    .await;
    assert_eq!(journal.due(&BOTH, at(4), 10).await.unwrap(), []);
    let (first, second) = (due(2, TimerKind::Inactive, 5), due(1, TimerKind::Inactive, 10));
    assert_eq!(journal.due(&BOTH, at(10), 10).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(journal.due(&BOTH, at(10), 10).await.unwrap().len(), 2, "they stay");
    assert_eq!(journal.due(&BOTH, at(10), 1).await.unwrap(), [first]);
    assert_eq!(journal.due(&[Partition(0)], at(10), 10).await.unwrap(), [second]);
    must_commit(
        &journal,
        set(vec![change(1, TimerKind::Inactive, Some(20), 0), change(2, TimerKind::Inactive, None, 1)]),
    )
    .await;
    assert_eq!(journal.due(&BOTH, at(19), 10).await.unwrap(), []);
    let late = [due(1, TimerKind::Inactive, 20), due(1, TimerKind::Abandon, 30)];
    assert_eq!(journal.due(&BOTH, at(99), 10).await.unwrap(), late);
    assert_eq!(journal.due(&[], at(99), 10).await.unwrap(), []);
}

/// One replica relays a partition at a time.
pub async fn a_lease_is_exclusive_renewable_and_expires(journal: Arc<dyn Journal>) {
    let lease = |owner: &'static str, second, wanted: Vec<u16>| {
        let journal = journal.clone();
        async move {
            let wanted: Vec<Partition> = wanted.into_iter().map(Partition).collect();
            let mut held = journal.lease(&wanted, owner, at(second), 10_000).await.unwrap();
            held.sort();
            held.into_iter().map(|partition| partition.0).collect::<Vec<_>>()
        }
    };
    assert_eq!(lease("one", 0, vec![0, 1]).await, [0, 1]);
    assert_eq!(lease("two", 5, vec![0, 1, 2]).await, [2]);
    assert_eq!(lease("one", 5, vec![0, 2]).await, [0], "0 is renewed until second 15");
    assert_eq!(lease("two", 10, vec![0, 1, 2]).await, [1, 2], "1 ran out");
    assert_eq!(lease("two", 15, vec![0]).await, [0]);
    assert_eq!(lease("one", 16, vec![0, 1, 2]).await, [] as [u16; 0]);
    assert_eq!(lease("one", 16, vec![]).await, [] as [u16; 0]);
}

/// A receipt that came too early waits under each of its ids.
pub async fn held_receipts_are_answered_until_released(journal: Arc<dyn Journal>) {
    let (world, other) = (World::new(), World::new());
    let held = |n: u64, ids: &[&str]| HeldReceipt {
        event: world.event(n),
        thread: world.thread(1),
        receipt: Receipt {
            provider_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            state: DeliveryState::Read,
            at: at(n),
            failure: None,
        },
        held_at: at(n),
    };
    let (first, second) = (held(1, &["gs-1", "wamid.1"]), held(2, &["wamid.1"]));
    must_commit(&journal, Commit { hold: vec![first.clone(), second.clone()], ..Commit::default() }).await;
    let ask = |account, ids: &[&str]| Lookup {
        provider_ids: ids.iter().map(|id| (account, (*id).to_owned())).collect(),
        ..Lookup::default()
    };
    let all = journal.load(&ask(world.account, &["gs-1", "wamid.1"])).await.unwrap();
    assert_eq!(all.held, [first.clone(), second.clone()]);
    assert_eq!(journal.load(&ask(world.account, &["gs-1"])).await.unwrap().held, [first]);
    assert_eq!(journal.load(&ask(other.account, &["gs-1", "wamid.1"])).await.unwrap().held, []);
    must_commit(&journal, Commit { release: vec![world.event(1)], ..Commit::default() }).await;
    assert_eq!(journal.load(&ask(world.account, &["gs-1", "wamid.1"])).await.unwrap().held, [second]);
}

/// Old desk events and receipts that nobody claimed; the rest stays, and so does the count.
pub async fn a_sweep_forgets_what_is_old(journal: Arc<dyn Journal>) {
    let world = World::new();
    let event = |second| DeskEvent { at: at(second), ..world.desk_event(&world.conversation(1)) };
    let held = |n: u64| HeldReceipt {
        event: world.event(n),
        thread: world.thread(1),
        receipt: Receipt {
            provider_ids: vec!["gs-1".to_owned(), "wamid.1".to_owned()],
            state: DeliveryState::Read,
            at: at(n),
            failure: None,
        },
        held_at: at(n),
    };
    let events = vec![event(1), event(9), event(10), event(20)];
    must_commit(&journal, Commit { events, hold: vec![held(9), held(10)], ..Commit::default() }).await;
    journal.sweep(at(10), at(0)).await.unwrap();
    let ids = BTreeSet::from([(world.account, "gs-1".to_owned())]);
    let lookup = Lookup { provider_ids: ids, ..Lookup::default() };
    assert_eq!(journal.load(&lookup).await.unwrap().held, [held(10)]);
    assert_eq!(journal.sweep(at(10), at(0)).await.unwrap(), 0, "once");
    let numbered = journal.commit(&Commit { events: vec![event(30)], ..Commit::default() }).await.unwrap();
    assert_eq!(numbered[0].sequence, 5);
    assert_eq!(journal.sweep(at(99), at(0)).await.unwrap(), 5, "three events and one receipt under two ids");
}

/// Of each queue the oldest, as many as were asked for; of one organization, and only what waits.
pub async fn waiting_is_oldest_first_and_some_of_each_queue(journal: Arc<dyn Journal>) {
    let (world, other) = (World::new(), World::new());
    let elsewhere = |n| Conversation { queue: world.queue(7), ..world.conversation(n) };
    let conversations = vec![
        world.conversation(3),
        world.conversation(1),
        elsewhere(2),
        Conversation { stage: Stage::Active, agent: Some(world.user(1)), ..world.conversation(4) },
        Conversation { stage: Stage::Closed, ..world.conversation(5) },
        Conversation { waiting_since: at(3), ..elsewhere(6) },
        elsewhere(8),
    ];
    must_commit(&journal, Commit { conversations, ..Commit::default() }).await;
    let conversations = vec![Conversation { queue: world.queue, ..other.conversation(1) }];
    must_commit(&journal, Commit { conversations, ..Commit::default() }).await;
    let both = [world.queue, world.queue(7)];
    let found = journal.waiting(world.organization, &both, 10).await.unwrap();
    assert_eq!(found[0], world.conversation(1).waits().unwrap());
    assert_eq!(found[1], elsewhere(2).waits().unwrap());
    let since: Vec<_> = found.iter().map(|one| one.since).collect();
    assert_eq!(since, [1, 2, 3, 3, 8].map(at));
    assert!(found[2].conversation < found[3].conversation, "by id when they came together");
    let found = journal.waiting(world.organization, &both, 1).await.unwrap();
    let found: Vec<_> = found.iter().map(|one| one.conversation).collect();
    assert_eq!(found, [world.conversation(1).id, world.conversation(2).id]);
    let found = journal.waiting(world.organization, &[world.queue(7)], 2).await.unwrap();
    assert_eq!(found.iter().map(|one| one.since).collect::<Vec<_>>(), [2, 3].map(at));
    let many: Vec<_> = (10..90).map(|n| world.queue(n)).chain([world.queue]).collect();
    assert_eq!(journal.waiting(world.organization, &many, 9).await.unwrap().len(), 2);
    assert_eq!(journal.waiting(world.organization, &[], 10).await.unwrap(), []);
}

/// Who was least recently given anything first; nobody who is away, full, or of another organization.
pub async fn free_seats_come_in_the_order_of_the_circle(journal: Arc<dyn Journal>) {
    let (world, other) = (World::new(), World::new());
    let seat = |n: u64, last: u64| Seat {
        presence: Presence::Online,
        load: 1,
        capacity: 2,
        last_assigned_at: at(last),
        ..world.seat(n)
    };
    let seats = vec![
        seat(1, 30),
        seat(2, 10),
        seat(3, 20),
        seat(4, 20),
        Seat { load: 2, ..seat(5, 1) },
        Seat { presence: Presence::Paused, ..seat(6, 1) },
        Seat { presence: Presence::Offline, ..seat(7, 1) },
        Seat { capacity: 0, load: 0, ..seat(8, 1) },
    ];
    must_commit(&journal, Commit { seats, ..Commit::default() }).await;
    let theirs = Seat { organization: other.organization, ..seat(2, 1) };
    must_commit(&journal, Commit { seats: vec![theirs], ..Commit::default() }).await;
    let users = |seats: &[Seat]| seats.iter().map(|seat| seat.user).collect::<Vec<_>>();
    let found = journal.free(world.organization, None, 10).await.unwrap();
    assert_eq!(found[0], Seat { version: 1, ..seat(2, 10) });
    let [third, fourth] = [3, 4].map(|n| world.user(n));
    let order = [world.user(2), third.min(fourth), third.max(fourth), world.user(1)];
    assert_eq!(users(&found), order);
    assert_eq!(users(&journal.free(world.organization, None, 2).await.unwrap()), order[..2]);
    let among = [8, 7, 6, 5, 3, 1, 1, 99].map(|n| world.user(n));
    assert_eq!(users(&journal.free(world.organization, Some(&among), 10).await.unwrap()), [third, world.user(1)]);
    assert_eq!(users(&journal.free(world.organization, Some(&among), 1).await.unwrap()), [third]);
    assert_eq!(journal.free(world.organization, Some(&[]), 10).await.unwrap(), []);
    let full = Seat { load: 2, version: 1, ..seat(2, 40) };
    must_commit(&journal, Commit { seats: vec![full], ..Commit::default() }).await;
    assert_eq!(users(&journal.free(world.organization, None, 10).await.unwrap()), order[1..]);
}

/// By id, of one organization.
pub async fn contacts_are_found_by_id_in_their_organization(journal: Arc<dyn Journal>) {
    let (world, other) = (World::new(), World::new());
    must_commit(&journal, Commit { contacts: vec![world.contact(1)], ..Commit::default() }).await;
    let id = world.contact(1).id;
    let found = journal.contact(world.organization, id).await.unwrap().expect("the contact");
    assert_eq!((found.name, found.version), (world.contact(1).name, 1));
    assert_eq!(journal.contact(other.organization, id).await.unwrap(), None);
    assert_eq!(journal.contact(world.organization, world.contact(2).id).await.unwrap(), None);
}

/// From the first message at that time or later, in the order in which they came, over all conversations of a thread;
/// only the contact's words, and nobody else's.
pub async fn what_was_said_is_read_by_thread_from_a_time_on(journal: Arc<dyn Journal>) {
    let (world, other) = (World::new(), World::new());
    let said = |since: Vec<(domain::Thread, domain::Timestamp)>| {
        let journal = Arc::clone(&journal);
        async move {
            let said = journal.said(&since).await.unwrap();
            said.into_iter().map(|one| (one.thread, one.cause, one.at)).collect::<Vec<_>>()
        }
    };
    // One that is over, and one that is open: the third message came late, and the fourth is an agent's.
    let mut over = world.opening(1);
    over.conversations[0].stage = Stage::Closed;
    must_commit(&journal, over).await;
    let mut open = world.opening(1);
    let mut conversation = Conversation {
        id: domain::ConversationId::derive(&["open", &world.event(0).to_string()]),
        ..world.conversation(1)
    };
    conversation.opened_at = at(50);
    conversation.last_inbound_at = Some(at(70));
    let place =
        |sequence, cause, wrote| domain::Message { at: at(wrote), ..world.inbound(&conversation, sequence, cause) };
    open.messages = vec![place(1, 11, 60), place(2, 12, 70), place(3, 13, 65), world.outbound(&conversation, 4, 14)];
    open.contacts.clear();
    open.processed.clear();
    open.conversations = vec![conversation.clone()];
    must_commit(&journal, open).await;
    must_commit(&journal, world.opening(2)).await;
    must_commit(&journal, other.opening(1)).await;

    let of = |cause, wrote| (world.thread(1), world.event(cause), at(wrote));
    assert_eq!(said(vec![(world.thread(1), at(66))]).await, [of(12, 70), of(13, 65)]);
    assert_eq!(said(vec![(world.thread(1), at(71))]).await, []);
    assert_eq!(said(vec![(world.thread(1), at(0))]).await, [of(1, 1), of(11, 60), of(12, 70), of(13, 65)]);
    // Each thread by its own time, many at once; one that nobody knows has said nothing.
    let mut many: Vec<_> = (3..300).map(|n| (world.thread(n), at(0))).collect();
    many.extend([(world.thread(2), at(1)), (other.thread(1), at(0)), (world.thread(1), at(70))]);
    let mut found = said(many).await;
    found.sort_by_key(|(_, cause, _)| *cause);
    let mut wanted = vec![
        (world.thread(2), world.event(2), at(1)),
        (other.thread(1), other.event(1), at(1)),
        of(12, 70),
        of(13, 65),
    ];
    wanted.sort_by_key(|(_, cause, _)| *cause);
    assert_eq!(found, wanted);
    assert_eq!(said(Vec::new()).await, []);
    let words = journal.said(&[(world.thread(2), at(1))]).await.unwrap();
    assert_eq!(
        (&words[0].content, words[0].provider_id.as_deref()),
        (&domain::Content::text("mensagem 1"), Some("wamid.2"))
    );
}
