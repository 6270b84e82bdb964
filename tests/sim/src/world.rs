//! One world: two houses, their providers, two replicas of each service, one broker and one store.

use std::{
    path::Path,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{
    Account, AccountId, Commanded, Distribution, Done, EventId, Organization, OrganizationId, Queue, QueueId, Refusal,
    Secret, Thread, Timestamp, UserId,
};
use ports::{Clock, Directory as _, apis::RouterApi as _};
use tokio::time::Instant;

use crate::{
    air::{Air, Odds},
    channel::{LINKED, NAME, POLLED, SECRET},
    dice::Dice,
    memory::{Broker, Store},
    mutation::Mutation,
    plan::{HOUSES, Item, Place, Plan, REPLICAS, Role},
    provider::Provider,
    record::Record,
    site::{Running, Site},
};

/// Partitions of the mesh.
pub(crate) const PARTITIONS: u16 = 4;
/// When the world begins.
const BEGINNING: Timestamp = Timestamp::from_secs(1_800_000_000);
/// How long an agent or a provider waits for an answer.
const PATIENCE: Duration = Duration::from_secs(12);

/// The runtime's own time, which jumps when nobody has anything to do.
pub(crate) struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        BEGINNING + self.0.elapsed()
    }
}

/// Everything.
pub(crate) struct World {
    /// What happens in it.
    pub plan: Plan,
    /// The bug that was put into it, if any.
    pub mutation: Option<Mutation>,
    /// The store.
    pub store: Store,
    /// The broker.
    pub broker: Broker,
    /// The time.
    pub clock: Arc<PausedClock>,
    /// What the outside knows.
    pub record: Record,
    /// The providers by house.
    pub providers: Vec<Arc<Provider>>,
    /// Where processes live.
    pub sites: Vec<Site>,
    /// Webhook calls that have not been accepted yet.
    pub calls: AtomicUsize,
    calm: AtomicBool,
    this: Weak<Self>,
}

/// The organization of a house.
pub(crate) fn organization(house: usize) -> OrganizationId {
    OrganizationId::derive(&["house", &house.to_string()])
}

/// The house of an organization.
pub(crate) fn house_of(id: OrganizationId) -> Option<usize> {
    (0..HOUSES).find(|house| organization(*house) == id)
}

/// The account of a house.
pub(crate) fn account(house: usize) -> AccountId {
    AccountId::derive(&["house", &house.to_string()])
}

/// The queue of a house.
pub(crate) fn queue(house: usize) -> QueueId {
    QueueId::derive(&["house", &house.to_string()])
}

/// An agent of a house.
pub(crate) fn user(house: usize, number: usize) -> UserId {
    UserId::derive(&["agent", &house.to_string(), &number.to_string()])
}

/// The thread of a contact of a house.
pub(crate) fn thread(house: usize, address: &str) -> Thread {
    Thread { organization: organization(house), account: account(house), address: domain::Address::new(address) }
}

/// The event that a provider's `key` becomes.
pub(crate) fn event(house: usize, key: &str) -> EventId {
    EventId::derive(&[&account(house).to_string(), key])
}

impl World {
    /// A world for `plan`, its disks below `folder`.
    pub(crate) fn new(plan: Plan, mutation: Option<Mutation>, folder: &Path, traced: bool) -> Arc<Self> {
        let seed = plan.seed;
        let odds = |item: &Item, odds: Odds| if plan.has(item) { odds } else { Odds::default() };
        let broker = odds(&Item::BrokerNoise, Odds { slow: 250, lost: 20, unheard: 25 });
        let store = odds(&Item::StoreNoise, Odds { slow: 200, lost: 12, unheard: 15 });
        let mut sites = Vec::new();
        for role in [Role::Channel, Role::Router, Role::Session] {
            for replica in 0..REPLICAS {
                let place = Place { role, replica };
                let to_broker = Air::new(Dice::of(seed, &format!("{place} to the broker")), broker);
                let to_store = Air::new(Dice::of(seed, &format!("{place} to the store")), store);
                sites.push(Site::new(place, to_broker, to_store, folder.join(place.to_string())));
            }
        }
        let noisy = plan.has(&Item::ProviderNoise);
        Arc::new_cyclic(|this| Self {
            providers: (0..HOUSES).map(|it| Arc::new(Provider::new(it, this.clone(), seed, noisy))).collect(),
            plan,
            mutation,
            store: Store::default(),
            broker: Broker::default(),
            clock: Arc::new(PausedClock(Instant::now())),
            record: Record::new(traced),
            sites,
            calls: AtomicUsize::new(0),
            calm: AtomicBool::new(false),
            this: this.clone(),
        })
    }

    /// Writes the directory: the first house hands out by hand, the second in turn.
    ///
    /// # Errors
    /// Never: the air of who looks on is still.
    pub(crate) async fn found(&self) -> Result<(), ports::StoreError> {
        for house in 0..HOUSES {
            let organization = Organization { id: organization(house), name: format!("house {house}") };
            self.store.save_organization(&organization).await?;
            let queue = Queue {
                id: queue(house),
                organization: organization.id,
                name: "all".into(),
                distribution: if house == 0 { Distribution::Manual } else { Distribution::Circular },
                inactive_after: 30,
                abandon_after: 60,
                members: (0..3).map(|number| user(house, number)).collect(),
                active: true,
            };
            self.store.save_queue(&queue).await?;
            let account = Account {
                id: account(house),
                organization: organization.id,
                channel: NAME.parse().map_err(|_| ports::StoreError::Refused("a channel's name".into()))?,
                name: format!("house-{house}"),
                label: "House".into(),
                queue: queue.id,
                settings: self.way(house).map(|way| (way.to_owned(), "yes".to_owned())).into_iter().collect(),
                secrets: ["hook", "link_secret"].map(|name| (name.to_owned(), Secret::new(SECRET))).into(),
                active: true,
            };
            self.store.save_account(&account).await?;
        }
        Ok(())
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What the clock said at that instant.
    pub(crate) fn time_of(&self, at: Instant) -> Timestamp {
        BEGINNING + at.duration_since(self.clock.0)
    }

    /// Whether nothing goes wrong any more.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    /// Ends all that goes wrong.
    pub(crate) fn calm(&self) {
        self.calm.store(true, Ordering::SeqCst);
        self.broker.set_down(false);
        for site in &self.sites {
            site.to_broker.calm();
            site.to_store.calm();
            self.broker.set_cut(&site.place.to_string(), false);
        }
    }

    /// The world, for whoever outlives the call.
    pub(crate) fn this(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }

    /// Whether the provider of `house` is asked, and does not call.
    pub(crate) fn is_polled(&self, house: usize) -> bool {
        self.plan.has(&Item::Polled(house))
    }

    /// Whether the contacts of `house` hold connections open.
    pub(crate) fn is_linked(&self, house: usize) -> bool {
        self.plan.has(&Item::Linked(house))
    }

    /// The setting that says how messages of `house` come in, if its provider does not call.
    fn way(&self, house: usize) -> Option<&'static str> {
        if self.is_polled(house) { Some(POLLED) } else { self.is_linked(house).then_some(LINKED) }
    }

    /// The site of a place.
    pub(crate) fn site(&self, place: Place) -> Option<&Site> {
        self.sites.iter().find(|site| site.place == place)
    }

    /// A process of `role` that is alive, if any.
    pub(crate) fn any(&self, role: Role, dice: &mut Dice) -> Option<Running> {
        let alive: Vec<_> =
            self.sites.iter().filter(|site| site.place.role == role).filter_map(Site::running).collect();
        dice.pick(&alive).cloned()
    }

    /// Has a router carry out a command. None when nobody answered: it may have been carried out.
    pub(crate) async fn command(&self, command: Commanded, dice: &mut Dice) -> Option<Result<Done, Refusal>> {
        let running = self.any(Role::Router, dice)?;
        let handle = running.router?;
        let answered = running.process.request(async move { handle.command(command).await });
        tokio::time::timeout(PATIENCE, answered).await.ok()?
    }
}
