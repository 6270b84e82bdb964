//! What the simulator remembers: chats, files, the log of calls, faults. One lock, held for memory work only.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use ports::Clock as _;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use runtime::{clock::SystemClock, http::Http};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, Provider, SimulatedAccount},
    faults::Faults,
    jobs::{Due, Job},
};

/// How many calls the log keeps, the newest.
const LOG: usize = 100_000;

/// Everything.
pub(crate) struct Simulator {
    pub(crate) config: Config,
    pub(crate) http: Http,
    pub(crate) changes: broadcast::Sender<Change>,
    pub(crate) stop: CancellationToken,
    /// Woken when a bot has news for its poll.
    pub(crate) updates: Notify,
    jobs: mpsc::UnboundedSender<Due>,
    world: Mutex<World>,
}

/// What is behind the lock.
pub(crate) struct World {
    pub(crate) chats: BTreeMap<ChatKey, Chat>,
    pub(crate) files: HashMap<String, Arc<StoredFile>>,
    pub(crate) bots: HashMap<String, Bot>,
    /// What became of Gupshup's templates since the start.
    pub(crate) templates: crate::gupshup::States,
    pub(crate) gupshup: Side,
    pub(crate) telegram: Side,
    random: StdRng,
    next: u64,
}

/// One provider's faults and log.
#[derive(Default)]
pub(crate) struct Side {
    pub(crate) faults: Faults,
    pub(crate) log: VecDeque<Call>,
    pub(crate) calls: u64,
}

/// A call that a provider got.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Call {
    /// From 1.
    pub(crate) number: u64,
    /// Milliseconds since the epoch.
    pub(crate) at: i64,
    /// The path below the provider, without the token.
    pub(crate) path: String,
    /// The fields of the form or body.
    pub(crate) fields: Value,
    /// The answer's status; none while it is not answered.
    pub(crate) status: Option<u16>,
    /// The provider's id of the message, when it took effect.
    pub(crate) message_id: Option<String>,
}

/// One customer's chat with one account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub(crate) struct ChatKey {
    /// The account's name.
    pub(crate) account: String,
    /// The customer's address.
    pub(crate) address: String,
}

/// A chat as the customer's phone has it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Chat {
    /// The customer's name.
    pub(crate) name: String,
    /// Whether they read what comes, at once.
    pub(crate) reading: bool,
    /// Whether they blocked the account.
    pub(crate) blocked: bool,
    /// In order.
    pub(crate) bubbles: Vec<Bubble>,
}

/// A message in a chat.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bubble {
    /// Unique in the simulator.
    pub(crate) id: u64,
    /// The provider's id.
    pub(crate) provider_id: String,
    /// Whether the customer wrote it.
    pub(crate) mine: bool,
    /// Milliseconds since the epoch.
    pub(crate) at: i64,
    /// What it says.
    pub(crate) says: Says,
    /// The provider's id of the message that it answers.
    pub(crate) reply_to: Option<String>,
    /// How far it came.
    pub(crate) tick: Tick,
    /// The label of the button that the customer tapped.
    pub(crate) tapped: Option<String>,
}

/// How far a message came, as its writer's phone shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tick {
    /// The provider has it.
    Sent,
    /// The other side has it.
    Delivered,
    /// The other side read it.
    Read,
    /// It did not arrive.
    Failed,
}

/// What a message says, as a phone shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Says {
    /// Words.
    Text { text: String },
    /// A file; `media` is image, audio, video, document or sticker. `url` is where a browser finds it.
    Media {
        media: String,
        url: String,
        mime: String,
        name: Option<String>,
        size: Option<usize>,
        caption: Option<String>,
    },
    /// A place.
    Location { latitude: f64, longitude: f64, name: Option<String>, address: Option<String> },
    /// A card.
    Contact { name: String, phone: String },
    /// Words with buttons.
    Buttons { text: String, buttons: Vec<Button> },
    /// A template, its places filled; `links` are buttons that lead elsewhere.
    Template { header: Option<String>, text: String, footer: Option<String>, buttons: Vec<Button>, links: Vec<String> },
    /// The customer tapped.
    Tap { label: String },
    /// Something that has no words here (`order`, `dice`).
    Other { name: String },
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Button {
    pub(crate) label: String,
    pub(crate) payload: String,
}

/// A file that somebody sent.
#[derive(Debug)]
pub(crate) struct StoredFile {
    pub(crate) mime: String,
    pub(crate) name: Option<String>,
    pub(crate) bytes: Bytes,
}

/// A bot's updates.
#[derive(Debug, Default)]
pub(crate) struct Bot {
    /// URL and secret token.
    pub(crate) webhook: Option<(String, Option<String>)>,
    /// Not yet confirmed: number, the chat and message that it is about, the update.
    pub(crate) updates: VecDeque<(i64, ChatKey, u64, Value)>,
}

/// News for the phones.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Change {
    #[serde(flatten)]
    pub(crate) key: ChatKey,
    /// `message`, `changed` or `chat`.
    pub(crate) event: &'static str,
    pub(crate) data: Value,
}

impl Simulator {
    pub(crate) fn new(config: Config, http: Http) -> (Self, mpsc::UnboundedReceiver<Due>) {
        let start = u64::try_from(now()).unwrap_or_default();
        let seed = config.seed.unwrap_or(start);
        let world = World {
            chats: BTreeMap::new(),
            files: HashMap::new(),
            bots: HashMap::new(),
            templates: BTreeMap::new(),
            gupshup: Side::default(),
            telegram: Side::default(),
            random: StdRng::seed_from_u64(seed),
            // Ids grow across restarts: a poll's cursor at the mesh outlives the simulator.
            next: if config.seed.is_some() { 1 } else { start.saturating_sub(1_700_000_000_000) },
        };
        #[expect(clippy::disallowed_methods, reason = "bounded by the messages that the simulator keeps anyway")]
        let (jobs, due) = mpsc::unbounded_channel();
        let simulator = Self {
            config,
            http,
            changes: broadcast::channel(1024).0,
            stop: CancellationToken::new(),
            updates: Notify::new(),
            jobs,
            world: Mutex::new(world),
        };
        (simulator, due)
    }

    /// The memory. A panic in another holder leaves it usable: every change is one assignment.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `job` after a while.
    pub(crate) fn later(&self, after: Duration, job: Job) {
        // Fails only when the receiver is gone, which is when the process ends.
        let _ = self.jobs.send(Due { at: tokio::time::Instant::now() + after, job });
    }

    /// The account of this name.
    pub(crate) fn account(&self, name: &str) -> Option<&SimulatedAccount> {
        self.config.accounts.iter().find(|account| account.name == name)
    }

    /// The first account of a channel, or the named one of it.
    pub(crate) fn account_of(&self, channel: &str, name: Option<&str>) -> Option<&SimulatedAccount> {
        let fits =
            |account: &&SimulatedAccount| account.channel() == channel && name.is_none_or(|name| name == account.name);
        self.config.accounts.iter().find(fits)
    }

    /// Adds a message to a chat and tells the phones.
    pub(crate) fn add(&self, key: &ChatKey, bubble: Bubble) {
        let data = serde_json::to_value(&bubble).unwrap_or_default();
        self.world().chat(key).bubbles.push(bubble);
        self.tell(key, "message", data);
    }

    /// Changes a message and tells the phones.
    pub(crate) fn change(&self, key: &ChatKey, id: u64, change: impl FnOnce(&mut Bubble)) {
        let mut world = self.world();
        let Some(bubble) = world.chat(key).bubbles.iter_mut().find(|bubble| bubble.id == id) else { return };
        change(bubble);
        let data = serde_json::to_value(&*bubble).unwrap_or_default();
        drop(world);
        self.tell(key, "changed", data);
    }

    /// Tells the phones; nobody need listen.
    pub(crate) fn tell(&self, key: &ChatKey, event: &'static str, data: Value) {
        let _ = self.changes.send(Change { key: key.clone(), event, data });
    }

    /// Keeps a file; answers its id.
    pub(crate) fn keep(&self, file: StoredFile) -> String {
        let mut world = self.world();
        let id = world.uuid();
        world.files.insert(id.clone(), Arc::new(file));
        id
    }

    /// Gupshup's settings of an account.
    pub(crate) fn gupshup_by(&self, key: &str, app: &str, source: &str) -> GupshupLookup<'_> {
        let mut known = false;
        for account in &self.config.accounts {
            let Provider::Gupshup { app_name, source: number, api_key, .. } = &account.provider else { continue };
            if api_key.expose() != key {
                continue;
            }
            known = true;
            if app_name == app && number == source {
                return GupshupLookup::Account(account);
            }
        }
        if known { GupshupLookup::WrongApp } else { GupshupLookup::WrongKey }
    }
}

/// What an API key and an app's name say together.
pub(crate) enum GupshupLookup<'a> {
    Account(&'a SimulatedAccount),
    WrongApp,
    WrongKey,
}

impl World {
    /// The chat, begun if it is new.
    pub(crate) fn chat(&mut self, key: &ChatKey) -> &mut Chat {
        self.chats.entry(key.clone()).or_insert_with(|| Chat {
            name: key.address.clone(),
            reading: true,
            blocked: false,
            bubbles: Vec::new(),
        })
    }

    /// The next number.
    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// An id in the form of a UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let (a, b, c) = (self.random.next_u32(), self.random.next_u32(), self.random.next_u64());
        format!("{a:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", b >> 16, b & 0xfff, c >> 52, c & 0xffff_ffff_ffff)
    }

    /// An id as WhatsApp makes them.
    pub(crate) fn wamid(&mut self) -> String {
        wamid(&self.uuid())
    }
}

/// WhatsApp's id of the message that Gupshup knows by `gupshup_id`.
pub(crate) fn wamid(gupshup_id: &str) -> String {
    format!("wamid.SIM{}", gupshup_id.replace('-', "").to_uppercase())
}

impl Side {
    /// Notes a call; answers its number.
    pub(crate) fn note(&mut self, path: &str, fields: Value) -> u64 {
        self.calls += 1;
        let call =
            Call { number: self.calls, at: now(), path: path.to_owned(), fields, status: None, message_id: None };
        self.log.push_back(call);
        if self.log.len() > LOG {
            self.log.pop_front();
        }
        self.calls
    }

    /// Notes its answer.
    pub(crate) fn answered(&mut self, number: u64, status: u16, message_id: Option<String>) {
        if let Some(call) = self.log.iter_mut().rev().find(|call| call.number == number) {
            call.status = Some(status);
            call.message_id = message_id.or(call.message_id.take());
        }
    }
}

/// Milliseconds since the epoch.
pub(crate) fn now() -> i64 {
    SystemClock.now().millis()
}
