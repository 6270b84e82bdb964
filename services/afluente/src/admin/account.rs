//! `afluente account`: channel accounts.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use domain::{Account, AccountId, Secret};
use serde_json::json;

use super::{organization, pair, random_text, store};
use crate::{
    Place, compose,
    exit::{Problem, say},
};

/// Channel accounts.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add an account, or change the one with this channel and name.
    Add(Box<Add>),
    /// List the accounts with what a provider needs to call them.
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What an account needs.
#[derive(Args)]
pub(crate) struct Add {
    #[command(flatten)]
    place: Place,
    /// The channel: whatsapp, telegram, webchat.
    #[arg(long)]
    channel: String,
    /// Unique name, part of the webhook's path.
    #[arg(long)]
    name: String,
    /// What agents read; the name when left out.
    #[arg(long)]
    label: Option<String>,
    /// The queue where its conversations begin, by name.
    #[arg(long)]
    queue: String,
    /// The organization, by name or id, when there are several.
    #[arg(long)]
    organization: Option<String>,
    /// A setting of the channel.
    #[arg(long = "setting", value_parser = pair, value_name = "KEY=VALUE")]
    settings: Vec<(String, String)>,
    /// A secret of the channel. Secrets that the channel needs and that are left out are made at random.
    #[arg(long = "secret", value_parser = pair, value_name = "KEY=VALUE")]
    secrets: Vec<(String, String)>,
}

/// Runs the command.
pub(crate) async fn run(command: Command) -> Result<(), Problem> {
    match command {
        Command::Add(add) => self::add(*add).await,
        Command::List { place, json } => list(&place, json).await,
    }
}

async fn add(add: Add) -> Result<(), Problem> {
    let (_, stores) = store(&add.place, true).await?;
    let organization = organization(&stores, add.organization.as_deref()).await?;
    let queues = stores.directory.queues(organization.id).await?;
    let queue = queues.iter().find(|queue| queue.name == add.queue).ok_or_else(|| {
        let names = queues.iter().map(|queue| queue.name.as_str()).collect::<Vec<_>>().join(", ");
        Problem::usage(format!("no queue '{}'; there are: {names}", add.queue))
    })?;
    let kind = compose::channel(&add.channel).ok_or_else(|| {
        Problem::usage(format!("no channel '{}'; there are: {}", add.channel, compose::NAMES.join(", ")))
    })?;
    if !plain_name(&add.name) {
        return Err(Problem::usage(format!("'{}' cannot be a name: letters, digits, '-', '_' and '.' only", add.name)));
    }
    let id = AccountId::derive(&[&organization.id.to_string(), &add.channel, &add.name]);
    let stored = stores.directory.accounts_of(organization.id).await?.into_iter().find(|known| known.id == id);
    // What is not given stays as it was: a provider goes on calling with the secret that it has.
    let (mut settings, mut secrets) = stored
        .as_ref()
        .map_or_else(Default::default, |known: &Account| (known.settings.clone(), known.secrets.clone()));
    settings.extend(add.settings);
    secrets.extend(add.secrets.into_iter().map(|(key, value)| (key, Secret::new(value))));
    if let Some(own) = own_secret(&add.channel, &settings) {
        secrets.entry(own.to_owned()).or_insert_with(|| Secret::new(random_text()));
    }
    let label = add.label.or_else(|| stored.map(|known| known.label)).unwrap_or_else(|| add.name.clone());
    let account = Account {
        id,
        organization: organization.id,
        channel: add.channel.parse().map_err(|problem: domain::InvalidChannel| Problem::usage(problem.to_string()))?,
        label,
        name: add.name,
        queue: queue.id,
        settings,
        secrets,
        active: true,
    };
    kind.open(&account).map_err(|problem| Problem::usage(problem.to_string()))?;
    stores.directory.save_account(&account).await?;
    say(format_args!("{} {} {}", account.id, account.channel, account.name));
    Ok(())
}

/// The secret that we make up when none is given: what the provider or the widget shows us. Telegram has one only when
/// it calls us; without, the account polls.
fn own_secret(channel: &str, settings: &BTreeMap<String, String>) -> Option<&'static str> {
    let calls_us = settings.get("mode").is_some_and(|mode| mode == "webhook");
    match channel {
        "webchat" => Some("link_secret"),
        "telegram" => calls_us.then_some("webhook_secret"),
        _ => Some("webhook_secret"),
    }
}

/// The name is part of the webhook's path.
fn plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

async fn list(place: &Place, as_json: bool) -> Result<(), Problem> {
    let (settings, stores) = store(place, false).await?;
    let public_url = settings.public_url();
    let accounts = stores.directory.accounts(None).await?;
    let rows: Vec<_> = accounts
        .iter()
        .map(|account| {
            let header = compose::channel(account.channel.as_str())
                .and_then(|kind| kind.open(account).ok())
                .and_then(|open| compose::secret_header(&open));
            let secret = account.secrets.get("webhook_secret").map(Secret::expose);
            json!({
                "id": account.id, "organization": account.organization, "channel": account.channel, "name": account.name,
                "label": account.label, "active": account.active,
                "hook_url": header.map(|_| format!("{public_url}/hooks/{}/{}", account.channel, account.name)),
                "secret_header": header, "secret": header.and(secret),
            })
        })
        .collect();
    if as_json {
        say(json!(rows));
        return Ok(());
    }
    for row in rows {
        let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
        say(format_args!(
            "{:<10} {:<20} {} {}",
            text("channel"),
            text("name"),
            text("hook_url"),
            text("secret_header")
        ));
    }
    Ok(())
}
