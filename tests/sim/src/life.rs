//! Whether a process lives. What it started and let go of ends with it: nothing of it reaches anybody any more, and what it
//! held (a lock on a folder, a connection) is let go.

use std::{
    future::{Future, poll_fn},
    panic::resume_unwind,
    pin::pin,
};

use tokio_util::sync::CancellationToken;

/// One life of a process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Life(CancellationToken);

impl Life {
    /// Ends it.
    pub(crate) fn end(&self) {
        self.0.cancel();
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Resolves when it has ended.
    pub(crate) async fn over(&self) {
        self.0.cancelled().await;
    }

    /// Goes on only while it lasts; the task of whoever calls ends here, and nobody is told.
    pub(crate) fn goes_on(&self) {
        if self.is_over() {
            resume_unwind(Box::new("the process is dead"));
        }
    }

    /// `work` as far as it comes.
    pub(crate) async fn while_it_lasts<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| {
            self.goes_on();
            work.as_mut().poll(context)
        })
        .await
    }
}
