//! What the mesh wants to send: a permit, or the way back as refused.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{EventId, Failure, GateRefusal, Inbound, InboundBody, Permitted, SendRequest, error::codes};
use ports::{
    bus::{BusError, Delivery, Envelope, headers},
    topology::{Queue, Topic},
};
use runtime::{
    Env,
    names::{attribute, label, metric},
    trace,
};
use sessions::Verdict;
use tracing::Span;
use wire::Wire;

use crate::{
    SessionGate,
    gate::Known,
    pump::{Handle, Held, decode},
};

pub(crate) struct Pump {
    pub(crate) env: Env,
    pub(crate) gate: Arc<SessionGate>,
}

/// A request and what goes out for it.
struct Answered {
    delivery: Delivery,
    request: SendRequest,
    span: Span,
    envelope: Envelope,
}

#[async_trait]
impl Handle for Pump {
    async fn handle(&self, batch: Vec<Delivery>) -> Result<(), Held> {
        let batch: Vec<(Delivery, SendRequest)> = decode(batch);
        if batch.is_empty() {
            return Ok(());
        }
        let requests: Vec<&SendRequest> = batch.iter().map(|(_, request)| request).collect();
        let known = match self.gate.known(&requests).await {
            Ok(known) => known,
            Err(error) => return Err(held(batch.into_iter().map(|(delivery, _)| delivery), &error)),
        };
        let answered: Vec<Answered> =
            batch.into_iter().map(|(delivery, request)| self.answer(delivery, request, &known)).collect();
        let envelopes = answered.iter().map(|one| one.envelope.clone()).collect();
        match self.env.bus.publish(envelopes).await {
            Ok(()) => {
                answered.into_iter().for_each(|one| one.delivery.ack());
                Ok(())
            }
            // One of them has nowhere to go. It must not stop the others.
            Err(BusError::Unroutable(_)) => self.one_by_one(answered).await,
            Err(error) => Err(held(answered.into_iter().map(|one| one.delivery), &error)),
        }
    }
}

fn held(batch: impl Iterator<Item = Delivery>, cause: &impl ToString) -> Held {
    Held { batch: batch.collect(), cause: cause.to_string() }
}

impl Pump {
    fn answer(&self, delivery: Delivery, request: SendRequest, known: &Known) -> Answered {
        let partition = request.thread.partition(self.env.partitions);
        let span = trace::process(&delivery.envelope, &Queue::SessionRequested(partition));
        let verdict = self.gate.verdict(&request, known);
        let envelope = span.in_scope(|| match verdict {
            Verdict::Permit { ground, until, .. } => {
                self.count(&request, ground.as_str());
                let permit = self.gate.permit(&request, ground.as_str(), until);
                self.outbound(Permitted { request: request.clone(), permit })
            }
            Verdict::Refuse { code, .. } => self.refusal(&request, Failure::of(code)),
        });
        Answered { delivery, request, span, envelope }
    }

    async fn one_by_one(&self, answered: Vec<Answered>) -> Result<(), Held> {
        let mut left = answered.into_iter();
        while let Some(one) = left.next() {
            let mut sent = self.env.bus.publish(vec![one.envelope]).await;
            if let Err(BusError::Unroutable(_)) = sent {
                let reason = Some(format!("no service of the channel {} is deployed", one.request.channel));
                let failure = Failure { reason, ..Failure::of(codes::PROVIDER_UNAVAILABLE) };
                let refusal = one.span.in_scope(|| self.refusal(&one.request, failure));
                sent = self.env.bus.publish(vec![refusal]).await;
            }
            match sent {
                Ok(()) => one.delivery.ack(),
                Err(error) => {
                    let rest = std::iter::once(one.delivery).chain(left.map(|one| one.delivery));
                    return Err(held(rest, &error));
                }
            }
        }
        Ok(())
    }

    /// The permitted message for its channel.
    fn outbound(&self, permitted: Permitted) -> Envelope {
        let request = &permitted.request;
        let topic = Topic::Outbound(request.channel.clone(), request.thread.partition(self.env.partitions));
        let id = turn("permitted", request).to_string();
        envelope(id, topic, Permitted::KIND, request, wire::encode(&permitted))
    }

    /// The refused message, back to the router.
    fn refusal(&self, request: &SendRequest, failure: Failure) -> Envelope {
        self.count(request, failure.code.as_str());
        trace::note(attribute::OUTCOME, failure.code.as_str().to_owned());
        let now = self.env.clock.now();
        let inbound = Inbound {
            id: turn("refused", request),
            thread: request.thread.clone(),
            channel: request.channel.clone(),
            at: now,
            received_at: now,
            body: InboundBody::Refused(GateRefusal { message: request.message, failure }),
        };
        let topic = Topic::Inbound(request.thread.partition(self.env.partitions));
        envelope(inbound.id.to_string(), topic, Inbound::KIND, request, wire::encode(&inbound))
    }

    fn count(&self, request: &SendRequest, outcome: &str) {
        let labels = [(label::CHANNEL, request.channel.as_str()), (label::OUTCOME, outcome)];
        self.env.metrics.count(metric::GATE_VERDICTS, &labels, 1);
    }
}

/// An id for one turn of one message: a redelivery has the same, a person's second try has another.
fn turn(what: &str, request: &SendRequest) -> EventId {
    EventId::derive(&[what, &request.message.to_string(), &request.at.millis().to_string()])
}

fn envelope(id: String, topic: Topic, kind: &str, request: &SendRequest, body: Bytes) -> Envelope {
    let mut headers = BTreeMap::from([(headers::ORGANIZATION.to_owned(), request.thread.organization.to_string())]);
    trace::inject(&mut headers);
    let correlation = Some(request.conversation.to_string());
    Envelope { id, topic, kind: kind.to_owned(), correlation, headers, body }
}
