//! Organizations, accounts, queues and people.

use async_trait::async_trait;
use domain::{Account, Channel, Organization, OrganizationId, Queue, User};
use ports::{Directory, StoreError};

use super::{Store, tables::Tables};

impl Tables {
    /// The queues of an organization.
    pub fn queues_of(&self, organization: OrganizationId) -> Vec<Queue> {
        self.queues.values().filter(|one| one.organization == organization).cloned().collect()
    }
}

fn of_its_organization(same: bool) -> Result<(), StoreError> {
    if same { Ok(()) } else { Err(StoreError::Refused("it belongs to another organization".to_owned())) }
}

#[async_trait]
impl Directory for Store {
    async fn save_organization(&self, organization: &Organization) -> Result<(), StoreError> {
        self.ask(|tables| drop(tables.organizations.insert(organization.id, organization.clone()))).await
    }

    async fn organizations(&self) -> Result<Vec<Organization>, StoreError> {
        self.ask(|tables| {
            let mut all: Vec<_> = tables.organizations.values().cloned().collect();
            all.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
            all
        })
        .await
    }

    async fn save_account(&self, account: &Account) -> Result<(), StoreError> {
        let same_hook = |one: &&Account| one.channel == account.channel && one.name == account.name;
        self.ask(|tables| {
            if tables.accounts.values().filter(same_hook).any(|one| one.id != account.id) {
                let taken = format!("the name {} is taken on {}", account.name, account.channel);
                return Err(StoreError::Refused(taken));
            }
            let known = tables.accounts.get(&account.id);
            of_its_organization(known.is_none_or(|known| known.organization == account.organization))?;
            tables.accounts.insert(account.id, account.clone());
            Ok(())
        })
        .await?
    }

    async fn accounts(&self, channel: Option<&Channel>) -> Result<Vec<Account>, StoreError> {
        self.ask(|tables| {
            let all = tables.accounts.values().filter(|one| channel.is_none_or(|channel| one.channel == *channel));
            let mut all: Vec<_> = all.cloned().collect();
            all.sort_by(|a, b| (&a.channel, &a.name).cmp(&(&b.channel, &b.name)));
            all
        })
        .await
    }

    async fn accounts_of(&self, organization: OrganizationId) -> Result<Vec<Account>, StoreError> {
        let mut all = self.accounts(None).await?;
        all.retain(|one| one.organization == organization);
        Ok(all)
    }

    async fn save_queue(&self, queue: &Queue) -> Result<(), StoreError> {
        self.ask(|tables| {
            let known = tables.queues.get(&queue.id);
            of_its_organization(known.is_none_or(|known| known.organization == queue.organization))?;
            tables.queues.insert(queue.id, queue.clone());
            Ok(())
        })
        .await?
    }

    async fn queues(&self, organization: OrganizationId) -> Result<Vec<Queue>, StoreError> {
        self.ask(|tables| tables.queues_of(organization)).await
    }

    async fn save_user(&self, user: &User) -> Result<(), StoreError> {
        self.ask(|tables| {
            if tables.users.values().any(|one| one.email == user.email && one.id != user.id) {
                return Err(StoreError::Refused(format!("the e-mail {} is taken", user.email)));
            }
            let known = tables.users.get(&user.id);
            of_its_organization(known.is_none_or(|known| known.organization == user.organization))?;
            tables.users.insert(user.id, user.clone());
            Ok(())
        })
        .await?
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        self.ask(|tables| tables.users.values().find(|one| one.email == email).cloned()).await
    }

    async fn users(&self, organization: OrganizationId) -> Result<Vec<User>, StoreError> {
        self.ask(|tables| tables.users.values().filter(|one| one.organization == organization).cloned().collect()).await
    }
}
