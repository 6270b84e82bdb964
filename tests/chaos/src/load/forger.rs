//! Somebody with a service's rights on the broker who publishes what the gate has not permitted.
//!
//! The message is written by hand, as `proto/afluente/channel/v1/outbound.proto` says; its permit is for exactly this
//! message, and only the signature is none. With the session service's rights the broker takes it, and the channel must
//! refuse it; with another service's rights the broker must refuse it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::net::TcpStream;

use super::{AGAIN, Target, person::Person};
use crate::amqp::{Answer, Client, Parcel};

/// The broker took what somebody without the right published.
pub(crate) const TRESPASS: &str = "published to the outbound exchange by a service without the right";
/// What the broker took of the forger, by its words.
pub(crate) const FORGED: &str = "forged";
/// Before the first forgery, when everybody is at work.
const FIRST: Duration = Duration::from_secs(8);
/// Between two.
const REST: Duration = Duration::from_secs(45);
/// How long one try may take.
const TRY: Duration = Duration::from_secs(8);
/// Milliseconds since 1970 of a time that no run sees the end of.
const FAR: u64 = 9_999_999_999_999;

/// Forges now and then, until it is ended.
pub(super) async fn forge(target: Target, ana: Person) -> Result<()> {
    tokio::time::sleep(FIRST).await;
    let organization = ana.get("/me").await["organization"]["id"].as_str().context("an organization")?.to_owned();
    for n in 0_usize.. {
        let list = ana.get("/conversations?channel=whatsapp&limit=500").await;
        let all = list["items"].as_array().context("conversations")?;
        let whose = all.get(n % all.len().max(1)).context("a conversation by WhatsApp")?;
        let words = format!("{} o forged {n}", whose["contact"]["address"].as_str().unwrap_or_default());
        let body = permitted(&organization, whose, &words).context("a conversation's ids")?;
        for user in ["afluente-session", "afluente-desk"] {
            // The broker may be down: again until it has an opinion.
            let answer = loop {
                match tokio::time::timeout(TRY, publish(&target, user, whose, &organization, &body)).await {
                    Ok(Ok(answer)) => break answer,
                    _ => tokio::time::sleep(AGAIN).await,
                }
            };
            match (user, answer) {
                ("afluente-session", Answer::Confirmed) => target.ledger.count("forgeries"),
                ("afluente-session", Answer::Refused) => {
                    anyhow::bail!("the session service may not publish what it permits")
                }
                (_, Answer::Confirmed) => target.ledger.note_down(TRESPASS, format!("{words} by {user}")),
                (_, Answer::Refused) => target.ledger.count("forgeries refused by the broker"),
            }
        }
        target.ledger.note_down(FORGED, words);
        tokio::time::sleep(REST).await;
    }
    Ok(())
}

async fn publish(target: &Target, user: &str, whose: &Value, organization: &str, body: &[u8]) -> Result<Answer> {
    let stream = TcpStream::connect(("127.0.0.1", target.broker)).await?;
    let conversation = whose["id"].as_str().unwrap_or_default();
    let parcel = Parcel {
        exchange: "afluente.outbound",
        key: "whatsapp.0",
        id: conversation,
        kind: "afluente.channel.v1.Permitted",
        correlation: conversation,
        headers: &[("afluente-organization", organization)],
        body,
    };
    Client::enter(stream, user).await?.publish(&parcel).await
}

/// The forged message to the contact of a conversation as the desk shows it; None where it lacks an id.
fn permitted(organization: &str, whose: &Value, words: &str) -> Option<Vec<u8>> {
    let conversation = whose["id"].as_str()?;
    // A message that nobody has written: ids of all kinds look alike behind their prefix.
    let message = conversation.replacen("cnv_", "msg_", 1);
    let (account, address) = (whose["account"]["id"].as_str()?, whose["contact"]["address"].as_str()?);
    let wrote = whose["last_inbound_at"].as_u64()?;
    let thread = [text(1, organization), text(2, account), text(3, address)].concat();
    let content = [text(1, "text"), bytes(2, &text(1, words))].concat();
    let request = [
        text(1, &message),
        text(2, conversation),
        bytes(3, &thread),
        text(4, "whatsapp"),
        bytes(5, &content),
        number(8, wrote),
        number(9, wrote),
    ];
    let permit = [
        text(1, &message),
        text(2, organization),
        text(3, account),
        number(4, FAR),
        text(5, "window"),
        bytes(6, &[7; 64]),
    ];
    Some([bytes(1, &request.concat()), bytes(2, &permit.concat())].concat())
}

fn text(field: u64, text: &str) -> Vec<u8> {
    bytes(field, text.as_bytes())
}

fn bytes(field: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX)), bytes.to_vec()].concat()
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// Seven bits at a time, the lowest first.
fn varint(mut value: u64) -> Vec<u8> {
    let mut written = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            written.push(low);
            return written;
        }
        written.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_texts_are_written_as_protobuf_has_them() {
        assert_eq!(number(8, 300), [0x40, 0xac, 0x02]);
        assert_eq!(text(1, "ab"), [0x0a, 2, b'a', b'b']);
        assert_eq!(varint(0), [0]);
    }

    #[test]
    fn a_forgery_names_the_contact_and_needs_all_ids() {
        let mut whose = json!({
            "id": "cnv_1", "account": {"id": "acc_1"}, "contact": {"address": "5511"}, "last_inbound_at": 5
        });
        let body = permitted("org_1", &whose, "words").unwrap();
        for part in ["msg_1", "cnv_1", "org_1", "acc_1", "5511", "whatsapp", "words"] {
            assert!(body.windows(part.len()).any(|found| found == part.as_bytes()), "{part}");
        }
        whose["account"] = json!({});
        assert_eq!(permitted("org_1", &whose, "words"), None);
    }
}
