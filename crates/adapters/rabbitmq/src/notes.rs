//! How a delivery says what became of it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ports::bus::{Settle, Settlement};
use tokio::sync::mpsc;

/// The delivery's way back to the pump. Of one channel: settlements for a channel that is gone go nowhere.
pub(crate) struct Notes {
    sender: mpsc::UnboundedSender<(u64, Settlement)>,
    current: Arc<AtomicBool>,
    /// Putting one back ends the round.
    ordered: bool,
}

impl Notes {
    pub(crate) const fn new(
        sender: mpsc::UnboundedSender<(u64, Settlement)>,
        current: Arc<AtomicBool>,
        ordered: bool,
    ) -> Self {
        Self { sender, current, ordered }
    }
}

impl Settle for Notes {
    fn settle(&self, tag: u64, settlement: Settlement) {
        if self.ordered && settlement == Settlement::Requeue {
            // At once, not when the note is read: what waits in the buffer behind it must not be taken any more.
            self.current.store(false, Ordering::Release);
        }
        drop(self.sender.send((tag, settlement)));
    }

    fn is_current(&self) -> bool {
        self.current.load(Ordering::Acquire)
    }
}
