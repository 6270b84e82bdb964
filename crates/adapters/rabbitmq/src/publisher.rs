//! Publishing: each batch has a channel for itself, and waits for all of its confirms.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lapin::{BasicProperties, Confirmation};
use ports::{
    bus::{BusError, Envelope},
    topology::Queue,
};

use crate::{
    lane::Written,
    link::{Link, Live, lost, refused},
    names::{Names, RetryQueue, short},
    properties,
};

/// How long a publish waits for a connection that is just being made. Short: a webhook that cannot publish is spooled
/// to disk, and its provider is waiting.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) struct Publisher {
    link: Link,
    names: Arc<Names>,
    app_id: String,
    deadline: Duration,
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
    pub(crate) const fn new(link: Link, names: Arc<Names>, app_id: String, deadline: Duration) -> Self {
        Self { link, names, app_id, deadline }
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

    /// Puts a retry of `queue` where it waits; that place is declared where it is not yet known.
    pub(crate) async fn postpone(
        &self,
        queue: &Queue,
        retry: &RetryQueue,
        properties: BasicProperties,
        body: Bytes,
    ) -> Result<(), BusError> {
        let (exchange, key) = (retry.exchange.clone(), retry.key(queue));
        match self.forward(exchange.clone(), key.clone(), properties.clone(), body.clone()).await {
            Err(BusError::Unroutable(_)) => {
                let channel = self.link.within(GRACE).await?.channel().await?;
                retry.declare(&channel).await?;
                drop(channel.close(200, "declared".into()).await);
                self.forward(exchange, key, properties, body).await
            }
            other => other,
        }
    }

    async fn send(&self, parcels: Vec<Parcel>) -> Result<(), BusError> {
        if parcels.is_empty() {
            return Ok(());
        }
        let live = self.link.within(GRACE).await?;
        live.takes_publishes()?;
        tokio::select! {
            delivered = tokio::time::timeout(self.deadline, deliver(&live, parcels)) => delivered
                .unwrap_or_else(|_| Err(BusError::Unavailable(format!("no confirm within {:?}", self.deadline)))),
            // A connection that went silent confirms nothing more, and lapin does not say so before it is closed.
            () = self.link.over(live.number) => Err(lost()),
        }
    }
}

/// Writes all, then waits for all: the broker confirms in runs, and one wait serves the whole batch.
async fn deliver(live: &Live, parcels: Vec<Parcel>) -> Result<(), BusError> {
    let _leave = live.leave().await?;
    let mut runs: Vec<Run> = Vec::new();
    for Parcel { exchange, key, mandatory, properties, body } in parcels {
        let written = Written { exchange: short(&exchange)?, key: short(&key)?, mandatory, properties, body };
        match runs.last_mut() {
            Some(last) if last.exchange == exchange => {
                last.keys.push(key);
                last.batch.push(written);
            }
            _ => runs.push(Run { exchange, keys: vec![key], batch: vec![written] }),
        }
    }
    let mut lanes = Vec::with_capacity(runs.len());
    for Run { exchange, keys, batch } in runs {
        let lane = live.lane(&exchange).await?;
        let confirms = lane.write(batch).await?;
        lanes.push((lane, exchange, keys, confirms));
    }
    let mut delivered = Ok(());
    for (lane, exchange, keys, confirms) in lanes {
        for (key, confirm) in keys.iter().zip(confirms) {
            let confirmation = confirm.await.map_err(|error| refused(&error))?;
            live.confirmed();
            delivered = delivered.and_then(|()| taken(confirmation, &exchange, key));
        }
        // Not before: what comes back late must not be told to the next batch.
        lane.give_back();
    }
    delivered
}

/// What goes to one exchange.
struct Run {
    exchange: String,
    keys: Vec<String>,
    batch: Vec<Written>,
}

fn taken(confirmation: Confirmation, exchange: &str, key: &str) -> Result<(), BusError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        // A mandatory message without a queue comes back, and is acked all the same. Which one of the batch is not said.
        Confirmation::Ack(Some(returned)) => {
            Err(BusError::Unroutable(format!("{}/{}", returned.exchange, returned.routing_key)))
        }
        Confirmation::Nack(_) => {
            Err(BusError::Unavailable(format!("the broker could not store a message for {exchange}/{key}")))
        }
        Confirmation::NotRequested => Err(BusError::Unavailable("the channel has no confirms".to_owned())),
    }
}
