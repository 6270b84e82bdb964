//! Numbered work, at a rate or as fast as it goes, for workers with a connection each.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex, mpsc},
    task::JoinHandle,
};

/// Work for several workers: each takes the next.
pub(crate) struct Work<T>(Arc<Mutex<mpsc::Receiver<T>>>);

impl<T> Clone for Work<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Work<T> {
    /// Work of which at most `room` waits to be taken.
    pub(crate) fn queue(room: usize) -> (mpsc::Sender<T>, Self) {
        let (sender, receiver) = mpsc::channel(room.max(1));
        (sender, Self(Arc::new(Mutex::new(receiver))))
    }

    /// The next; none at the end.
    pub(crate) async fn next(&self) -> Option<T> {
        self.0.lock().await.recv().await
    }
}

/// How much work, and how fast.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// How many in all.
    pub(crate) count: u32,
    /// How many in a second; 0 means as fast as they are taken.
    pub(crate) rate: u32,
    /// How many at a time.
    pub(crate) workers: usize,
}

/// What became of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sent {
    pub(crate) accepted: u32,
    pub(crate) refused: u32,
    pub(crate) seconds: f64,
}

impl Sent {
    /// Counts one.
    pub(crate) const fn count(&mut self, accepted: bool) {
        if accepted {
            self.accepted += 1;
        } else {
            self.refused += 1;
        }
    }
}

/// Hands the numbers from 0 on to the workers, and waits for all.
pub(crate) async fn run<F>(pace: Pace, worker: impl Fn(usize, Work<u32>) -> F) -> Result<Sent, String>
where
    F: Future<Output = Result<Sent, String>> + Send + 'static,
{
    let begun = Instant::now();
    let (work, queue) = Work::queue(pace.workers);
    let workers: Vec<_> = (0..pace.workers).map(|one| tokio::spawn(worker(one, queue.clone()))).collect();
    // The workers' alone from here on: when all of them have failed, there is nobody to wait for.
    drop(queue);
    for number in 0..pace.count {
        if pace.rate > 0 {
            let due = begun + Duration::from_secs_f64(f64::from(number) / f64::from(pace.rate));
            tokio::time::sleep_until(due.into()).await;
        }
        if work.send(number).await.is_err() {
            break;
        }
    }
    drop(work);
    all(workers, begun).await
}

/// Waits for all workers.
pub(crate) async fn all(workers: Vec<JoinHandle<Result<Sent, String>>>, begun: Instant) -> Result<Sent, String> {
    let mut sent = Sent::default();
    for worker in workers {
        let one = worker.await.map_err(|problem| problem.to_string())??;
        sent.accepted += one.accepted;
        sent.refused += one.refused;
    }
    sent.seconds = begun.elapsed().as_secs_f64();
    Ok(sent)
}
