//! Accounts and queues, read from the directory and remembered for a few seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::OrganizationId;
use ports::{Directory, StoreError};
use routing::Rules;
use tokio::time::Instant;

/// How soon an organization may be read again before its time, when an unknown account shows up.
const AGAIN: Duration = Duration::from_millis(250);

/// The rules of each organization.
pub(crate) struct RuleBook {
    directory: Arc<dyn Directory>,
    keep: Duration,
    pages: Mutex<HashMap<OrganizationId, Page>>,
}

#[derive(Clone)]
struct Page {
    read_at: Instant,
    rules: Arc<Rules>,
}

impl RuleBook {
    pub(crate) fn new(directory: Arc<dyn Directory>, keep: Duration) -> Self {
        Self { directory, keep, pages: Mutex::default() }
    }

    /// The rules of `organization`, at most `keep` old. When the directory is away, the last known ones.
    pub(crate) async fn of(&self, organization: OrganizationId) -> Result<Arc<Rules>, StoreError> {
        let known = self.page(organization);
        match known {
            Some(page) if page.read_at.elapsed() < self.keep => Ok(page.rules),
            Some(page) => Ok(self.read(organization).await.unwrap_or(page.rules)),
            None => self.read(organization).await,
        }
    }

    /// The rules as they are now, unless they were read just now.
    pub(crate) async fn fresh(&self, organization: OrganizationId) -> Result<Arc<Rules>, StoreError> {
        match self.page(organization) {
            Some(page) if page.read_at.elapsed() < AGAIN => Ok(page.rules),
            _ => self.read(organization).await,
        }
    }

    fn page(&self, organization: OrganizationId) -> Option<Page> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).get(&organization).cloned()
    }

    async fn read(&self, organization: OrganizationId) -> Result<Arc<Rules>, StoreError> {
        let read_at = Instant::now();
        let (accounts, queues) = futures_util::future::try_join(
            self.directory.accounts_of(organization),
            self.directory.queues(organization),
        )
        .await?;
        let rules = Arc::new(Rules {
            accounts: accounts.into_iter().map(|account| (account.id, account.queue)).collect(),
            queues: queues.into_iter().map(|queue| (queue.id, queue)).collect(),
        });
        let page = Page { read_at, rules: Arc::clone(&rules) };
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(organization, page);
        Ok(rules)
    }
}
