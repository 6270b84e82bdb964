//! The accounts of a channel: read again and again, opened, and set apart alone when they cannot work.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use domain::{Account, AccountId, Channel, Failure, error::codes};
use ports::{Directory, StoreError};
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Redactor,
    account_http::{Recorded, Transcripts},
    config::KitConfig,
    contract::{ChannelType, Misconfigured, OpenAccount},
    http::AccountHttp,
    kit::Exchanges,
};

/// One version of one account. A change of its settings makes a new one.
pub(crate) struct Live {
    pub(crate) account: Account,
    /// Open, or the setting that stands against it.
    pub(crate) open: Result<OpenAccount, Misconfigured>,
    pub(crate) http: AccountHttp,
    pub(crate) redactor: Redactor,
    #[cfg_attr(
        not(any(test, feature = "testing")),
        expect(dead_code, reason = "the battery looks at what an account exchanged")
    )]
    pub(crate) transcripts: Transcripts,
    /// Woken when the provider has told that its templates changed.
    pub(crate) stale_templates: Notify,
    /// Cancelled when another version takes its place or it was deactivated.
    pub(crate) replaced: CancellationToken,
    /// Its share of the sends at a time.
    pub(crate) slots: Semaphore,
    /// Its share of the webhook calls at a time.
    pub(crate) calls: Semaphore,
    /// Until when all its sends wait (the provider said "too fast").
    pause: Mutex<Option<Instant>>,
    /// Until when it is left alone, and what the provider said.
    quarantine: Mutex<Option<(Instant, Failure)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// How long its sends have to wait.
    pub(crate) fn paused(&self) -> Option<Duration> {
        let left = (*locked(&self.pause))?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// All its sends wait for `pause`, or longer if they already do.
    pub(crate) fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut current = locked(&self.pause);
        *current = Some(current.map_or(until, |known| known.max(until)));
    }

    /// What the provider said against the account, while it is left alone; or the setting that is wrong.
    pub(crate) fn trouble(&self) -> Option<Failure> {
        if let Err(misconfigured) = &self.open {
            return Some(misconfiguration(misconfigured));
        }
        let mut quarantine = locked(&self.quarantine);
        match quarantine.as_ref() {
            Some((until, failure)) if *until > Instant::now() => Some(failure.clone()),
            Some(_) => {
                *quarantine = None;
                None
            }
            None => None,
        }
    }

    /// Leaves the account alone for `rest`; the next send after it probes again.
    pub(crate) fn quarantine(&self, rest: Duration, failure: Failure) {
        tracing::warn!(
            account = %self.account.id,
            channel = %self.account.channel,
            code = %failure.code,
            reason = failure.reason.as_deref().unwrap_or(""),
            "the provider does not let this account work; it alone is set apart"
        );
        *locked(&self.quarantine) = Some((Instant::now() + rest, failure));
    }
}

fn misconfiguration(problem: &Misconfigured) -> Failure {
    Failure { code: codes::ACCOUNT_MISCONFIGURED, provider_code: None, reason: Some(problem.to_string()) }
}

#[derive(Default)]
struct Known {
    by_name: HashMap<String, Arc<Live>>,
    by_id: HashMap<AccountId, Arc<Live>>,
}

/// What one account may have.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Exchanges kept.
    pub(crate) transcripts: usize,
    /// Sends at a time.
    pub(crate) sends: usize,
    /// Webhook calls at a time.
    pub(crate) calls: usize,
}

impl From<&KitConfig> for Limits {
    fn from(config: &KitConfig) -> Self {
        Self {
            transcripts: config.transcripts,
            sends: config.lanes_per_account.max(1),
            calls: config.webhooks_per_account.max(1),
        }
    }
}

/// The accounts of one channel.
pub(crate) struct Accounts {
    kind: Arc<dyn ChannelType>,
    channel: Channel,
    exchanges: Exchanges,
    limits: Limits,
    known: RwLock<Known>,
    /// Counts the changes; zero until the directory was read once.
    generation: watch::Sender<u64>,
}

impl Accounts {
    pub(crate) fn new(kind: Arc<dyn ChannelType>, channel: Channel, exchanges: Exchanges, limits: Limits) -> Self {
        Self { kind, channel, exchanges, limits, known: RwLock::default(), generation: watch::Sender::new(0) }
    }

    /// Whether the directory was read at all.
    pub(crate) fn loaded(&self) -> bool {
        *self.generation.borrow() > 0
    }

    /// Tells of changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    pub(crate) fn named(&self, name: &str) -> Option<Arc<Live>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).by_name.get(name).cloned()
    }

    pub(crate) fn by_id(&self, id: AccountId) -> Option<Arc<Live>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).by_id.values().cloned().collect()
    }

    /// How many cannot work.
    pub(crate) fn troubled(&self) -> u64 {
        self.all().iter().filter(|live| live.trouble().is_some()).count() as u64
    }

    /// Reads the directory; opens what is new or changed, and closes what is gone.
    ///
    /// # Errors
    /// [`StoreError`]; what was known stays.
    pub(crate) async fn reload(&self, directory: &dyn Directory) -> Result<(), StoreError> {
        let accounts = directory.accounts(Some(&self.channel)).await?;
        let mut next = Known::default();
        let mut changed = !self.loaded();
        for account in accounts.into_iter().filter(|account| account.active) {
            let live = match self.by_id(account.id) {
                Some(live) if live.account == account => live,
                _ => {
                    changed = true;
                    Arc::new(self.open(account))
                }
            };
            next.by_name.insert(live.account.name.clone(), Arc::clone(&live));
            next.by_id.insert(live.account.id, live);
        }
        let former = {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *known, next)
        };
        for (id, live) in former.by_id {
            if !self.by_id(id).is_some_and(|current| Arc::ptr_eq(&current, &live)) {
                changed = true;
                live.replaced.cancel();
            }
        }
        if changed {
            self.generation.send_modify(|generation| *generation += 1);
        }
        Ok(())
    }

    fn open(&self, account: Account) -> Live {
        let redactor = Redactor::of(&account);
        let transcripts = Transcripts::new(self.limits.transcripts);
        // A panic while an account is opened is that account's trouble alone.
        let open = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.kind.open(&account)))
            .unwrap_or_else(|_| Err(Misconfigured { key: "account".into(), problem: "opening it panicked".into() }))
            .map_err(|wrong| Misconfigured { problem: redactor.text(&wrong.problem), ..wrong });
        match &open {
            Ok(_) => {
                tracing::info!(account = %account.id, name = account.name, channel = %account.channel, "account open")
            }
            Err(wrong) => tracing::error!(
                account = %account.id,
                name = account.name,
                channel = %account.channel,
                reason = %wrong,
                "the account is misconfigured; it alone is set apart"
            ),
        }
        let inner = (self.exchanges)(&account);
        let http = AccountHttp::new(Arc::new(Recorded::new(inner, redactor.clone(), transcripts.clone())));
        Live {
            account,
            open,
            http,
            redactor,
            transcripts,
            stale_templates: Notify::new(),
            replaced: CancellationToken::new(),
            slots: Semaphore::new(self.limits.sends),
            calls: Semaphore::new(self.limits.calls),
            pause: Mutex::default(),
            quarantine: Mutex::default(),
        }
    }
}
