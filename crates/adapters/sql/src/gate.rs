//! The write gate of SQLite: one writer at a time, in order, and writes that wait together go to the disk together.
//!
//! Each transaction is a savepoint in a transaction of the gate's. A writer that ends while others wait does not go to the
//! disk: it hands the transaction on and waits with them, and one sync serves all who waited. The group is closed by a
//! task that waited in line behind them, so nobody who comes later holds it up. A savepoint that is given up is undone
//! alone; when the disk refuses the group, all of its members hear it.
//!
//! A single statement does not even take a savepoint of its own: it waits in a list, and whoever comes through the gate
//! first writes the whole list.

use std::{
    mem,
    sync::{
        Arc, Mutex as Lock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use ports::StoreError;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::statement::failure;

/// How many rows a statement touched, or why it did not.
type Answer = Result<u64, StoreError>;
type Waiting = Vec<(Statement, oneshot::Sender<Answer>)>;

#[derive(Debug, Default)]
pub(crate) struct Gate {
    group: Arc<Mutex<Group>>,
    /// How many wait for their turn.
    queue: Arc<AtomicUsize>,
    statements: Lock<Waiting>,
}

/// Writers that stand or fall together.
#[derive(Debug, Default)]
struct Group {
    /// None between two groups.
    transaction: Option<Arc<DatabaseTransaction>>,
    /// Those who ended and wait for it to stand.
    members: Vec<oneshot::Sender<Result<(), DbErr>>>,
}

impl Group {
    /// Goes to the disk.
    async fn close(&mut self) -> Result<(), DbErr> {
        let Some(transaction) = self.transaction.take() else { return Ok(()) };
        // Taken before anything can fail: members that are dropped hear that it was cut short.
        let members = mem::take(&mut self.members);
        let result = match Arc::into_inner(transaction) {
            Some(transaction) => transaction.commit().await,
            None => Err(cut_short()),
        };
        for member in members {
            // Who gave up does not hear it.
            drop(member.send(result.clone()));
        }
        result
    }

    /// Undoes everything in it; its members hear that it was cut short.
    fn dissolve(&mut self) {
        self.transaction = None;
        self.members.clear();
    }
}

fn cut_short() -> DbErr {
    DbErr::Conn(sea_orm::RuntimeErr::Internal("the write was cut short".to_owned()))
}

/// A transaction that writes from its first statement on: it never has to be upgraded, which SQLite may refuse.
fn immediate() -> TransactionOptions {
    TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() }
}

/// A turn at the gate. Dropped before its end, what was done in it is undone.
#[derive(Debug)]
pub(crate) struct Turn {
    /// None once the turn is over.
    group: Option<OwnedMutexGuard<Group>>,
    /// Whether something was begun in it.
    is_open: bool,
    queue: Arc<AtomicUsize>,
}

impl Turn {
    /// Whether nobody else has to do with this turn.
    fn is_alone(&self) -> bool {
        let group = self.group.as_ref();
        group.is_none_or(|group| group.transaction.is_none()) && self.queue.load(Ordering::Relaxed) == 0
    }

    /// Begins to write.
    async fn open(&mut self, writer: &DatabaseConnection) -> Result<Arc<DatabaseTransaction>, DbErr> {
        let Some(group) = self.group.as_mut() else { return Err(cut_short()) };
        self.is_open = true;
        let transaction = match &group.transaction {
            Some(transaction) => Arc::clone(transaction),
            None => Arc::new(writer.begin_with_options(immediate()).await?),
        };
        group.transaction = Some(Arc::clone(&transaction));
        transaction.execute_unprepared("SAVEPOINT turn").await?;
        Ok(transaction)
    }

    /// Makes it stand, together with those who wait.
    pub(crate) async fn end(mut self, transaction: Arc<DatabaseTransaction>) -> Result<(), DbErr> {
        transaction.execute_unprepared("RELEASE turn").await?;
        drop(transaction);
        let Some(mut group) = self.group.take() else { return Err(cut_short()) };
        if group.members.is_empty() {
            if self.queue.load(Ordering::Relaxed) == 0 {
                return group.close().await;
            }
            let line = Arc::clone(OwnedMutexGuard::mutex(&group));
            // In a task of its own: a member that gives up does not take the others along.
            tokio::spawn(async move { line.lock_owned().await.close().await });
        }
        let (member, stands) = oneshot::channel();
        group.members.push(member);
        drop(group);
        stands.await.unwrap_or_else(|_| Err(cut_short()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut group) = self.group.take().filter(|_| self.is_open) else { return };
        let Some(transaction) = group.transaction.clone() else { return };
        if group.members.is_empty() {
            drop(transaction);
            return group.dissolve();
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            drop(transaction);
            return group.dissolve();
        };
        runtime.spawn(async move {
            let undone = transaction.execute_unprepared("ROLLBACK TO turn; RELEASE turn").await;
            // Without a savepoint it ended already, or never began, or the disk made SQLite undo everything: only then
            // can a transaction be begun here.
            let is_gone = undone.is_err() && transaction.execute_unprepared("BEGIN; ROLLBACK").await.is_ok();
            drop(transaction);
            if is_gone {
                group.dissolve();
            }
        });
    }
}

impl Gate {
    /// Waits for the turn to write.
    async fn turn(&self) -> Turn {
        let queue = Arc::clone(&self.queue);
        let queued = Queued::enter(&queue);
        let group = Arc::clone(&self.group).lock_owned().await;
        drop(queued);
        Turn { group: Some(group), is_open: false, queue }
    }

    /// Begins a transaction when its turn has come; [`Turn::end`] makes it stand.
    pub(crate) async fn begin(&self, writer: &DatabaseConnection) -> Result<(Turn, Arc<DatabaseTransaction>), DbErr> {
        let mut turn = self.turn().await;
        let transaction = turn.open(writer).await?;
        Ok((turn, transaction))
    }

    fn statements(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one statement, together with others that wait.
    pub(crate) async fn write(&self, writer: &DatabaseConnection, statement: Statement) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.statements().push((statement, answer));
        let turn = self.turn().await;
        let mut together = mem::take(&mut *self.statements());
        // What nobody waits for any more is not carried out behind the back of who gave it up.
        together.retain(|(_, answer)| !answer.is_closed());
        if together.is_empty() {
            // Somebody wrote ours already, and may wait for this turn to end.
            drop(turn);
        } else {
            // In a task of its own: a caller that gives up does not take the others along.
            let writer = writer.clone();
            tokio::spawn(async move {
                let (statements, answers): (Vec<_>, Vec<_>) = together.into_iter().unzip();
                let results = write_together(turn, &writer, statements).await;
                for (answer, result) in answers.into_iter().zip(results) {
                    let _ = answer.send(result);
                }
            });
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the write was cut short".to_owned())))
    }
}

/// Counts somebody as waiting, also when they give up.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn enter(queue: &'a AtomicUsize) -> Self {
        queue.fetch_add(1, Ordering::Relaxed);
        Self(queue)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn write_together(turn: Turn, writer: &DatabaseConnection, mut statements: Vec<Statement>) -> Vec<Answer> {
    if statements.len() == 1
        && turn.is_alone()
        && let Some(alone) = statements.pop()
    {
        return vec![writer.execute_raw(alone).await.map(|done| done.rows_affected()).map_err(failure)];
    }
    let count = statements.len();
    match write_all(turn, writer, statements).await {
        Ok(answers) => answers,
        Err(error) => vec![Err(error); count],
    }
}

/// A statement that a constraint refuses undoes itself alone; when the disk or a lock refuses, all are undone.
async fn write_all(
    mut turn: Turn,
    writer: &DatabaseConnection,
    statements: Vec<Statement>,
) -> Result<Vec<Answer>, StoreError> {
    let transaction = turn.open(writer).await.map_err(failure)?;
    let mut answers = Vec::with_capacity(statements.len());
    for statement in statements {
        answers.push(match transaction.execute_raw(statement).await.map_err(failure) {
            Ok(done) => Ok(done.rows_affected()),
            Err(StoreError::Unavailable(reason)) => return Err(StoreError::Unavailable(reason)),
            Err(refused) => Err(refused),
        });
    }
    turn.end(transaction).await.map_err(failure)?;
    Ok(answers)
}
