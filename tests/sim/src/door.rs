//! The door of a process, for connections that stay open: a listener without a network.

use std::io;

use axum::serve::Listener;
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};

/// What may lie on a connection unread, each way, in bytes.
const ROOM: usize = 64 << 10;
/// How many may stand before the door.
const AT_ONCE: usize = 64;

/// Where visitors come in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door(mpsc::Sender<DuplexStream>);

/// Who answers it.
pub(crate) struct Doorkeeper(mpsc::Receiver<DuplexStream>);

/// A door and who answers it.
pub(crate) fn door() -> (Door, Doorkeeper) {
    let (sender, receiver) = mpsc::channel(AT_ONCE);
    (Door(sender), Doorkeeper(receiver))
}

impl Door {
    /// A connection; none when nobody answers the door any more.
    pub(crate) fn enter(&self) -> Option<DuplexStream> {
        let (near, far) = duplex(ROOM);
        self.0.try_send(far).ok().map(|()| near)
    }
}

impl Listener for Doorkeeper {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}
