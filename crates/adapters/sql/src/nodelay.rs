//! A way to PostgreSQL without Nagle's algorithm.
//!
//! sqlx 0.9.0 opens its TCP connections without `TCP_NODELAY` (its issue 4335; mended there, not yet released), so the
//! end of a statement that does not fit one segment may wait for the server's delayed acknowledgement: 40 ms of nothing
//! on Linux. The library lets nobody set the option, but it does speak to a Unix socket. So the pool connects to one of
//! ours, in the abstract namespace, and each connection to it goes on to the server by a TCP connection that sends at
//! once. TLS passes through as it is. A server on this machine is reached directly: a segment of the loopback interface
//! holds a whole statement, and nothing waits. Remove this with the first sqlx that sets the option.

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
        if stream.peer_addr()?.ip().is_loopback() {
            return Ok(None);
        }
        drop(stream);
        Self::listen(server).map(Some)
    }

    fn listen(server: (String, u16)) -> std::io::Result<Self> {
        // By chance, not by process id: containers that share a network share these names, and each may be process 1.
        let [one, two] = [(), ()].map(|()| RandomState::new().build_hasher().finish());
        let socket = format!("\0afluente-{one:016x}{two:016x}");
        // PostgreSQL's name for a socket in a folder.
        let listener = UnixListener::bind(format!("{socket}/.s.PGSQL.{}", server.1))?;
        let task = tokio::spawn(accept(listener, server));
        Ok(Self { socket: socket.into(), task })
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

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

    #[tokio::test]
    async fn a_server_on_this_machine_is_reached_directly() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options =
            PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(server.local_addr().unwrap().port());
        assert!(Relay::start(&options).await.unwrap().is_none());
    }
}
