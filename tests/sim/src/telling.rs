//! How what a provider has to tell comes in: it calls until it is accepted, or it is asked and keeps it until it is asked
//! for what comes after it. Now and then it tells a thing twice.

use std::{sync::atomic::Ordering, time::Duration};

use axum::{body::Body, http::Request};
use domain::{DeliveryState, EventId};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{
    channel::{NAME, SECRET, SECRET_HEADER},
    dice::Dice,
    plan::{Item, Role},
    record::Accepted,
    site::Running,
    updates::Kept,
    world::{World, event},
};

/// How long a provider waits for an answer.
const PATIENCE: Duration = Duration::from_secs(12);
/// Who takes what is asked for: whichever replica asks.
const ASKED: &str = "who asks";

/// What a provider tells, as the record has it.
struct Told<'a> {
    house: usize,
    /// What makes the event's id.
    key: String,
    event: EventId,
    body: &'a Value,
    receipt: bool,
}

impl<'a> Told<'a> {
    fn of(house: usize, body: &'a Value) -> Self {
        let state = body.get("state").and_then(|state| serde_json::from_value::<DeliveryState>(state.clone()).ok());
        let id = body.get("id").and_then(Value::as_str).unwrap_or_default();
        let key = match state {
            Some(state) => format!("receipt:{id}:{state:?}"),
            None => format!("message:{id}"),
        };
        Self { house, event: event(house, &key), key, body, receipt: state.is_some() }
    }

    fn said(&self, key: &str) -> String {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn accepted(&self, by: String, called: u64, answered: u64) -> Accepted {
        let text = (!self.receipt).then(|| self.said("text"));
        Accepted {
            house: self.house,
            event: self.event,
            id: self.said("id"),
            from: self.said("from"),
            text,
            by,
            called,
            answered,
        }
    }
}

impl World {
    /// Has the provider of `house` tell `body` after `pause`.
    pub(crate) fn tell(&self, house: usize, body: Value, pause: Duration) {
        let Some(this) = self.this() else { return };
        self.calls.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            this.call(house, &body).await;
            this.calls.fetch_sub(1, Ordering::SeqCst);
        });
    }

    /// Calls with `body` until it is accepted, or has it ready for whoever asks.
    pub(crate) async fn call(&self, house: usize, body: &Value) {
        let told = Told::of(house, body);
        let mut dice = Dice::of(self.plan.seed, &format!("call {house} {}", told.key));
        let noisy = self.plan.has(&Item::WebhookNoise);
        let times = if noisy && dice.chance(200) { 2 + dice.below(2) } else { 1 };
        for time in 0..times {
            if time > 0 {
                tokio::time::sleep(dice.millis(0, 6_000)).await;
            }
            if self.is_polled(house) {
                self.offer(&told);
            } else {
                self.insist(&told, &mut dice).await;
            }
        }
    }

    fn offer(&self, told: &Told<'_>) {
        let Some(provider) = self.providers.get(told.house) else { return };
        // What it has first is what it tells first.
        let turn = self.record.turn();
        self.record.known().called.entry(told.event).or_default().insert(ASKED.to_owned());
        provider.updates.offer(told.body.clone(), Kept::Told(told.accepted(ASKED.to_owned(), turn, turn)));
    }

    async fn insist(&self, told: &Told<'_>, dice: &mut Dice) {
        loop {
            let called = self.record.turn();
            if let Some(running) = self.any(Role::Channel, dice) {
                self.record.known().called.entry(told.event).or_default().insert(running.life.clone());
                if let Some(by) = self.post(told.house, &json!([told.body]).to_string(), running).await {
                    let (key, house, text) = (&told.key, told.house, told.said("text"));
                    self.record.note(|| format!("{by} accepts {key} of house {house} ({text})"));
                    let accepted = told.accepted(by, called, self.record.turn());
                    self.record.known().accepted.push(accepted);
                    return;
                }
            }
            tokio::time::sleep(dice.millis(300, 3_000)).await;
        }
    }

    /// One webhook call to a channel. Answers which life of which process accepted it.
    pub(crate) async fn post(&self, house: usize, body: &str, running: Running) -> Option<String> {
        let request = Request::post(format!("/hooks/{NAME}/house-{house}")).header(SECRET_HEADER, SECRET);
        let request = request.body(Body::from(body.to_owned())).ok()?;
        let answered = running.process.request(running.http.clone().oneshot(request));
        let response = tokio::time::timeout(PATIENCE, answered).await.ok()??.ok()?;
        response.status().is_success().then_some(running.life)
    }
}
