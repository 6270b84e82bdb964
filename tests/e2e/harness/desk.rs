//! A person at the desk, over the public API.

use serde_json::{Value, json};

use super::{Dev, eventually};

/// Somebody signed in.
pub struct Desk<'a> {
    dev: &'a Dev,
    token: String,
}

impl Dev {
    /// Signs in the demo's administrator and puts her online.
    pub async fn sign_in(&self) -> Desk<'_> {
        self.sign_in_as(&self.email, &self.password).await
    }

    pub async fn sign_in_as(&self, email: &str, password: &str) -> Desk<'_> {
        let body = json!({"email": email, "password": password});
        let answer = self.http.post(self.url("/api/v1/sessions")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let token = answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
        let desk = Desk { dev: self, token };
        let (status, seat) =
            desk.change(reqwest::Method::PUT, "/me/presence", json!({"presence": "online"}), "p").await;
        assert_eq!(status, 200, "{seat}");
        desk
    }
}

impl Desk<'_> {
    pub fn token(&self) -> &str {
        &self.token
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.try_get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// The status, 0 when nobody answers, and the body. Asked twice: a kept connection may just have been closed.
    pub async fn try_get(&self, path: &str) -> (u16, Value) {
        let url = self.dev.url(&format!("/api/v1{path}"));
        for _ in 0..2 {
            if let Ok(answer) = self.dev.http.get(&url).bearer_auth(&self.token).send().await {
                return (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null));
            }
        }
        (0, Value::Null)
    }

    pub async fn post(&self, path: &str, body: Value, key: &str) -> (u16, Value) {
        self.change(reqwest::Method::POST, path, body, key).await
    }

    pub async fn change(&self, method: reqwest::Method, path: &str, body: Value, key: &str) -> (u16, Value) {
        let url = self.dev.url(&format!("/api/v1{path}"));
        let request = self.dev.http.request(method, url).bearer_auth(&self.token).header("idempotency-key", key);
        let answer = request.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// Waits until a conversation with this address is in this state.
    pub async fn conversation(&self, address: &str, state: &str) -> Value {
        eventually(&format!("a conversation with {address} in {state}"), || async move {
            let list = self.get(&format!("/conversations?state={state}&limit=200")).await;
            list["items"].as_array().unwrap().iter().find(|one| one["contact"]["address"] == address).cloned()
        })
        .await
    }

    pub async fn take(&self, conversation: &Value) -> Value {
        let id = conversation["id"].as_str().unwrap();
        let (status, taken) = self.post(&format!("/conversations/{id}/take"), json!({}), &format!("take-{id}")).await;
        assert_eq!(status, 200, "{taken}");
        taken
    }

    pub async fn write(&self, conversation: &Value, text: &str, key: &str) -> (u16, Value) {
        let path = format!("/conversations/{}/messages", conversation["id"].as_str().unwrap());
        self.post(&path, json!({"content": {"type": "text", "text": text}}), key).await
    }

    /// Every message, page by page from the end.
    pub async fn messages(&self, conversation: &Value) -> Vec<Value> {
        self.try_messages(conversation).await.expect("the desk answers")
    }

    /// The same; none while the desk is away.
    pub async fn try_messages(&self, conversation: &Value) -> Option<Vec<Value>> {
        let id = conversation["id"].as_str().unwrap();
        let mut all: Vec<Value> = Vec::new();
        loop {
            let before = all.first().map(|first| format!("&before={}", first["sequence"])).unwrap_or_default();
            let (status, page) = self.try_get(&format!("/conversations/{id}/messages?limit=200{before}")).await;
            let mut items = page["items"].as_array().filter(|_| status == 200)?.clone();
            items.append(&mut all);
            all = items;
            if page["has_more"] != true {
                return Some(all);
            }
        }
    }

    /// Waits until the message has come at least as far as this delivery state, and answers it.
    pub async fn delivered(&self, conversation: &Value, message: &Value, state: &str) -> Value {
        const ORDER: [&str; 5] = ["queued", "accepted", "sent", "delivered", "read"];
        let id = message["id"].as_str().unwrap();
        let rank = |state: &Value| ORDER.iter().position(|known| *known == state);
        let wanted = ORDER.iter().position(|known| *known == state);
        eventually(&format!("{id} {state}"), || async move {
            let all = self.messages(conversation).await;
            let found = all.into_iter().find(|one| one["id"] == id)?;
            let now = &found["delivery"]["state"];
            let arrived = now == state || wanted.is_some_and(|wanted| rank(now).is_some_and(|rank| rank >= wanted));
            arrived.then_some(found)
        })
        .await
    }
}
