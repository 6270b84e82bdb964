//! A plain client of RabbitMQ, AMQP 0-9-1 spoken by hand: what is asked here owes nothing to the mesh's own client.

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Of a declaration's flags.
const DURABLE: u8 = 2;
/// The class of messages.
const BASIC: u16 = 60;
/// Which properties a message of ours has: headers, delivery mode, correlation, id, type; in this order.
const PROPERTIES: u16 = 1 << 13 | 1 << 12 | 1 << 10 | 1 << 7 | 1 << 5;
/// The delivery mode of what is written to disk.
const PERSISTENT: u8 = 2;

/// A message to publish. The words are headers and properties as the mesh names them; a plain client leaves them empty.
#[derive(Debug, Default)]
pub(crate) struct Parcel<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) key: &'a str,
    pub(crate) id: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) correlation: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// What the broker says to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has it.
    Confirmed,
    /// It closes the channel, as to a user who lacks the right.
    Refused,
}

/// One connection with one channel, which confirms.
pub(crate) struct Client {
    broker: TcpStream,
}

impl Client {
    /// Signs in; the password of the mesh's users is their name.
    pub(crate) async fn enter(broker: TcpStream, user: &str) -> Result<Self> {
        let mut client = Self { broker };
        client.broker.write_all(b"AMQP\0\0\x09\x01").await?;
        client.hear(10, 10).await?;
        let secret = string(&format!("\0{user}\0{user}"));
        let login = [&0_u32.to_be_bytes()[..], &short("PLAIN"), &secret, &short("en_US")].concat();
        client.say(0, 10, 11, &login).await?;
        // What it proposes is taken, but for the heartbeat, the last of the three.
        let mut tune = client.hear(10, 30).await?;
        tune.truncate(6);
        tune.extend([0, 0]);
        client.say(0, 10, 31, &tune).await?;
        client.say(0, 10, 40, &[&short("/")[..], &short(""), &[0]].concat()).await?;
        client.hear(10, 41).await?;
        client.say(1, 20, 10, &short("")).await?;
        client.hear(20, 11).await?;
        client.say(1, 85, 10, &[0]).await?;
        client.hear(85, 11).await?;
        Ok(client)
    }

    /// Declares a queue as the mesh's are.
    pub(crate) async fn declare(&mut self, queue: &str) -> Result<()> {
        let quorum = [&short("x-queue-type")[..], b"S", &string("quorum")].concat();
        let arguments = [&u32::try_from(quorum.len())?.to_be_bytes()[..], &quorum].concat();
        let declare = [&[0, 0][..], &short(queue), &[DURABLE], &arguments].concat();
        self.say(1, 50, 10, &declare).await?;
        self.hear(50, 11).await.map(drop)
    }

    /// Publishes, and waits for the broker's word on it.
    pub(crate) async fn publish(&mut self, parcel: &Parcel<'_>) -> Result<Answer> {
        let route = [&[0, 0][..], &short(parcel.exchange), &short(parcel.key), &[0]].concat();
        self.say(1, BASIC, 40, &route).await?;
        self.frame(2, 1, &header(parcel)?).await?;
        if !parcel.body.is_empty() {
            self.frame(3, 1, parcel.body).await?;
        }
        match self.next().await? {
            (BASIC, 80, _) => Ok(Answer::Confirmed),
            (20, 40, _) => Ok(Answer::Refused),
            (class, method, _) => anyhow::bail!("the broker says {class}.{method} to a message"),
        }
    }

    async fn say(&mut self, channel: u16, class: u16, method: u16, arguments: &[u8]) -> Result<()> {
        let body = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
        self.frame(1, channel, &body).await
    }

    async fn frame(&mut self, kind: u8, channel: u16, body: &[u8]) -> Result<()> {
        let length = u32::try_from(body.len())?;
        let whole = [&[kind][..], &channel.to_be_bytes(), &length.to_be_bytes(), body, &[0xCE]].concat();
        Ok(self.broker.write_all(&whole).await?)
    }

    /// The arguments of the next method, which must be this one.
    async fn hear(&mut self, class: u16, method: u16) -> Result<Vec<u8>> {
        let (said, what, arguments) = self.next().await?;
        ensure!((said, what) == (class, method), "the broker says {said}.{what} and not {class}.{method}");
        Ok(arguments)
    }

    /// The next method: its class, its number, its arguments.
    async fn next(&mut self) -> Result<(u16, u16, Vec<u8>)> {
        let broker = &mut self.broker;
        let (_kind, _channel) = (broker.read_u8().await?, broker.read_u16().await?);
        let length = broker.read_u32().await?.saturating_sub(4);
        let (class, method) = (broker.read_u16().await?, broker.read_u16().await?);
        let mut arguments = vec![0; usize::try_from(length)?];
        broker.read_exact(&mut arguments).await?;
        broker.read_u8().await?;
        Ok((class, method, arguments))
    }
}

/// The header of a content: its class, its size, its properties.
fn header(parcel: &Parcel<'_>) -> Result<Vec<u8>> {
    let table: Vec<u8> =
        parcel.headers.iter().flat_map(|(name, value)| [&short(name)[..], b"S", &string(value)].concat()).collect();
    Ok([
        &BASIC.to_be_bytes()[..],
        &[0, 0],
        &u64::try_from(parcel.body.len())?.to_be_bytes(),
        &PROPERTIES.to_be_bytes(),
        &u32::try_from(table.len())?.to_be_bytes(),
        &table,
        &[PERSISTENT],
        &short(parcel.correlation),
        &short(parcel.id),
        &short(parcel.kind),
    ]
    .concat())
}

fn short(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap_or(u8::MAX)], text.as_bytes()].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes()[..], text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AMQP 0-9-1, 4.2.6.1: class, weight, size, flags, then the properties by falling bit.
    #[test]
    fn a_header_holds_the_properties_in_the_order_of_their_flags() {
        let parcel =
            Parcel { id: "i", kind: "k", correlation: "c", headers: &[("h", "v")], body: b"ab", ..Parcel::default() };
        let table = *b"\x01hS\0\0\0\x01v";
        let expected =
            [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x34, 0xA0, 0, 0, 0, 8][..], &table, b"\x02\x01c\x01i\x01k"]
                .concat();
        assert_eq!(header(&parcel).unwrap(), expected);
    }
}
