//! The socket of a connection, by which it is ended for certain.
//!
//! lapin lets go of a connection when its peer answers, or when the kernel gives it up after many minutes. Of a peer
//! that says nothing, each connection that was tried or given up would leave a thread and a socket behind.

use std::{
    io,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::{Arc, OnceLock},
};

use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties,
    runtime::default_runtime,
    tcp::OwnedTLSConfig,
    uri::{AMQPScheme, AMQPUri},
};
use tokio_util::sync::CancellationToken;

/// A connection's socket.
#[derive(Default)]
pub(crate) struct Wire {
    cut: CancellationToken,
    /// The one that lapin reads and writes, once there is one.
    socket: OnceLock<TcpStream>,
}

impl Wire {
    /// Ends the connection, whatever it is at: lapin fails what waits on it, and its thread ends.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
        if let Some(socket) = self.socket.get() {
            // Fails when it has ended by itself.
            drop(socket.shutdown(Shutdown::Both));
        }
    }

    fn keep(&self, socket: &impl AsFd) -> io::Result<()> {
        let socket = TcpStream::from(socket.as_fd().try_clone_to_owned()?);
        // lapin connects once for each of its connections, unless it is told to recover them.
        drop(self.socket.set(socket));
        Ok(())
    }
}

/// A connection that is being made: it is cut when nobody waits for it any more.
struct Attempt(Option<Arc<Wire>>);

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(wire) = self.0.take() {
            wire.cut();
        }
    }
}

/// Connects. Nothing is left of it when it fails, or is given up.
pub(crate) async fn connect(uri: AMQPUri, properties: ConnectionProperties) -> lapin::Result<(Connection, Arc<Wire>)> {
    let wire = Arc::new(Wire::default());
    let mut attempt = Attempt(Some(wire.clone()));
    let own = wire.clone();
    let connecting = Connection::connector(
        uri,
        default_runtime()?,
        async move |uri: AMQPUri, runtime| {
            let host = uri.authority.host.as_str();
            let opening = async {
                let addresses: Vec<_> = tokio::net::lookup_host((host, uri.authority.port)).await?.collect();
                let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
                if let AsyncTcpStream::Plain(plain) = &stream {
                    own.keep(plain.get_ref())?;
                }
                match uri.scheme {
                    AMQPScheme::AMQP => Ok(stream),
                    AMQPScheme::AMQPS => stream.into_tls(host, OwnedTLSConfig::default().as_ref()).await,
                }
            };
            match own.cut.run_until_cancelled(opening).await {
                // Asked again, as it may have been cut just before there was a socket.
                Some(opened) if !own.cut.is_cancelled() => opened.map_err(lapin::Error::from),
                _ => Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()),
            }
        },
        properties,
    );
    let connection = connecting.await?;
    attempt.0 = None;
    Ok((connection, wire))
}
