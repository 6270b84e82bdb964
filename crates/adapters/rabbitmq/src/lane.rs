//! Channels to publish on: each serves one batch at a time, so what comes back on it is that batch's.
//!
//! Sharing a channel would be simpler, and wrong in two ways that lapin does not tell of. It numbers a message and puts it
//! in line for the socket in two steps, so two tasks could each be told of the other's; and a message that no queue took
//! comes back without a number, and is laid at the door of whichever confirm arrives next. Either way one that is in no
//! queue could count as confirmed.

use std::{
    future::Future as _,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Waker},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, MaybeDone, maybe_done};
use lapin::{BasicProperties, Channel, PublisherConfirm, options::BasicPublishOptions, types::ShortString};
use ports::bus::BusError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::link::{lost, refused};

/// The most batches on their way over a connection, where the broker allows twice as many channels.
const MOST: usize = 256;

/// The channels of a connection.
pub(crate) struct Lanes {
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Channel>>,
}

impl Lanes {
    /// Of a connection that may have so many channels, or any number when it is 0 (AMQP 0-9-1, `connection.tune`).
    pub(crate) fn new(channel_max: u16) -> Self {
        let most = match channel_max {
            0 => MOST,
            allowed => MOST.min(usize::from(allowed / 2).max(1)),
        };
        Self { places: Arc::new(Semaphore::new(most)), idle: Mutex::default() }
    }

    /// Waits while there are too many batches on their way.
    pub(crate) async fn place(&self) -> Result<OwnedSemaphorePermit, BusError> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| lost())
    }

    /// A channel that stands, if there is one: the last that was given back, so that few are in use.
    pub(crate) fn take(&self) -> Option<Channel> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(channel) = idle.pop() {
            if channel.status().connected() {
                return Some(channel);
            }
        }
        None
    }

    /// For a later batch, once everything of this one is confirmed: what comes back late must not be told to another. As
    /// many are kept as were ever in use at once: a number that is used again may bear an old error ([`Live::channel`]).
    ///
    /// [`Live::channel`]: crate::live::Live::channel
    pub(crate) fn give_back(&self, lane: Lane) {
        if lane.channel.status().connected() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(lane.channel);
        }
    }
}

/// A message ready for the channel.
pub(crate) struct Written {
    pub(crate) exchange: ShortString,
    pub(crate) key: ShortString,
    pub(crate) mandatory: bool,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
}

/// A publish that is numbered, and in line for the socket.
type Started<'a> = MaybeDone<BoxFuture<'a, lapin::Result<PublisherConfirm>>>;

/// A channel with confirms, for one batch. It must not be dropped while messages are in line: lapin closes the channel
/// before it writes them, and a broker ends the connection of who publishes on a closed channel.
pub(crate) struct Lane {
    channel: Channel,
    _place: OwnedSemaphorePermit,
}

impl Lane {
    pub(crate) const fn new(channel: Channel, place: OwnedSemaphorePermit) -> Self {
        Self { channel, _place: place }
    }

    /// Writes all in order, and answers for each with its confirm to come. They go out together: waiting for each to be
    /// written before the next one is handed over would be a turn of the connection's thread for each.
    pub(crate) async fn write(&self, batch: Vec<Written>) -> Vec<Result<PublisherConfirm, BusError>> {
        let started: Vec<_> = batch.into_iter().map(|written| self.start(written)).collect();
        let mut confirms = Vec::with_capacity(started.len());
        for mut one in started {
            (&mut one).await;
            // It is there: nobody else takes it.
            let written = std::pin::Pin::new(&mut one).take_output();
            confirms.push(written.map_or_else(|| Err(lost()), |written| written.map_err(|error| refused(&error))));
        }
        confirms
    }

    fn start(&self, written: Written) -> Started<'_> {
        let mut one = maybe_done(self.publish(written).boxed());
        // The first poll numbers it and puts it in line. Whoever waits for it polls again, with a waker of its own.
        let _ = std::pin::Pin::new(&mut one).poll(&mut Context::from_waker(Waker::noop()));
        one
    }

    async fn publish(&self, written: Written) -> lapin::Result<PublisherConfirm> {
        let Written { exchange, key, mandatory, properties, body } = written;
        let options = BasicPublishOptions { mandatory, immediate: false };
        self.channel.basic_publish(exchange, key, options, &body, properties).await
    }
}
