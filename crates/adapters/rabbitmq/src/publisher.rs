//! Publishing: many tasks share a channel for each exchange, and each waits for its own confirms.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lapin::{BasicProperties, Confirmation, PublisherConfirm, options::BasicPublishOptions};
use ports::{
    bus::{BusError, Envelope},
    topology::Queue,
};

use crate::{
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
    let mut confirms: Vec<(String, PublisherConfirm)> = Vec::with_capacity(parcels.len());
    let mut current: Option<(String, lapin::Channel)> = None;
    for parcel in parcels {
        let channel = match &current {
            Some((exchange, channel)) if *exchange == parcel.exchange => channel.clone(),
            _ => live.publishing(&parcel.exchange).await?,
        };
        current = Some((parcel.exchange.clone(), channel.clone()));
        let options = BasicPublishOptions { mandatory: parcel.mandatory, immediate: false };
        let route = format!("{}/{}", parcel.exchange, parcel.key);
        let (exchange, key) = (short(&parcel.exchange)?, short(&parcel.key)?);
        let confirm = channel
            .basic_publish(exchange, key, options, &parcel.body, parcel.properties)
            .await
            .map_err(|error| refused(&error))?;
        confirms.push((route, confirm));
    }
    for (route, confirm) in confirms {
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
