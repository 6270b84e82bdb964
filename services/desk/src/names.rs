//! The names of people, queues and accounts of each organization, kept for a few seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{Account, AccountId, Organization, OrganizationId, Queue, QueueId, Timestamp, User, UserId};
use ports::{Clock, Directory, StoreError};

/// One organization as the directory had it a moment ago.
#[derive(Debug)]
pub(crate) struct Names {
    /// The organization.
    pub(crate) organization: Option<Organization>,
    /// Its people.
    pub(crate) users: HashMap<UserId, User>,
    /// Its queues.
    pub(crate) queues: HashMap<QueueId, Queue>,
    /// Its accounts. Their secrets stay inside.
    pub(crate) accounts: HashMap<AccountId, Account>,
}

impl Names {
    pub(crate) fn user(&self, id: UserId) -> &str {
        self.users.get(&id).map_or("", |user| user.name.as_str())
    }

    pub(crate) fn queue(&self, id: QueueId) -> &str {
        self.queues.get(&id).map_or("", |queue| queue.name.as_str())
    }

    /// The queues that `user` serves.
    pub(crate) fn queues_of(&self, user: UserId) -> Vec<QueueId> {
        self.queues.values().filter(|queue| queue.members.contains(&user)).map(|queue| queue.id).collect()
    }
}

/// The directory with a short memory.
pub(crate) struct Book {
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    keep: Duration,
    known: Mutex<HashMap<OrganizationId, (Timestamp, Arc<Names>)>>,
}

impl Book {
    pub(crate) fn new(directory: Arc<dyn Directory>, clock: Arc<dyn Clock>, keep: Duration) -> Self {
        Self { directory, clock, keep, known: Mutex::default() }
    }

    /// The names of one organization, at most a few seconds old. When the directory is away, the last known ones.
    pub(crate) async fn of(&self, organization: OrganizationId) -> Result<Arc<Names>, StoreError> {
        let now = self.clock.now();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&organization).cloned();
        if let Some((at, names)) = &known
            && now.since(*at) < self.keep
        {
            return Ok(Arc::clone(names));
        }
        let names = match self.read(organization).await {
            Ok(names) => Arc::new(names),
            Err(error) => return known.map(|(_, names)| names).ok_or(error),
        };
        let mut book = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        book.insert(organization, (now, Arc::clone(&names)));
        Ok(names)
    }

    /// Forgets one organization: somebody there changed.
    pub(crate) fn forget(&self, organization: OrganizationId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&organization);
    }

    async fn read(&self, organization: OrganizationId) -> Result<Names, StoreError> {
        let all = self.directory.organizations().await?;
        let users = self.directory.users(organization).await?;
        let queues = self.directory.queues(organization).await?;
        let accounts = self.directory.accounts_of(organization).await?;
        Ok(Names {
            organization: all.into_iter().find(|one| one.id == organization),
            users: users.into_iter().map(|user| (user.id, user)).collect(),
            queues: queues.into_iter().map(|queue| (queue.id, queue)).collect(),
            accounts: accounts.into_iter().map(|account| (account.id, account)).collect(),
        })
    }
}
