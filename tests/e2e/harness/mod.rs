//! Boots the product: the real binary, a spare port, a temporary folder. Ended by process id when dropped.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

pub mod desk;

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_afluente");

/// How long anything may take before a test says that it never happened. Generous: machines are noisy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running `afluente dev`.
pub struct Dev {
    pub child: Option<Child>,
    pub port: u16,
    pub data: PathBuf,
    pub email: String,
    pub password: String,
    pub http: reqwest::Client,
    environment: Vec<(String, String)>,
    _folder: Option<tempfile::TempDir>,
}

impl Dev {
    /// Starts on a fresh folder and waits until it is ready.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with more environment.
    pub fn start_with(environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let environment = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut dev = Self::boot(&data, spare_port(), environment);
        dev._folder = Some(folder);
        dev
    }

    /// A desk that somebody else started.
    pub fn of_running(port: u16, email: &str, password: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self {
            child: None,
            port,
            data: PathBuf::new(),
            email: email.to_owned(),
            password: password.to_owned(),
            http,
            environment: Vec::new(),
            _folder: None,
        }
    }

    fn boot(data: &Path, port: u16, environment: Vec<(String, String)>) -> Self {
        let mut child = Command::new(BINARY)
            .args(["dev", "--port", &port.to_string(), "--data"])
            .arg(data)
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned()))
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let sign_in = lines
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.starts_with("sign-in: "))
            .expect("the process ended before it printed its sign-in line");
        // The pipe must stay open and be read, or the process would block on it.
        std::thread::spawn(move || for _ in lines {});
        let mut words = sign_in.split_whitespace().skip(1);
        let (email, password) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self { child: Some(child), port, data: data.to_owned(), email, password, http, environment, _folder: None }
    }

    /// Kills the process as the kernel would, and starts it again on the same folder and port.
    pub fn kill_and_restart(mut self) -> Self {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let mut again = Self::boot(&self.data, self.port, std::mem::take(&mut self.environment));
        again._folder = self._folder.take();
        again
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Runs the operator's command line on the same folder.
    pub fn cli(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(BINARY)
            .args(arguments)
            .arg("--data")
            .arg(&self.data)
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .output()
            .unwrap()
    }

    /// The same, with its JSON read.
    pub fn cli_json(&self, arguments: &[&str]) -> Value {
        let output = self.cli(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The account as `account list --json` shows it.
    pub fn account(&self, name: &str) -> Value {
        let list = self.cli_json(&["account", "list", "--json"]);
        list.as_array().unwrap().iter().find(|account| account["name"] == name).unwrap().clone()
    }

    /// Posts to an account's hook with its secret.
    pub async fn hook(&self, account: &Value, body: &Value) -> u16 {
        self.hook_raw(account, account["secret"].as_str().unwrap(), body.to_string()).await
    }

    pub async fn hook_raw(&self, account: &Value, secret: &str, body: String) -> u16 {
        self.http
            .post(account["hook_url"].as_str().unwrap())
            .header(account["secret_header"].as_str().unwrap(), secret)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    /// Sets the simulators' faults.
    pub async fn faults(&self, faults: Value) {
        let answer = self.http.put(self.url("/sim/faults")).json(&faults).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that nobody uses now.
pub fn spare_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks again until `ask` has an answer.
pub async fn eventually<T, F, R>(what: &str, mut ask: F) -> T
where
    F: FnMut() -> R,
    R: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// A Gupshup v2 webhook with one message.
pub fn gupshup(id: &str, from: &str, kind: &str, payload: Value) -> Value {
    json!({
        "app": "LojaDemo", "timestamp": now_millis(), "version": 2, "type": "message",
        "payload": {
            "id": id, "source": from, "type": kind, "payload": payload,
            "sender": {"phone": from, "name": "Maria Silva", "country_code": "55", "dial_code": "11999990000"}
        }
    })
}

/// A Gupshup v2 webhook with a text.
pub fn gupshup_text(id: &str, from: &str, text: &str) -> Value {
    gupshup(id, from, "text", json!({"text": text}))
}

pub fn now_millis() -> u64 {
    u64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
