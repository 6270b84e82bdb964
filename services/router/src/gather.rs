//! Batches that wait a moment to be larger.
//!
//! What a channel publishes goes to several partitions at nearly the same time, and a worker commits for all of its
//! partitions at once. Taking the first at once leaves the others for the next commit, and a commit costs nearly the same
//! for one message as for ten.

use std::time::Duration;

use ports::bus::{Delivery, Subscription};

/// What comes next, with what comes just behind it, at most `most`. Empty when the subscription ended. Dropped while it
/// waits, it puts back what it holds.
pub(crate) async fn next_batch(subscription: &mut Subscription, most: usize, linger: Duration) -> Vec<Delivery> {
    let mut batch = subscription.next_batch(most).await;
    if !linger.is_zero() && !batch.is_empty() && batch.len() < most {
        tokio::time::sleep(linger).await;
        batch.extend(subscription.ready(most - batch.len()));
        // What the broker took back meanwhile comes again, in its place. Looked at last: what came again was put in line
        // after that was known.
        batch.retain(Delivery::is_current);
        if batch.is_empty() {
            return subscription.next_batch(most).await;
        }
    }
    batch
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{
        collections::BTreeMap,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use bytes::Bytes;
    use ports::{
        bus::{Envelope, Settle, Settlement},
        topology::Topic,
    };
    use tokio::{sync::mpsc, time::Instant};

    use super::*;

    /// A channel that stands until it is told otherwise.
    struct Way(AtomicBool);

    impl Settle for Way {
        fn settle(&self, _: u64, _: Settlement) {}

        fn is_current(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn way() -> Arc<Way> {
        Arc::new(Way(AtomicBool::new(true)))
    }

    fn delivery(id: &str, way: &Arc<Way>) -> Delivery {
        let (kind, headers, body) = (String::new(), BTreeMap::new(), Bytes::new());
        let envelope = Envelope { id: id.to_owned(), topic: Topic::Parked, kind, correlation: None, headers, body };
        Delivery::new(envelope, 1, 0, Arc::<Way>::clone(way))
    }

    fn ids(batch: &[Delivery]) -> Vec<&str> {
        batch.iter().map(|one| one.envelope.id.as_str()).collect()
    }

    const LINGER: Duration = Duration::from_millis(5);

    #[tokio::test(start_paused = true)]
    async fn a_batch_waits_a_moment_for_what_comes_just_behind_it() {
        let (sender, deliveries) = mpsc::channel(8);
        let mut subscription = Subscription::new(deliveries);
        let way = way();
        sender.send(delivery("1", &way)).await.unwrap();
        let later = async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            sender.send(delivery("2", &way)).await.unwrap();
            sender.send(delivery("3", &way)).await.unwrap();
        };
        let (batch, ()) = tokio::join!(next_batch(&mut subscription, 2, LINGER), later);
        assert_eq!(ids(&batch), ["1", "2"], "and no more than the most");
        // Nobody is waited for when it is full, or when it is not to be.
        let before = Instant::now();
        assert_eq!(ids(&next_batch(&mut subscription, 1, LINGER).await), ["3"]);
        sender.send(delivery("4", &way)).await.unwrap();
        assert_eq!(ids(&next_batch(&mut subscription, 2, Duration::ZERO).await), ["4"]);
        assert_eq!(before.elapsed(), Duration::ZERO);
        drop(sender);
        assert!(next_batch(&mut subscription, 2, LINGER).await.is_empty());
    }

    /// Carried out now, what was taken back would come before what the broker delivers again ahead of it.
    #[tokio::test(start_paused = true)]
    async fn what_is_taken_back_while_a_batch_waits_is_left_out() {
        let (sender, deliveries) = mpsc::channel(8);
        let mut subscription = Subscription::new(deliveries);
        let (lost, next) = (way(), way());
        sender.send(delivery("2", &lost)).await.unwrap();
        let broken = async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            lost.0.store(false, Ordering::Relaxed);
            tokio::time::sleep(LINGER).await;
            sender.send(delivery("1", &next)).await.unwrap();
            sender.send(delivery("2", &next)).await.unwrap();
        };
        let (batch, ()) = tokio::join!(next_batch(&mut subscription, 9, LINGER), broken);
        let again: Vec<_> = ids(&batch).into_iter().map(str::to_owned).collect();
        let rest = if again.len() < 2 { next_batch(&mut subscription, 9, LINGER).await } else { Vec::new() };
        assert_eq!([again.iter().map(String::as_str).collect(), ids(&rest)].concat(), ["1", "2"]);
    }
}
