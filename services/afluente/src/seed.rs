//! The demo company: what `afluente dev` serves before anybody configured anything.

use std::{collections::BTreeMap, io, path::Path};

use domain::{
    Account, AccountId, Distribution, Language, Organization, OrganizationId, Queue, QueueId, Role, Secret, User,
    UserId,
};
use ports::{Directory, StoreError};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

use crate::keys::made_once;

/// The secrets of the demo company, random for each data folder.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Demo {
    /// Password of every demo person.
    pub password: String,
    /// Webhook secret of `demo-whatsapp`.
    pub whatsapp_secret: String,
    /// Webhook secret of `demo-telegram`.
    pub telegram_secret: String,
    /// Bot token of `demo-telegram` at the simulator.
    pub telegram_token: String,
    /// API key of `demo-whatsapp` at the simulator.
    pub whatsapp_key: String,
    /// Signs the visitors' tokens of `demo-webchat`.
    pub link_secret: String,
}

/// Who signs in.
pub(crate) const EMAIL: &str = "ana@demo.example";
/// The number of the demo company on WhatsApp, as Gupshup's `source`.
pub(crate) const WHATSAPP_SOURCE: &str = "551130000000";
/// The Gupshup app of the demo company.
pub(crate) const WHATSAPP_APP: &str = "LojaDemo";

impl Demo {
    /// The demo's secrets of a data folder, made at the first call.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub(crate) fn of_folder(data: &Path) -> io::Result<Self> {
        made_once(&data.join("demo.json"), || {
            Ok(Self {
                password: format!("Demo-{}", random_hex(5)),
                whatsapp_secret: format!("Bearer {}", random_hex(16)),
                telegram_secret: random_hex(16),
                telegram_token: format!("110201543:{}", random_hex(16)),
                whatsapp_key: random_hex(16),
                link_secret: random_hex(32),
            })
        })
    }

    /// Writes the demo company into the directory, unless it is there.
    ///
    /// # Errors
    /// When the store is away.
    pub(crate) async fn seed(&self, directory: &dyn Directory, simulator: &str) -> Result<(), StoreError> {
        let organization = OrganizationId::derive(&["demo"]);
        if directory.organizations().await?.iter().any(|known| known.id == organization) {
            // The port may have changed since: the providers' addresses follow it.
            return self.seed_accounts(directory, organization, simulator).await;
        }
        directory.save_organization(&Organization { id: organization, name: "Loja Demo".to_owned() }).await?;
        let hash =
            service_desk::hash_password(&self.password).map_err(|problem| StoreError::Refused(problem.to_string()))?;
        let people = people(organization, &hash);
        let members: Vec<UserId> = people.iter().map(|user| user.id).collect();
        for user in &people {
            directory.save_user(user).await?;
        }
        for (name, distribution) in [
            ("Atendimento", Distribution::Manual),
            ("Suporte", Distribution::Manual),
            ("Plantão", Distribution::Circular),
        ] {
            directory
                .save_queue(&Queue {
                    id: queue_id(name),
                    organization,
                    name: name.to_owned(),
                    distribution,
                    inactive_after: 1_800,
                    abandon_after: 172_800,
                    members: members.clone(),
                    active: true,
                })
                .await?;
        }
        self.seed_accounts(directory, organization, simulator).await
    }

    async fn seed_accounts(
        &self,
        directory: &dyn Directory,
        organization: OrganizationId,
        simulator: &str,
    ) -> Result<(), StoreError> {
        let secret = Secret::new;
        let whatsapp_url = format!("{simulator}/sim/gupshup");
        let telegram_url = format!("{simulator}/sim/telegram");
        let accounts = [
            account(
                organization,
                ("whatsapp", "demo-whatsapp", "WhatsApp da loja", "Atendimento"),
                &[
                    ("base_url", &whatsapp_url),
                    ("app_name", WHATSAPP_APP),
                    ("app_id", &service_simulator::app_id(WHATSAPP_APP)),
                    ("source", WHATSAPP_SOURCE),
                ],
                [("api_key", secret(&self.whatsapp_key)), ("webhook_secret", secret(&self.whatsapp_secret))],
            ),
            account(
                organization,
                ("telegram", "demo-telegram", "Telegram da loja", "Atendimento"),
                &[("base_url", &telegram_url), ("mode", "webhook")],
                [("token", secret(&self.telegram_token)), ("webhook_secret", secret(&self.telegram_secret))],
            ),
            account(
                organization,
                ("webchat", "demo-webchat", "Chat do site", "Suporte"),
                &[],
                [("link_secret", secret(&self.link_secret))],
            ),
        ];
        for account in accounts {
            directory.save_account(&account.map_err(StoreError::Refused)?).await?;
        }
        Ok(())
    }
}

fn people(organization: OrganizationId, hash: &str) -> Vec<User> {
    [
        (EMAIL, "Ana Souza", Role::Administrator, Language::PtBr),
        ("bruno@demo.example", "Bruno Lima", Role::Agent, Language::PtBr),
        ("carla@demo.example", "Carla Gómez", Role::Agent, Language::Es),
    ]
    .into_iter()
    .map(|(email, name, role, language)| User {
        id: UserId::derive(&[&organization.to_string(), email]),
        organization,
        email: email.to_owned(),
        name: name.to_owned(),
        role,
        language,
        password: Secret::new(hash),
        capacity: 30,
        active: true,
    })
    .collect()
}

fn queue_id(name: &str) -> QueueId {
    QueueId::derive(&["demo", name])
}

fn account<const N: usize>(
    organization: OrganizationId,
    (channel, name, label, queue): (&str, &str, &str, &str),
    settings: &[(&str, &str)],
    secrets: [(&str, Secret); N],
) -> Result<Account, String> {
    Ok(Account {
        id: AccountId::derive(&[&organization.to_string(), channel, name]),
        organization,
        channel: channel.parse().map_err(|problem: domain::InvalidChannel| problem.to_string())?,
        name: name.to_owned(),
        label: label.to_owned(),
        queue: queue_id(queue),
        settings: settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        secrets: secrets.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<BTreeMap<_, _>>(),
        active: true,
    })
}

fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0u8; bytes];
    rand::rng().fill_bytes(&mut buffer);
    hex::encode(buffer)
}
