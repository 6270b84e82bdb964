//! One record of the spool: length, CRC-32, then an envelope, field by field. Self-contained, so that a spool outlives
//! an upgrade of everything else.

use std::collections::BTreeMap;

use bytes::Bytes;
use ports::{bus::Envelope, topology::Topic};

/// Length and checksum before each record.
pub(super) const HEADER: usize = 8;

/// The framed bytes of `envelope`.
pub(super) fn encode(envelope: &Envelope) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    put(&mut out, envelope.id.as_bytes());
    put(&mut out, envelope.topic.route().as_bytes());
    put(&mut out, envelope.kind.as_bytes());
    match &envelope.correlation {
        Some(text) => {
            out.push(1);
            put(&mut out, text.as_bytes());
        }
        None => out.push(0),
    }
    out.extend_from_slice(&length(envelope.headers.len()));
    for (name, value) in &envelope.headers {
        put(&mut out, name.as_bytes());
        put(&mut out, value.as_bytes());
    }
    put(&mut out, &envelope.body);
    let (head, body) = out.split_at_mut(HEADER);
    let (len, sum) = head.split_at_mut(4);
    len.copy_from_slice(&length(body.len()));
    sum.copy_from_slice(&crc32(body).to_be_bytes());
    out
}

/// The length of the record's body and its checksum.
pub(super) fn header(bytes: &[u8]) -> Option<(usize, u32)> {
    let mut rest = bytes;
    let len = take_u32(&mut rest)?;
    let sum = take_u32(&mut rest)?;
    Some((usize::try_from(len).ok()?, sum))
}

/// The envelope in a record's body, if the checksum holds.
pub(super) fn decode(body: &[u8], sum: u32) -> Option<Envelope> {
    if crc32(body) != sum {
        return None;
    }
    let mut rest = body;
    let id = take_text(&mut rest)?;
    let topic = Topic::from_route(&take_text(&mut rest)?)?;
    let kind = take_text(&mut rest)?;
    let (flag, tail) = rest.split_first()?;
    rest = tail;
    let correlation = if *flag == 1 { Some(take_text(&mut rest)?) } else { None };
    let mut headers = BTreeMap::new();
    for _ in 0..take_u32(&mut rest)? {
        headers.insert(take_text(&mut rest)?, take_text(&mut rest)?);
    }
    let body = Bytes::copy_from_slice(take(&mut rest)?);
    Some(Envelope { id, topic, kind, correlation, headers, body })
}

fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes.len()));
    out.extend_from_slice(bytes);
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(u32::from_be_bytes(*head))
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_u32(rest)?).ok()?;
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(take(rest)?.to_vec()).ok()
}

/// CRC-32 (IEEE 802.3), bit by bit from a table made at compile time.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let step = |crc: u32, byte: &u8| {
        let at = usize::from(crc.to_le_bytes()[0] ^ byte);
        TABLE.get(at).copied().unwrap_or(0) ^ (crc >> 8)
    };
    !bytes.iter().fold(u32::MAX, step)
}

const fn table() -> [u32; 256] {
    let mut table = [0_u32; 256];
    let mut n = 0;
    while n < 256 {
        #[allow(clippy::cast_possible_truncation)]
        let mut crc = n as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use domain::Partition;

    use super::*;

    #[test]
    fn a_record_reads_back_and_a_changed_one_does_not() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of CRC-32");
        let envelope = Envelope {
            id: "evt_1".into(),
            topic: Topic::Inbound(Partition(7)),
            kind: "k".into(),
            correlation: Some("c".into()),
            headers: [("a".to_owned(), "b".to_owned())].into(),
            body: Bytes::from_static(&[0, 1, 255]),
        };
        let bytes = encode(&envelope);
        let (len, sum) = header(&bytes).unwrap();
        let body = bytes.get(HEADER..).unwrap();
        assert_eq!(body.len(), len);
        assert_eq!(decode(body, sum), Some(envelope));
        let mut bad = body.to_vec();
        *bad.last_mut().unwrap() ^= 1;
        assert_eq!(decode(&bad, sum), None);
    }
}
