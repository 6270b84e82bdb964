#![allow(clippy::unwrap_used)]

use domain::{AccountId, Address, Content, ConversationId, MessageId, OrganizationId, Permit, SendRequest, Timestamp};
use ports::{
    bus::{Envelope, Settle, Settlement},
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

fn job(tag: u64, settled: &Arc<Settled>) -> Job {
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
    let permit = Permit {
        message,
        organization,
        account,
        expires_at: Timestamp::default(),
        ground: "window".into(),
        signature: Vec::new(),
    };
    let topic = Topic::Outbound("echo".parse().unwrap(), Partition(0));
    let envelope = Envelope {
        id: tag.to_string(),
        topic,
        kind: "test".into(),
        correlation: None,
        headers: Default::default(),
        body: Default::default(),
    };
    Job {
        delivery: Delivery::new(envelope, 1, tag, Arc::clone(settled) as Arc<dyn Settle>),
        permitted: Permitted { request, permit },
        queue: Queue::ChannelOutbound("echo".parse().unwrap(), Partition(0)),
    }
}

#[test]
fn a_runner_that_ended_leaves_the_next_lane_of_its_thread_alone() {
    let settled = Arc::new(Settled::default());
    let lanes = Arc::new(Lanes::default());
    let first = job(1, &settled);
    let thread = first.permitted.request.thread.clone();
    assert!(lanes.push(first));
    let mut runner = Runner::new(Arc::clone(&lanes), thread.clone());
    runner.next().unwrap().delivery.ack();
    assert!(runner.next().is_none());

    // Between the end of the lane and that of its runner the pump brings the next message.
    assert!(lanes.push(job(2, &settled)), "a new lane with a runner of its own");
    assert!(runner.next().is_none(), "which is not the old one");
    drop(runner);
    assert!(!lanes.push(job(3, &settled)), "the lane is still there");
    let mut second = Runner::new(Arc::clone(&lanes), thread);
    assert_eq!(second.next().unwrap().delivery.envelope.id, "2");
    let seen = settled.0.lock().unwrap().clone();
    assert_eq!(seen, [(1, Settlement::Ack), (2, Settlement::Requeue)], "2 only now, by this test dropping it");

    // One that ends with work left gives it back.
    drop(second);
    assert_eq!(settled.0.lock().unwrap().last(), Some(&(3, Settlement::Requeue)));
    assert!(lanes.push(job(4, &settled)));
}
