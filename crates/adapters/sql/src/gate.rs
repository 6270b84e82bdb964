//! The write gate of SQLite: one writer at a time, in order, and small writes that wait together go to the disk
//! together.
//!
//! A single statement does not open a transaction of its own: it waits in a list for the gate. Whoever comes through
//! the gate first writes the whole list in one transaction, so a hundred channels that note their attempts at once
//! wait for one disk sync.

use std::{
    mem,
    sync::{Arc, Mutex as Lock, PoisonError},
};

use ports::StoreError;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::statement::failure;

/// How many rows a statement touched, or why it did not.
type Answer = Result<u64, StoreError>;

#[derive(Debug, Default)]
pub(crate) struct Gate {
    turn: Arc<Mutex<()>>,
    waiting: Lock<Vec<(Statement, oneshot::Sender<Answer>)>>,
}

/// A transaction that writes from its first statement on: it never has to be upgraded, which SQLite may refuse.
pub(crate) fn immediate() -> TransactionOptions {
    TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() }
}

impl Gate {
    /// Waits for the turn to write.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    /// Writes one statement, together with others that wait.
    pub(crate) async fn write(&self, writer: &DatabaseConnection, statement: Statement) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((statement, answer));
        let turn = self.turn().await;
        let together = mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if !together.is_empty() {
            // In a task of its own: a caller that gives up does not take the others along.
            let writer = writer.clone();
            tokio::spawn(async move {
                let (statements, answers): (Vec<_>, Vec<_>) = together.into_iter().unzip();
                let results = write_together(&writer, statements).await;
                drop(turn);
                for (answer, result) in answers.into_iter().zip(results) {
                    let _ = answer.send(result);
                }
            });
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the write was cut short".to_owned())))
    }
}

async fn write_together(writer: &DatabaseConnection, mut statements: Vec<Statement>) -> Vec<Answer> {
    if statements.len() == 1
        && let Some(alone) = statements.pop()
    {
        return vec![writer.execute_raw(alone).await.map(|done| done.rows_affected()).map_err(failure)];
    }
    let count = statements.len();
    match write_all(writer, statements).await {
        Ok(answers) => answers,
        Err(error) => vec![Err(error); count],
    }
}

/// A statement that a constraint refuses undoes itself alone; when the disk or a lock refuses, all are undone.
async fn write_all(writer: &DatabaseConnection, statements: Vec<Statement>) -> Result<Vec<Answer>, StoreError> {
    let transaction = writer.begin_with_options(immediate()).await.map_err(failure)?;
    let mut answers = Vec::with_capacity(statements.len());
    for statement in statements {
        answers.push(match transaction.execute_raw(statement).await.map_err(failure) {
            Ok(done) => Ok(done.rows_affected()),
            Err(StoreError::Unavailable(reason)) => return Err(StoreError::Unavailable(reason)),
            Err(refused) => Err(refused),
        });
    }
    transaction.commit().await.map_err(failure)?;
    Ok(answers)
}
