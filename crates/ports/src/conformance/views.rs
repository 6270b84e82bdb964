//! The promises of [`crate::Views`], on the journal that wrote what they show.

use std::sync::Arc;

use domain::{Address, Conversation, DeliveryState, DeskEvent, Message, Seat, Stage, Thread};

use super::{
    journal::must_commit,
    parking::parked,
    samples::{World, at, channel},
};
use crate::{ConversationFilter, Journal, StageCount, Views, journal::Commit};

/// The journal and the views on it.
pub type Pair = (Arc<dyn Journal>, Arc<dyn Views>);

fn all() -> ConversationFilter {
    ConversationFilter { limit: 100, ..ConversationFilter::default() }
}

async fn shown(views: &Arc<dyn Views>, world: &World, filter: ConversationFilter) -> Vec<domain::ConversationId> {
    let found = views.conversations(world.organization, &filter).await.unwrap();
    found.iter().map(|conversation| conversation.id).collect()
}

fn board(world: &World) -> Vec<Conversation> {
    let agent = Some(world.user(1));
    vec![
        world.conversation(1),
        Conversation { queue: world.queue(7), last_activity_at: at(90), ..world.conversation(2) },
        Conversation { stage: Stage::Active, agent, ..world.conversation(3) },
        Conversation { stage: Stage::Inactive, agent, channel: channel("telegram"), ..world.conversation(4) },
        Conversation { stage: Stage::Closed, closed_at: Some(at(8)), ..world.conversation(5) },
    ]
}

/// What is over is listed by when it ended, alone and among the others.
pub async fn the_newest_are_those_that_ended_last((journal, views): Pair) {
    let world = World::new();
    let closed = |n, spoke, ended| Conversation {
        stage: Stage::Closed,
        last_activity_at: at(spoke),
        closed_at: Some(at(ended)),
        ..world.conversation(n)
    };
    let open = Conversation { last_activity_at: at(35), ..world.conversation(4) };
    let conversations = vec![closed(1, 10, 40), closed(2, 30, 31), closed(3, 20, 50), open];
    must_commit(&journal, Commit { conversations, ..Commit::default() }).await;
    let ids = |numbers: &[u64]| numbers.iter().map(|n| world.conversation(*n).id).collect::<Vec<_>>();
    let newest = ConversationFilter { newest_first: true, ..all() };
    assert_eq!(shown(&views, &world, newest.clone()).await, ids(&[3, 1, 4, 2]));
    let over = ConversationFilter { stages: vec![Stage::Closed], ..newest };
    assert_eq!(shown(&views, &world, over.clone()).await, ids(&[3, 1, 2]));
    assert_eq!(shown(&views, &world, ConversationFilter { limit: 1, ..over }).await, ids(&[3]));
}

/// Stages, queues, agent, channel, order, limit.
pub async fn conversations_by_every_filter((journal, views): Pair) {
    let world = World::new();
    must_commit(&journal, Commit { conversations: board(&world), ..Commit::default() }).await;
    let ids = |numbers: &[u64]| numbers.iter().map(|n| world.conversation(*n).id).collect::<Vec<_>>();
    assert_eq!(shown(&views, &world, all()).await, ids(&[1, 2, 3, 4, 5]));
    let filter = ConversationFilter { newest_first: true, ..all() };
    assert_eq!(shown(&views, &world, filter).await, ids(&[2, 5, 4, 3, 1]));
    let filter = ConversationFilter { stages: vec![Stage::Waiting, Stage::Active], ..all() };
    assert_eq!(shown(&views, &world, filter).await, ids(&[1, 2, 3]));
    let filter = ConversationFilter { stages: vec![Stage::Closed], ..all() };
    assert_eq!(shown(&views, &world, filter).await, ids(&[5]));
    let filter = ConversationFilter { queues: Some(vec![world.queue(7)]), ..all() };
    assert_eq!(shown(&views, &world, filter).await, ids(&[2]));
    let filter = ConversationFilter { queues: Some(vec![]), ..all() };
    assert_eq!(shown(&views, &world, filter).await, ids(&[]));
    let filter = ConversationFilter { agent: Some(world.user(1)), ..all() };
    assert_eq!(shown(&views, &world, filter).await, ids(&[3, 4]));
    let filter = ConversationFilter { channel: Some(channel("telegram")), ..all() };
    assert_eq!(shown(&views, &world, filter).await, ids(&[4]));
    let filter = ConversationFilter { limit: 2, ..all() };
    assert_eq!(shown(&views, &world, filter).await, ids(&[1, 2]));
    let one = views.conversation(world.organization, world.conversation(3).id).await.unwrap();
    assert_eq!(one, Some(Conversation { version: 1, ..board(&world)[2].clone() }));
}

/// Name, e-mail, address; letters beyond ASCII; signs that mean something to a database.
pub async fn search_finds_parts_whatever_the_case((journal, views): Pair) {
    let world = World::new();
    let named = |n, name: &str| Conversation { contact_name: Some(name.into()), ..world.conversation(n) };
    let conversations = vec![
        named(1, "Ângela Assunção"),
        Conversation { contact_email: Some("Joao_Silva@Example.com".into()), ..named(2, "João") },
        Conversation {
            thread: Thread { address: Address::new("5521777"), ..world.thread(3) },
            contact_email: None,
            ..named(3, "100% Pão")
        },
    ];
    must_commit(&journal, Commit { conversations, ..Commit::default() }).await;
    for (search, expected) in [
        ("ângela", vec![1]),
        ("ASSUNÇÃO", vec![1]),
        ("silva@example", vec![2]),
        ("joao_s", vec![2]),
        ("o_o", vec![]),
        ("5521777", vec![3]),
        ("0% p", vec![3]),
        ("a%a", vec![]),
        ("", vec![1, 2, 3]),
        ("' OR 1=1 --", vec![]),
    ] {
        let filter = ConversationFilter { search: Some(search.into()), ..all() };
        let expected: Vec<_> = expected.into_iter().map(|n| world.conversation(n).id).collect();
        assert_eq!(shown(&views, &world, filter).await, expected, "{search}");
    }
}

/// By channel and stage, without the closed ones.
pub async fn counts_are_of_open_conversations((journal, views): Pair) {
    let world = World::new();
    must_commit(&journal, Commit { conversations: board(&world), ..Commit::default() }).await;
    let count = |name, stage, count| StageCount { channel: channel(name), stage, count };
    let mut counts = views.counts(world.organization, None).await.unwrap();
    counts.sort_by_key(|count| (count.channel.clone(), count.stage));
    let expected = [
        count("telegram", Stage::Inactive, 1),
        count("whatsapp", Stage::Waiting, 2),
        count("whatsapp", Stage::Active, 1),
    ];
    assert_eq!(counts, expected);
    let counts = views.counts(world.organization, Some(&[world.queue(7)])).await.unwrap();
    assert_eq!(counts, [count("whatsapp", Stage::Waiting, 1)]);
    assert_eq!(views.counts(world.organization, Some(&[])).await.unwrap(), []);
}

/// From the end, page by page, each oldest first.
pub async fn messages_are_paged_backwards((journal, views): Pair) {
    let world = World::new();
    let conversation = world.conversation(1);
    let messages = (1..=5).map(|n| world.inbound(&conversation, n, n)).collect();
    must_commit(&journal, Commit { messages, ..Commit::default() }).await;
    let page = |before, limit| {
        let (views, world) = (views.clone(), world.clone());
        async move {
            let conversation = world.conversation(1).id;
            let page = views.messages(world.organization, conversation, before, limit).await.unwrap();
            page.iter().map(|message| message.sequence).collect::<Vec<_>>()
        }
    };
    assert_eq!(page(None, 2).await, [4, 5]);
    assert_eq!(page(Some(4), 2).await, [2, 3]);
    assert_eq!(page(Some(2), 2).await, [1]);
    assert_eq!(page(None, 100).await, [1, 2, 3, 4, 5]);
    let message = world.inbound(&conversation, 3, 3);
    let found = views.message(world.organization, message.id).await.unwrap();
    assert_eq!(found, Some(Message { version: 1, ..message }));
}

/// A page resumes where it was.
pub async fn events_are_read_from_a_cursor((journal, views): Pair) {
    let world = World::new();
    assert_eq!(views.event_range(world.organization).await.unwrap(), (0, 0));
    let event = world.desk_event(&world.conversation(1));
    let numbered = journal.commit(&Commit { events: vec![event; 5], ..Commit::default() }).await.unwrap();
    assert_eq!(views.events(world.organization, 0, 100).await.unwrap(), numbered);
    assert_eq!(views.events(world.organization, 2, 2).await.unwrap(), numbered[2..4]);
    assert_eq!(views.events(world.organization, 5, 10).await.unwrap(), []);
    assert_eq!(views.event_range(world.organization).await.unwrap(), (5, 1));
}

/// Whatever the size of the commits, a page reads on from where it was, without holes or doubles.
pub async fn events_of_big_and_small_commits_follow_each_other((journal, views): Pair) {
    let world = World::new();
    let event = world.desk_event(&world.conversation(1));
    let mut all = Vec::new();
    for size in [1, 150, 1, 1, 70, 2] {
        let commit = Commit { events: vec![event.clone(); size], ..Commit::default() };
        all.extend(journal.commit(&commit).await.unwrap());
    }
    let mut read = Vec::new();
    loop {
        let last = read.last().map_or(0, |event: &domain::DeskEvent| event.sequence);
        let page = views.events(world.organization, last, 40).await.unwrap();
        assert!(page.len() == 40 || read.len() + page.len() == all.len(), "a short page is the last one");
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    assert_eq!(read, all);
}

/// Several organizations, times and pages in one commit: each has its own numbers, in the order given.
pub async fn events_of_two_organizations_in_one_commit_keep_their_order((journal, views): Pair) {
    let worlds = [World::new(), World::new()];
    let events = (1..=200).map(|n| {
        let world = &worlds[usize::from(n % 3 == 0)];
        DeskEvent { at: at(n / 90), ..world.desk_event(&world.conversation(n)) }
    });
    let commit = Commit { events: events.collect(), ..Commit::default() };
    let numbered = journal.commit(&commit).await.unwrap();
    for world in &worlds {
        let own = |events: &[DeskEvent]| -> Vec<_> {
            let own = events.iter().filter(|event| event.organization == world.organization);
            own.map(|event| (event.at, event.change.clone())).collect()
        };
        let read = views.events(world.organization, 0, 500).await.unwrap();
        assert_eq!(own(&read), own(&commit.events));
        assert!(read.iter().map(|event| event.sequence).eq(1..=read.len() as u64));
        assert!(read.iter().all(|event| numbered.contains(event)));
    }
}

/// Isolated (invariant 6).
pub async fn nothing_of_another_organization_is_shown((journal, views): Pair) {
    let (world, other) = (World::new(), World::new());
    let mut commit = world.opening(1);
    commit.seats.push(world.seat(1));
    must_commit(&journal, commit).await;
    let conversation = world.conversation(1);
    let message = world.inbound(&conversation, 1, 1);
    let stranger = other.organization;
    assert_eq!(views.conversations(stranger, &all()).await.unwrap(), []);
    assert_eq!(views.conversation(stranger, conversation.id).await.unwrap(), None);
    assert_eq!(views.messages(stranger, conversation.id, None, 10).await.unwrap(), []);
    assert_eq!(views.message(stranger, message.id).await.unwrap(), None);
    assert_eq!(views.counts(stranger, None).await.unwrap(), []);
    assert_eq!(views.seats(stranger).await.unwrap(), []);
    assert_eq!(views.events(stranger, 0, 10).await.unwrap(), []);
    assert_eq!(views.seats(world.organization).await.unwrap().len(), 1);
    let audit = views.audit(Some(stranger)).await.unwrap();
    assert_eq!(audit, crate::AuditCounts::default());
}

/// Everything that came in and went out, by what became of it.
pub async fn the_audit_accounts_for_everything((journal, views): Pair) {
    let world = World::new();
    let agent = Some(world.user(1));
    let conversation = Conversation { next_sequence: 4, stage: Stage::Active, agent, ..world.conversation(1) };
    let mut delivered = world.outbound(&conversation, 2, 11);
    if let Some(delivery) = &mut delivered.delivery {
        delivery.state = DeliveryState::Delivered;
    }
    let mut commit = Commit { conversations: vec![conversation.clone()], ..world.opening(1) };
    commit.seats.push(Seat { load: 1, ..world.seat(1) });
    commit.processed.extend([world.processed(11, "command"), world.processed(12, "command")]);
    commit.messages.extend([delivered, world.outbound(&conversation, 3, 12)]);
    commit.outbox.push(world.outgoing(0, "waiting"));
    commit.parked.push(parked(&world, 1));
    commit.hold.push(domain::HeldReceipt {
        event: world.event(50),
        thread: world.thread(1),
        receipt: domain::Receipt {
            provider_ids: vec!["x".into(), "y".into()],
            state: DeliveryState::Sent,
            at: at(1),
            failure: None,
        },
        held_at: at(1),
    });
    must_commit(&journal, commit).await;
    must_commit(&journal, world.opening(2)).await;
    let audit = views.audit(Some(world.organization)).await.unwrap();
    let expected = crate::AuditCounts {
        processed: vec![("command".into(), 2), ("message".into(), 2)],
        messages_in: 2,
        messages_out: vec![("delivered".into(), 1), ("queued".into(), 1)],
        queued_out: 1,
        in_broker: None,
        outbox: 1,
        held_receipts: 1,
        parked: 1,
        discarded: 0,
        unaccounted_in: 0,
        out_of_order: 0,
        seat_mismatch: 0,
    };
    assert_eq!(audit, expected);
    let everybody = views.audit(None).await.unwrap();
    assert!(everybody.messages_in >= 2 && everybody.parked >= 1, "{everybody:?}");
}

/// Queued for long, and neither in the outbox nor begun: lost. The rest is somewhere.
pub async fn the_audit_names_what_was_lost_on_its_way_out((journal, views): Pair) {
    let world = World::new();
    let mut commit = Commit::default();
    // Conversation 1 has two messages that are lost; 2 has one that was just asked for; 3 waits in the outbox; 4 was
    // delivered.
    for n in 1..=4u64 {
        let conversation = world.conversation(n);
        let mut sent = world.outbound(&conversation, n, n);
        match n {
            2 => sent.delivery = Some(domain::Delivery::queued(at(500))),
            3 => {
                let mut outgoing = world.outgoing(0, "waiting");
                outgoing.envelope.correlation = Some(conversation.id.to_string());
                commit.outbox.push(outgoing);
            }
            4 => {
                if let Some(delivery) = &mut sent.delivery {
                    delivery.state = DeliveryState::Delivered;
                }
            }
            _ => commit.messages.push(world.outbound(&conversation, 9, 9)),
        }
        commit.messages.push(sent);
        commit.conversations.push(conversation);
    }
    let second = commit.messages[0].id;
    let first = commit.messages[1].id;
    must_commit(&journal, commit).await;
    let lost = views.unaccounted_out(Some(world.organization), at(100)).await.unwrap();
    assert_eq!((lost.count, lost.messages), (2, vec![first, second]));
    assert_eq!(views.unaccounted_out(Some(world.organization), at(0)).await.unwrap(), crate::Unaccounted::default());
    assert!(views.unaccounted_out(None, at(100)).await.unwrap().count >= 2);
    let stranger = World::new().organization;
    assert_eq!(views.unaccounted_out(Some(stranger), at(100)).await.unwrap(), crate::Unaccounted::default());
}

/// It can fail.
pub async fn the_audit_sees_what_is_wrong((journal, views): Pair) {
    let world = World::new();
    let (gap, late) = (world.conversation(1), world.conversation(2));
    let mut doubled = world.inbound(&late, 2, 9);
    doubled.cause = world.event(4);
    let commit = Commit {
        // Event 4 brought two.
        messages: vec![world.inbound(&gap, 1, 1), world.inbound(&gap, 3, 3), world.inbound(&late, 3, 4), doubled],
        ..Commit::default()
    };
    must_commit(&journal, commit).await;
    let audit = views.audit(Some(world.organization)).await.unwrap();
    assert_eq!((audit.unaccounted_in, audit.out_of_order), (1, 2));
}

/// Sequences against what the conversation says; a conversation that says more than it has.
pub async fn the_audit_compares_messages_with_their_conversation((journal, views): Pair) {
    let world = World::new();
    let sound = world.opening(1);
    let mut ahead = world.opening(2);
    ahead.conversations[0].next_sequence = 5;
    let mut bare = world.opening(3);
    bare.messages.clear();
    bare.processed.clear();
    for commit in [sound, ahead, bare] {
        must_commit(&journal, commit).await;
    }
    let audit = views.audit(Some(world.organization)).await.unwrap();
    assert_eq!((audit.unaccounted_in, audit.out_of_order), (0, 2));
}

/// A load without its conversations, and conversations without a seat.
pub async fn the_audit_compares_seats_with_their_conversations((journal, views): Pair) {
    let world = World::new();
    let served = |n, agent, stage| Conversation { stage, agent: Some(world.user(agent)), ..world.conversation(n) };
    let commit = Commit {
        // 1 is right; 2 has one too many; 3 has one that is closed, and its load says so.
        seats: vec![
            Seat { load: 2, ..world.seat(1) },
            Seat { load: 1, ..world.seat(2) },
            Seat { load: 0, ..world.seat(3) },
        ],
        conversations: vec![
            served(1, 1, Stage::Active),
            served(2, 1, Stage::Inactive),
            served(3, 3, Stage::Closed),
            // Two of somebody who has no seat.
            served(4, 4, Stage::Active),
            served(5, 4, Stage::Active),
        ],
        ..Commit::default()
    };
    must_commit(&journal, commit).await;
    assert_eq!(views.audit(Some(world.organization)).await.unwrap().seat_mismatch, 2);
    let elsewhere = World::new().organization;
    assert_eq!(views.audit(Some(elsewhere)).await.unwrap().seat_mismatch, 0);
}
