//! Channels to publish on: each serves one batch at a time, so what comes back on it is that batch's.
//!
//! Sharing a channel would be cheaper to write, and wrong in two ways that lapin does not tell of. It numbers a message and
//! puts it in line for the socket in two steps, so two tasks could each be told of the other's; and a message that no
//! queue took comes back without a number, and is laid at the door of whichever confirm is read next. Either way one that
//! is in no queue could count as confirmed.

use std::{
    future::Future as _,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Waker},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, MaybeDone, maybe_done};
use lapin::{BasicProperties, Channel, PublisherConfirm, options::BasicPublishOptions, types::ShortString};
use ports::bus::BusError;

use crate::link::{lost, refused};

/// The channels of one exchange that nobody publishes on just now. The broker closes a channel on any error, and only
/// those who publish to that exchange shall feel it.
#[derive(Default)]
pub(crate) struct Lanes {
    idle: Mutex<Vec<Channel>>,
}

impl Lanes {
    /// One that stands, if there is one: the last that was given back, so that few are in use.
    pub(crate) fn take(&self) -> Option<Channel> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(channel) = idle.pop() {
            if channel.status().connected() {
                return Some(channel);
            }
        }
        None
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

/// A channel with confirms, for one batch. Dropped before all of it is confirmed, it is closed.
pub(crate) struct Lane {
    channel: Channel,
    home: Arc<Lanes>,
}

impl Lane {
    pub(crate) const fn new(channel: Channel, home: Arc<Lanes>) -> Self {
        Self { channel, home }
    }

    /// For the next batch, once everything of this one is confirmed.
    pub(crate) fn give_back(self) {
        self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.channel);
    }

    /// Writes all in order, and answers with a confirm for each. They go out together: waiting for each to be written
    /// before the next one is handed over would be a turn of the connection's thread for each.
    ///
    /// # Errors
    /// [`BusError`] when the channel is gone.
    pub(crate) async fn write(&self, batch: Vec<Written>) -> Result<Vec<PublisherConfirm>, BusError> {
        let mut confirms = Vec::with_capacity(batch.len());
        for started in self.start(batch) {
            confirms.push(started.written().await?);
        }
        Ok(confirms)
    }

    fn start(&self, batch: Vec<Written>) -> Vec<Started<'_>> {
        let mut started = Vec::with_capacity(batch.len());
        for written in batch {
            let mut one = Started(Box::pin(maybe_done(self.publish(written).boxed())));
            // The first poll numbers it and puts it in line. Whoever waits for it polls again, with a waker of its own.
            let _ = one.0.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            started.push(one);
        }
        started
    }

    async fn publish(&self, written: Written) -> lapin::Result<PublisherConfirm> {
        let Written { exchange, key, mandatory, properties, body } = written;
        let options = BasicPublishOptions { mandatory, immediate: false };
        self.channel.basic_publish(exchange, key, options, &body, properties).await
    }
}

/// A publish whose frames are in line for the socket.
struct Started<'a>(Pin<Box<MaybeDone<BoxFuture<'a, lapin::Result<PublisherConfirm>>>>>);

impl Started<'_> {
    async fn written(mut self) -> Result<PublisherConfirm, BusError> {
        self.0.as_mut().await;
        // It is there: this is the only place that takes it.
        let written = self.0.as_mut().take_output();
        written.map_or_else(|| Err(lost()), |written| written.map_err(|error| refused(&error)))
    }
}
