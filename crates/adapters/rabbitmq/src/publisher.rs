//! Publishing: each batch has a channel for itself, and waits for all of its confirms.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use lapin::{BasicProperties, Confirmation};
use ports::{
    bus::{BusError, Envelope},
    topology::Queue,
};

use crate::{
    lane::{Lane, Written},
    link::{Link, lost, refused},
    live::Live,
    names::{Names, RetryQueue, short},
    properties,
};

/// How long a publish waits for a connection that is just being made. Short: a webhook that cannot publish is spooled
/// to disk, and its provider is waiting.
const GRACE: Duration = Duration::from_secs(1);
/// How long a place for retries may take to be declared.
const DECLARING: Duration = Duration::from_secs(5);

pub(crate) struct Publisher {
    link: Link,
    names: Arc<Names>,
    app_id: String,
    deadline: Duration,
    /// The places for retries that are there, as far as is known.
    known: Mutex<BTreeSet<String>>,
    /// Held while one is tried for the first time.
    first: tokio::sync::Mutex<()>,
}

/// A message ready for the broker.
pub(crate) struct Parcel {
    exchange: String,
    key: String,
    mandatory: bool,
    properties: BasicProperties,
    body: Bytes,
}

impl Publisher {
    pub(crate) fn new(link: Link, names: Arc<Names>, app_id: String, deadline: Duration) -> Self {
        Self { link, names, app_id, deadline, known: Mutex::default(), first: tokio::sync::Mutex::default() }
    }

    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }

    pub(crate) async fn publish(&self, batch: &[Envelope]) -> Result<(), BusError> {
        let parcels = batch.iter().map(|envelope| self.parcel(envelope)).collect::<Result<Vec<_>, _>>()?;
        self.send(parcels).await
    }

    fn parcel(&self, envelope: &Envelope) -> Result<Parcel, BusError> {
        Ok(Parcel {
            exchange: self.names.exchange(&envelope.topic),
            key: envelope.topic.routing_key(),
            mandatory: !envelope.topic.is_fanout(),
            properties: properties::write(envelope, &self.app_id)?,
            body: envelope.body.clone(),
        })
    }

    /// Publishes a message that the broker had delivered to another exchange or queue.
    pub(crate) async fn forward(
        &self,
        exchange: String,
        key: String,
        properties: BasicProperties,
        body: Bytes,
    ) -> Result<(), BusError> {
        self.send(vec![Parcel { exchange, key, mandatory: true, properties, body }]).await
    }

    /// Puts a retry of `queue` where it waits; that place is declared where it is not yet there.
    pub(crate) async fn postpone(
        &self,
        queue: &Queue,
        retry: &RetryQueue,
        properties: BasicProperties,
        body: Bytes,
    ) -> Result<(), BusError> {
        let put = || self.forward(retry.exchange.clone(), retry.key(queue), properties.clone(), body.clone());
        // A publish to where nothing is costs its channel, with the number: only the first of many finds that out.
        let mut alone = None;
        if !self.knows(retry) {
            alone = Some(self.first.lock().await);
        }
        if self.knows(retry) {
            drop(alone.take());
            match put().await {
                Err(BusError::Unroutable(_)) => alone = Some(self.first.lock().await),
                told => return told,
            }
        }
        let mut told = put().await;
        if matches!(told, Err(BusError::Unroutable(_))) {
            self.declare(retry).await?;
            told = put().await;
        }
        // As good as there when the broker did not say so in time: the others need not try one by one.
        if !matches!(told, Err(BusError::Unroutable(_))) {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(retry.name().to_owned());
        }
        drop(alone);
        told
    }

    fn knows(&self, retry: &RetryQueue) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(retry.name())
    }

    async fn declare(&self, retry: &RetryQueue) -> Result<(), BusError> {
        let live = self.link.within(GRACE).await?;
        let declare = async {
            let channel = live.channel().await?;
            retry.declare(&channel).await?;
            drop(channel.close(200, "declared".into()).await);
            Ok(())
        };
        // Others wait for their turn behind this one.
        let declared = tokio::time::timeout(DECLARING, self.link.during(&live, declare)).await;
        declared
            .unwrap_or_else(|_| Err(BusError::Unavailable("a place for retries was not declared in time".to_owned())))
    }

    async fn send(&self, parcels: Vec<Parcel>) -> Result<(), BusError> {
        if parcels.is_empty() {
            return Ok(());
        }
        let live = self.link.within(GRACE).await?;
        live.takes_publishes()?;
        let number = live.number;
        let sent = async {
            let lane = live.lane().await?;
            let link = self.link.clone();
            let deadline = self.deadline;
            // In a task of its own: what was handed over is written when the caller gives up, too. Its channel is another's
            // once all is confirmed.
            let delivery = tokio::spawn(async move {
                tokio::select! {
                    delivered = deliver(&live, lane, parcels, deadline) => delivered,
                    () = link.over(number) => Err(lost()),
                }
            });
            delivery.await.unwrap_or_else(|_| Err(BusError::Unavailable("publishing broke off".to_owned())))
        };
        tokio::select! {
            delivered = tokio::time::timeout(self.deadline, sent) => {
                delivered.unwrap_or_else(|_| Err(unconfirmed(self.deadline)))
            }
            // A connection that went silent confirms nothing more, and lapin does not say so before it is closed.
            () = self.link.over(number) => Err(lost()),
        }
    }
}

/// Writes all, then waits for all: the broker confirms in runs, and one wait serves the whole batch. What a queue does not
/// confirm in time keeps neither a place nor its channel.
async fn deliver(live: &Live, lane: Lane, parcels: Vec<Parcel>, deadline: Duration) -> Result<(), BusError> {
    let mut routes = Vec::with_capacity(parcels.len());
    let mut batch = Vec::with_capacity(parcels.len());
    for Parcel { exchange, key, mandatory, properties, body } in parcels {
        batch.push(Written { exchange: short(&exchange)?, key: short(&key)?, mandatory, properties, body });
        routes.push((exchange, key));
    }
    // To its end, however long it takes (see `Lane`).
    let written = lane.write(batch).await;
    let confirms = async {
        let mut delivered = Ok(());
        for ((exchange, key), written) in routes.iter().zip(written) {
            let confirmed = match written {
                Ok(confirm) => confirm.await.map_err(|error| refused(&error)),
                Err(error) => Err(error),
            };
            if confirmed.is_ok() {
                live.confirmed();
            }
            delivered = delivered.and(confirmed.and_then(|confirmation| taken(confirmation, exchange, key)));
        }
        delivered
    };
    let Ok(delivered) = tokio::time::timeout(deadline, confirms).await else { return Err(unconfirmed(deadline)) };
    live.lanes.give_back(lane);
    delivered
}

fn unconfirmed(deadline: Duration) -> BusError {
    BusError::Unavailable(format!("no confirm within {deadline:?}"))
}

fn taken(confirmation: Confirmation, exchange: &str, key: &str) -> Result<(), BusError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        // A mandatory message without a queue comes back, and is acked all the same. The confirm may be that of another
        // of the batch; the route is its own.
        Confirmation::Ack(Some(returned)) => {
            Err(BusError::Unroutable(format!("{}/{}", returned.exchange, returned.routing_key)))
        }
        Confirmation::Nack(_) => {
            Err(BusError::Unavailable(format!("the broker could not store a message for {exchange}/{key}")))
        }
        Confirmation::NotRequested => Err(BusError::Unavailable("the channel has no confirms".to_owned())),
    }
}
