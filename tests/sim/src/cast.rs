//! The people: contacts who write, agents who serve them, and an operator who looks after what was parked.

use std::{sync::Arc, time::Duration};

use domain::{
    Class, Command, Commanded, Content, Conversation, DeliveryState, Done, EventId, Presence, Refusal, Role, Ruling,
    Stage, Target,
};
use ports::{Asked, Parking as _};
use routing::message_of;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    dice::Dice,
    plan::{HORIZON, Item},
    record::Sent,
    visitor::visit,
    world::{World, event, organization, queue, user},
};

/// How often an agent repeats a click that nobody answers.
const CLICKS: usize = 25;
/// A message that was written this long ago leaves the session window shut.
const LONG_AGO: Duration = Duration::from_secs(25 * 3_600);

/// The address of a contact: the same in every house.
pub(crate) fn address(number: usize) -> String {
    format!("551190000{number:04}")
}

/// A contact who writes `messages`.
pub(crate) async fn contact(world: Arc<World>, house: usize, number: usize, messages: usize) {
    let mut dice = Dice::of(world.plan.seed, &format!("contact {house} {number}"));
    let mut camera = Dice::of(world.plan.seed, &format!("camera {house} {number}"));
    let pictures = world.plan.has(&Item::Pictures);
    let noisy = world.plan.has(&Item::WebhookNoise);
    let from = address(number);
    let mut refused = false;
    let mut words = |dice: &mut Dice, n: usize| {
        let text = match dice.below(100) {
            0..=5 => "STOP".to_owned(),
            6..=20 if refused => "START".to_owned(),
            _ => format!("h{house} contact {number} says {n}"),
        };
        refused = text == "STOP" || (refused && text != "START");
        text
    };
    if world.is_linked(house) {
        let texts = (0..messages).map(|n| words(&mut dice, n)).collect();
        return visit(world, house, number, texts).await;
    }
    for n in 0..messages {
        tokio::time::sleep(dice.millis(0, 12_000)).await;
        let text = words(&mut dice, n);
        let id = format!("in-{number}-{n}");
        let mut at = world.now();
        if dice.chance(60) {
            at = domain::Timestamp::from_millis(at.millis() - i64::try_from(LONG_AGO.as_millis()).unwrap_or(0));
        }
        world.record.known().written.insert(event(house, &format!("message:{id}")), (house, text.clone()));
        let mut told = json!({ "id": id, "from": from, "text": text, "at": at.millis() });
        if pictures && camera.chance(300) {
            told["picture"] = json!(true);
        }
        if noisy && dice.chance(400) {
            // The next one does not wait for this one.
            world.tell(house, told, dice.millis(0, 3_000));
        } else {
            world.call(house, &told).await;
        }
    }
}

/// An agent, with what they remember.
pub(crate) struct Agent {
    world: Arc<World>,
    house: usize,
    number: usize,
    dice: Dice,
    count: u32,
}

impl Agent {
    /// An agent of a house.
    pub(crate) fn new(world: Arc<World>, house: usize, number: usize) -> Self {
        let dice = Dice::of(world.plan.seed, &format!("agent {house} {number}"));
        Self { world, house, number, dice, count: 0 }
    }

    /// Serves until the horizon.
    pub(crate) async fn serve(mut self) {
        let end = Instant::now() + HORIZON;
        self.presence(Presence::Online).await;
        while Instant::now() < end {
            tokio::time::sleep(self.dice.millis(200, 4_000)).await;
            self.act().await;
        }
    }

    async fn act(&mut self) {
        let (waiting, own) = self.board();
        match self.dice.below(100) {
            0..=19 => {
                if let Some(one) = self.dice.pick(&waiting).cloned() {
                    self.order(Command::Take { conversation: one.id }).await;
                }
            }
            20..=74 => {
                if let Some(one) = self.dice.pick(&own).cloned() {
                    let hasty = self.world.plan.has(&Item::Haste) && self.dice.chance(400);
                    for _ in 0..if hasty { 2 + self.dice.below(5) } else { 1 } {
                        self.send(&one).await;
                    }
                }
            }
            75..=80 => {
                if let Some(one) = self.dice.pick(&own).cloned() {
                    self.order(Command::Conclude { conversation: one.id }).await;
                }
            }
            81..=84 => {
                if let Some(one) = self.dice.pick(&own).cloned() {
                    let to = match self.dice.below(2) {
                        0 => Target::Queue(queue(self.house)),
                        _ => Target::User(user(self.house, usize::try_from(self.dice.below(3)).unwrap_or(0))),
                    };
                    self.order(Command::Transfer { conversation: one.id, to }).await;
                }
            }
            85..=87 => {
                if let Some(one) = self.dice.pick(&own).cloned() {
                    self.order(Command::Return { conversation: one.id }).await;
                }
            }
            88..=95 => self.retry(&own).await,
            96 | 97 => self.presence(Presence::Paused).await,
            _ => self.presence(Presence::Online).await,
        }
    }

    /// What the desk shows: what waits, and what is theirs.
    fn board(&self) -> (Vec<Conversation>, Vec<Conversation>) {
        let (house, me) = (organization(self.house), user(self.house, self.number));
        let tables = self.world.store.tables();
        let all = || tables.conversations.values().filter(|one| one.organization() == house);
        let waiting = all().filter(|one| one.stage == Stage::Waiting).cloned().collect();
        let own = all().filter(|one| one.is_open() && one.agent == Some(me)).cloned().collect();
        (waiting, own)
    }

    async fn presence(&mut self, presence: Presence) {
        self.order(Command::SetPresence { presence, capacity: 3 }).await;
    }

    async fn send(&mut self, conversation: &Conversation) {
        let words = 1 + self.dice.below(5);
        let line = format!("h{} agent {} says {}. ", self.house, self.number, self.count);
        let text = line.repeat(usize::try_from(words).unwrap_or(1)).trim_end().to_owned();
        let content = Content::text(text.clone());
        let command = Command::Send { conversation: conversation.id, content, reply_to: None };
        let id = self.next();
        if let Some(Ok(_)) = self.click(id, command).await {
            let (house, conversation) = (self.house, conversation.id);
            self.world.record.known().sent.push(Sent { house, conversation, message: message_of(id), text });
        }
    }

    async fn retry(&mut self, own: &[Conversation]) {
        let stuck = {
            let tables = self.world.store.tables();
            let stuck = |message: &&domain::Message| {
                let state = message.delivery.as_ref().map(|delivery| delivery.state);
                own.iter().any(|one| one.id == message.conversation)
                    && matches!(state, Some(DeliveryState::Failed | DeliveryState::Parked))
            };
            let stuck: Vec<_> = tables.messages.values().filter(stuck).cloned().collect();
            self.dice.pick(&stuck).cloned()
        };
        if let Some(one) = stuck {
            let id = self.next();
            let answer = self.click(id, Command::Retry { conversation: one.conversation, message: one.id }).await;
            // Who was told no has decided nothing. Who heard nothing may have.
            if !matches!(answer, Some(Err(_))) {
                *self.world.record.known().decisions.entry(one.id).or_default() += 1;
            }
        }
    }

    fn next(&mut self) -> EventId {
        self.count += 1;
        EventId::derive(&["click", &self.house.to_string(), &self.number.to_string(), &self.count.to_string()])
    }

    async fn order(&mut self, command: Command) {
        let id = self.next();
        self.click(id, command).await;
    }

    /// Clicks until there is an answer that means something.
    async fn click(&mut self, id: EventId, command: Command) -> Option<Result<Done, Refusal>> {
        let world = Arc::clone(&self.world);
        let who = format!("agent {}/{}", self.house, self.number);
        for _ in 0..CLICKS {
            let commanded = Commanded {
                id,
                organization: organization(self.house),
                actor: user(self.house, self.number),
                role: Role::Agent,
                at: world.now(),
                command: command.clone(),
            };
            let answer = world.command(commanded, &mut self.dice).await;
            world.record.note(|| match &answer {
                None => format!("{who} hears nothing of {command:?}"),
                Some(Ok(_)) => format!("{who} did {command:?} ({})", message_of(id)),
                Some(Err(refusal)) => format!("{who} may not {command:?}: {}", refusal.code),
            });
            match answer {
                Some(Err(refusal)) if refusal.class == Class::Unavailable => {}
                Some(answer) => return Some(answer),
                None => {}
            }
            tokio::time::sleep(self.dice.millis(100, 2_000)).await;
        }
        None
    }
}

/// Somebody who decides about parked messages now and then, mostly that they go again.
pub(crate) async fn operator(world: Arc<World>) {
    let mut dice = Dice::of(world.plan.seed, "operator");
    let mut rulings = Dice::of(world.plan.seed, "rulings");
    let end = Instant::now() + HORIZON;
    while Instant::now() < end {
        tokio::time::sleep(dice.millis(3_000, 15_000)).await;
        let Ok(parked) = world.store.list(None, 100).await else { continue };
        let Some(one) = dice.pick(&parked) else { continue };
        let ruling = match rulings.below(100) {
            0..=14 => Ruling::Again,
            15..=22 => Ruling::Arrived,
            23..=30 => Ruling::Failed,
            31..=36 => Ruling::Discard,
            _ => Ruling::Redrive,
        };
        if let (Some(message), Ruling::Redrive | Ruling::Again) = (one.message, ruling) {
            *world.record.known().decisions.entry(message).or_default() += 1;
        }
        world.record.note(|| format!("the operator decides {ruling:?} about {} ({})", one.id, one.place));
        let _ = world.store.request(&[one.id], &Asked::of(ruling), world.now()).await;
    }
}
