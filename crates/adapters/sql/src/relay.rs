//! A way to PostgreSQL of our own, for two things that sqlx 0.9.0 does not do.
//!
//! It opens its TCP connections without `TCP_NODELAY` (its issue 4335; mended there, not yet released), so the end of a
//! statement that does not fit one segment may wait for the server's delayed acknowledgement: 40 ms of nothing on Linux.
//! And before a connection goes back to the pool it asks the server for a sign of life, and waits for that without end: one
//! that falls silent just then keeps its place in the pool for the quarter of an hour until the system gives it up.
//!
//! The library lets nobody set either, but it does speak to a Unix socket. So the pool connects to one of ours, in the
//! abstract namespace, and each connection to it goes on to the server by a TCP connection that sends at once, and that is
//! cut when the server leaves something without an answer for long. TLS passes through as it is. A server at the usual
//! address of this machine is reached directly: a segment of the loopback interface holds a whole statement, nothing waits,
//! and no network falls silent.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sea_orm::sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixListener, UnixStream},
    task::JoinHandle,
    time::Instant,
};

/// For how long the server may leave something without an answer: a little longer than any work of ours waits for one, so
/// that the work is given up first, in words of its own.
const UNANSWERED: Duration = Duration::from_secs(6);
/// The same while something is read that may take long. Which connection reads it is not known here.
const UNANSWERED_SLOWLY: Duration = Duration::from_secs(600);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long the server may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Large enough for most statements in one piece.
const BUFFER: usize = 64 << 10;

/// The relay of one pool; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    /// What [`PgConnectOptions::socket`] is told.
    pub(crate) socket: PathBuf,
    watch: Arc<Watch>,
    task: JoinHandle<()>,
}

/// Which answers are waited for, and how long.
#[derive(Debug, Default)]
struct Watch {
    /// Whether connections that stay without an answer are cut.
    begun: AtomicBool,
    /// How much is read just now that may take long.
    slow: AtomicUsize,
}

/// Something is read that may take long.
#[derive(Debug)]
pub(crate) struct Slowly(Arc<Watch>);

impl Drop for Slowly {
    fn drop(&mut self) {
        self.0.slow.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// Starts one for a server that is reached by TCP; none where it is on this machine, or where the system has no
    /// abstract namespace.
    ///
    /// # Errors
    /// The system's, when the server does not accept a connection now.
    pub(crate) async fn start(options: &PgConnectOptions) -> std::io::Result<Option<Self>> {
        let by_socket = options.get_socket().is_some() || options.get_host().starts_with('/');
        if by_socket || !cfg!(target_os = "linux") {
            return Ok(None);
        }
        let server = (options.get_host().trim_matches(['[', ']']).to_owned(), options.get_port());
        // Said here in the system's words: behind the relay it would read as a connection that broke off.
        let stream = reach(&server).await?;
        let usual: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        if usual.contains(&stream.peer_addr()?.ip().to_canonical()) {
            return Ok(None);
        }
        drop(stream);
        Self::listen(server).map(Some)
    }

    /// From now on an answer that takes longer than [`UNANSWERED`] will not come: the migrations are through.
    pub(crate) fn watch(&self) {
        self.watch.begun.store(true, Ordering::Relaxed);
    }

    /// But those may, as long as the answer is kept.
    pub(crate) fn slowly(&self) -> Slowly {
        self.watch.slow.fetch_add(1, Ordering::Relaxed);
        Slowly(Arc::clone(&self.watch))
    }

    fn listen(server: (String, u16)) -> std::io::Result<Self> {
        // By chance, not by process id: containers that share a network share these names, and each may be process 1.
        let [one, two] = [(), ()].map(|()| RandomState::new().build_hasher().finish());
        let socket = format!("\0afluente-{one:016x}{two:016x}");
        // PostgreSQL's name for a socket in a folder.
        let listener = UnixListener::bind(format!("{socket}/.s.PGSQL.{}", server.1))?;
        let watch = Arc::<Watch>::default();
        let task = tokio::spawn(accept(listener, server, Arc::clone(&watch)));
        Ok(Self { socket: socket.into(), watch, task })
    }
}

async fn reach((host, port): &(String, u16)) -> std::io::Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect((host.as_str(), *port))).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn accept(listener: UnixListener, server: (String, u16), watch: Arc<Watch>) {
    loop {
        match listener.accept().await {
            Ok((near, _)) => {
                tokio::spawn(carry(near, server.clone(), Arc::clone(&watch)));
            }
            Err(error) => {
                tracing::warn!(%error, "the way to PostgreSQL cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn carry(near: UnixStream, server: (String, u16), watch: Arc<Watch>) {
    let far = match reach(&server).await {
        Ok(far) => far,
        Err(error) => return tracing::warn!(%error, host = server.0, port = server.1, "PostgreSQL cannot be reached"),
    };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let question = Question::default();
    // A connection that ends, ends for both; the pool hears it as it would without us.
    let passing = async {
        tokio::join!(pass(near_in, far_out, || question.asked()), pass(far_in, near_out, || question.answered()));
    };
    tokio::select! {
        () = passing => {}
        () = question.stays_open(&watch) => {
            tracing::warn!(host = server.0, port = server.1, "PostgreSQL fell silent; the connection is cut");
        }
    }
}

/// Passes on what comes, until it ends.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, moved: impl Fn()) {
    let mut piece = vec![0; BUFFER];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        moved();
        if to.write_all(&piece[..length]).await.is_err() {
            break;
        }
    }
    drop(to.shutdown().await);
}

/// Since when the server has left something without an answer.
#[derive(Debug)]
struct Question {
    began: Instant,
    /// In milliseconds after `began`, and one more; 0 while nothing is open.
    since: AtomicU64,
}

impl Default for Question {
    fn default() -> Self {
        Self { began: Instant::now(), since: AtomicU64::new(0) }
    }
}

impl Question {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn asked(&self) {
        // The first that is open counts.
        let _ = self.since.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
    }

    fn answered(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// Resolves when one has been open for too long.
    async fn stays_open(&self, watch: &Watch) {
        loop {
            tokio::time::sleep(LOOK).await;
            let since = self.since.load(Ordering::Relaxed);
            let open = Duration::from_millis(self.now().saturating_sub(since));
            let slow = watch.slow.load(Ordering::Relaxed) > 0;
            let patience = if slow { UNANSWERED_SLOWLY } else { UNANSWERED };
            if since > 0 && open >= patience && watch.begun.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_goes_in_comes_out_at_the_server_and_back() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut question = [0; 4];
            stream.read_exact(&mut question).await.unwrap();
            assert_eq!(&question, b"ping");
            stream.write_all(b"pong").await.unwrap();
        });
        let relay = Relay::listen(("127.0.0.1".to_owned(), port)).unwrap();
        let mut near = UnixStream::connect(relay.socket.join(format!(".s.PGSQL.{port}"))).await.unwrap();
        near.write_all(b"ping").await.unwrap();
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"pong");
    }

    /// A server that answers each time but the last with the same byte, and its relay.
    async fn answering(times: usize) -> (Relay, UnixStream) {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            for _ in 0..times {
                let byte = stream.read_u8().await.unwrap();
                stream.write_u8(byte).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        let relay = Relay::listen(("127.0.0.1".to_owned(), port)).unwrap();
        let near = UnixStream::connect(relay.socket.join(format!(".s.PGSQL.{port}"))).await.unwrap();
        (relay, near)
    }

    #[tokio::test]
    async fn a_server_that_leaves_something_without_an_answer_is_cut_off() {
        let (relay, mut near) = answering(1).await;
        relay.watch();
        near.write_u8(7).await.unwrap();
        assert_eq!(near.read_u8().await.unwrap(), 7);
        // Nothing is open: a connection may rest for as long as it likes.
        let rest = tokio::time::timeout(UNANSWERED + 3 * LOOK, near.read_u8()).await;
        assert!(rest.is_err(), "{rest:?}");
        near.write_u8(8).await.unwrap();
        assert!(near.read_u8().await.is_err(), "the end of the connection");
    }

    #[tokio::test]
    async fn nobody_is_cut_off_before_the_store_is_migrated() {
        let (relay, mut near) = answering(0).await;
        near.write_u8(7).await.unwrap();
        let waits = tokio::time::timeout(UNANSWERED + 3 * LOOK, near.read_u8()).await;
        assert!(waits.is_err(), "{waits:?}");
        relay.watch();
        assert!(near.read_u8().await.is_err(), "the end of the connection");
    }

    #[tokio::test]
    async fn nobody_is_cut_off_while_something_is_read_that_takes_long() {
        let (relay, mut near) = answering(0).await;
        relay.watch();
        let slowly = relay.slowly();
        near.write_u8(7).await.unwrap();
        let waits = tokio::time::timeout(UNANSWERED + 3 * LOOK, near.read_u8()).await;
        assert!(waits.is_err(), "{waits:?}");
        drop(slowly);
        assert!(near.read_u8().await.is_err(), "the end of the connection");
    }

    #[tokio::test]
    async fn a_server_on_this_machine_is_reached_directly() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options =
            PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(server.local_addr().unwrap().port());
        assert!(Relay::start(&options).await.unwrap().is_none());
    }
}
