//! From arrivals to the broker, or to the disk while the broker is away. Whoever accepts something upstream does it
//! after [`Intake::accept`] said so.

use std::{sync::Arc, time::Duration};

use domain::{
    Account, AccountId, Content, EventId, Inbound, InboundBody, MediaJob, MediaSource, Parked, ParkedId, Receipt,
    Thread, Timestamp, error::codes,
};
use ports::{
    Bus,
    bus::{BusError, Envelope},
};
use runtime::trace;

use crate::{
    accounts::Live,
    backlog::{self, Backlog},
    codec,
    contract::{Arrival, Arrived, Heard},
    kit::Kit,
    spool::{Spool, SpoolError},
    stamps::Stamps,
};

/// How a batch was made safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// The broker confirmed it.
    Published,
    /// The disk has it; the drainer publishes it.
    Spooled,
}

/// The door from the edge into the mesh.
pub(crate) struct Intake {
    bus: Arc<dyn Bus>,
    pub(crate) spool: Spool,
    pub(crate) stamps: Stamps,
    pub(crate) backlog: Backlog,
    bound: Duration,
}

impl Intake {
    pub(crate) const fn new(
        bus: Arc<dyn Bus>,
        spool: Spool,
        stamps: Stamps,
        backlog: Backlog,
        bound: Duration,
    ) -> Self {
        Self { bus, spool, stamps, backlog, bound }
    }

    /// Makes `batch` of `account` safe: all of it, in order, and numbered.
    ///
    /// # Errors
    /// [`SpoolError`] when neither the broker nor the disk takes it; nothing may be acknowledged then.
    pub(crate) async fn accept(
        &self,
        account: AccountId,
        mut batch: Vec<Envelope>,
        now: Timestamp,
    ) -> Result<Accepted, SpoolError> {
        if batch.is_empty() {
            return Ok(Accepted::Published);
        }
        let messages = backlog::count(&batch);
        let numbered = self.stamps.number(account, &mut batch, now);
        // While something waits on the disk, a later arrival may not overtake it.
        if self.spool.pending() == 0 {
            match self.try_publish(batch.clone()).await {
                Ok(()) => {
                    numbered.published();
                    self.backlog.accepted(account, messages);
                    return Ok(Accepted::Published);
                }
                Err(error) => tracing::warn!(%error, "an arrival goes to the disk spool"),
            }
        }
        // The trace goes to the disk too: the drainer publishes from no span at all.
        for envelope in batch.iter_mut().filter(|envelope| !envelope.headers.contains_key(trace::TRACEPARENT)) {
            trace::inject(&mut envelope.headers);
        }
        self.spool.append(&batch).await?;
        numbered.spooled();
        self.backlog.accepted(account, messages);
        Ok(Accepted::Spooled)
    }

    /// Makes `batch` safe with the broker, or not at all: for what its provider keeps until it was taken. On the disk of
    /// this replica it would wait while another replica takes what came after it.
    ///
    /// # Errors
    /// The broker is away, or the disk has what is to go first; nothing may be acknowledged then.
    pub(crate) async fn publish(
        &self,
        account: AccountId,
        mut batch: Vec<Envelope>,
        now: Timestamp,
    ) -> Result<(), BusError> {
        if batch.is_empty() {
            return Ok(());
        }
        if self.spool.pending() > 0 {
            return Err(BusError::Unavailable("what is on the disk goes first".to_owned()));
        }
        let messages = backlog::count(&batch);
        let numbered = self.stamps.number(account, &mut batch, now);
        self.try_publish(batch).await?;
        numbered.published();
        self.backlog.accepted(account, messages);
        Ok(())
    }

    async fn try_publish(&self, batch: Vec<Envelope>) -> Result<(), BusError> {
        let _way = self.backlog.publishing(&batch);
        let published = tokio::time::timeout(self.bound, self.bus.publish(batch)).await;
        published.unwrap_or_else(|_| Err(BusError::Unavailable(format!("no confirm within {:?}", self.bound))))
    }
}

/// What `arrivals` of `account` become on the bus, in their order; a media job follows the message that it is for.
pub(crate) fn envelopes(kit: &Kit, account: &Account, arrivals: Vec<Arrival>, received_at: Timestamp) -> Vec<Envelope> {
    let mut batch = Vec::with_capacity(arrivals.len());
    for arrival in arrivals {
        let inbound = inbound(kit, account, arrival, received_at);
        batch.push(kit.envelope(&inbound));
        if let InboundBody::Message(message) = &inbound.body
            && let Content::Media(media) = &message.content
            && matches!(media.source, MediaSource::Pending { .. })
        {
            batch.push(codec::media_job(&MediaJob {
                message_event: inbound.id,
                thread: inbound.thread.clone(),
                channel: kit.channel.clone(),
                media: media.clone(),
            }));
        }
    }
    batch
}

fn inbound(kit: &Kit, account: &Account, arrival: Arrival, received_at: Timestamp) -> Inbound {
    Inbound {
        id: event_id(account, &arrival.key),
        thread: Thread { organization: account.organization, account: account.id, address: arrival.address },
        channel: kit.channel.clone(),
        at: arrival.at.unwrap_or(received_at),
        received_at,
        body: match arrival.what {
            Arrived::Message(message) => InboundBody::Message(message),
            // A channel whose provider gives no time leaves it at zero.
            Arrived::Receipt(receipt) if receipt.at == Timestamp::default() => {
                InboundBody::Receipt(Receipt { at: received_at, ..receipt })
            }
            Arrived::Receipt(receipt) => InboundBody::Receipt(receipt),
            Arrived::Consent(change) => InboundBody::Consent(change),
        },
    }
}

/// The id of what a provider calls `key`: the same for each of its duplicates.
pub fn event_id(account: &Account, key: &str) -> EventId {
    EventId::derive(&[&account.id.to_string(), key])
}

/// What a call or a poll of an account becomes on the bus: its arrivals, and a parked message for each stray.
pub(crate) fn batch(kit: &Kit, live: &Live, heard: Heard, content_type: Option<&str>) -> Vec<Envelope> {
    let mut batch = envelopes(kit, &live.account, heard.arrivals, kit.now());
    for stray in heard.strays {
        let code = codes::WEBHOOK_MALFORMED;
        tracing::warn!(account = %live.account.id, channel = %kit.channel, %code, "an item of a call is parked");
        batch.push(parked(kit, live, code, &stray.reason.0, &stray.body, content_type));
    }
    batch
}

/// A body that could not be translated, as a parked message. Headers are left out but for the content type: one of them
/// is the secret. The reason may quote the body: it is kept with the parked message, not in a log.
pub(crate) fn parked(
    kit: &Kit,
    live: &Live,
    code: domain::Code,
    reason: &str,
    body: &[u8],
    content_type: Option<&str>,
) -> Envelope {
    use sha2::{Digest as _, Sha256};
    kit.count_parked("webhook", &code);
    let account = &live.account;
    let digest = hex::encode(Sha256::digest(body));
    codec::parked(&Parked {
        id: ParkedId::derive(&[&account.id.to_string(), "webhook", &digest]),
        organization: Some(account.organization),
        place: format!("{} webhook", kit.channel),
        code,
        reason: live.redactor.text(reason),
        account: Some(account.name.clone()),
        channel: Some(kit.channel.clone()),
        provider_code: None,
        message: None,
        route: format!("webhook:{}:{}", kit.channel, account.name),
        headers: content_type.map(|value| ("content-type".to_owned(), value.to_owned())).into_iter().collect(),
        body: body.to_vec(),
        at: kit.now(),
        redriven_at: None,
    })
}
