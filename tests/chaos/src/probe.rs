//! Whether a server serves, as a plain client of it sees: what the mesh takes longer after a crash is the mesh's.
//!
//! Spoken by hand, on a new connection for each try. RabbitMQ is asked to confirm a message for a quorum queue, as the
//! mesh's queues are; PostgreSQL and Redis to answer a question.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::servers::Server;

/// How long one try may take.
const TRY: Duration = Duration::from_secs(5);
/// Between two tries.
const REST: Duration = Duration::from_millis(50);
/// How long a server may take in all, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// The queue of our own.
const QUEUE: &str = "chaos.probe";
/// Of the declaration's flags.
const DURABLE: u8 = 2;
/// The header of a content of class 60: empty, with the one property that it is persistent.
const PERSISTENT: [u8; 15] = [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 2];

/// Waits until it serves, and answers since when.
pub(crate) async fn served(server: Server, port: u16) -> Result<Instant> {
    let asking = async {
        loop {
            if let Ok(Ok(())) = tokio::time::timeout(TRY, ask(server, port)).await {
                return Instant::now();
            }
            tokio::time::sleep(REST).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.with_context(|| format!("{} did not come back", server.name()))
}

async fn ask(server: Server, port: u16) -> Result<()> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    match server {
        Server::Rabbitmq => confirm(stream).await,
        Server::Postgres => select(stream).await,
        Server::Redis => ping(stream).await,
    }
}

async fn ping(mut redis: TcpStream) -> Result<()> {
    redis.write_all(b"PING\r\n").await?;
    let mut answer = [0; 5];
    redis.read_exact(&mut answer).await?;
    ensure!(&answer == b"+PONG", "no PONG");
    Ok(())
}

/// PostgreSQL's protocol 3.0, without a password.
async fn select(mut postgres: TcpStream) -> Result<()> {
    let mut hello = 196_608_u32.to_be_bytes().to_vec();
    hello.extend(b"user\0afluente\0database\0afluente\0\0");
    postgres.write_all(&long(&hello)).await?;
    until_ready(&mut postgres).await?;
    postgres.write_all(b"Q").await?;
    postgres.write_all(&long(b"SELECT 1\0")).await?;
    until_ready(&mut postgres).await
}

/// The length of PostgreSQL's messages counts itself.
fn long(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], body].concat()
}

async fn until_ready(postgres: &mut TcpStream) -> Result<()> {
    loop {
        let kind = postgres.read_u8().await?;
        let length = postgres.read_u32().await?;
        let mut body = vec![0; usize::try_from(length.saturating_sub(4))?];
        postgres.read_exact(&mut body).await?;
        match kind {
            b'Z' => return Ok(()),
            b'E' => anyhow::bail!("refused"),
            _ => {}
        }
    }
}

/// AMQP 0-9-1: opens, declares the queue and publishes to it with a confirm.
async fn confirm(mut broker: TcpStream) -> Result<()> {
    broker.write_all(b"AMQP\0\0\x09\x01").await?;
    heard(&mut broker, 10, 10).await?;
    let login = [&0_u32.to_be_bytes()[..], &short("PLAIN"), &string("\0guest\0guest"), &short("en_US")].concat();
    say(&mut broker, 0, 10, 11, &login).await?;
    // What it proposes is taken, but for the heartbeat, the last of the three.
    let mut tune = heard(&mut broker, 10, 30).await?;
    tune.truncate(6);
    tune.extend([0, 0]);
    say(&mut broker, 0, 10, 31, &tune).await?;
    say(&mut broker, 0, 10, 40, &[&short("/")[..], &short(""), &[0]].concat()).await?;
    heard(&mut broker, 10, 41).await?;
    say(&mut broker, 1, 20, 10, &short("")).await?;
    heard(&mut broker, 20, 11).await?;
    say(&mut broker, 1, 85, 10, &[0]).await?;
    heard(&mut broker, 85, 11).await?;
    let quorum = [&short("x-queue-type")[..], b"S", &string("quorum")].concat();
    let arguments = [&u32::try_from(quorum.len())?.to_be_bytes()[..], &quorum].concat();
    let declare = [&[0, 0][..], &short(QUEUE), &[DURABLE], &arguments].concat();
    say(&mut broker, 1, 50, 10, &declare).await?;
    heard(&mut broker, 50, 11).await?;
    say(&mut broker, 1, 60, 40, &[&[0, 0][..], &short(""), &short(QUEUE), &[0]].concat()).await?;
    frame(&mut broker, 2, 1, &PERSISTENT).await?;
    heard(&mut broker, 60, 80).await.map(drop)
}

fn short(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap_or(u8::MAX)], text.as_bytes()].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes()[..], text.as_bytes()].concat()
}

async fn say(broker: &mut TcpStream, channel: u16, class: u16, method: u16, arguments: &[u8]) -> Result<()> {
    let body = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
    frame(broker, 1, channel, &body).await
}

async fn frame(broker: &mut TcpStream, kind: u8, channel: u16, body: &[u8]) -> Result<()> {
    let length = u32::try_from(body.len())?;
    let whole = [&[kind][..], &channel.to_be_bytes(), &length.to_be_bytes(), body, &[0xCE]].concat();
    Ok(broker.write_all(&whole).await?)
}

/// The arguments of the next method, which must be this one.
async fn heard(broker: &mut TcpStream, class: u16, method: u16) -> Result<Vec<u8>> {
    let (_kind, _channel) = (broker.read_u8().await?, broker.read_u16().await?);
    let mut body = vec![0; usize::try_from(broker.read_u32().await?)?];
    broker.read_exact(&mut body).await?;
    broker.read_u8().await?;
    let expected = [class.to_be_bytes(), method.to_be_bytes()].concat();
    ensure!(body.starts_with(&expected), "the broker says something else than {class}.{method}");
    Ok(body.split_off(4))
}
