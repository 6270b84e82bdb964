//! From a receipt back to the send that it speaks of: two traces, joined by a link (OP-3).

use std::collections::BTreeMap;

use domain::{AccountId, InboundBody};
use routing::{Change, Event};
use runtime::trace;

use crate::shell::Item;

/// The `traceparent` of the attempt that made each provider id known.
pub(crate) struct SendTraces(BTreeMap<(AccountId, String), String>);

impl SendTraces {
    /// What the store has kept.
    pub(crate) const fn of(known: BTreeMap<(AccountId, String), String>) -> Self {
        Self(known)
    }

    /// An acceptance in the batch at hand, for the receipts behind it.
    pub(crate) fn learn(&mut self, change: &Change, trace: Option<&str>) {
        if let (Change::ProviderId { account, id, .. }, Some(trace)) = (change, trace) {
            self.0.entry((*account, id.clone())).or_insert_with(|| trace.to_owned());
        }
    }

    /// Links each receipt's span to the send. One that overtook the acceptance has nothing to link to.
    pub(crate) fn link(&self, items: &[Item]) {
        for item in items {
            let Event::Inbound(inbound) = &item.event else { continue };
            let InboundBody::Receipt(receipt) = &inbound.body else { continue };
            let account = inbound.thread.account;
            let sent = receipt.provider_ids.iter().find_map(|id| self.0.get(&(account, id.clone())));
            if let Some(traceparent) = sent {
                trace::link(&item.span, traceparent);
            }
        }
    }
}
