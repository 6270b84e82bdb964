//! A way to PostgreSQL without Nagle's algorithm.
//!
//! sqlx 0.9.0 opens its TCP connections without `TCP_NODELAY` (its issue 4335; mended there, not yet released), so the
//! end of a statement that does not fit one segment may wait for the server's delayed acknowledgement: 40 ms of nothing
//! on Linux. The library lets nobody set the option, but it does speak to a Unix socket. So the pool connects to one of
//! ours, in the abstract namespace, and each connection to it goes on to the server by a TCP connection that sends at
//! once. TLS passes through as it is. Remove this with the first sqlx that sets the option.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    path::PathBuf,
    time::Duration,
};

use sea_orm::sqlx::postgres::PgConnectOptions;
use tokio::{
    io::copy_bidirectional_with_sizes,
    net::{TcpStream, UnixListener, UnixStream},
    task::JoinHandle,
};

/// How long the server may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Large enough for most statements in one piece.
const BUFFER: usize = 64 << 10;

/// The relay of one pool; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    /// What [`PgConnectOptions::socket`] is told.
    pub(crate) socket: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// Starts one for a server that is reached by TCP; none where it is reached by a socket of its own, or where the
    /// system has no abstract namespace.
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
        drop(reach(&server).await?);
        // By chance, not by process id: containers that share a network share these names, and each may be process 1.
        let [one, two] = [(), ()].map(|()| RandomState::new().build_hasher().finish());
        let socket = format!("\0afluente-{one:016x}{two:016x}");
        // PostgreSQL's name for a socket in a folder.
        let listener = UnixListener::bind(format!("{socket}/.s.PGSQL.{}", server.1))?;
        let task = tokio::spawn(accept(listener, server));
        Ok(Some(Self { socket: socket.into(), task }))
    }
}

async fn reach((host, port): &(String, u16)) -> std::io::Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect((host.as_str(), *port))).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn accept(listener: UnixListener, server: (String, u16)) {
    loop {
        match listener.accept().await {
            Ok((near, _)) => {
                tokio::spawn(carry(near, server.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "the way to PostgreSQL cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn carry(mut near: UnixStream, server: (String, u16)) {
    match reach(&server).await {
        // A connection that ends, ends for both; the pool hears it as it would without us.
        Ok(mut far) => drop(copy_bidirectional_with_sizes(&mut near, &mut far, BUFFER, BUFFER).await),
        Err(error) => tracing::warn!(%error, host = server.0, port = server.1, "PostgreSQL cannot be reached"),
    }
}
