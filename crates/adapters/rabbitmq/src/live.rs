//! A connection: its channels, and what is asked over it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use lapin::{
    Channel, Connection, ErrorKind,
    options::{BasicQosOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use ports::bus::BusError;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    lane::{Lane, Lanes},
    link::refused,
    names::short,
    wire::Wire,
};

/// How long an answer may take before the connection counts as dead. A busy broker answers in tenths of a second.
pub(crate) const ANSWER: Duration = Duration::from_millis(2_500);
/// How long a connection may take to end in good order.
const PARTING: Duration = Duration::from_secs(1);

/// A connection that stands, or stood until a moment ago.
pub(crate) struct Live {
    /// How many came before it, and one.
    pub(crate) number: u64,
    pub(crate) connection: Connection,
    wire: Arc<Wire>,
    /// The channels to publish on.
    pub(crate) lanes: Lanes,
    /// The channel for questions, once there is one.
    asking: Mutex<Option<Channel>>,
    /// How many confirms came over it.
    confirms: AtomicU64,
    /// How many numbers of channels bear an old error.
    spoiled: AtomicU64,
    worn: CancellationToken,
    /// The broker refused to say how much waits in a queue.
    may_not_ask: AtomicBool,
}

impl Live {
    pub(crate) fn new(number: u64, connection: Connection, wire: Arc<Wire>) -> Self {
        Self {
            number,
            lanes: Lanes::new(connection.configuration().channel_max()),
            connection,
            wire,
            asking: Mutex::default(),
            confirms: AtomicU64::new(0),
            spoiled: AtomicU64::new(0),
            worn: CancellationToken::new(),
            may_not_ask: AtomicBool::new(false),
        }
    }

    pub(crate) fn stands(&self) -> bool {
        self.connection.status().connected()
    }

    /// Resolves when no more channels can be had, and another connection would have them.
    pub(crate) async fn worn(&self) {
        self.worn.cancelled().await;
    }

    /// Ends it: in good order if it still can, and anyhow.
    pub(crate) async fn end(&self) {
        let close = self.connection.close(200, "reconnecting".into());
        drop(tokio::time::timeout(PARTING, close).await);
        self.wire.cut();
    }

    /// Whether the broker takes publishes.
    pub(crate) fn takes_publishes(&self) -> Result<(), BusError> {
        if self.connection.status().blocked() {
            let why = "the broker blocks publishers: it is short of memory or disk";
            return Err(BusError::Unavailable(why.to_owned()));
        }
        Ok(())
    }

    /// A new channel. When the broker closes one for an error, lapin keeps the error with its number, and tells it to
    /// whoever comes to have that number when they begin anew: then the next number is tried, and this one is never
    /// used again. When all are gone, so is the connection.
    pub(crate) async fn channel(&self) -> Result<Channel, BusError> {
        let numbers = self.connection.configuration().channel_max();
        for _ in 0..=numbers {
            match self.connection.create_channel().await {
                Ok(channel) => return Ok(channel),
                Err(error) if !self.stands() => return Err(refused(&error)),
                Err(error) if matches!(error.kind(), ErrorKind::ChannelsLimitReached) => break,
                Err(_) => _ = self.spoiled.fetch_add(1, Ordering::Relaxed),
            }
        }
        // Where all are in use, another connection would have no more.
        if self.spoiled.load(Ordering::Relaxed) > 0 {
            self.worn.cancel();
        }
        Err(BusError::Unavailable(format!("the connection's {numbers} channels are in use or spoiled")))
    }

    /// A channel with confirms, for one batch.
    pub(crate) async fn lane(&self) -> Result<Lane, BusError> {
        let place = self.lanes.place().await?;
        if let Some(channel) = self.lanes.take() {
            return Ok(Lane::new(channel, place));
        }
        let channel = self.channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(|error| refused(&error))?;
        Ok(Lane::new(channel, place))
    }

    /// How many messages are ready in a queue that is there; none when that cannot be known. Whether the connection is
    /// to blame is not for who asks this to say: it is watched by others.
    pub(crate) async fn ready(&self, queue: &str) -> Result<Option<u64>, BusError> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        if self.may_not_ask.load(Ordering::Relaxed) {
            return Ok(None);
        }
        // Waiting for those who asked before is not the broker's delay.
        let mut asking = self.asking.lock().await;
        let ask = async {
            let channel = match asking.take().filter(|channel| channel.status().connected()) {
                Some(channel) => channel,
                None => self.channel().await?,
            };
            let declared = channel.queue_declare(short(queue)?, options, FieldTable::default()).await;
            let ready = declared.map_err(|error| refused(&error))?.message_count();
            *asking = Some(channel);
            Ok(u64::from(ready))
        };
        match tokio::time::timeout(ANSWER, ask).await {
            Err(_) | Ok(Err(BusError::Unavailable(_))) => Ok(None),
            // RabbitMQ 4.2.6 and 4.3.0 want a right for the mere question, and each refusal costs a channel's number.
            Ok(Err(BusError::Forbidden(reason))) => {
                tracing::warn!(reason, "the broker does not say how much waits; quiet queues are not asked about");
                self.may_not_ask.store(true, Ordering::Relaxed);
                Ok(None)
            }
            Ok(ready) => ready.map(Some),
        }
    }

    /// Notes that the broker confirmed a publish: a sign of life.
    pub(crate) fn confirmed(&self) {
        self.confirms.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks for a sign of life, on the channel that is kept for it. A broker that blocks publishers does not read from
    /// them, so it is not asked then; one that only slows them down confirms what it has read, and answers late.
    pub(crate) async fn probe(&self, kept: &mut Option<Channel>) -> Result<(), BusError> {
        if self.connection.status().blocked() {
            return Ok(());
        }
        let before = self.confirms.load(Ordering::Relaxed);
        let ask = async {
            let channel = match kept.take().filter(|channel| channel.status().connected()) {
                Some(channel) => channel,
                None => self.channel().await?,
            };
            // Kept whether it answers in time or not: one that is only slow is not left behind with each question.
            *kept = Some(channel.clone());
            // What it sets is of no account, as nothing is consumed there; the broker has to answer.
            channel.basic_qos(1, BasicQosOptions::default()).await.map_err(|error| refused(&error))
        };
        match tokio::time::timeout(ANSWER, ask).await {
            Ok(answer) => answer,
            Err(_) if self.confirms.load(Ordering::Relaxed) != before => Ok(()),
            Err(_) => Err(BusError::Unavailable(format!("the broker did not answer within {ANSWER:?}"))),
        }
    }

    /// How many messages are ready in a queue; none when there is no such queue.
    pub(crate) async fn passive_count(&self, queue: &str) -> Result<Option<u64>, BusError> {
        // Asking for a queue that is not there closes the channel, hence one for each question.
        let channel = self.channel().await?;
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        match channel.queue_declare(short(queue)?, options, FieldTable::default()).await {
            Ok(declared) => {
                drop(channel.close(200, "counted".into()).await);
                Ok(Some(u64::from(declared.message_count())))
            }
            Err(error) => match refused(&error) {
                BusError::Unroutable(_) => Ok(None),
                other => Err(other),
            },
        }
    }
}
