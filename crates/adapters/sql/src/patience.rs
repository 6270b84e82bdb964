//! A PostgreSQL that goes silent: its connections stay open and nothing comes back, for a quarter of an hour until the
//! system gives them up. Work is given up sooner here, and the connection that it ran on with it.
//!
//! And a transaction that is given up while it begins. sqlx 0.9.0 counts one as begun when the server has said so, and
//! rolls back what it has counted: a future that is dropped in between puts its connection back into the pool with a
//! transaction open. Whoever gets it next is told that a write was done, and it is undone seconds later. Remove
//! [`Patience::begun`] with the first sqlx that rolls that back.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ports::StoreError;
use sea_orm::sqlx::{self, Executor as _, PgConnection, Postgres, Row as _, pool::PoolOptions};
use tokio::time::Instant;

/// How long a statement or a transaction may take before it is given up; tried again, it does no harm.
const ANSWER: Duration = Duration::from_secs(5);
/// Work that takes longer than this casts a doubt on every connection as long as it lasts: whoever comes after it would
/// take another silent one, and wait for [`ANSWER`] in its turn.
const SLOW: Duration = Duration::from_secs(1);
/// How long a connection may take to show that it is fit.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How long one may take that is older than one that has just shown nothing. Those are probably as silent, and are not
/// waited for one by one; but if it was that one alone, or a server that stood still for a moment, they stay.
const OF_THE_OTHERS: Duration = Duration::from_millis(100);
/// For how long after work was given up each connection must show that it is fit before it is used and before it goes
/// back to the pool: the others may be silent too, and one of them is in the middle of something.
const DOUBTS: Duration = Duration::from_secs(60);
/// A connection that was idle for so long must show it in any case: it may have been cut meanwhile.
const IDLE: Duration = Duration::from_secs(20);

/// What the server is told with each connection. A transaction that nobody goes on with is rolled back, and its locks
/// are free: the server does not hear that a silent connection was given up, and the next try would wait for the locks of
/// the one before it. Long values (a page of desk events) are packed with LZ4 where the server has it: its own older
/// way cost as much as all else that it did for them. Nothing that we ask is worth compiling first. Work that was given
/// up while it waited for a lock ends there too: the server does not look whether anybody still waits for it. And it asks
/// a connection that rests whether we are still there, within half a minute and not after its own two hours: those that
/// fell silent count among the few that it allows.
const SETTINGS: &str = "SET idle_in_transaction_session_timeout = 5000;
    SET lock_timeout = 5000;
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3;
    SET jit = off;
    SELECT set_config(name, 'lz4', false) FROM pg_settings
    WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)";

/// The time of a transaction is that of its first statement: the two differ when one was open before this statement.
const IS_FIT: &str = "SELECT now() = statement_timestamp()";

/// What there is to doubt.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patience(Arc<Mutex<Doubts>>);

#[derive(Debug, Default)]
struct Doubts {
    /// How much work takes long just now.
    slow: usize,
    /// When work was last given up.
    given_up: Option<Instant>,
    /// When a connection was last asked for a sign of life that did not come.
    silent: Option<Instant>,
}

impl Patience {
    /// Does the work, or says after [`ANSWER`] that the store is away.
    pub(crate) async fn with<T, E: From<StoreError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut work = std::pin::pin!(work);
        if let Ok(done) = tokio::time::timeout(SLOW, &mut work).await {
            return done;
        }
        // Dropped before the work is, whose connection goes back to the pool then.
        let slow = Slow::new(self);
        if let Ok(done) = tokio::time::timeout(ANSWER.saturating_sub(SLOW), &mut work).await {
            slow.end();
            return done;
        }
        drop(slow);
        Err(E::from(StoreError::Unavailable(format!("the database did not answer within {ANSWER:?}"))))
    }

    /// Begins a transaction. Given up in the middle, it leaves no connection in the pool with a transaction open.
    pub(crate) async fn begun<T>(&self, beginning: impl Future<Output = T>) -> T {
        let mut half = Half { patience: self, beginning: Box::pin(beginning), done: false };
        let begun = poll_fn(|context| half.beginning.as_mut().poll(context)).await;
        half.done = true;
        begun
    }

    fn doubts(&self) -> MutexGuard<'_, Doubts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doubt(&self) {
        self.doubts().given_up = Some(Instant::now());
    }

    /// The pool's settings, so that no silent connection is taken out of it or put back, nor one with a transaction that
    /// nobody knows of. The pool asks for a sign of life too, and would wait for it for ever.
    pub(crate) fn guard(&self, pool: PoolOptions<Postgres>) -> PoolOptions<Postgres> {
        let (before, after) = (self.clone(), self.clone());
        pool.test_before_acquire(false)
            .after_connect(|connection, _| Box::pin(async { connection.execute(SETTINGS).await.map(drop) }))
            .before_acquire(move |connection, known| {
                let patience = before.clone();
                Box::pin(async move { Ok(patience.trusts(connection, known.age, known.idle_for).await) })
            })
            .after_release(move |connection, known| {
                let patience = after.clone();
                Box::pin(async move { Ok(patience.trusts(connection, known.age, Duration::ZERO).await) })
            })
    }

    /// Whether a connection that rests is fit. As long as it does not answer, every connection is doubted.
    pub(crate) async fn feels(&self, resting: &mut PgConnection) -> bool {
        self.with(async { Ok::<_, StoreError>(is_fit(resting).await) }).await.unwrap_or(false)
    }

    /// Whether this connection may be used: it is not doubted, or it answers.
    async fn trusts(&self, connection: &mut PgConnection, age: Duration, idle: Duration) -> bool {
        let asked = Instant::now();
        let is_suspect = {
            let doubts = self.doubts();
            if doubts.are_none(asked) && idle < IDLE {
                return true;
            }
            doubts.silent_since(asked).is_some_and(|silent| asked.checked_sub(age).is_none_or(|made| made < silent))
        };
        let within = if is_suspect { OF_THE_OTHERS } else { SIGN_OF_LIFE };
        let answer = tokio::time::timeout(within, is_fit(connection)).await;
        match answer {
            Ok(true) if is_suspect => self.doubts().silent = None,
            Ok(_) => {}
            Err(_) => self.doubts().silent = Some(asked),
        }
        answer.unwrap_or(false)
    }
}

impl Doubts {
    fn are_none(&self, now: Instant) -> bool {
        self.slow == 0 && lately(self.given_up, now).is_none()
    }

    fn silent_since(&self, now: Instant) -> Option<Instant> {
        lately(self.silent, now)
    }
}

fn lately(at: Option<Instant>, now: Instant) -> Option<Instant> {
    at.filter(|at| now.saturating_duration_since(*at) < DOUBTS)
}

async fn is_fit(connection: &mut PgConnection) -> bool {
    // As one message: what is prepared first has a time of its own.
    let asked = async { connection.fetch_one(sqlx::raw_sql(IS_FIT)).await?.try_get::<bool, _>(0) };
    asked.await.unwrap_or(false)
}

/// Work that takes long. Whoever gives it up, here or by dropping it, leaves a doubt.
struct Slow<'a> {
    patience: &'a Patience,
    done: bool,
}

impl<'a> Slow<'a> {
    fn new(patience: &'a Patience) -> Self {
        patience.doubts().slow += 1;
        Self { patience, done: false }
    }

    fn end(mut self) {
        self.done = true;
    }
}

impl Drop for Slow<'_> {
    fn drop(&mut self) {
        self.patience.doubts().slow -= 1;
        if !self.done {
            self.patience.doubt();
        }
    }
}

/// A transaction that begins.
struct Half<'a, F> {
    patience: &'a Patience,
    beginning: Pin<Box<F>>,
    done: bool,
}

impl<F> Drop for Half<'_, F> {
    /// Runs before what is in it is dropped, so the doubt is there before the connection goes back to the pool.
    fn drop(&mut self) {
        if !self.done {
            self.patience.doubt();
        }
    }
}
