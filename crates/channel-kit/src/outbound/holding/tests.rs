#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use domain::{Address, Content, ConversationId, MessageId, Partition, Permit, SendRequest, Thread, Timestamp};
use ports::{
    bus::{Settle, Settlement},
    topology::Topic,
};

use super::*;

/// Notes what is settled.
#[derive(Default)]
struct Settled(Mutex<Vec<(u64, Settlement)>>);

impl Settle for Settled {
    fn settle(&self, tag: u64, settlement: Settlement) {
        self.0.lock().unwrap().push((tag, settlement));
    }
}

impl Settled {
    fn acked(&self) -> Vec<u64> {
        let settled = self.0.lock().unwrap();
        let mut acked: Vec<u64> =
            settled.iter().filter(|(_, how)| *how == Settlement::Ack).map(|(tag, _)| *tag).collect();
        acked.sort_unstable();
        acked
    }
}

fn permitted(tag: u64) -> Permitted {
    let (organization, account) = (OrganizationId::derive(&["o"]), AccountId::derive(&["a"]));
    let message = MessageId::derive(&[&tag.to_string()]);
    let request = SendRequest {
        message,
        conversation: ConversationId::derive(&["c"]),
        thread: Thread { organization, account, address: Address::new("55119") },
        channel: "echo".parse().unwrap(),
        content: Content::text("oi"),
        reply_to: None,
        author: None,
        at: Timestamp::default(),
        last_inbound_at: None,
    };
    let expires_at = Timestamp::default();
    let permit = Permit { message, organization, account, expires_at, ground: "window".into(), signature: Vec::new() };
    Permitted { request, permit }
}

fn envelope(tag: u64) -> Envelope {
    Envelope {
        id: tag.to_string(),
        topic: Topic::Outbound("echo".parse().unwrap(), Partition(0)),
        kind: "test".into(),
        correlation: None,
        headers: Default::default(),
        body: Default::default(),
    }
}

fn row(tag: u64) -> Job {
    Job { source: Source::Shelved(i64::try_from(tag).unwrap(), envelope(tag)), permitted: permitted(tag) }
}

struct Scene {
    settled: Arc<Settled>,
    holding: Holding,
}

impl Scene {
    fn new(holding: Holding) -> Self {
        Self { settled: Arc::default(), holding }
    }

    fn arrive(&mut self, tag: u64, attempt: u32) -> (Vec<String>, Vec<Call>) {
        let settle = Arc::clone(&self.settled) as Arc<dyn Settle>;
        self.holding.arrive(Delivery::new(envelope(tag), attempt, tag, settle), permitted(tag));
        self.step()
    }

    /// What goes to the lanes, by id, and to the store.
    fn step(&mut self) -> (Vec<String>, Vec<Call>) {
        let Steps { run, calls } = self.holding.advance();
        (run.into_iter().map(|job| self.carried(job)).collect(), calls)
    }

    fn answered(&mut self, answer: Answer) -> Vec<String> {
        self.holding.answered(answer).into_iter().map(|job| self.carried(job)).collect()
    }

    /// The job as if it were carried out at once, without its lane being left.
    fn carried(&self, job: Job) -> String {
        let id = job.envelope().id.clone();
        if let Source::Delivered(delivery) = job.source {
            delivery.ack();
        }
        id
    }
}

fn put(tags: &[u64]) -> Call {
    Call::Write { put: tags.iter().map(|tag| envelope(*tag)).collect(), done: Vec::new() }
}

fn written(added: u64, last: i64) -> Answer {
    Answer::Written { put: Some(Put { added, last, newest: last.to_string() }), removed: 0 }
}

#[test]
fn what_comes_beyond_the_share_is_acknowledged_once_it_lies_on_the_shelf_but_for_the_newest() {
    let mut scene = Scene::new(Holding::new(1));
    assert_eq!(scene.arrive(1, 1), (vec!["1".into()], vec![]));
    assert_eq!(scene.arrive(2, 1), (vec![], vec![put(&[2])]));
    assert_eq!(scene.arrive(3, 1), (vec![], vec![]), "one write at a time");
    assert_eq!(scene.arrive(4, 1), (vec![], vec![]));
    scene.answered(written(1, 2));
    assert_eq!(scene.settled.acked(), [1], "2 is the marker");
    assert_eq!(scene.step(), (vec![], vec![put(&[3, 4])]));
    scene.answered(written(2, 4));
    assert_eq!(scene.settled.acked(), [1, 2, 3], "4 is");

    // There is room: the shelf in order, and what comes meanwhile goes behind it.
    scene.holding.finished("1", None);
    assert_eq!(scene.step(), (vec![], vec![Call::Page { after: 0, limit: 1, newest: 4 }]));
    assert_eq!(scene.answered(Answer::Page { jobs: vec![row(2)], read: 2 }), ["2"]);
    assert_eq!(scene.arrive(5, 1), (vec![], vec![put(&[5])]));
    scene.answered(written(1, 5));
    assert_eq!(scene.settled.acked(), [1, 2, 3, 4]);
    assert_eq!(scene.holding.count(), 4);
    for tag in 2..=5 {
        scene.holding.finished(&tag.to_string(), Some(tag));
        let (_, calls) = scene.step();
        let done = Call::Write { put: Vec::new(), done: vec![tag] };
        assert!(calls.contains(&done), "{calls:?}");
        if tag < 5 {
            assert!(calls.contains(&Call::Page { after: tag, limit: 1, newest: 5 }), "{calls:?}");
            let read = u64::try_from(tag + 1).unwrap();
            scene.answered(Answer::Page { jobs: vec![row(read)], read: tag + 1 });
        }
        scene.answered(Answer::Written { put: None, removed: 1 });
        assert!(!scene.settled.acked().contains(&5), "not before the last is gone");
    }
    assert_eq!(scene.step(), (vec![], vec![]));
    assert_eq!(scene.settled.acked(), [1, 2, 3, 4, 5]);
    assert!(scene.holding.is_idle());
}

#[test]
fn what_is_older_than_the_shelf_goes_before_it_and_the_marker_opens_it() {
    let mut scene = Scene::new(Holding::laden(1, 2, 8));
    assert_eq!(scene.step(), (vec![], vec![]), "its turn has not come");
    assert_eq!(scene.arrive(5, 2), (vec![], vec![Call::Find("5".into())]));
    assert_eq!(scene.arrive(6, 2), (vec![], vec![]));
    assert_eq!(scene.arrive(8, 2), (vec![], vec![]));
    assert_eq!(scene.arrive(9, 1), (vec![], vec![]));
    assert_eq!(scene.answered(Answer::Found(false)), ["5"]);
    assert_eq!(scene.step().1, [Call::Find("6".into())]);
    assert_eq!(scene.answered(Answer::Found(false)), ["6"], "more than the share: the former consumer had it in hand");
    assert_eq!(scene.step().1, [Call::Find("8".into())]);
    assert!(scene.answered(Answer::Found(true)).is_empty());
    assert_eq!(scene.step(), (vec![], vec![put(&[9])]), "the shelf has no room before the older ones are gone");
    scene.answered(written(1, 9));
    assert_eq!(scene.settled.acked(), [5, 6, 8]);
    scene.holding.finished("5", None);
    assert_eq!(scene.step().1, []);
    scene.holding.finished("6", None);
    assert_eq!(scene.step().1, [Call::Page { after: 0, limit: 1, newest: 9 }]);
}

#[test]
fn a_shelf_whose_marker_is_lost_is_opened_by_the_next_new_message() {
    let mut scene = Scene::new(Holding::laden(2, 1, 3));
    let (run, calls) = scene.arrive(4, 1);
    assert!(run.is_empty());
    assert_eq!(calls, [Call::Page { after: 0, limit: 2, newest: 3 }, put(&[4])]);
}

#[test]
fn what_lies_there_already_moves_the_marker_only() {
    let mut scene = Scene::new(Holding::laden(1, 2, 8));
    scene.arrive(7, 2);
    scene.answered(Answer::Found(true));
    let (_, calls) = scene.arrive(8, 2);
    assert_eq!(calls, [Call::Page { after: 0, limit: 1, newest: 8 }, put(&[8])]);
    scene.answered(written(0, 8));
    assert_eq!((scene.settled.acked(), scene.holding.count()), (vec![7], 2));
}

#[test]
fn a_twin_of_what_is_in_hand_does_not_get_on_the_shelf() {
    let mut scene = Scene::new(Holding::new(1));
    assert_eq!(scene.arrive(1, 1).0, ["1"]);
    assert_eq!(scene.arrive(2, 1).1, [put(&[2])]);
    for twin in [1, 2] {
        assert_eq!(scene.arrive(twin, 1), (vec![], vec![]));
    }
    scene.answered(written(1, 2));
    assert_eq!(scene.step().1, [], "neither twin is left");
    // Afterwards they come behind, and the ledger knows what became of them.
    scene.holding.finished("1", None);
    assert_eq!(scene.step().1, [Call::Page { after: 0, limit: 1, newest: 2 }]);
    assert_eq!(scene.arrive(1, 1).1, [put(&[1])]);
}

#[test]
fn the_row_of_the_marker_leaves_last() {
    let mut scene = Scene::new(Holding::new(2));
    (1..=2).for_each(|tag| drop(scene.arrive(tag, 1)));
    (3..=4).for_each(|tag| drop(scene.arrive(tag, 1)));
    scene.answered(written(1, 3));
    scene.step();
    scene.answered(written(1, 4));
    scene.holding.finished("1", None);
    scene.holding.finished("2", None);
    assert_eq!(scene.step().1, [Call::Page { after: 0, limit: 2, newest: 4 }]);
    scene.answered(Answer::Page { jobs: vec![row(3), row(4)], read: 4 });
    scene.holding.finished("4", Some(4));
    assert_eq!(scene.step().1, [], "4 is the marker's, and 3 still lies there");
    scene.holding.finished("3", Some(3));
    assert_eq!(scene.step().1, [Call::Write { put: vec![], done: vec![4, 3] }]);
}
