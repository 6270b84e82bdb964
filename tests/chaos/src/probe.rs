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

use crate::{
    amqp::{Answer, Client, Parcel},
    servers::Server,
};

/// How long one try may take.
const TRY: Duration = Duration::from_secs(5);
/// Between two tries.
const REST: Duration = Duration::from_millis(50);
/// How long a server may take in all, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// The queue of our own.
const QUEUE: &str = "chaos.probe";

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

async fn select(postgres: TcpStream) -> Result<()> {
    order(postgres, "SELECT 1").await.map(drop)
}

/// Has PostgreSQL do one thing, by its protocol 3.0 and without a password. Answers what it calls it: `UPDATE 1`.
pub(crate) async fn order(mut postgres: TcpStream, statement: &str) -> Result<String> {
    let mut hello = 196_608_u32.to_be_bytes().to_vec();
    hello.extend(b"user\0afluente\0database\0afluente\0\0");
    postgres.write_all(&long(&hello)).await?;
    until_ready(&mut postgres).await?;
    postgres.write_all(b"Q").await?;
    postgres.write_all(&long(&[statement.as_bytes(), b"\0"].concat())).await?;
    until_ready(&mut postgres).await
}

/// The length of PostgreSQL's messages counts itself.
fn long(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], body].concat()
}

async fn until_ready(postgres: &mut TcpStream) -> Result<String> {
    let mut done = String::new();
    loop {
        let kind = postgres.read_u8().await?;
        let length = postgres.read_u32().await?;
        let mut body = vec![0; usize::try_from(length.saturating_sub(4))?];
        postgres.read_exact(&mut body).await?;
        match kind {
            b'Z' => return Ok(done),
            b'E' => anyhow::bail!("refused"),
            b'C' => done = String::from_utf8_lossy(&body).trim_end_matches('\0').to_owned(),
            _ => {}
        }
    }
}

/// Declares a queue of our own and publishes to it, on the broker's own user.
async fn confirm(broker: TcpStream) -> Result<()> {
    let mut client = Client::enter(broker, "guest").await?;
    client.declare(QUEUE).await?;
    let answer = client.publish(&Parcel { key: QUEUE, ..Parcel::default() }).await?;
    ensure!(answer == Answer::Confirmed, "refused");
    Ok(())
}
