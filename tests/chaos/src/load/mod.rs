//! The load: customers who write as their channel does, some of whom opt out now and then, agents who answer and hand
//! conversations on, agents with little room, and a forger.

mod agents;
mod consent;
mod customers;
mod forger;
mod hooks;
mod page;
mod person;
mod polled;
mod seats;
mod visitor;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anyhow::{Context as _, Result};
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;

use crate::{
    ledger::Ledger,
    mesh::{PEOPLE, SEATED},
};

pub(crate) use agents::{OPTED_OUT, note};
pub(crate) use customers::{Channel, Customer, in_ledger};
pub(crate) use forger::{FORGED, TRESPASS};
pub(crate) use page::Item;
pub(crate) use person::Person;
pub(crate) use seats::{OVERFULL, SHARED, idle, look};
pub(crate) use visitor::look_again;

/// Between two messages of one customer.
const RHYTHM: Duration = Duration::from_millis(900);
/// Between two answers to one customer. An account may send 20 messages a second: at more than half of that, what was
/// written while a server was away is worked off for longer than that was, and the wait is the provider's.
const ANSWERS: Duration = Duration::from_millis(1_800);
/// Between two tries of what was not answered with success.
const AGAIN: Duration = Duration::from_millis(300);

/// Where the load goes.
#[derive(Clone)]
pub(crate) struct Target {
    /// Where WhatsApp's provider calls.
    pub(crate) whatsapp: String,
    /// Where Telegram calls.
    pub(crate) telegram: String,
    /// Where the provider of the polled account takes what customers write.
    pub(crate) polled: String,
    /// Host and port of the widget's service.
    pub(crate) webchat: String,
    pub(crate) desk: String,
    pub(crate) host: String,
    /// Where the broker listens, without a cable before it: what the forger does is no harm to the mesh.
    pub(crate) broker: u16,
    pub(crate) ledger: Arc<Ledger>,
    /// Raised when nothing new shall be written; what was begun is brought to its end.
    pub(crate) stop: Arc<AtomicBool>,
}

/// Everybody at work.
pub(crate) struct Load {
    pub(crate) customers: Vec<Arc<Customer>>,
    pub(crate) people: Vec<Person>,
    /// Those who bring to its end what they began, and end.
    pub(crate) writing: JoinSet<Result<()>>,
    /// Those who go on hearing: the desk's page and the visitors'.
    pub(crate) hearing: JoinSet<Result<()>>,
}

/// Starts everybody.
pub(crate) async fn start(target: &Target, customers: u32, seed: u64) -> Result<Load> {
    let mut people = Vec::new();
    for email in PEOPLE {
        people.push(Person::arrive(&target.desk, email).await?);
    }
    let mut seated = Vec::new();
    for email in SEATED {
        seated.push(Person::arrive(&target.desk, email).await?);
    }
    let ana = people.first().context("somebody")?.clone();
    let customers = Customer::all(customers);
    let (mut writing, mut hearing) = (JoinSet::new(), JoinSet::new());
    hearing.spawn(agents::listen(target.clone(), ana.clone()));
    for (customer, number) in customers.iter().zip(0_u64..) {
        let random = StdRng::seed_from_u64(seed ^ number);
        match customer.channel {
            Channel::Whatsapp | Channel::Telegram => {
                drop(writing.spawn(hooks::write(target.clone(), Arc::clone(customer), random)));
            }
            Channel::Polled => drop(writing.spawn(polled::write(target.clone(), Arc::clone(customer), random))),
            Channel::Webchat => drop(hearing.spawn(visitor::visit(target.clone(), Arc::clone(customer), random))),
        }
        writing.spawn(agents::answer(target.clone(), ana.clone(), Arc::clone(customer)));
    }
    // By the channel whose queue hands out nothing.
    let picked = customers.iter().filter(|one| one.channel == Channel::Whatsapp).cloned().collect();
    let random = |salt| StdRng::seed_from_u64(seed ^ salt);
    writing.spawn(agents::hand_on(target.clone(), people.clone(), picked, random(0xaaaa_aaaa)));
    writing.spawn(seats::take_turns(target.clone(), seated, random(0xbbbb_bbbb)));
    hearing.spawn(seats::watch(target.clone(), ana.clone()));
    hearing.spawn(forger::forge(target.clone(), ana));
    Ok(Load { customers, people, writing, hearing })
}

/// One connection at a time, as the balancer of a deployment sees a provider's worker.
fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(Duration::from_secs(8)).pool_max_idle_per_host(1).build()?)
}
