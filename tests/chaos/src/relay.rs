//! TCP between two ends, harmful on request: the balancer before replicas, and the cable to a server.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::Instant,
};

/// When a server gives a silent connection up, by the keepalive that the mesh asks of PostgreSQL; the other servers have
/// heartbeats of their own.
const GIVEN_UP: Duration = Duration::from_secs(25);

/// One listening end with one or more others behind it.
#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    behind: Mutex<Vec<u16>>,
    next: AtomicUsize,
    harm: watch::Sender<Harm>,
}

/// What the relay does to its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Harm {
    /// Connections made before it grew are closed.
    cuts: u64,
    /// Connections made before it grew pass nothing more, and stay open.
    silences: u64,
    /// New connections are closed at once.
    refuses: bool,
    /// Each piece waits this long.
    slow: Duration,
}

impl Relay {
    /// Listens on `port` of an address of this machine.
    pub(crate) async fn start(host: &str, port: u16, behind: Vec<u16>) -> Result<Self> {
        let listener = TcpListener::bind((host, port)).await?;
        let state = Arc::new(State {
            behind: Mutex::new(behind),
            next: AtomicUsize::new(0),
            harm: watch::Sender::new(Harm::default()),
        });
        let relay = Self { port, state: Arc::clone(&state) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                tokio::spawn(async move { state.join(client).await });
            }
        });
        Ok(relay)
    }

    /// Puts `new` in the place of `old`, for connections from now on.
    pub(crate) fn replace(&self, old: u16, new: u16) {
        let mut behind = self.state.behind.lock().unwrap_or_else(PoisonError::into_inner);
        behind.iter_mut().filter(|port| **port == old).for_each(|port| *port = new);
    }

    /// The ports behind it.
    pub(crate) fn behind(&self) -> Vec<u16> {
        self.state.behind.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes every connection.
    pub(crate) fn cut(&self) {
        self.state.harm.send_modify(|harm| harm.cuts += 1);
    }

    /// Lets nothing more through on the connections of now, without a word to either end.
    pub(crate) fn silence(&self) {
        self.state.harm.send_modify(|harm| harm.silences += 1);
    }

    /// Closes every connection, and new ones until told otherwise.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.state.harm.send_modify(|harm| {
            harm.refuses = refuses;
            harm.cuts += u64::from(refuses);
        });
    }

    /// Holds each piece back for so long.
    pub(crate) fn slow(&self, pause: Duration) {
        self.state.harm.send_modify(|harm| harm.slow = pause);
    }
}

impl State {
    /// Joins a client with the next end that answers.
    async fn join(&self, client: TcpStream) {
        let harm = self.harm.subscribe();
        let made = *harm.borrow();
        if made.refuses {
            return;
        }
        let behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for at in 0..behind.len() {
            let Some(port) = behind.get((first + at) % behind.len()) else { continue };
            if let Ok(server) = TcpStream::connect(("127.0.0.1", *port)).await {
                drop((client.set_nodelay(true), server.set_nodelay(true)));
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::join!(
                    pass(from_client, to_server, harm.clone(), made),
                    pass(from_server, to_client, harm.clone(), made)
                );
                return;
            }
        }
    }
}

/// One direction, until it ends or is cut.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut harm: watch::Receiver<Harm>, made: Harm) {
    let mut piece = vec![0; 64 << 10];
    let mut silent_until = None;
    loop {
        let now = *harm.borrow();
        if now.cuts != made.cuts {
            return;
        }
        if now.silences != made.silences {
            // The keepalive of the server's system is answered here, where the network would not: this is in its place.
            let end = *silent_until.get_or_insert_with(|| Instant::now() + GIVEN_UP);
            if tokio::time::timeout_at(end, harm.changed()).await.is_err() {
                return;
            }
            continue;
        }
        tokio::select! {
            changed = harm.changed() => if changed.is_err() { return },
            read = from.read(&mut piece) => {
                let Ok(length @ 1..) = read else { return };
                if !now.slow.is_zero() {
                    tokio::time::sleep(now.slow).await;
                }
                if to.write_all(piece.get(..length).unwrap_or_default()).await.is_err() {
                    return;
                }
            }
        }
    }
}
