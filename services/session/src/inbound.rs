//! What contacts write: windows open, consent is given and taken back.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{ConsentChange, ConsentEntry, Inbound, InboundBody, InboundMessage, Thread, Timestamp};
use ports::{StoreError, bus::Delivery};
use runtime::{
    Env,
    names::{label, metric},
    trace,
};
use sessions::{Policy, heard, policy_of};
use tracing::Instrument as _;

use crate::pump::{Handle, Held, decode};

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
        let threads = concerned(told);
        if !threads.is_empty() {
            let last = self.env.consents.last(&threads).await?;
            let known = threads.into_iter().zip(last).filter_map(|(thread, entry)| Some((thread, entry?))).collect();
            let entries = entries(told, known);
            if !entries.is_empty() {
                self.env.consents.append(&entries).await?;
                self.count(&entries);
            }
        }
        let wrote = wrote(told);
        if wrote.is_empty() { Ok(()) } else { self.env.windows.note(&wrote, self.keep).await }
    }

    fn count(&self, entries: &[ConsentEntry]) {
        for entry in entries {
            let outcome = if entry.change.granted { "granted" } else { "refused" };
            let labels = [(label::CHANNEL, entry.channel.as_str()), (label::OUTCOME, outcome)];
            self.env.metrics.count(metric::CONSENT_ENTRIES, &labels, 1);
        }
    }
}

/// The threads whose consent may change.
fn concerned(told: &[&Inbound]) -> Vec<Thread> {
    let speaks = |inbound: &&&Inbound| matches!(inbound.body, InboundBody::Message(_) | InboundBody::Consent(_));
    let mut threads: Vec<Thread> = told.iter().filter(speaks).map(|inbound| inbound.thread.clone()).collect();
    threads.sort_unstable();
    threads.dedup();
    threads
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

/// The ledger's new entries, each decided on the one before it.
fn entries(told: &[&Inbound], mut known: BTreeMap<Thread, ConsentEntry>) -> Vec<ConsentEntry> {
    let mut entries = Vec::new();
    for inbound in told {
        let last = known.get(&inbound.thread);
        let change = match &inbound.body {
            InboundBody::Consent(change) => Some(change.clone()),
            InboundBody::Message(said) => spoken(policy_of(inbound.channel.as_str()), said, last),
            _ => None,
        };
        let Some(change) = change else { continue };
        let entry = ConsentEntry {
            cause: inbound.id,
            thread: inbound.thread.clone(),
            channel: inbound.channel.clone(),
            change,
            at: inbound.wrote_at(),
        };
        known.insert(inbound.thread.clone(), entry.clone());
        entries.push(entry);
    }
    entries
}

/// What the contact's message changes: its words, or the fact that they wrote at all.
fn spoken(policy: &Policy, said: &InboundMessage, last: Option<&ConsentEntry>) -> Option<ConsentChange> {
    let refused = last.is_some_and(|entry| !entry.change.granted);
    if let Some(change) = heard(policy, &said.content, refused) {
        return Some(change);
    }
    let unblocked =
        refused && policy.writing_lifts_block && last.is_some_and(|entry| entry.change.source == "provider_event");
    (last.is_none() || unblocked).then(|| ConsentChange {
        granted: true,
        source: "started_chat".to_owned(),
        evidence: format!("message {}", said.provider_id),
    })
}
