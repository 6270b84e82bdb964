//! What contacts write: windows open, consent is given and taken back.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::{Inbound, InboundBody, Thread, Timestamp};
use ports::{StoreError, bus::Delivery};
use runtime::{Env, trace};
use tracing::Instrument as _;

use crate::{
    pump::{Handle, Held, decode},
    windows,
    words::{self, Told},
};

pub(crate) struct Pump {
    pub(crate) env: Env,
    pub(crate) keep: std::time::Duration,
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
    /// Consent first, then the window: whoever sees the window knows that the words were read.
    async fn note(&self, told: &[&Inbound]) -> Result<(), StoreError> {
        let bearing: Vec<Told<'_>> = told.iter().filter_map(|inbound| words::told(inbound)).collect();
        if !bearing.is_empty() {
            let threads: BTreeSet<Thread> = bearing.iter().map(|one| one.thread.clone()).collect();
            let known = words::consent(&self.env, &threads.into_iter().collect::<Vec<_>>()).await?;
            words::note(&self.env, &bearing, known).await?;
        }
        windows::note(&self.env, &wrote(told), self.keep).await
    }
}

/// When each contact last wrote.
fn wrote(told: &[&Inbound]) -> Vec<(Thread, Timestamp)> {
    let mut last: BTreeMap<&Thread, Timestamp> = BTreeMap::new();
    for inbound in told.iter().filter(|inbound| matches!(inbound.body, InboundBody::Message(_))) {
        let at = last.entry(&inbound.thread).or_insert_with(|| inbound.wrote_at());
        *at = inbound.wrote_at().max(*at);
    }
    last.into_iter().map(|(thread, at)| (thread.clone(), at)).collect()
}
