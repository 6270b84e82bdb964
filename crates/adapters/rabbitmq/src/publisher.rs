//! Publishing: many tasks share a channel for each exchange, and each waits for its own confirms.

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
    let mut routes = Vec::with_capacity(parcels.len());
    let mut runs: Vec<(String, Vec<Written>)> = Vec::new();
    for Parcel { exchange, key, mandatory, properties, body } in parcels {
        routes.push(format!("{exchange}/{key}"));
        let written = Written { exchange: short(&exchange)?, key: short(&key)?, mandatory, properties, body };
        match runs.last_mut() {
            Some((last, run)) if *last == exchange => run.push(written),
            _ => runs.push((exchange, vec![written])),
        }
    }
    let mut confirms = Vec::with_capacity(routes.len());
    for (exchange, run) in runs {
        let lane = live.publishing(&exchange).await?;
        for started in lane.start(run) {
            confirms.push(started.written().await?);
        }
    }
    for (route, confirm) in routes.into_iter().zip(confirms) {
        let confirmation = confirm.await.map_err(|error| refused(&error))?;
        live.confirmed();
        match confirmation {
            Confirmation::Ack(None) => {}
            // A mandatory message without a queue comes back, and is acked all the same.
            Confirmation::Ack(Some(_)) => return Err(BusError::Unroutable(route)),
            Confirmation::Nack(_) => {
                return Err(BusError::Unavailable(format!("the broker could not store a message for {route}")));
            }
            Confirmation::NotRequested => {
                return Err(BusError::Unavailable("the channel has no confirms".to_owned()));
            }
        }
    }
    Ok(())
}
