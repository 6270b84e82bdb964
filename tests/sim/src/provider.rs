//! The providers, one for each house: they take sends, answer well or badly, and report back.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use channel_kit::http::{Exchange, NoAnswer, ProviderRequest, ProviderResponse, RequestBody};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{dice::Dice, record::Seen, world::World};

/// How a provider may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Fine,
    Throttled,
    Away,
    NoConnection,
    Rejected,
    OptedOut,
    Revoked,
    /// Breaks, having taken it or not.
    Broken(bool),
    /// Does not answer, having taken it or not.
    Silent(bool),
}

/// The provider of one house.
pub(crate) struct Provider {
    house: usize,
    world: Weak<World>,
    dice: Mutex<Dice>,
    noisy: bool,
    /// Takes nothing until then.
    throttled: Mutex<Option<Instant>>,
}

impl Provider {
    /// The provider of `house`.
    pub(crate) fn new(house: usize, world: Weak<World>, seed: u64, noisy: bool) -> Self {
        let dice = Mutex::new(Dice::of(seed, &format!("provider {house}")));
        Self { house, world, dice, noisy, throttled: Mutex::default() }
    }

    /// Takes nothing for so long.
    pub(crate) fn throttle(&self, pause: Duration) {
        *self.throttled.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + pause);
    }

    fn is_throttled(&self) -> bool {
        self.throttled.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn draw<T>(&self, from: impl FnOnce(&mut Dice) -> T) -> T {
        from(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn mood(&self, calm: bool) -> Mood {
        if !calm && self.is_throttled() {
            return Mood::Throttled;
        }
        if calm || !self.noisy {
            return Mood::Fine;
        }
        self.draw(|dice| match dice.below(100) {
            0..=5 => Mood::Throttled,
            6..=9 => Mood::Away,
            10..=12 => Mood::NoConnection,
            13..=14 => Mood::Rejected,
            15 => Mood::OptedOut,
            16 => Mood::Revoked,
            17..=19 => Mood::Broken(dice.chance(500)),
            20..=23 => Mood::Silent(dice.chance(500)),
            _ => Mood::Fine,
        })
    }

    /// Takes one part. Answers its id.
    fn take(&self, world: &World, body: &Value, told: bool) -> String {
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = text("key");
        let (message, part) = key.rsplit_once('-').unwrap_or((&key, "0"));
        let failed_later = told && self.noisy && self.draw(|dice| dice.chance(20));
        let seen = Seen {
            house: self.house,
            to: text("to"),
            message: message.parse().ok(),
            part: part.parse().unwrap_or(0),
            text: text("text"),
            at: world.now(),
            told,
            failed_later,
        };
        world.record.note(|| format!("provider {} takes {key} \"{}\" to {}", self.house, seen.text, seen.to));
        let number = {
            let mut known = world.record.known();
            known.seen.push(seen);
            known.seen.iter().filter(|seen| seen.house == self.house).count()
        };
        // The same numbers in every house.
        let id = format!("gs-{number}");
        self.report(world, &id, &text("to"), failed_later);
        id
    }

    /// Reports what becomes of a message, sometimes before it has answered.
    fn report(&self, world: &World, id: &str, to: &str, failed: bool) {
        let states: &[&str] = if failed { &["sent", "failed"] } else { &["sent", "delivered", "read"] };
        let mut pause = Duration::ZERO;
        for state in states {
            if self.draw(|dice| dice.chance(150)) {
                continue;
            }
            pause += self.draw(|dice| dice.millis(0, 2_500));
            let event = json!({ "id": id, "from": to, "state": state, "at": world.now().millis() });
            world.tell(self.house, event, pause);
        }
    }
}

fn answer(status: u16, body: &str, retry_after: Option<Duration>) -> ProviderResponse {
    let body = Bytes::copy_from_slice(body.as_bytes());
    ProviderResponse { status, retry_after, content_type: Some("text/plain".to_owned()), body }
}

#[async_trait]
impl Exchange for Provider {
    async fn exchange(&self, request: ProviderRequest) -> Result<ProviderResponse, NoAnswer> {
        let Some(world) = self.world.upgrade() else { return Err(NoAnswer::NotSent("the world has ended".into())) };
        let RequestBody::Json(body) = request.body else { return Ok(answer(400, "", None)) };
        let mood = self.mood(world.is_calm());
        let (there, back) = self.draw(|dice| (dice.millis(5, 120), dice.millis(5, 120)));
        if mood == Mood::NoConnection {
            return Err(NoAnswer::NotSent("connection refused".to_owned()));
        }
        tokio::time::sleep(there).await;
        let id = match mood {
            Mood::Fine => Some(self.take(&world, &body, true)),
            Mood::Broken(true) | Mood::Silent(true) => Some(self.take(&world, &body, false)),
            _ => None,
        };
        if mood != Mood::Fine {
            world.record.note(|| format!("provider {} is {mood:?}", self.house));
        }
        match mood {
            Mood::Silent(_) => tokio::time::sleep(request.deadline).await,
            _ => tokio::time::sleep(back).await,
        }
        Ok(match mood {
            Mood::Throttled => answer(429, "", self.draw(|dice| dice.chance(500).then(|| dice.millis(200, 3_000)))),
            Mood::Away => answer(503, "", None),
            Mood::Rejected => answer(400, "", None),
            Mood::OptedOut => answer(410, "", None),
            Mood::Revoked => answer(401, "", None),
            Mood::Broken(_) => answer(500, "", None),
            Mood::Silent(_) => return Err(NoAnswer::Unknown("no answer in time".to_owned())),
            Mood::Fine | Mood::NoConnection => answer(200, &id.unwrap_or_default(), None),
        })
    }
}

/// The provider of a house, for accounts of that house only.
pub(crate) fn of_house(providers: &[Arc<Provider>], house: usize) -> Option<Arc<dyn Exchange>> {
    providers.get(house).map(|one| Arc::clone(one) as Arc<dyn Exchange>)
}

/// The way to no provider.
pub(crate) struct Nobody;

#[async_trait]
impl Exchange for Nobody {
    async fn exchange(&self, _request: ProviderRequest) -> Result<ProviderResponse, NoAnswer> {
        Err(NoAnswer::NotSent("there is no such provider".to_owned()))
    }
}
