//! What the router passes on: consent is given and taken back.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::{Inbound, Thread};
use ports::{StoreError, bus::Delivery};
use runtime::{Env, trace};
use tracing::Instrument as _;

use crate::{
    pump::{Handle, Held, decode},
    words::{self, Told},
};

pub(crate) struct Pump {
    pub(crate) env: Env,
}

#[async_trait]
impl Handle for Pump {
    async fn handle(&self, batch: Vec<Delivery>) -> Result<(), Held> {
        let batch: Vec<(Delivery, Inbound)> = decode(batch);
        let Some((first, inbound)) = batch.first() else { return Ok(()) };
        let queue = ports::topology::Queue::SessionInbound(inbound.thread.partition(self.env.partitions));
        let span = match batch.len() {
            1 => trace::process(&first.envelope, &queue),
            _ => trace::process_batch(batch.iter().map(|(delivery, _)| &delivery.envelope), &queue),
        };
        let told: Vec<&Inbound> = batch.iter().map(|(_, inbound)| inbound).collect();
        match self.note(&told).instrument(span).await {
            Ok(()) => {
                batch.into_iter().for_each(|(delivery, _)| delivery.ack());
                Ok(())
            }
            Err(error) => {
                Err(Held { batch: batch.into_iter().map(|(delivery, _)| delivery).collect(), cause: error.to_string() })
            }
        }
    }
}

impl Pump {
    async fn note(&self, told: &[&Inbound]) -> Result<(), StoreError> {
        let bearing: Vec<Told<'_>> = told.iter().filter_map(|inbound| words::told(inbound)).collect();
        if bearing.is_empty() {
            return Ok(());
        }
        let threads: BTreeSet<Thread> = bearing.iter().map(|one| one.thread.clone()).collect();
        let known = words::consent(&self.env, &threads.into_iter().collect::<Vec<_>>()).await?;
        words::note(&self.env, &bearing, known).await.map(drop)
    }
}
