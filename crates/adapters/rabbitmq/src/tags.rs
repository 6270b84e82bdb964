//! Which deliveries of one AMQP channel are open, and how few acks settle those that are done.

use std::collections::{BTreeMap, BTreeSet};

/// Deliveries by their tag, which grows by one with each.
pub(crate) struct Tags<T> {
    open: BTreeMap<u64, T>,
    done: BTreeSet<u64>,
}

/// Acks to send.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Acks {
    /// Everything up to and with this tag.
    pub(crate) up_to: Option<u64>,
    /// And these.
    pub(crate) single: Vec<u64>,
}

impl<T> Tags<T> {
    pub(crate) const fn new() -> Self {
        Self { open: BTreeMap::new(), done: BTreeSet::new() }
    }

    pub(crate) fn delivered(&mut self, tag: u64, what: T) {
        self.open.insert(tag, what);
    }

    pub(crate) fn get(&self, tag: u64) -> Option<&T> {
        self.open.get(&tag)
    }

    /// The delivery is done; it is acked with the next [`Tags::acks`].
    pub(crate) fn acked(&mut self, tag: u64) {
        if self.open.remove(&tag).is_some() {
            self.done.insert(tag);
        }
    }

    /// The delivery goes back. False when it is not open.
    pub(crate) fn returned(&mut self, tag: u64) -> bool {
        self.open.remove(&tag).is_some()
    }

    /// What is done since the last time: one ack for the unbroken run at the bottom, one each for the rest.
    pub(crate) fn acks(&mut self) -> Acks {
        let floor = self.open.keys().next().copied().unwrap_or(u64::MAX);
        let above = self.done.split_off(&floor);
        let acks = Acks { up_to: self.done.last().copied(), single: above.into_iter().collect() };
        self.done.clear();
        acks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unbroken_run_takes_one_ack() {
        let mut tags = Tags::new();
        for tag in 1..=5 {
            tags.delivered(tag, ());
        }
        for tag in [2, 1, 3, 5] {
            tags.acked(tag);
        }
        assert_eq!(tags.acks(), Acks { up_to: Some(3), single: vec![5] });
        assert_eq!(tags.acks(), Acks::default());
        tags.acked(4);
        assert_eq!(tags.acks(), Acks { up_to: Some(4), single: vec![] });
    }

    #[test]
    fn a_returned_delivery_is_not_acked_with_the_run() {
        let mut tags = Tags::new();
        for tag in 1..=3 {
            tags.delivered(tag, ());
        }
        assert!(tags.returned(1));
        assert!(!tags.returned(1));
        tags.acked(1);
        tags.acked(2);
        assert_eq!(tags.acks(), Acks { up_to: Some(2), single: vec![] });
    }
}
