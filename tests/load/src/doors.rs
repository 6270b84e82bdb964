//! Where the mesh is entered: the channel's hooks and the desk, in one process or in several.

use clap::Args;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use crate::http::Connection;

/// The doors, and the keys to them.
#[derive(Args, Clone)]
pub(crate) struct Doors {
    /// `host:port` of the hooks; several take turns.
    #[arg(long = "host", value_name = "HOST:PORT", required = true)]
    hosts: Vec<String>,
    /// `host:port` of the desk, where it is another process than the hooks; several take turns, and the first is heard.
    #[arg(long = "desk", value_name = "HOST:PORT")]
    desks: Vec<String>,
    /// The hook's Authorization header.
    #[arg(long)]
    pub(crate) secret: String,
    /// Who signs in at the desk.
    #[arg(long)]
    email: String,
    /// Their password.
    #[arg(long)]
    password: String,
}

impl Doors {
    /// The host of the hooks for the worker of this number.
    pub(crate) fn hooks(&self, worker: usize) -> &str {
        in_turn(&self.hosts, worker)
    }

    /// The desk for the worker of this number.
    pub(crate) fn desk(&self, worker: usize) -> &str {
        in_turn(if self.desks.is_empty() { &self.hosts } else { &self.desks }, worker)
    }

    /// Signs in; answers the token.
    pub(crate) async fn sign_in(&self) -> Result<String, String> {
        let mut connection = Connection::open(self.desk(0)).await.map_err(|problem| problem.to_string())?;
        let body = json!({"email": self.email, "password": self.password}).to_string();
        let asked = connection.post("/api/v1/sessions", &[], &body).await;
        let (status, answer) = asked.map_err(|problem| problem.to_string())?;
        let answer: Value =
            serde_json::from_slice(&answer).map_err(|problem| format!("sign-in {status}: {problem}"))?;
        answer["token"].as_str().map(str::to_owned).ok_or_else(|| format!("sign-in {status}: {answer}"))
    }

    /// Hears the first desk's events until the stream ends, from its `hello` on.
    pub(crate) async fn hear(&self, token: &str, mut each: impl FnMut(&Value) + Send) -> Result<(), String> {
        let host = self.desk(0);
        let mut request =
            format!("ws://{host}/api/v1/events").into_client_request().map_err(|problem| problem.to_string())?;
        let bearer = format!("Bearer {token}").parse().map_err(|_| "a token that is no header".to_owned())?;
        request.headers_mut().insert("authorization", bearer);
        let stream = tokio::net::TcpStream::connect(host).await.map_err(|problem| problem.to_string())?;
        let (mut socket, _) =
            tokio_tungstenite::client_async(request, stream).await.map_err(|problem| problem.to_string())?;
        while let Some(Ok(frame)) = socket.next().await {
            if let Message::Text(text) = frame
                && let Ok(event) = serde_json::from_str::<Value>(&text)
            {
                each(&event);
            }
        }
        Ok(())
    }
}

fn in_turn(hosts: &[String], worker: usize) -> &str {
    hosts.get(worker % hosts.len().max(1)).map_or("", String::as_str)
}
