//! A process: the tasks of one replica, which may die all at once between any two of their steps.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use runtime::{Drain, Task};
use tokio::{
    sync::{Notify, oneshot},
    task::JoinSet,
};

use crate::{door::Doorkeeper, life::Life};

/// How long a task that ended with an error rests before it is started again.
const REST: Duration = Duration::from_millis(200);

/// Counts the steps of a process and stops them.
#[derive(Default)]
struct Fuse {
    /// The process dies at this step from now; not burning when below 1.
    steps: AtomicI64,
    life: Life,
    death: Notify,
}

impl Fuse {
    /// Whether the next step may be taken.
    fn step(&self) -> bool {
        if self.steps.load(Ordering::SeqCst) > 0 && self.steps.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.life.end();
            self.death.notify_one();
        }
        !self.life.is_over()
    }
}

/// A future of a process. Once the process is dead it never goes on.
struct Living<F> {
    fuse: Arc<Fuse>,
    inner: Pin<Box<F>>,
}

impl<F: Future> Future for Living<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.fuse.step() { self.inner.as_mut().poll(context) } else { Poll::Pending }
    }
}

/// One life of a process.
pub(crate) struct Process {
    fuse: Arc<Fuse>,
    drain: Drain,
    tasks: Mutex<JoinSet<()>>,
}

impl Process {
    /// Starts `tasks` as the supervisor does: one that fails is started again. What they let go of ends with `life`.
    pub(crate) fn start(tasks: Vec<Task>, life: Life) -> Arc<Self> {
        let fuse = Arc::new(Fuse { life, ..Fuse::default() });
        let process = Arc::new(Self { fuse, drain: Drain::default(), tasks: Mutex::default() });
        for task in tasks {
            let drain = process.drain.clone();
            process.spawn(async move {
                while (task.run)(drain.clone()).await.is_err() && !drain.has_begun() {
                    tokio::time::sleep(REST).await;
                }
            });
        }
        process
    }

    /// The drain that its routes know.
    pub(crate) fn drain(&self) -> Drain {
        self.drain.clone()
    }

    /// Answers `doorkeeper`'s door with `http`.
    pub(crate) fn answer(&self, doorkeeper: Doorkeeper, http: axum::Router) {
        self.spawn(async move {
            drop(axum::serve(doorkeeper, http).await);
        });
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let living = Living { fuse: Arc::clone(&self.fuse), inner: Box::pin(work) };
        self.tasks().spawn(living);
    }

    /// Has the process do something for a caller outside. None when it dies first.
    pub(crate) async fn request<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.spawn(async move {
            let _ = answer.send(work.await);
        });
        answered.await.ok()
    }

    /// Dies after so many more steps of its tasks.
    pub(crate) fn die_after(&self, steps: u32) {
        self.fuse.steps.store(i64::from(steps.max(1)), Ordering::SeqCst);
    }

    /// Resolves when it is dead.
    pub(crate) async fn death(&self) {
        self.fuse.death.notified().await;
    }

    /// Takes away what a dead process leaves. Answers what panicked in its life.
    pub(crate) async fn bury(&self) -> Vec<String> {
        self.fuse.life.end();
        let mut tasks = std::mem::take(&mut *self.tasks());
        tasks.abort_all();
        finish(&mut tasks).await
    }

    /// Ends it as SIGTERM does, and cuts off what is still there at the deadline.
    pub(crate) async fn stop(&self, deadline: Duration) -> Vec<String> {
        self.drain.0.cancel();
        let mut tasks = std::mem::take(&mut *self.tasks());
        let ended = tokio::time::timeout(deadline, finish(&mut tasks)).await;
        let mut panics = ended.unwrap_or_default();
        tasks.abort_all();
        panics.extend(finish(&mut tasks).await);
        panics.extend(self.bury().await);
        panics
    }
}

async fn finish(tasks: &mut JoinSet<()>) -> Vec<String> {
    let mut panics = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            panics.push(error.to_string());
        }
    }
    panics
}
