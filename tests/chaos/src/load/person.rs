//! Somebody at the desk, by its HTTP API.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{AGAIN, client};
use crate::mesh::PASSWORD;

/// Somebody signed in.
#[derive(Clone)]
pub(crate) struct Person {
    http: reqwest::Client,
    desk: String,
    pub(super) token: String,
}

impl Person {
    /// Signs in and goes online.
    pub(crate) async fn arrive(desk: &str, email: &str) -> Result<Self> {
        let http = client()?;
        let body = json!({"email": email, "password": PASSWORD});
        let answer = http.post(format!("{desk}/api/v1/sessions")).json(&body).send().await?;
        ensure!(answer.status() == 201, "{email} cannot sign in: {}", answer.text().await?);
        let token = answer.json::<Value>().await?["token"].as_str().context("a token")?.to_owned();
        let person = Self { http, desk: desk.to_owned(), token };
        let online = person.change(reqwest::Method::PUT, "/me/presence", &json!({"presence": "online"}), email).await;
        ensure!(online.0 == 200, "{email} is not online: {online:?}");
        Ok(person)
    }

    /// The status, 0 when nobody answered, and the body.
    pub(crate) async fn change(&self, method: reqwest::Method, path: &str, body: &Value, key: &str) -> (u16, Value) {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.desk)).bearer_auth(&self.token);
        match request.header("idempotency-key", key).json(body).send().await {
            Ok(answer) => (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null)),
            Err(_) => (0, Value::Null),
        }
    }

    /// Reads, again until it is answered.
    pub(crate) async fn get(&self, path: &str) -> Value {
        loop {
            let asked = self.http.get(format!("{}/api/v1{path}", self.desk)).bearer_auth(&self.token).send().await;
            if let Ok(answer) = asked
                && answer.status().is_success()
                && let Ok(body) = answer.json().await
            {
                return body;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The open conversations by the contact's address.
    pub(crate) async fn conversations(&self) -> BTreeMap<String, String> {
        let list = self.get("/conversations?limit=500").await;
        let items = list["items"].as_array().into_iter().flatten();
        items
            .filter_map(|one| Some((one["contact"]["address"].as_str()?.to_owned(), one["id"].as_str()?.to_owned())))
            .collect()
    }

    /// Every message of a conversation, oldest first.
    pub(crate) async fn messages(&self, conversation: &str) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let before = all.first().map(|first| format!("&before={}", first["sequence"])).unwrap_or_default();
            let page = self.get(&format!("/conversations/{conversation}/messages?limit=200{before}")).await;
            let mut items = page["items"].as_array().cloned().unwrap_or_default();
            items.append(&mut all);
            all = items;
            if page["has_more"] != true {
                return all;
            }
        }
    }
}
