//! A channel that many tasks publish on, each of them waiting for its own confirms.

use std::{
    future::Future as _,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Waker},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, MaybeDone, maybe_done};
use lapin::{BasicProperties, Channel, PublisherConfirm, options::BasicPublishOptions, types::ShortString};
use ports::bus::BusError;

use crate::link::{lost, refused};

/// A message ready for the channel.
pub(crate) struct Written {
    pub(crate) exchange: ShortString,
    pub(crate) key: ShortString,
    pub(crate) mandatory: bool,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
}

/// A publish whose frames are in line for the socket. It resolves when they are written.
pub(crate) struct Started<'a>(Pin<Box<MaybeDone<BoxFuture<'a, lapin::Result<PublisherConfirm>>>>>);

impl Started<'_> {
    /// Waits until it is written.
    ///
    /// # Errors
    /// [`BusError`] when the channel is gone.
    pub(crate) async fn written(mut self) -> Result<PublisherConfirm, BusError> {
        self.0.as_mut().await;
        // It is there: this is the only place that takes it.
        let written = self.0.as_mut().take_output();
        written.map_or_else(|| Err(lost()), |written| written.map_err(|error| refused(&error)))
    }
}

/// A channel with confirms.
pub(crate) struct Lane {
    channel: Channel,
    /// Held while messages are numbered and put in line. The broker numbers them as they come in, lapin as they are
    /// handed over, and it does not do that and put them in line in one step: without this, two tasks could each be told
    /// of the other's message, and one that is in no queue yet would count as confirmed.
    writing: Mutex<()>,
}

impl Lane {
    /// Over a channel that has confirms.
    pub(crate) const fn new(channel: Channel) -> Self {
        Self { channel, writing: Mutex::new(()) }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.channel.status().connected()
    }

    /// Puts all in line for the socket, in order, with nobody's between them. They go out together: waiting for each to
    /// be written before the next one is handed over would be a turn of the connection's thread for each.
    pub(crate) fn start(&self, batch: Vec<Written>) -> Vec<Started<'_>> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
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
