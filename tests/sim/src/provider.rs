//! The providers, one for each house: they take sends, answer well or badly, and report back; they are asked for what
//! happened and for the pictures in it.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use channel_kit::http::{Exchange, NoAnswer, ProviderRequest, ProviderResponse, RequestBody};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    channel::{PICTURE, SEND, UPDATES},
    dice::Dice,
    life::Life,
    record::Seen,
    updates::Updates,
    world::World,
};

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
    /// What it has to tell, if it does not call.
    pub updates: Updates,
}

impl Provider {
    /// The provider of `house`.
    pub(crate) fn new(house: usize, world: Weak<World>, seed: u64, noisy: bool) -> Self {
        let dice = Mutex::new(Dice::of(seed, &format!("provider {house}")));
        Self { house, world, dice, noisy, throttled: Mutex::default(), updates: Updates::default() }
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

/// The bytes of the picture that came with a message of a house.
pub(crate) fn picture(house: usize, message: &str) -> Bytes {
    Bytes::from(format!("the picture of {message} in house {house}"))
}

/// The end of a request's address: what it asks for.
fn asked(request: &ProviderRequest) -> &str {
    request.url.rsplit(['/', '=']).next().unwrap_or_default()
}

fn answer(status: u16, body: impl Into<Bytes>, retry_after: Option<Duration>) -> ProviderResponse {
    ProviderResponse { status, retry_after, content_type: Some("text/plain".to_owned()), body: body.into() }
}

impl Provider {
    /// Does what is asked. `told`: it will say so.
    async fn carry_out(&self, world: &World, request: &ProviderRequest, told: bool) -> ProviderResponse {
        match (request.template, &request.body) {
            (SEND, RequestBody::Json(body)) => answer(200, self.take(world, body, told), None),
            (UPDATES, _) => {
                let number = asked(request).parse().unwrap_or(0);
                self.updates.forget(number, &mut world.record.known());
                answer(200, Value::from(self.updates.page(number).await).to_string(), None)
            }
            (PICTURE, _) => answer(200, picture(self.house, asked(request)), None),
            _ => answer(400, "", None),
        }
    }

    /// Whoever is refused a picture need not ask again.
    fn withhold(&self, world: &World, request: &ProviderRequest) {
        if request.template == PICTURE {
            world.record.known().withheld.insert((self.house, asked(request).to_owned()));
        }
    }
}

#[async_trait]
impl Exchange for Provider {
    async fn exchange(&self, request: ProviderRequest) -> Result<ProviderResponse, NoAnswer> {
        let Some(world) = self.world.upgrade() else { return Err(NoAnswer::NotSent("the world has ended".into())) };
        let mood = self.mood(world.is_calm());
        let (there, back) = self.draw(|dice| (dice.millis(5, 120), dice.millis(5, 120)));
        if mood == Mood::NoConnection {
            return Err(NoAnswer::NotSent("connection refused".to_owned()));
        }
        tokio::time::sleep(there).await;
        let done = match mood {
            Mood::Fine => Some(self.carry_out(&world, &request, true).await),
            Mood::Broken(true) | Mood::Silent(true) => Some(self.carry_out(&world, &request, false).await),
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
            Mood::Rejected | Mood::OptedOut => {
                self.withhold(&world, &request);
                answer(if mood == Mood::Rejected { 400 } else { 410 }, "", None)
            }
            Mood::Revoked => answer(401, "", None),
            Mood::Broken(_) => answer(500, "", None),
            Mood::Silent(_) => return Err(NoAnswer::Unknown("no answer in time".to_owned())),
            Mood::Fine | Mood::NoConnection => done.unwrap_or_else(|| answer(400, "", None)),
        })
    }
}

/// The way of one life of a process to the provider of a house.
struct Way {
    provider: Option<Arc<Provider>>,
    life: Life,
}

/// The provider of a house, for accounts of that house only.
pub(crate) fn of_house(providers: &[Arc<Provider>], house: usize, life: &Life) -> Arc<dyn Exchange> {
    Arc::new(Way { provider: providers.get(house).cloned(), life: life.clone() })
}

#[async_trait]
impl Exchange for Way {
    async fn exchange(&self, request: ProviderRequest) -> Result<ProviderResponse, NoAnswer> {
        match &self.provider {
            Some(provider) => self.life.while_it_lasts(provider.exchange(request)).await,
            None => Err(NoAnswer::NotSent("there is no such provider".to_owned())),
        }
    }
}
