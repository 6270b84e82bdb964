//! What will happen in the world of a seed: who is there, and what goes wrong. A list, so that a failure can be told
//! with most of it left out.

use std::{collections::BTreeSet, fmt, fs, io, path::Path, time::Duration};

use crate::dice::Dice;

/// How long people act and things go wrong.
pub const HORIZON: Duration = Duration::from_secs(60);
/// Organizations in the world. Both have contacts with the same addresses.
pub const HOUSES: usize = 2;
/// Replicas of each service.
pub const REPLICAS: usize = 2;

/// The services that are more than one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A channel service.
    Channel,
    /// The router.
    Router,
    /// The session service.
    Session,
}

/// A process of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What it runs.
    pub role: Role,
    /// Which of them.
    pub replica: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", format!("{:?}", self.role).to_lowercase(), self.replica)
    }
}

/// Something that goes wrong once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strike {
    /// The process dies after so many more steps, and comes back after a while.
    Crash(Place, u32, Duration),
    /// The process is drained and started anew.
    Restart(Place),
    /// The broker goes away.
    BrokerAway(Duration),
    /// All connections to the broker break at once.
    BrokerBlip,
    /// One process can no longer reach the broker.
    CutFromBroker(Place, Duration),
    /// One process can no longer reach the stores.
    CutFromStore(Place, Duration),
    /// Nobody can reach the stores.
    StoreAway(Duration),
    /// The session windows are lost, as when the cache restarts empty.
    WindowsLost,
    /// Somebody publishes to the outbound exchange what no gate has let pass.
    Forgery(usize),
    /// A webhook call that makes no sense.
    Garbage(usize),
    /// The provider of a house takes nothing for a while: too fast, it says.
    Throttle(usize, Duration),
}

/// One thing of a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A contact of a house who writes so many messages.
    Contact {
        /// Whose.
        house: usize,
        /// Which.
        number: usize,
        /// How many.
        messages: usize,
    },
    /// An agent of a house.
    Agent {
        /// Whose.
        house: usize,
        /// Which.
        number: usize,
    },
    /// Somebody who sends parked messages again.
    Operator,
    /// Agents write several messages in a row.
    Haste,
    /// Calls to the broker are slow or lost.
    BrokerNoise,
    /// Calls to the stores are slow or lost.
    StoreNoise,
    /// The provider throttles, refuses, breaks, hangs, and takes what it says that it did not.
    ProviderNoise,
    /// Webhook calls come twice, late and out of order.
    WebhookNoise,
    /// A strike at its time.
    Strike(Duration, Strike),
    /// The provider of a house does not call: it is asked, again and again, for what it has.
    Polled(usize),
    /// The contacts of a house are visitors of a page, who hold a connection open.
    Linked(usize),
    /// Contacts send pictures now and then.
    Pictures,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strike(at, strike) => write!(f, "at {:.3} s {strike:?}", at.as_secs_f64()),
            other => write!(f, "{other:?}"),
        }
    }
}

/// The items of one world, with their numbers in the whole plan of its seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// What is in it.
    pub items: Vec<(usize, Item)>,
}

impl Plan {
    /// The whole plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed, "plan");
        let mut items = Vec::new();
        for house in 0..HOUSES {
            for number in 0..2 + size(dice.below(3)) {
                items.push(Item::Contact { house, number, messages: 2 + size(dice.below(6)) });
            }
            for number in 0..1 + size(dice.below(3)) {
                items.push(Item::Agent { house, number });
            }
        }
        items.push(Item::Operator);
        for noise in [Item::BrokerNoise, Item::StoreNoise, Item::ProviderNoise, Item::WebhookNoise] {
            if dice.chance(650) {
                items.push(noise);
            }
        }
        for _ in 0..dice.below(9) {
            let at = dice.between(Duration::from_secs(1), HORIZON);
            items.push(Item::Strike(at, strike(&mut dice)));
        }
        items.extend(flood(&mut Dice::of(seed, "flood")));
        items.extend(ways(&mut Dice::of(seed, "ways")));
        Self { seed, items: items.into_iter().enumerate().collect() }
    }

    /// The plan with only these items.
    #[must_use]
    pub fn only(&self, numbers: &BTreeSet<usize>) -> Self {
        let items = self.items.iter().filter(|(number, _)| numbers.contains(number)).cloned().collect();
        Self { seed: self.seed, items }
    }

    /// The numbers of its items.
    pub fn numbers(&self) -> BTreeSet<usize> {
        self.items.iter().map(|(number, _)| *number).collect()
    }

    /// Whether this is part of it.
    pub fn has(&self, item: &Item) -> bool {
        self.items.iter().any(|(_, one)| one == item)
    }
}

/// The seeds in a file, one a line, each with what it found behind a `#`.
///
/// # Errors
/// The file cannot be read.
pub fn kept_seeds(path: &Path) -> io::Result<Vec<u64>> {
    let text = fs::read_to_string(path)?;
    let seed = |line: &str| line.split('#').next().unwrap_or_default().trim().parse().ok();
    Ok(text.lines().filter_map(seed).collect())
}

fn size(drawn: u64) -> usize {
    usize::try_from(drawn).unwrap_or(0)
}

fn place(dice: &mut Dice) -> Place {
    let role = match dice.below(3) {
        0 => Role::Channel,
        1 => Role::Router,
        _ => Role::Session,
    };
    Place { role, replica: size(dice.below(REPLICAS as u64)) }
}

/// More than the provider takes.
fn flood(dice: &mut Dice) -> Vec<Item> {
    let mut items = Vec::new();
    if dice.chance(600) {
        items.push(Item::Haste);
    }
    for _ in 0..dice.below(4) {
        let at = dice.between(Duration::from_secs(5), HORIZON);
        let house = size(dice.below(HOUSES as u64));
        items.push(Item::Strike(at, Strike::Throttle(house, dice.millis(2_000, 25_000))));
    }
    items
}

/// How messages come in, and what comes with them.
fn ways(dice: &mut Dice) -> Vec<Item> {
    let mut items = Vec::new();
    let house = size(dice.below(HOUSES as u64));
    if dice.chance(300) {
        items.push(Item::Polled(house));
    }
    if dice.chance(300) {
        items.push(Item::Linked((house + 1) % HOUSES));
    }
    if dice.chance(400) {
        items.push(Item::Pictures);
    }
    items
}

fn strike(dice: &mut Dice) -> Strike {
    let pause = |dice: &mut Dice| dice.millis(200, 12_000);
    match dice.below(16) {
        0..=5 => {
            let steps = u32::try_from(1 + dice.below(120)).unwrap_or(1);
            Strike::Crash(place(dice), steps, dice.millis(100, 8_000))
        }
        6 | 7 => Strike::Restart(place(dice)),
        8 => Strike::BrokerAway(pause(dice)),
        9 => Strike::BrokerBlip,
        10 => Strike::CutFromBroker(place(dice), pause(dice)),
        11 => Strike::CutFromStore(place(dice), pause(dice)),
        12 => Strike::StoreAway(pause(dice)),
        13 => Strike::WindowsLost,
        14 => Strike::Forgery(size(dice.below(HOUSES as u64))),
        _ => Strike::Garbage(size(dice.below(HOUSES as u64))),
    }
}
