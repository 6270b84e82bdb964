//! Asks the store about a shelf until it answers.

use std::future::Future;

use domain::error::codes;
use futures_util::TryFutureExt as _;
use ports::{
    Shelf, ShelfError, Shelved, StoreError, Turn,
    bus::{BusError, Envelope, headers},
    topology::{Queue, Topic},
};
use runtime::names::metric;

use super::{
    Shared,
    attempt::rest,
    holding::{Answer, Call, Job, Source},
};
use crate::{backoff::Backoff, codec};

/// Why there is no answer.
pub(super) enum Unanswered {
    /// The drain came first.
    Halted,
    /// Another replica has taken the shelves over: what is in hand is no longer this one's.
    TakenOver,
}

/// Asks until the store answers: while it is away nothing is lost, since nothing is settled.
pub(super) async fn ask(shared: &Shared, turn: Turn, shelf: &Shelf, call: Call) -> Result<Answer, Unanswered> {
    let shelves = &shared.kit.env.shelves;
    match call {
        Call::Find(id) => patiently(shared, || shelves.holds(shelf, &id).err_into()).await.map(Answer::Found),
        Call::Page { after, limit, newest } => {
            let rows = patiently(shared, || shelves.page(turn, shelf, after, limit)).await?;
            let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
            let last = rows.last().map_or(after, |row| row.position);
            let read = if full { last } else { last.max(newest) };
            Ok(Answer::Page { jobs: jobs(shared, shelf, rows).await?, read })
        }
        Call::Write { put, done } => {
            let mut written = None;
            if !put.is_empty() {
                let put = patiently(shared, || shelves.put(turn, shelf, &put)).await?;
                shared.kit.count_many(metric::SHELVED, put.added);
                written = Some(put);
            }
            if !done.is_empty() {
                patiently(shared, || shelves.remove(shelf, &done).err_into()).await?;
            }
            Ok(Answer::Written { put: written, removed: done.len() })
        }
    }
}

/// Calls until there is an answer.
pub(super) async fn patiently<T, F>(shared: &Shared, call: impl Fn() -> F) -> Result<T, Unanswered>
where
    F: Future<Output = Result<T, ShelfError>>,
{
    let mut backoff = Backoff::while_away();
    loop {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(ShelfError::TakenOver) => return Err(Unanswered::TakenOver),
            Err(ShelfError::Store(error)) => tracing::warn!(%error, "a shelf waits for the store"),
        }
        rest(shared, backoff.pause()).await.ok_or(Unanswered::Halted)?;
    }
}

/// The messages of these rows. One that cannot be read is set aside, as one from the broker would be.
async fn jobs(shared: &Shared, shelf: &Shelf, rows: Vec<Shelved>) -> Result<Vec<Job>, Unanswered> {
    let mut jobs = Vec::with_capacity(rows.len());
    for Shelved { position, envelope } in rows {
        match codec::read_permitted(&envelope) {
            Ok(permitted) => jobs.push(Job { source: Source::Shelved(position, envelope), permitted }),
            Err(reason) => set_aside(shared, shelf, position, envelope, reason).await?,
        }
    }
    Ok(jobs)
}

async fn set_aside(
    shared: &Shared,
    shelf: &Shelf,
    position: i64,
    mut envelope: Envelope,
    reason: String,
) -> Result<(), Unanswered> {
    let kit = &shared.kit;
    kit.count_parked("outbound", &codes::POISON);
    tracing::error!(id = envelope.id, reason, "a permitted message on a shelf cannot be read; parked");
    envelope.topic = Topic::Parked;
    envelope.headers.extend([
        (headers::PARKED_CODE.to_owned(), codes::POISON.as_str().to_owned()),
        (headers::PARKED_REASON.to_owned(), reason),
        (headers::PARKED_FROM.to_owned(), Queue::ChannelOutbound(shelf.channel.clone(), shelf.partition).to_string()),
    ]);
    let away = |error: BusError| ShelfError::Store(StoreError::Unavailable(error.to_string()));
    patiently(shared, || kit.env.bus.publish(vec![envelope.clone()]).map_err(away)).await?;
    let gone = [position];
    patiently(shared, || kit.env.shelves.remove(shelf, &gone).err_into()).await
}
