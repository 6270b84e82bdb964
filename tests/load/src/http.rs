//! HTTP/1.1 over kept connections, a few lines for either side: the load generator must cost less than what it measures.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A connection to a service.
pub(crate) struct Connection {
    wire: Wire,
    host: String,
}

impl Connection {
    /// Connects to `host:port`.
    pub(crate) async fn open(host: &str) -> io::Result<Self> {
        Ok(Self { wire: Wire::new(TcpStream::connect(host).await?)?, host: host.to_owned() })
    }

    /// Posts JSON and answers the status and the body.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<(u16, Vec<u8>)> {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.wire.write(&request).await?;
        let Said { head, body } = self.wire.read().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0), body))
    }

    /// Posts JSON and answers whether that was taken. A connection that breaks takes nothing and is made anew.
    pub(crate) async fn taken(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> io::Result<bool> {
        if let Ok((status, _)) = self.post(path, headers, body).await {
            return Ok((200..300).contains(&status));
        }
        *self = Self::open(&self.host).await?;
        Ok(false)
    }
}

/// What one side said.
pub(crate) struct Said {
    /// The first line and the headers, in lower case.
    pub(crate) head: String,
    /// What comes after them.
    pub(crate) body: Vec<u8>,
}

/// Either end of a connection. Nobody speaks before the other has answered.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    pub(crate) async fn write(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await
    }

    /// What the other side says; none when it left.
    pub(crate) async fn read(&mut self) -> io::Result<Option<Said>> {
        self.buffer.clear();
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if !self.more().await? {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        let head = String::from_utf8_lossy(self.buffer.get(..end).unwrap_or_default()).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let whole = end + 4 + length.and_then(|value| value.trim().parse().ok()).unwrap_or(0_usize);
        while self.buffer.len() < whole {
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Some(Said { head, body: self.buffer.get(end + 4..whole).unwrap_or_default().to_vec() }))
    }

    /// Reads some more; false at the end.
    async fn more(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }
}
