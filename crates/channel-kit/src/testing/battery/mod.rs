//! The reliability battery: what may happen to every channel, and must not hurt.
//!
//! A channel calls [`webhook`] and [`sends`] (or [`link`]) from its tests. There is nothing to leave out: a fixture
//! without a field does not compile.

mod incoming;
mod live;
mod outgoing;

use std::sync::Arc;

use bytes::Bytes;
use domain::{Account, AccountId, Address, Secret};

use super::{FakeProvider, Reply, world::Logs};
use crate::{Redactor, contract::ChannelType, http::ProviderResponse};

/// What the battery must know of a channel with a webhook.
pub struct WebhookFixture {
    /// The channel.
    pub kind: Arc<dyn ChannelType>,
    /// An account that opens.
    pub account: Account,
    /// The headers of a genuine call, the secret among them.
    pub headers: Vec<(String, String)>,
    /// Genuine calls with one message each, at least three, of one contact.
    pub messages: Vec<Bytes>,
    /// Genuine calls with one receipt each (sent, delivered, read), when the provider has receipts.
    pub receipts: Vec<Bytes>,
    /// A call with the right secret and a body that the provider would never send.
    pub malformed: Bytes,
}

/// What the battery must know of a channel that sends through a provider.
pub struct SendFixture {
    /// The channel.
    pub kind: Arc<dyn ChannelType>,
    /// An account that opens.
    pub account: Account,
    /// A contact.
    pub address: Address,
    /// The provider takes a text.
    pub accepted: ProviderResponse,
    /// The provider refuses a text for good.
    pub rejected: ProviderResponse,
    /// The provider says "too fast", with a pause of at most two seconds.
    pub throttled: ProviderResponse,
    /// The provider no longer knows the account's credentials.
    pub revoked: ProviderResponse,
}

/// What the battery must know of a channel with live links.
pub struct LinkFixture {
    /// The channel.
    pub kind: Arc<dyn ChannelType>,
    /// An account that opens.
    pub account: Account,
    /// A text as the page sends it, with this `id`.
    pub text: fn(id: &str, text: &str) -> serde_json::Value,
    /// A receipt as the page sends it.
    pub delivered: fn(part: &str) -> serde_json::Value,
}

/// The way in by webhook.
pub async fn webhook(fixture: WebhookFixture) {
    let logs = Logs::listen();
    let redactor = Redactor::of(&fixture.account);
    incoming::refused(&fixture).await;
    incoming::duplicates(&fixture).await;
    incoming::reordered_receipts(&fixture).await;
    incoming::broker_away(&fixture).await;
    incoming::restart_with_a_full_spool(&fixture).await;
    incoming::malformed_and_panicking(&fixture).await;
    heard(&logs, "a webhook call is parked");
    clean("the way in", &redactor, &logs.text());
}

/// The way out.
pub async fn sends(fixture: SendFixture) {
    let logs = Logs::listen();
    let redactor = Redactor::of(&fixture.account);
    outgoing::in_order_and_in_parts(&fixture).await;
    outgoing::a_failing_part(&fixture).await;
    outgoing::permits(&fixture).await;
    outgoing::tried_again(&fixture).await;
    outgoing::crashes(&fixture).await;
    outgoing::a_lost_answer_of_the_ledger(&fixture).await;
    outgoing::taken_back(&fixture).await;
    outgoing::panics_and_doubts(&fixture).await;
    let transcripts = outgoing::revoked(&fixture).await;
    assert!(transcripts.contains("Transcript"), "exchanges are kept: {transcripts}");
    heard(&logs, "exchange with the provider");
    clean("transcripts", &redactor, &transcripts);
    clean("the way out", &redactor, &logs.text());
}

/// Live links, both ways.
pub async fn link(fixture: LinkFixture) {
    let logs = Logs::listen();
    let redactor = Redactor::of(&fixture.account);
    live::both_ways(&fixture).await;
    live::broker_away(&fixture).await;
    live::strangers_and_forgers(&fixture).await;
    live::files(&fixture).await;
    heard(&logs, "an arrival goes to the disk spool");
    clean("the link", &redactor, &logs.text());
}

/// An empty log is clean, and says nothing.
fn heard(logs: &Logs, line: &str) {
    assert!(logs.text().contains(line), "the log is not heard: '{line}' is not in it");
}

fn clean(what: &str, redactor: &Redactor, text: &str) {
    let leak = text.lines().find(|line| redactor.finds(line));
    assert!(
        leak.is_none(),
        "a secret of the account is in the output of {what}: {}",
        redactor.text(leak.unwrap_or(""))
    );
}

/// The same account again, apart from its id, its name and its secrets.
fn sibling(account: &Account) -> Account {
    let mut other = account.clone();
    other.id = AccountId::derive(&["battery", "sibling"]);
    other.name = format!("{}-sibling", account.name);
    other.secrets = account
        .secrets
        .iter()
        .map(|(name, secret)| (name.clone(), Secret::new(format!("{}-sibling", secret.expose()))))
        .collect();
    other
}

fn silent() -> Arc<FakeProvider> {
    FakeProvider::new(Reply::Hang)
}
