//! An envelope as AMQP properties and headers, and back.

use std::collections::BTreeMap;

use bytes::Bytes;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use ports::{
    bus::{BusError, Envelope, headers},
    topology::Topic,
};

use crate::names::short;

/// Written to disk by the queue before it confirms.
const PERSISTENT: u8 = 2;

/// The properties of a message that goes out for the first time.
pub(crate) fn write(envelope: &Envelope, app_id: &str) -> Result<BasicProperties, BusError> {
    let mut table = FieldTable::default();
    for (name, value) in &envelope.headers {
        table.insert(short(name)?, AMQPValue::LongString(value.as_str().into()));
    }
    let mut properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(short(&envelope.id)?)
        .with_type(short(&envelope.kind)?)
        .with_app_id(short(app_id)?)
        .with_timestamp(seconds())
        .with_headers(table);
    if let Some(correlation) = &envelope.correlation {
        properties = properties.with_correlation_id(short(correlation)?);
    }
    Ok(properties)
}

/// The same message with more headers; what the broker had added is left behind.
pub(crate) fn with_headers(properties: &BasicProperties, more: &[(&str, String)]) -> Result<BasicProperties, BusError> {
    let mut table = FieldTable::default();
    for (name, value) in readable(properties) {
        table.insert(short(&name)?, AMQPValue::LongString(value.into()));
    }
    for (name, value) in more {
        table.insert(short(name)?, AMQPValue::LongString(value.as_str().into()));
    }
    Ok(properties.clone().with_delivery_mode(PERSISTENT).with_headers(table))
}

/// The envelope of a delivery from a queue that takes `topic`.
pub(crate) fn read(properties: &BasicProperties, topic: Topic, body: Bytes) -> Envelope {
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(|text| text.as_str().to_owned());
    Envelope {
        id: text(properties.message_id()).unwrap_or_default(),
        topic,
        kind: text(properties.kind()).unwrap_or_default(),
        correlation: text(properties.correlation_id()),
        headers: readable(properties).collect(),
        body,
    }
}

/// 1 for the first delivery. Retries raise the project's own header; redeliveries are counted by the quorum queue.
pub(crate) fn attempt(properties: &BasicProperties) -> u32 {
    let Some(table) = properties.headers() else { return 1 };
    let begun = table.inner().get(headers::ATTEMPT).and_then(text).and_then(|n| n.parse().ok()).unwrap_or(1);
    let again = table.inner().get("x-delivery-count").and_then(integer).unwrap_or(0);
    u32::saturating_add(begun, again)
}

/// The text headers, without those that the broker adds (`x-death`, `x-delivery-count`...).
fn readable(properties: &BasicProperties) -> impl Iterator<Item = (String, String)> {
    let table: BTreeMap<_, _> = properties.headers().as_ref().map(|table| table.inner().clone()).unwrap_or_default();
    table.into_iter().filter_map(|(name, value)| {
        let name = name.as_str();
        (!name.starts_with("x-")).then(|| text(&value).map(|value| (name.to_owned(), value))).flatten()
    })
}

/// Text comes as a string or as bytes, depending on the client that wrote it.
fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ByteArray(bytes) => Some(String::from_utf8_lossy(bytes.as_slice()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

fn integer(value: &AMQPValue) -> Option<u32> {
    match *value {
        AMQPValue::LongLongInt(n) => u32::try_from(n).ok(),
        AMQPValue::LongInt(n) => u32::try_from(n).ok(),
        AMQPValue::ShortInt(n) => u32::try_from(n).ok(),
        AMQPValue::ShortShortInt(n) => u32::try_from(n).ok(),
        AMQPValue::LongUInt(n) => Some(n),
        AMQPValue::ShortUInt(n) => Some(n.into()),
        AMQPValue::ShortShortUInt(n) => Some(n.into()),
        _ => None,
    }
}

/// The stamp is for people who look into a queue; nothing decides by it, so the machine's clock will do.
#[expect(clippy::disallowed_methods, reason = "the AMQP stamp is for people; no decision rests on it")]
fn seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use domain::Partition;

    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            id: "evt_1".into(),
            topic: Topic::Inbound(Partition(1)),
            kind: "afluente.channel.v1.Inbound".into(),
            correlation: Some("cnv_1".into()),
            headers: BTreeMap::from([("traceparent".to_owned(), "00-1-2-01".to_owned())]),
            body: Bytes::from_static(b"\x00\xff"),
        }
    }

    #[test]
    fn an_envelope_reads_back() {
        let envelope = envelope();
        let properties = write(&envelope, "router").unwrap();
        assert_eq!(read(&properties, envelope.topic.clone(), envelope.body.clone()), envelope);
        assert_eq!(attempt(&properties), 1);
    }

    #[test]
    fn attempts_add_up_and_the_brokers_headers_stay_behind() {
        let mut table = FieldTable::default();
        table.insert("x-delivery-count".into(), AMQPValue::LongLongInt(2));
        table.insert(headers::ATTEMPT.into(), AMQPValue::LongString("3".into()));
        let delivered = write(&envelope(), "router").unwrap().with_headers(table);
        assert_eq!(attempt(&delivered), 5);
        let again = with_headers(&delivered, &[(headers::ATTEMPT, "6".to_owned())]).unwrap();
        assert_eq!(attempt(&again), 6);
    }

    #[test]
    fn a_name_that_amqp_cannot_carry_is_refused() {
        let long = Envelope { id: "x".repeat(300), ..envelope() };
        assert!(matches!(write(&long, "router"), Err(BusError::Forbidden(_))));
    }
}
