//! Organizations, accounts, queues and people.

use async_trait::async_trait;
use domain::{Account, Channel, Organization, OrganizationId, Queue, Secret, User};
use ports::{Directory, StoreError};
use sea_orm::Value;

use crate::{
    SqlStore,
    row::Row,
    statement::{json, name, printed, text},
};

fn flag(value: bool) -> Value {
    i64::from(value).into()
}

fn account(row: &Row) -> Result<Account, StoreError> {
    Ok(Account {
        id: row.parsed("id")?,
        organization: row.parsed("organization")?,
        channel: row.parsed("channel")?,
        name: row.text("name")?,
        label: row.text("label")?,
        queue: row.parsed("queue")?,
        settings: row.json("settings")?,
        secrets: row.json("secrets")?,
        active: row.flag("active")?,
    })
}

fn queue(row: &Row) -> Result<Queue, StoreError> {
    Ok(Queue {
        id: row.parsed("id")?,
        organization: row.parsed("organization")?,
        name: row.text("name")?,
        distribution: row.named("distribution")?,
        inactive_after: row.number("inactive_after")?,
        abandon_after: row.number("abandon_after")?,
        members: row.json("members")?,
        active: row.flag("active")?,
    })
}

fn user(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: row.parsed("id")?,
        organization: row.parsed("organization")?,
        email: row.text("email")?,
        name: row.text("name")?,
        role: row.named("role")?,
        language: row.named("language")?,
        password: Secret::new(row.text("password")?),
        capacity: row.number("capacity")?,
        active: row.flag("active")?,
    })
}

#[async_trait]
impl Directory for SqlStore {
    async fn save_organization(&self, organization: &Organization) -> Result<(), StoreError> {
        let put = "INSERT INTO organizations (id, name) VALUES ($1, $2)
                   ON CONFLICT (id) DO UPDATE SET name = excluded.name";
        self.write(put, vec![printed(organization.id), text(&organization.name)]).await.map(|_| ())
    }

    async fn organizations(&self) -> Result<Vec<Organization>, StoreError> {
        let rows = self.read("SELECT * FROM organizations ORDER BY name, id", vec![]).await?;
        rows.iter().map(|row| Ok(Organization { id: row.parsed("id")?, name: row.text("name")? })).collect()
    }

    async fn save_account(&self, account: &Account) -> Result<(), StoreError> {
        let values = vec![
            printed(account.id),
            printed(account.organization),
            printed(&account.channel),
            text(&account.name),
            text(&account.label),
            printed(account.queue),
            json(&account.settings)?,
            json(&account.secrets)?,
            flag(account.active),
        ];
        let saved = self
            .write(
                "INSERT INTO accounts (id, organization, channel, name, label, queue, settings, secrets, active)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 ON CONFLICT (id) DO UPDATE SET channel = excluded.channel, name = excluded.name,
                 label = excluded.label, queue = excluded.queue, settings = excluded.settings,
                 secrets = excluded.secrets, active = excluded.active
                 WHERE accounts.organization = excluded.organization",
                values,
            )
            .await;
        if let Err(StoreError::Refused(_)) = &saved {
            let holder = "SELECT id FROM accounts WHERE channel = $1 AND name = $2 AND id <> $3";
            let key = vec![printed(&account.channel), text(&account.name), printed(account.id)];
            if self.read_one(holder, key).await?.is_some() {
                let taken = format!("the name {} is taken on {}", account.name, account.channel);
                return Err(StoreError::Refused(taken));
            }
        }
        of_its_organization(saved?)
    }

    async fn accounts(&self, channel: Option<&Channel>) -> Result<Vec<Account>, StoreError> {
        let rows = match channel {
            Some(channel) => {
                self.read("SELECT * FROM accounts WHERE channel = $1 ORDER BY name", vec![printed(channel)]).await?
            }
            None => self.read("SELECT * FROM accounts ORDER BY channel, name", vec![]).await?,
        };
        rows.iter().map(account).collect()
    }

    async fn accounts_of(&self, organization: OrganizationId) -> Result<Vec<Account>, StoreError> {
        let text = "SELECT * FROM accounts WHERE organization = $1 ORDER BY channel, name";
        self.read(text, vec![printed(organization)]).await?.iter().map(account).collect()
    }

    async fn save_queue(&self, queue: &Queue) -> Result<(), StoreError> {
        let values = vec![
            printed(queue.id),
            printed(queue.organization),
            text(&queue.name),
            name(&queue.distribution)?.into(),
            i64::from(queue.inactive_after).into(),
            i64::from(queue.abandon_after).into(),
            json(&queue.members)?,
            flag(queue.active),
        ];
        let saved = self
            .write(
                "INSERT INTO queues (id, organization, name, distribution, inactive_after, abandon_after, members,
                 active) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (id) DO UPDATE SET name = excluded.name, distribution = excluded.distribution,
                 inactive_after = excluded.inactive_after, abandon_after = excluded.abandon_after,
                 members = excluded.members, active = excluded.active
                 WHERE queues.organization = excluded.organization",
                values,
            )
            .await?;
        of_its_organization(saved)
    }

    async fn queues(&self, organization: OrganizationId) -> Result<Vec<Queue>, StoreError> {
        let text = "SELECT * FROM queues WHERE organization = $1 ORDER BY name, id";
        self.read(text, vec![printed(organization)]).await?.iter().map(queue).collect()
    }

    async fn save_user(&self, user: &User) -> Result<(), StoreError> {
        let values = vec![
            printed(user.id),
            printed(user.organization),
            text(&user.email),
            text(&user.name),
            name(&user.role)?.into(),
            name(&user.language)?.into(),
            text(user.password.expose()),
            i64::from(user.capacity).into(),
            flag(user.active),
        ];
        let saved = self
            .write(
                "INSERT INTO users (id, organization, email, name, role, language, password, capacity, active)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 ON CONFLICT (id) DO UPDATE SET email = excluded.email, name = excluded.name, role = excluded.role,
                 language = excluded.language, password = excluded.password, capacity = excluded.capacity,
                 active = excluded.active
                 WHERE users.organization = excluded.organization",
                values,
            )
            .await;
        if let Err(StoreError::Refused(_)) = &saved {
            let holder = "SELECT id FROM users WHERE email = $1 AND id <> $2";
            if self.read_one(holder, vec![text(&user.email), printed(user.id)]).await?.is_some() {
                return Err(StoreError::Refused(format!("the e-mail {} is taken", user.email)));
            }
        }
        of_its_organization(saved?)
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let row = self.read_one("SELECT * FROM users WHERE email = $1", vec![text(email)]).await?;
        row.as_ref().map(user).transpose()
    }

    async fn users(&self, organization: OrganizationId) -> Result<Vec<User>, StoreError> {
        let text = "SELECT * FROM users WHERE organization = $1 ORDER BY name, id";
        self.read(text, vec![printed(organization)]).await?.iter().map(user).collect()
    }
}

/// Nothing moves from one organization to another.
fn of_its_organization(saved: u64) -> Result<(), StoreError> {
    if saved == 1 { Ok(()) } else { Err(StoreError::Refused("it belongs to another organization".to_owned())) }
}
